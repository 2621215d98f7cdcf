"""`olmix fit`: what comes out of two tables and a configuration."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from olmix.errors import InputError
from tests.interop.small_swarm import (
    DOMAINS,
    RUNS,
    TASKS,
    C,
    T,
    build,
    fit,
    mixtures,
    needs_search,
    read_outcome,
    run_command,
    scores,
)


@pytest.fixture
def files(tmp_path):
    return build(tmp_path)


def law_values(law, P):
    domains = [law["domains"].index(name) for name in DOMAINS]
    t = np.array([np.array(law["tasks"][task]["t"])[domains] for task in TASKS])
    return np.array([law["tasks"][task]["c"] for task in TASKS]) + np.exp(P @ t.T)


def test_the_known_laws_are_found(files):
    found = fit(files.change(regression={"penalty": 0}))
    assert found.law["regression"] == "log_linear"
    P = mixtures(seed=1)
    assert law_values(found.law, P) == pytest.approx(scores(P), abs=1e-4)
    for task in TASKS:
        figures = found.fit["tasks"][task]
        assert figures["huber"] < 1e-6
        assert figures["train"]["mae"] < 1e-4
        assert figures["train"]["pearson"] == pytest.approx(1, abs=1e-4)
        assert figures["heldout"] is None  # nothing is held out: no in-sample figures under that name
    assert found.fit["seconds"] > 0


def test_the_mixture_is_the_optimum_of_the_known_problem(files):
    found = fit(files.change(regression={"penalty": 0}))
    prior = np.array([0.25, 0.15, 0.6])

    def objective(p):
        return (C + np.exp(p @ T.T)).mean(axis=-1) + 0.1 * (p * np.log(p / prior)).sum(axis=-1)

    p = np.array([found.mixture["weights"][name] for name in DOMAINS])
    others = np.random.default_rng(5).dirichlet(np.ones(3), 20_000)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert objective(p) <= objective(others).min() + 1e-6
    assert found.mixture["objective"] == pytest.approx(objective(p), abs=1e-4)
    assert found.mixture["certificate"]["ok"] is True
    assert found.mixture["tasks"]["coding"] == pytest.approx(scores(p[None])[0, 0], abs=1e-4)


def test_caps_are_kept(files):
    files.change(constraints={"enabled": True, "target_tokens": 2_000_000, "repetition_factor": 3})
    found = fit(files)
    assert found.mixture["weights"]["code"] == pytest.approx(3 * 150_000 / 2_000_000)
    assert found.mixture["certificate"]["shadow_prices"]["code"] > 0


def test_fit_only_proposes_nothing_and_removes_an_older_mixture(files):
    assert fit(files).mixture is not None
    assert fit(files.change(proposer={"fit_only": True})).mixture is None


def test_neither_rows_nor_columns_have_an_order(files):
    files.change(regression={"train_split": 20, "n_test": 5, "seed": 3})
    first = fit(files)
    law = (files.folder / "out/law/law.json").read_bytes()
    rng = np.random.default_rng(0)
    for table in (files.ratios, files.metrics):
        table[1:] = [table[k] for k in 1 + rng.permutation(RUNS)]
    fit(files, "rows")
    assert (files.folder / "rows/law/law.json").read_bytes() == law
    for table in (files.ratios, files.metrics):
        order = [0, 1, 2, *(3 + rng.permutation(3))]
        table[:] = [[row[j] for j in order] for row in table]
    second = fit(files, "columns")
    assert second.law["tasks"].keys() == first.law["tasks"].keys()
    P = mixtures(seed=1)
    assert law_values(second.law, P) == pytest.approx(law_values(first.law, P), abs=1e-9)
    assert second.mixture["weights"] == pytest.approx(first.mixture["weights"], abs=1e-9)


def test_scores_are_joined_by_run_and_not_by_row(files):
    fit(files.change(regression={"penalty": 0}))
    files.metrics[1:] = files.metrics[:0:-1]
    found = fit(files, "reversed")
    assert found.fit["tasks"]["coding"]["train"]["mae"] < 1e-4


def test_the_order_of_run_ids_counts_digits_as_numbers(files):
    found = fit(files)
    assert found.fit["runs"]["train"] == [f"run_{k}" for k in range(RUNS)]


@pytest.mark.parametrize("split", [12, 0.4, [0.4]])
def test_a_split_is_that_of_scikit_learn(files, split):
    found = fit(files.change(regression={"train_split": split, "seed": 7}))
    train, rest = train_test_split(np.arange(RUNS), train_size=12, random_state=7)
    assert found.fit["runs"]["train"] == [f"run_{k}" for k in sorted(train)]
    assert found.fit["runs"]["heldout"] == [f"run_{k}" for k in sorted(rest)]
    P = mixtures()
    errors = np.abs(law_values(found.law, P) - scores(P))
    assert found.fit["tasks"]["facts"]["heldout"]["mae"] == pytest.approx(errors[rest, 1].mean(), rel=1e-6)
    assert found.fit["tasks"]["facts"]["train"]["mae"] == pytest.approx(errors[train, 1].mean(), rel=1e-6)


def test_test_runs_are_held_out_before_the_split_as_in_the_released_code(files):
    found = fit(files.change(regression={"train_split": 0.5, "n_test": 6, "seed": 1}))
    rows, _ = train_test_split(np.arange(RUNS), test_size=6, random_state=1)
    train, _ = train_test_split(rows, train_size=0.5, random_state=1)
    assert found.fit["runs"]["train"] == [f"run_{k}" for k in sorted(train)]
    assert len(found.fit["runs"]["heldout"]) == RUNS - len(train)


@pytest.mark.parametrize("split", [1, 1.0, RUNS])
def test_a_whole_split_holds_nothing_out(files, split):
    found = fit(files.change(regression={"train_split": split}))
    assert len(found.fit["runs"]["train"]) == RUNS


def test_a_domain_in_no_run_is_held_at_its_prior_share(files):
    for table, cell in ((files.ratios, 0.0),):
        table[0].append("legal")
        for row in table[1:]:
            row.append(cell)
    files.config["priors"] = {"relative_sizes": {"web": 0.5, "code": 0.1, "books": 0.2, "legal": 0.2}}
    found = fit(files)
    assert found.fit["unidentified"] == ["legal"]
    assert found.mixture["weights"]["legal"] == pytest.approx(0.2)
    assert sum(found.mixture["weights"].values()) == pytest.approx(1)
    assert any("legal: in no training run" in line for line in found.said)
    assert any("legal: in no training run" in note for note in found.fit["notes"])


def test_domains_in_fixed_proportions_are_named_and_held(files):
    files.ratios[0] = ["run", "name", "index", "books", "code", "web", "forum"]
    for row in files.ratios[1:]:
        row[5:] = [row[5] * 0.75, row[5] * 0.25]
    files.config["priors"] = {"relative_sizes": {"web": 0.3, "forum": 0.2, "code": 0.2, "books": 0.3}}
    found = fit(files)
    assert found.fit["unidentified"] == ["forum", "web"]
    assert found.mixture["weights"]["web"] == pytest.approx(0.3)
    assert any("forum, web: in fixed proportions" in line for line in found.said)


def test_a_fixed_weight_is_kept(files):
    found = fit(files.change(filtering={"fixed_weight": {"books": "2/5"}}))
    assert found.mixture["weights"]["books"] == 0.4
    assert sum(found.mixture["weights"].values()) == pytest.approx(1)
    assert found.mixture["certificate"]["ok"] is True


def test_a_domain_with_the_same_weight_everywhere_can_be_fixed(files):
    """The swarm of a fixed domain mixes the others alone; their effects are all known."""
    for row in files.ratios[1:]:
        books = row[3]
        row[3:] = [0.3, row[4] * 0.7 / (1 - books), row[5] * 0.7 / (1 - books)]
    found = fit(files.change(filtering={"fixed_weight": {"books": 0.3}}))
    assert found.fit["unidentified"] == []
    assert found.mixture["weights"]["books"] == 0.3
    assert found.mixture["weights"]["code"] > 0.15


def test_a_natural_reference_changes_the_mixture(files):
    files.config["priors"]["token_counts"] = {"web": 1, "code": 1, "books": 8}
    manual = fit(files.change(proposer={"kl_reg": 10}))
    natural = fit(files.change(proposer={"use_natural_kl": True}))
    assert manual.mixture["weights"]["web"] == pytest.approx(0.6, abs=0.02)
    assert natural.mixture["weights"]["books"] == pytest.approx(0.8, abs=0.02)
    assert any("furthest apart is books" in line for line in natural.said)


def test_chosen_domains_restrict_runs_and_mixture(files):
    """`keep_sources`: runs of exactly these domains; `support_domains`: of no others."""
    for k, row in enumerate(files.ratios[1:]):
        if k < 20:
            row[3:] = [row[3] / (row[3] + row[4]), row[4] / (row[3] + row[4]), 0]
        if k == 0:
            row[3:] = [1, 0, 0]
    for field, kept in {"keep_sources": 19, "support_domains": 20}.items():
        files.config["filtering"] = {field: ["books", "code"]}
        found = fit(files)
        assert found.law["domains"] == ["books", "code"]
        assert len(found.fit["runs"]["train"]) == kept
        assert found.mixture["weights"].keys() == {"books", "code"}
        assert found.fit["dropped_runs"]["run_25"] == f"filtering.{field}"


def test_the_worst_mixture_is_worse_than_the_prior(files):
    best = fit(files.change(proposer={"type": "gradient"}))
    worst = fit(files.change(proposer={"make_worst_mix": True}))
    prior = scores(np.array([[0.25, 0.15, 0.6]])).mean()
    assert np.mean(list(best.mixture["tasks"].values())) < prior < np.mean(list(worst.mixture["tasks"].values()))


def test_simulation_comes_close_to_the_exact_mixture(files):
    exact = fit(files.change(proposer={"kl_reg": 0}))
    files.config["proposer"] = {"type": "simulation", "temperature": 0.5}
    simulated = fit(files)
    assert simulated.mixture["objective"] == pytest.approx(exact.mixture["objective"], abs=2e-3)
    assert simulated.mixture["certificate"]["kl_weight"] == 0


@needs_search
def test_search_proposes_the_best_run(files):
    files.change(regression={"type": "search"}, proposer={"type": "search", "kl_reg": None})
    found = fit(files)
    P = mixtures()
    best = P[scores(P).mean(axis=1).argmin()]
    assert found.mixture["weights"] == pytest.approx(dict(zip(DOMAINS, best, strict=True)))


def test_a_family_can_be_chosen_by_its_error(files):
    found = fit(files.change(regression={"type": "auto"}))
    assert found.fit["regression"]["family"] == "auto"
    assert found.mixture["certificate"]["ok"] is True


def test_a_penalty_is_passed_on(files):
    found = fit(files.change(regression={"penalty": 1e-5}))
    assert set(found.fit["regression"]["penalty"]) == {1e-5}


def test_the_record_names_inputs_and_settings(files):
    found = fit(files)
    assert found.fit["config"]["proposer"]["kl_reg"] == 0.1
    assert found.fit["inputs"]["ratios"]["path"].endswith("ratios.csv")
    assert len(found.fit["inputs"]["metrics"]["sha256"]) == 64


def test_nothing_is_written_for_a_mistake(files):
    files.change(constraints={"enabled": True, "target_tokens": 10_000_000})
    with pytest.raises(InputError, match=r"caps sum to 0\.4"):
        fit(files)
    assert not list((files.folder / "out").glob("*"))


def test_the_command_needs_no_project_and_finds_tables_beside_the_configuration(files, tmp_path_factory):
    config = files.write()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    call = [sys.executable, "-m", "olmix", "fit", "--config", str(config), "--output-dir", "made/here"]
    done = subprocess.run(call, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fitting 3 log_linear laws on 30 runs, 3 domains" in done.stderr
    assert done.stdout.startswith("made/here: 3 laws on 30 runs, 0 held out; mixture.json: objective ")
    assert read_outcome(elsewhere / "made/here").mixture["certificate"]["ok"]


def test_tables_may_lie_in_the_working_directory(files, tmp_path_factory, monkeypatch, capsys):
    config = files.write()
    apart = tmp_path_factory.mktemp("apart") / "fit.yaml"
    config.rename(apart)
    monkeypatch.chdir(files.folder)
    code, _, err = run_command(monkeypatch, capsys, "fit", "--config", apart, "--output-dir", "out")
    assert code == 0, err
    assert json.loads((files.folder / "out/fit.json").read_text())["runs"]["heldout"] == []
