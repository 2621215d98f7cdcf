"""`olmix accept` and `olmix show` take today's results and nothing else."""

import json

import pytest
import yaml

from olmix.plan.history import read_history
from tests.miniature import change_params, run, snakemake


@pytest.fixture
def proposed(accepted):
    """The project before its mixture was accepted."""
    next((accepted / "mixtures").glob("0001-*.yaml")).unlink()
    return accepted


def refused(folder, *command):
    done = run(folder, "olmix", *(command or ("accept",)))
    assert done.returncode == (2 if "--name" in command else 1), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((folder / "mixtures").glob("0*"))
    return done.stderr


def test_what_is_recorded(proposed):
    done = run(proposed, "olmix", "accept", "--name", "first")
    assert done.returncode == 0, done.stderr
    (mixture,) = read_history(proposed / "mixtures")
    results = yaml.safe_load((proposed / "results/mixture.yaml").read_text())
    assert (mixture.name, mixture.parent) == ("0001-first", None)
    assert mixture.weights == results["weights"]
    assert {name: leaf.content for name, leaf in mixture.leaves.items()} == {
        name: leaf["content"] for name, leaf in results["leaves"].items()
    }
    assert len(mixture.leaves["web:news"].files.split()) == 2
    assert len(mixture.evidence()) == 6
    spent = mixture.ledger.spent
    assert (spent.runs, spent.tokens) == (6, 6 * 8192)
    assert mixture.ledger.full_recomputation.runs == 6
    assert mixture.gain_percent == json.loads((proposed / "results/metrics.json").read_text())["gain_percent"]


def test_accepting_twice_is_accepting_once(proposed):
    for _ in range(2):
        done = run(proposed, "olmix", "accept")
        assert done.returncode == 0, done.stderr
    assert "already accepted as mixtures/0001-initial.yaml" in done.stderr
    assert len(list((proposed / "mixtures").glob("0*"))) == 1


EDITS = {
    "weights": lambda document: document["weights"].update(code=0.5),
    "content": lambda document: document["leaves"]["code"].update(content="deadbeef"),
    "strategy": lambda document: document.update(strategy="bogus"),
    "a field less": lambda document: document.pop("objective"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_mixture_is_refused(proposed, edit):
    path = proposed / "results/mixture.yaml"
    document = yaml.safe_load(path.read_text())
    EDITS[edit](document)
    path.write_text(yaml.safe_dump(document))
    assert "results/mixture.yaml: is not the proposal of today's plan" in refused(proposed)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mixture.yaml", ""),
        ("mixture.yaml", "- 1"),
        ("mixture.yaml", "a: ["),
        ("metrics.json", "{"),
        ("metrics.json", "{}"),
    ],
)
@pytest.mark.parametrize("command", ["accept", "show"])
def test_damaged_results_are_one_line(proposed, name, text, command):
    (proposed / "results" / name).write_text(text)
    assert "results/" in refused(proposed, command)


def test_the_proof_of_another_plan_is_refused(proposed):
    change_params(proposed, solver={"kl": 0.3})
    assert snakemake(proposed, "solve").returncode == 0
    assert "results/metrics.json is not there for today's domain set and params" in refused(proposed)


def test_a_bad_name(proposed):
    assert "--name: found 'a/b'" in refused(proposed, "accept", "--name", "a/b")
