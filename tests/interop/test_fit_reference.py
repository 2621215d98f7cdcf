"""Configurations of the shape that the authors released, on their swarm, and the tables of RegMix."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import spearmanr

from tests.interop.small_swarm import needs_search, read_outcome, run_command, write_csv
from tests.regression.swarms import DATA, fitted_rows, needs_data
from tests.solve.test_stage_0 import EXCLUDED, STAGE_0

DROPPED = [
    "ultrachat_masked_ppl",
    "wildchat_masked_ppl",
    "qasper_yesno:rc::olmes",
    "sciriff_yesno:rc::olmes",
    "lab_bench_dbqa",
    "lab_bench_protocolqa",
    "medqa_en:rc::none",
]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Writes a configuration, runs the command on it, and returns exit code, stderr and the folder."""

    def run(config, output="out"):
        (tmp_path / "fit.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        folder = tmp_path / output
        arguments = ("fit", "--config", tmp_path / "fit.yaml", "--output-dir", folder)
        code, _, err = run_command(monkeypatch, capsys, *arguments)
        return code, err, folder

    return run


def dclm_config(target=10**12, **regression):
    """As configs/fits/dclm_per_family.yaml: all 110 metrics in three families, sizes and tokens of the data set."""
    domains = pd.read_csv(DATA / "olmix-dclm/domains.csv")
    metrics = list(pd.read_csv(DATA / "olmix-dclm/metrics.csv", nrows=0).columns[4:])
    math = [name for name in metrics if name.startswith("minerva")]
    code = [name for name in metrics if name.startswith(("codex", "mbpp", "mt_mbpp"))]
    return {
        "swarm": {name: str(DATA / f"olmix-dclm/{name}.csv") for name in ("ratios", "metrics")},
        "priors": {
            "relative_sizes": dict(zip(domains.domain, domains.relative_size.tolist(), strict=True)),
            "total_tokens": 5_000_000_000_000,
            "token_counts": dict(zip(domains.domain, domains.tokens.tolist(), strict=True)),
        },
        "eval": {
            "type": "offline",
            "tasks": {"math": math, "code": code, "qa": [m for m in metrics if m not in {*math, *code}]},
        },
        "regression": {"type": "log_linear", "seed": 0, "n_test": 0, "train_split": 1.0} | regression,
        "proposer": {
            "type": "exact",
            "temperature": None,
            "kl_reg": 0.05,
            "use_natural_kl": False,
            "fit_only": False,
            "make_worst_mix": False,
        },
        "constraints": {"enabled": True, "target_tokens": target, "repetition_factor": 4.0},
        "filtering": {"keep_sources": [], "drop_metrics": DROPPED, "fixed_weight": {}, "obj_weights": {}},
    }


@needs_data
def test_the_published_stage_0_comes_out_of_the_published_tables(command):
    code, err, folder = command(dclm_config(train_split=64))
    assert code == 0, err
    found = read_outcome(folder)
    assert len(found.law["tasks"]) == 52
    assert not [task for task in found.law["tasks"] if task.startswith(EXCLUDED)]
    ratios = pd.read_csv(DATA / "olmix-dclm/ratios.csv")
    train, rest = fitted_rows(len(ratios))
    assert found.fit["runs"]["train"] == ratios.run[np.sort(train)].tolist()
    assert found.fit["runs"]["heldout"] == ratios.run[np.sort(rest)].tolist()
    weights = found.mixture["weights"]
    assert sum(abs(weights[name] - weight) for name, weight in STAGE_0.items()) / 2 <= 0.05
    top = ["health", "science_math_and_technology", "software_development"]
    assert sorted(weights, key=weights.__getitem__)[-3:] == top
    assert found.mixture["certificate"]["ok"]
    # One topic is in none of the 64 runs.
    assert found.fit["unidentified"] == ["fashion_and_beauty"]
    assert "fashion_and_beauty: in no training run" in err
    assert "furthest apart is politics" in err
    assert "has no column ultrachat_masked_ppl, wildchat_masked_ppl" in err
    assert np.median([figures["heldout"]["spearman"] for figures in found.fit["tasks"].values()]) > 0.8


@needs_data
def test_a_law_per_family_with_weights_in_fractions(command):
    config = dclm_config(target=6 * 10**12, aggregate_task_families=True, penalty=1e-7)
    config["filtering"]["obj_weights"] = {"math": "7/52.0", "code": "19/52.0", "qa": "26/52.0"}
    code, err, folder = command(config)
    assert code == 0, err
    found = read_outcome(folder)
    assert list(found.law["tasks"]) == ["code", "math", "qa"]
    assert found.fit["objective_weights"] == pytest.approx({"math": 7 / 52, "code": 19 / 52, "qa": 0.5})
    assert found.mixture["weights"]["software_development"] <= 4 * 223_384_974_282 / 6e12 + 1e-12
    scores = pd.read_csv(DATA / "olmix-dclm/metrics.csv").set_index("run")[config["eval"]["tasks"]["math"]]
    assert found.fit["tasks"]["math"]["train"]["mae"] < scores.mean(axis=1).std()


@needs_data
def test_the_example_needs_families_and_has_sizes_that_miss_a_few_percent(command):
    config = dclm_config(aggregate_task_families=True, penalty=1e-7)
    del config["eval"]
    sizes = config["priors"]["relative_sizes"]
    config["priors"]["relative_sizes"] = {name: 0.93 * size for name, size in sizes.items()}
    config["constraints"] = {"enabled": False, "target_tokens": None, "repetition_factor": 5.0}
    config["proposer"]["fit_only"] = True
    code, err, _ = command(config)
    assert code == 2
    assert "regression.aggregate_task_families: found true without eval.tasks" in err
    config["regression"]["aggregate_task_families"] = False
    code, err, folder = command(config)
    assert code == 0, err
    assert "WARNING: priors.relative_sizes sum to 0.93" in err
    assert not (folder / "mixture.json").exists()


def reuse_config(domains, **sections):
    return {
        "swarm": {"ratios": "ratios.csv", "metrics": "metrics.csv"},
        "priors": {"relative_sizes": domains, "token_counts": {name: int(1e12 * s) for name, s in domains.items()}},
        "regression": {"type": "log_linear", "seed": 0, "n_test": 0, "train_split": 1.0},
        "proposer": {"type": "exact", "temperature": None, "kl_reg": 0.05, "fit_only": False},
        "constraints": {"enabled": True, "target_tokens": 10**12, "repetition_factor": 4.0},
        "filtering": {"drop_metrics": DROPPED, "obj_weights": {}},
    } | sections


def write_swarm(folder, domains, runs, absent=()):
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(len(domains)), runs) * [name not in absent for name in domains]
    P /= P.sum(axis=1, keepdims=True)
    ids = [f"{k:08x}" for k in rng.integers(0, 2**31, runs)]
    Y = 1 + np.exp(P @ rng.uniform(-2, 1, (len(domains), 2)))
    tasks = ["arc_easy:rc::olmes", "lambada"]
    write_csv(folder / "ratios.csv", ["", "run", "name", "index", *domains], _rows(ids, P))
    write_csv(folder / "metrics.csv", ["", "run", "name", "index", *tasks], _rows(ids, Y))
    return P, Y, ids


