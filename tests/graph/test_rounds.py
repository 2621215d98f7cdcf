"""A swarm that grows in rounds, through Snakemake: each round is planned from the proposal that the last one led to."""

import json
import shlex
import sys

import pytest

from olmix.project import Project
from tests.graph.conftest import dvc
from tests.miniature import ROOT, build, change_params, planned_jobs, run, snakemake

LEAVES = ["code", "maths", "web:games", "web:news"]
LAW = {
    "tasks": {
        task: {"c": 1.0, "t": dict(zip(LEAVES, t, strict=True))}
        for task, t in {
            "code": [-1.0, -0.2, 0.3, 0.1],
            "maths": [-0.2, -0.9, 0.2, 0.1],
            "games": [0.3, 0.1, -0.8, -0.2],
            "news": [0.2, 0.3, -0.2, -1.1],
        }.items()
    },
    "noise": 0.01,
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("rounds"))
    (folder / "law.json").write_text(json.dumps(LAW))
    command = shlex.join([sys.executable, str(ROOT / "tests/known_law.py"), "law.json"])
    swarm = {"rounds": 2, "runs_per_parameter": 2, "enough": 0.0}
    change_params(folder, proxy={"command": command, "command_writes": "scores"}, swarm=swarm, validation={"seeds": 2})
    before = run(folder, "olmix", "plan", "--json")
    assert before.returncode == 0, before.stderr
    assert json.loads(before.stdout)["runs"]["total"] == 10
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


def test_all_rounds_are_trained_and_nothing_is_left_to_do(grown):
    project = Project.load(grown)
    first, last = project.plans()
    assert [len(plan.swarm) for plan in (first, last)] == [6, 10]
    assert last.swarm[:6] == first.swarm
    assert all(project.store.has("proxy", run.key) for run in last.swarm)
    assert planned_jobs(grown) == {}
    summary = json.loads(run(grown, "olmix", "plan", "--json").stdout)
    assert summary["runs"] == {"total": 10, "cached": 10, "to_run": 0}
    assert summary["rounds"] == {"total": 2, "planned": 2, "stopped": ""}


def test_the_results_are_those_of_the_last_round(grown):
    last = Project.load(grown).plan()
    assert (grown / "results/swarm.csv").read_text().count("\nswarm-") == 10
    assert f"proposal: {last.proposal}" in (grown / "results/mixture.yaml").read_text()


def test_dvc_repro_grows_the_swarm_too(accepted):
    change_params(accepted, swarm={"rounds": 2, "runs_per_parameter": 2, "enough": 0.0})
    dvc(accepted, "repro")
    assert [len(plan.swarm) for plan in Project.load(accepted).plans()] == [6, 10]
    assert planned_jobs(accepted) == {}
    assert "Data and pipelines are up to date" in dvc(accepted, "status")


def test_a_lost_run_of_the_first_round_is_made_again_alone(grown):
    import shutil

    project = Project.load(grown)
    key = project.plan().swarm[0].key
    shutil.rmtree(project.store.path("proxy", key))
    assert planned_jobs(grown) == {"proxy": 1}
    done = snakemake(grown)
    assert done.returncode == 0, done.stderr[-5000:]
    assert planned_jobs(grown) == {}
