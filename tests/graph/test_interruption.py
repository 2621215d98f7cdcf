"""Two runs in one folder, and a run that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from olmix.process import LOCK, hold_lock
from tests.miniature import forget, planned_jobs, snakemake


def test_a_second_run_in_the_same_folder_is_refused(project):
    (project / "results/swarm.csv").unlink()
    with hold_lock(project / LOCK):
        done = snakemake(project)
        assert done.returncode == 1
        assert f"process {os.getpid()} is already at work in this folder" in done.stderr
    assert snakemake(project).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel kills orphans on Linux only")
def test_after_a_kill_the_same_command_goes_on(project, finished):
    """No orphan, no flag, no half-written artefact, and the same mixture."""
    forget(project, "proxy", "evaluation", "law", "proposal", "validation")
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    log = (project / "killed.log").open("w")
    running = subprocess.Popen(command, cwd=project, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while not list((project / "store/proxy").glob("*/manifest.json")):
        assert time.monotonic() < deadline, (project / "killed.log").read_text()
        time.sleep(0.1)
    second = snakemake(project)
    assert second.returncode == 1
    assert f"process {running.pid} is already at work in this folder" in second.stderr
    running.send_signal(signal.SIGKILL)
    running.wait()
    deadline = time.monotonic() + 20  # a job that was just starting finds Snakemake gone once Python has loaded it
    while left := orphans(project):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    done = snakemake(project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert planned_jobs(project) == {}
    one, two = (folder / "results/mixture.yaml" for folder in (project, finished))
    assert one.read_bytes() == two.read_bytes()


def orphans(project):
    """Processes that still work in the project."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == project and b"olmix" in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue  # ended meanwhile
    return found