def _rows(ids, values):
    return [[k, run, f"swarm-{k:04}", k, *row] for k, (run, row) in enumerate(zip(ids, values.tolist(), strict=True))]


def test_token_counts_beside_priors_are_told_where_to_go(command):
    """As configs/mixture_reuse_case_study/fit/1_add_stackedu.yaml has them."""
    config = reuse_config({"dclm": 0.75, "stack-edu:C": 0.25})
    config["token_counts"] = config["priors"].pop("token_counts")
    code, err, _ = command(config)
    assert code == 2
    assert "token_counts: found at the top level; it belongs below priors" in err


@needs_search
def test_a_swarm_of_one_free_domain_is_searched(command, tmp_path):
    """As configs/mixture_reuse_case_study/fit/3_revise_pdfs.yaml."""
    P, Y, ids = write_swarm(tmp_path, ["existing", "s2pdfv1"], 16)
    config = reuse_config({"existing": 0.98, "s2pdfv1": 0.02})
    config["regression"] |= {"type": "search", "train_split": 8}
    config["proposer"] |= {"type": "search", "kl_reg": None}
    code, err, folder = command(config)
    assert code == 0, err
    found = read_outcome(folder)
    train = [ids.index(run) for run in found.fit["runs"]["train"]]
    feasible = [k for k in train if P[k, 1] <= 4 * 0.02]
    best = min(feasible, key=lambda k: Y[k].mean())
    assert list(found.mixture["weights"].values()) == pytest.approx(P[best].tolist())


