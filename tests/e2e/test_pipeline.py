"""One real run of the whole pipeline at miniature size, and what must hold of its results."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml

from olmix.project import Project
from tests.miniature import run, snakemake

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def mixture(finished):
    return yaml.safe_load((finished / "results/mixture.yaml").read_text())


def test_the_mixture_is_feasible(mixture):
    weights = mixture["weights"]
    assert set(weights) == {"code", "maths", "web:games", "web:news"}
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)
    for name, leaf in mixture["leaves"].items():
        assert 0 <= weights[name] <= leaf["cap"]
        assert leaf["epochs"] == pytest.approx(weights[name] * 30_000 / leaf["tokens"])


def test_the_swarm_table_joins_every_run_with_its_scores(finished):
    plan = Project.load(finished).plan()
    with (finished / "results/swarm.csv").open() as stream:
        rows = {row["key"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {run.key for run in plan.runs}
    store = Project.load(finished).store
    for planned in plan.runs:
        row = rows[planned.key]
        scores = store.read_json("evaluation", planned.evaluation, "scores.json")
        assert float(row["bpb/code"]) == pytest.approx(scores["code"]["bpb"])
        assert sum(float(value) for name, value in row.items() if name.startswith("weight/")) == pytest.approx(1)
        mean = sum(task.weight * scores[task.name]["bpb"] for task in plan.tasks)
        assert float(row["bpb/mean"]) == pytest.approx(mean)


def test_training_on_a_domain_helps_its_task(finished):
    """The proxies are real: over the swarm, more of a domain means a lower score on its task."""
    with (finished / "results/swarm.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for leaf, task in {"maths": "maths", "web:games": "games"}.items():
        weight = [float(row[f"weight/{leaf}"]) for row in rows]
        score = [float(row[f"bpb/{task}"]) for row in rows]
        assert np.corrcoef(weight, score)[0, 1] < -0.3


def test_metrics_are_those_of_the_store(finished):
    metrics = json.loads((finished / "results/metrics.json").read_text())
    project = Project.load(finished)
    plan = project.plan()
    weights = np.array([task.weight for task in plan.tasks])

    def mean(kind, key, name):
        scores = project.store.read_json(kind, key, name)
        return float(weights @ [scores[task.name]["bpb"] for task in plan.tasks])

    prior = [mean("evaluation", run.evaluation, "scores.json") for run in plan.prior_runs]
    proposal = [mean("validation", run.key, "evaluation/scores.json") for run in plan.validation]
    assert metrics["prior_bpb"]["measured"] == pytest.approx(np.mean(prior))
    gain = 100 * (np.mean(prior) - np.mean(proposal)) / np.mean(prior)
    assert metrics["gain_percent"]["measured"] == pytest.approx(gain)


def test_the_proposal_was_trained_on_the_proposed_mixture(finished, mixture):
    project = Project.load(finished)
    plan = project.plan()
    for planned in plan.validation:
        achieved = project.store.manifest("validation", planned.key)["facts"]["tokens_achieved"]
        total = sum(achieved.values())
        for leaf in plan.leaves:
            share = achieved.get(leaf.tokens_key, 0) / total
            assert share == pytest.approx(mixture["weights"][leaf.name], abs=32 / total)


def test_the_report_renders_in_a_real_browser(finished, browser):
    page = browser.open((finished / "results/report.html").read_text())
    assert page.console == []
    assert page.dom.count("<svg") >= 6
    assert all(name in page.dom for name in ("code", "maths", "web:games", "web:news"))


def test_a_run_from_scratch_gives_the_same_mixture(finished, tmp_path):
    again = tmp_path / "again"
    made = ("store", "results", "logs", "benchmark", ".snakemake", ".cache")
    shutil.copytree(finished, again, ignore=shutil.ignore_patterns(*made))
    done = snakemake(again)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (again / "results/mixture.yaml").read_bytes() == (finished / "results/mixture.yaml").read_bytes()


def test_commands_for_people(finished):
    plan = json.loads(run(finished, "olmix", "plan", "--json").stdout)
    assert plan["runs"] == {"total": 6, "cached": 6, "to_run": 0}
    assert plan["free"] == ["code", "maths", "web:games", "web:news"]
    assert plan["tokens_to_train"] == 0
    assert "6 runs, 6 in the store, 0 to run" in run(finished, "olmix", "plan").stdout
    status = run(finished, "olmix", "status").stdout
    assert [line.split()[-1] for line in status.splitlines()] == ["6/6", "8/8", "4/4"]
    shown = run(finished, "olmix", "show").stdout
    assert "web:games" in shown
    assert "results/report.html" in shown
