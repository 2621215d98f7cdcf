"""The graph on a real Slurm of one node: the same bytes as without it, whatever the scheduler does to its jobs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from olmix.project import Project
from tests import slurm_node
from tests.graph.conftest import LAW
from tests.miniature import ROOT, build, change_params, forget, planned_jobs, snakemake

pytestmark = pytest.mark.skipif(bool(slurm_node.missing()), reason=slurm_node.missing())

# What a cluster without accounting needs; and jobs of seconds are asked for more often.
HERE = ["--slurm-no-account", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
SUBMIT = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *HERE]
# Every submission costs seconds of starting: leaves of a hundred lines share one.
ONE_CORPUS = [
    "--groups",
    "tokens=corpus",
    "items=corpus",
    "proxy=runs",
    "evaluation=runs",
    "--group-components",
    "corpus=5",
]
RUNS = "rule_runs_evaluation_proxy"


@pytest.fixture
def cluster(tmp_path, tmp_path_factory):
    """Slurm, on which no other test works."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    with FileLock(root / "slurm.lock"), slurm_node.slurm(tmp_path / "slurm") as running:
        yield running


@pytest.fixture
def submit(cluster):
    """Starts Snakemake in a project, with its output in `snakemake.log`."""
    started = []

    def start(folder, *options):
        log = (folder / "snakemake.log").open("w")
        environment = os.environ | cluster.environment
        started.append(subprocess.Popen([*SUBMIT, *options], cwd=folder, stdout=log, stderr=log, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(found, folder, seconds=90):
    """What a function finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, (folder / "snakemake.log").read_text()[-3000:]
        time.sleep(0.02)
    return result


def submissions(cluster, kind):
    """Ids of the submissions of one kind, in their order."""
    return sorted((job for job, comment in cluster.submitted().items() if comment.startswith(kind)), key=int)


def artefacts(folder):
    return sorted(found for found in Project.load(folder).store.artefacts())


def trained(folder):
    """Key of each run → sha256 of what was trained."""
    store = Project.load(folder).store
    return {k: store.manifest("proxy", k)["files"]["model.safetensors"]["sha256"] for _, k in runs_of(folder)}


def runs_of(folder):
    return [found for found in artefacts(folder) if found[0] == "proxy"]


def test_the_pipeline_gives_the_same_bytes_on_slurm_with_few_submissions(cluster, submit, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    build(here)
    shutil.copy(ROOT / "tests/known_law.py", here / "trainer.py")
    (here / "law.json").write_text(json.dumps(LAW))
    change_params(
        here,
        proxy={"command": f"{sys.executable} trainer.py law.json", "command_writes": "scores"},
        swarm={"runs_per_job": 4},
    )
    shutil.copytree(here, there)
    done = snakemake(here)
    assert done.returncode == 0, done.stderr[-3000:]
    assert submit(there, *ONE_CORPUS).wait(300) == 0, (there / "snakemake.log").read_text()[-3000:]
    assert (there / "results/mixture.yaml").read_bytes() == (here / "results/mixture.yaml").read_bytes()
    assert artefacts(there) == artefacts(here)
    assert planned_jobs(there) == {}
    assert len(runs_of(there)) == 8
    assert len(submissions(cluster, RUNS)) == 2
    # Besides: the corpus, the laws, the proposal and its proof with two seeds; the plan and the views are made here.
    assert len(cluster.submitted()) == 2 + 1 + 1 + 1 + 2
    assert set(cluster.states().values()) == {"COMPLETED"}


def test_a_swarm_outlives_kills_time_limits_and_drained_nodes(cluster, submit, project, finished):
    """By Snakemake's own retries: the same bytes, going on from checkpoints, and nothing trained twice."""
    change_params(project, swarm={"runs_per_job": 4}, proxy={"checkpoint_seconds": 0})
    forget(project, "proxy", "evaluation")
    shutil.rmtree(project / "results")
    shutil.rmtree(project / "logs")
    going = submit(project, "swarm")
    first, second = wait_for(lambda: both(submissions(cluster, RUNS)), project)
    key = freeze_in_the_middle_of_a_run(project)
    cluster.command("scancel", "--signal=KILL", "--full", first)
    cluster.command("scontrol", "update", f"JobId={second}", "EndTime=now")
    node = ("scontrol", "update", f"NodeName={cluster.node}")
    cluster.command(*node, "State=DRAIN", "Reason=test")
    wait_for(lambda: len(submissions(cluster, RUNS)) == 4, project)
    assert set(cluster.jobs("PENDING")) == set(submissions(cluster, RUNS)[2:])
    cluster.command(*node, "State=RESUME")
    wait_for(lambda: "goes on after step" in log_of(project, key), project)
    assert going.wait(300) == 0, (project / "snakemake.log").read_text()[-3000:]
    ended = (cluster.folder / "completed.txt").read_text()
    assert all(f"JobState={state}" in ended for state in ("CANCELLED", "COMPLETED"))
    assert re.search(rf"JobId={second} .*JobState=(TIMEOUT|FAILED)", ended), (
        "FAILED: its script saw the step cut off first"
    )
    assert len(submissions(cluster, RUNS)) == 4, "each was submitted once more"
    done = snakemake(project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert trained(project) == trained(finished)
    assert (project / "results/mixture.yaml").read_bytes() == (finished / "results/mixture.yaml").read_bytes()
    assert planned_jobs(project) == {}


def log_of(project, key):
    path = project / f"logs/proxy/{key}.log"
    return path.read_text() if path.exists() else ""


def both(jobs):
    return jobs if len(jobs) == 2 else None


def freeze_in_the_middle_of_a_run(project):
    """Stop a job that trains, by the process, while a run of it has a checkpoint; returns the key of that run."""
    return wait_for(lambda: next(filter(None, map(frozen_run, trainers(project))), None), project)


def trainers(project):
    """Processes that train in a project, by the key of the run that they were started for."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if (process / "cwd").resolve() == project and "proxy" in words and "--also" in words and "-c" not in words:
                yield project, int(process.name), [k for k in words if len(k) == 20]
        except OSError:
            continue  # ended meanwhile


def frozen_run(trainer):
    project, process, keys = trainer
    os.kill(process, signal.SIGSTOP)
    for key in keys:
        if list((project / "store/.partial" / key).glob("step-*.safetensors")):
            return key
    os.kill(process, signal.SIGCONT)
    return None
