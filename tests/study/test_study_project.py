"""`snakemake study` in a project whose runs are scored by a known law."""

import json
import shlex
import shutil
import sys

import pytest

from olmix.project import Project
from tests.miniature import ROOT, build, change_params, planned_jobs, snakemake

LAW = {
    "tasks": {
        "code": {"c": 0.5, "t": {"code": -0.8, "maths": -0.2, "web:games": 0.1, "web:news": 0.2}},
        "games": {"c": 0.6, "t": {"code": -0.1, "maths": -0.1, "web:games": -0.8, "web:news": -0.3}},
        "maths": {"c": 0.7, "t": {"code": -0.2, "maths": -0.7, "web:games": 0.2, "web:news": 0.1}},
        "news": {"c": 0.8, "t": {"code": 0.1, "maths": 0.3, "web:games": -0.3, "web:news": -0.9}},
    },
    "noise": 0.002,
}


def build_known(folder):
    """Twenty runs of four leaves, finished."""
    build(folder)
    (folder / "law.json").write_text(json.dumps(LAW))
    command = shlex.join([sys.executable, str(ROOT / "tests/known_law.py"), "law.json"])
    change_params(
        folder,
        proxy={"command": command, "command_writes": "scores"},
        swarm={"runs_per_parameter": 4},
        study={"families": ["log_linear", "kernel", "blend"], "repeats": 3, "kl": [0, 0.1], "repetition": [1, 2]},
    )
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def known_base(made_once):
    return made_once("study-known", build_known)


@pytest.fixture
def known(known_base, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(known_base, folder, ignore=shutil.ignore_patterns(".snakemake"), copy_function=shutil.copy)
    return folder


def test_a_project_is_studied_once(known):
    assert planned_jobs(known) == {}  # it is no part of `all`
    done = snakemake(known, "study")
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads((known / "results/study.json").read_text())
    assert document["swarm"]["runs"] == 20
    assert document["recommendation"]["family"] == "log_linear"
    assert set(document["granularity"]["mean"]) == {"task", "family", "aggregate"}
    assert document["in_force"]["family"] == "log_linear"
    assert {one["kl"] for one in document["mixtures"]["solved"]} == {0, 0.05, 0.1}
    assert {one["repetition"] for one in document["mixtures"]["solved"]} == {1, 2, 3, None}
    assert "log_linear predicts held-out runs best" in done.stdout
    assert "<svg" in (known / "results/study.html").read_text()

    again = snakemake(known, "study")
    assert "Nothing to be done" in again.stdout + again.stderr
    before = (known / "results/study.csv").read_bytes()
    (known / "results/study.csv").unlink()
    assert snakemake(known, "study").returncode == 0
    assert (known / "results/study.csv").read_bytes() == before

    # Other params of the study: nothing is planned or fitted again, but the study is.
    plan = Project.load(known).plan_key
    change_params(known, study={"families": ["kernel"]})
    assert Project.load(known).plan_key == plan
    assert planned_jobs(known) == {}
    assert "study" in snakemake(known, "-n", "study").stdout

    change_params(known, study={"families": ["forest"]})
    done = snakemake(known, "study")
    assert done.returncode == 2
    assert "olmix: study.families: found 'forest'" in done.stderr


def test_renaming_a_leaf_changes_no_figure(known):
    assert snakemake(known, "study").returncode == 0
    before = (known / "results/study.csv").read_bytes()
    (known / "domains/code.yaml").rename(known / "domains/zz.yaml")
    done = snakemake(known, "study")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (known / "results/study.csv").read_bytes() == before


def test_a_swarm_of_too_few_runs_ends_with_one_line(known):
    change_params(known, swarm={"runs_per_parameter": 1.2})
    done = snakemake(known, "study")
    assert done.returncode == 2, done.stderr[-3000:]
    assert done.stderr.strip().splitlines()[-1].startswith("olmix: 6 runs for 4 domains")
    assert "Traceback" not in done.stderr