def test_a_topic_that_no_run_samples(command, tmp_path):
    """As configs/mixture_reuse_case_study/fit/5_partition_pdfs.yaml, where a topic is in none of the 64 runs."""
    domains = {"existing": 0.7, "s2pdfv1:adult": 0.001, "s2pdfv1:health": 0.199, "s2pdfv1:travel": 0.1}
    write_swarm(tmp_path, list(domains), 64, absent=["s2pdfv1:adult"])
    code, err, folder = command(reuse_config(domains))
    assert code == 0, err
    found = read_outcome(folder)
    assert found.fit["unidentified"] == ["s2pdfv1:adult"]
    assert found.mixture["weights"]["s2pdfv1:adult"] == pytest.approx(0.001)


def test_priors_of_prefixed_names_for_a_table_without_prefixes(command, tmp_path):
    """As the priors of generate/0_dclm.yaml: leaves of two sources, the table has the topics of one."""
    write_swarm(tmp_path, ["health", "games", "travel"], 20)
    sizes = {"dclm:health": 0.3, "dclm:games": 0.2, "dclm:travel": 0.2, "stack-edu:C": 0.3}
    code, err, _ = command(reuse_config(sizes))
    assert code == 2
    assert "only priors has dclm:games, dclm:health, dclm:travel, stack-edu:C, only the table has games, health" in err
    assert "names in priors begin with 'dclm:', those on the other side do not" in err


@needs_data
def test_laws_of_regmix_predict_its_test_mixtures(command, tmp_path, monkeypatch, capsys):
    folder = DATA / "regmix"
    domains = list(pd.read_csv(folder / "train_mixture_1m.csv", nrows=0).columns[1:])
    config = {
        "swarm": {"ratios": str(folder / "train_mixture_1m.csv"), "metrics": str(folder / "train_pile_loss_1m.csv")},
        "priors": {"relative_sizes": dict.fromkeys(domains, 1 / len(domains))},
        "regression": {"penalty": 1e-7},
        "proposer": {"fit_only": True},
    }
    code, err, out = command(config)
    assert code == 0, err
    assert "sum to 0.996 to 1.003: renormalised" in err
    arguments = ("--law", out, "--ratios", folder / "test_mixture_1m.csv", "--output", tmp_path / "predicted.csv")
    code, _, err = run_command(monkeypatch, capsys, "predict", *arguments)
    assert code == 0, err
    predicted = pd.read_csv(tmp_path / "predicted.csv").set_index("run")
    measured = pd.read_csv(folder / "test_pile_loss_1m.csv").set_index("index").loc[predicted.index]
    assert set(predicted.columns) == set(measured.columns)
    assert len(predicted) == 256
    pile_cc = "metric/the_pile_pile_cc_val_loss"
    assert spearmanr(predicted[pile_cc], measured[pile_cc]).statistic > 0.95


def test_every_field_is_documented():
    from olmix.interop.schema import FitConfig

    page = (Path(__file__).parents[2] / "docs/fit.md").read_text()
    for section, field in FitConfig.model_fields.items():
        model = next(a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type))
        for name in model.model_fields:
            assert f"`{section}.{name}`" in page, f"{section}.{name}"
