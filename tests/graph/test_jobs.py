"""Several runs per job: one process trains a chunk of the plan; every run is still an artefact and a job of its own."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from olmix.params import Params
from olmix.plan.runs import runs_per_job
from olmix.project import Project
from olmix.schema import parse
from olmix.workflow import Workflow
from tests.miniature import change_params, forget, planned_jobs, run, snakemake


def keys(project):
    return [run.key for run in Project.load(project).plan().runs]


def of(key):
    return SimpleNamespace(key=key)


def payloads(project, kind):
    """sha256 of every payload file that says what was made."""
    store = Project.load(project).store
    files = {"proxy": ("model.safetensors", "losses.npy"), "evaluation": ("scores.json",)}[kind]
    return {
        path.name: [store.manifest(kind, path.name)["files"][name]["sha256"] for name in files]
        for path in (project / "store" / kind).iterdir()
    }


@pytest.mark.parametrize(
    ("per_job", "sizes"), [(1, [1] * 8), (3, [2, 3, 3]), (5, [4, 4]), (7, [4, 4]), (8, [8]), (100, [8])]
)
def test_chunks_cover_the_plan_in_even_parts(project, per_job, sizes):
    change_params(project, swarm={"runs_per_job": per_job})
    forget(project, "proxy", "tokens")
    flow, runs = Workflow.load(project), keys(project)
    assert len(runs) == 8
    jobs = {key: [key, *flow.more_runs(of(key))] for key in runs if "tokens" in str(flow.inputs_of_run(of(key)))}
    assert sorted(len(job) for job in jobs.values()) == sizes
    assert [key for job in jobs.values() for key in job] == runs
    for first, *others in jobs.values():
        for other in others:
            assert flow.inputs_of_run(of(other)) == [f"store/proxy/{first}/manifest.json"]
            assert flow.more_runs(of(other)) == []


def test_a_scheduler_is_asked_for_time_and_again_for_more_by_the_job_that_trains_alone(project):
    change_params(project, swarm={"runs_per_job": 4})
    forget(project, "proxy", "evaluation")
    flow, (first, second, *_) = Workflow.load(project), keys(project)
    assert [flow.minutes_to_train(of(key), attempt=n) for key in (first, second) for n in (1, 2)] == [240, 480, 1, 1]
    assert flow.minutes_to_score(of(Project.load(project).run(first).evaluation), attempt=2) == 1
    assert flow.memory(of(first), attempt=2) == 2 * flow.memory(of(first))


def test_evaluations_of_runs_that_are_there_are_given_time(project):
    forget(project, "evaluation")
    flow, first = Workflow.load(project), keys(project)[0]
    evaluation = of(Project.load(project).run(first).evaluation)
    assert [flow.minutes_to_score(evaluation, attempt=n) for n in (1, 2)] == [60, 120]


@pytest.mark.parametrize(
    ("proxy", "asked", "expected"),
    [
        ({"model": "tiny", "tokens": "240K", "sequence_length": 64}, "auto", 3),
        ({"model": "tiny", "tokens": "10K"}, "auto", 8),
        ({"model": "30M", "tokens": "3B", "sequence_length": 2048}, "auto", 1),
        ({"model": "tiny", "tokens": "10K", "command": "a trainer"}, "auto", 1),
        ({"model": "tiny", "tokens": "10K", "command": "a trainer"}, 5, 5),
        ({"model": "30M", "tokens": "3B"}, 2, 2),
    ],
)
def test_runs_per_job_by_default_fill_a_minute(proxy, asked, expected):
    document = {
        "tokenizer": {"digest": "d"},
        "target": {"tokens": "1B"},
        "swarm": {"runs_per_job": asked},
        "proxy": proxy,
    }
    assert runs_per_job(parse(document, Params, "params.yaml"), 2048) == expected


def test_runs_per_job_plans_nothing_anew(project):
    change_params(project, swarm={"runs_per_job": 2}, proxy={"compile": True, "checkpoint_seconds": 1})
    assert planned_jobs(project) == {}


def test_a_job_stages_the_runs_of_others_which_only_put_them_in_place(project, finished):
    first, second, third, *_ = keys(project)
    forget(project, "proxy", "evaluation")
    shutil.rmtree(project / "logs")
    made = run(
        project, "olmix", "make", "--log", f"logs/proxy/{first}.log", "proxy", first, "--also", second, "--also", third
    )
    assert made.returncode == 0, made.stderr
    store = Project.load(project).store
    assert [store.has("proxy", key) for key in (first, second, third)] == [True, False, False]
    assert [store.is_staged("proxy", key) for key in (first, second, third)] == [False, True, True]
    for key in (first, second, third):
        assert "step" in (project / f"logs/proxy/{key}.log").read_text()
    code = "import sys\nfrom olmix.__main__ import main\nmain()\nassert not {'numpy', 'typer'} & set(sys.modules)\n"
    log = f"logs/proxy/{second}.log"
    for kind, key in [("proxy", second), ("evaluation", Project.load(project).run(second).evaluation)]:
        command = [sys.executable, "-c", code, "make", "--log", log, kind, key, "--threads", "1"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert store.has(kind, key)
        assert not store.is_staged(kind, key)
    assert "step" in (project / log).read_text(), "its log is still that of its training"


def test_what_one_process_trains_is_what_processes_of_their_own_train(project, finished):
    change_params(project, swarm={"runs_per_job": 1})
    forget(project, "proxy", "evaluation")
    assert snakemake(project).returncode == 0
    for kind in ("proxy", "evaluation"):
        assert payloads(project, kind) == payloads(finished, kind)


def test_staged_runs_are_put_in_place_after_their_job_was_killed(project):
    first, second, third, fourth, *_ = keys(project)
    change_params(project, swarm={"runs_per_job": 4})
    forget(project, "proxy", "evaluation")
    made = run(project, "olmix", "make", "proxy", first, "--also", second, "--also", third)
    assert made.returncode == 0, made.stderr
    (project / f"store/proxy/{first}/manifest.json").unlink()
    flow = Workflow.load(project)
    assert flow.inputs_of_run(of(second)) == flow.more_runs(of(second)) == []
    assert flow.more_runs(of(first)) == [fourth]
    assert flow.inputs_of_run(of(fourth)) == [f"store/proxy/{first}/manifest.json"]
    assert snakemake(project).returncode == 0
    assert planned_jobs(project) == {}
    assert not list((project / "store/.partial").glob("staged-*"))
