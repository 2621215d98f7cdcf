"""What goes wrong around a run: a full disk, a read-only folder, clocks, and another project that makes the same."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

import pytest

from olmix.project import Project
from tests.miniature import build, change_params, planned_jobs, run, snakemake


@pytest.fixture
def small_disk(project):
    """Puts the store of a project on a file system of some kB, or changes that; gives the disk back at the end."""
    store = project / "store"

    def limit(options):
        mounted = os.path.ismount(store)
        command = ["mount", "-o", f"remount,{options}"] if mounted else ["mount", "-t", "tmpfs", "-o", options, "tmpfs"]
        done = subprocess.run([*command, store], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a file system of its own cannot be mounted here: {done.stderr.strip()}")

    yield limit
    if os.path.ismount(store):
        subprocess.run(["umount", "--lazy", store], check=True)


def test_a_full_disk_is_told_and_costs_only_what_was_in_work(project, finished, small_disk):
    shutil.rmtree(project / "store")
    (project / "store").mkdir()
    small_disk("size=400k")
    done = snakemake(project)
    assert done.returncode == 1
    assert re.search(r"^olmix: \S*store\S* (cannot be written: )?No space left on device", done.stderr, flags=re.M)
    assert "Traceback" not in done.stderr
    audited = run(project, "olmix", "audit")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    small_disk("size=200m")
    done = snakemake(project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (project / "results/mixture.yaml").read_bytes() == (finished / "results/mixture.yaml").read_bytes()


def test_a_read_only_store_is_told(project, small_disk):
    shutil.rmtree(project / "store")
    (project / "store").mkdir()
    small_disk("size=200m,ro")
    done = snakemake(project)
    assert done.returncode == 1
    assert "Read-only file system: 'store/" in done.stderr
    assert "Traceback" not in done.stderr
    small_disk("size=200m,rw")
    done = snakemake(project)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("days", [-4000, 4000])
def test_clocks_decide_nothing(project, days):
    """Every file as of a clock that was far off, and a file whose change is older than what was made from it."""
    when = time.time() + days * 86400
    for path in project.rglob("*"):
        os.utime(path, (when, when), follow_symlinks=False)
    assert planned_jobs(project) == {}
    path = project / "data/texts/code.jsonl"
    path.write_text(path.read_text().replace("self", "flse"))
    os.utime(path, (when - 1e6, when - 1e6))
    assert planned_jobs(project)["tokens"] == 1
    path.write_text(path.read_text().replace("flse", "self"))
    os.utime(path, (when - 1e6, when - 1e6))
    assert planned_jobs(project) == {}


def test_two_projects_that_share_a_store_train_each_run_once(tmp_path, finished):
    one, two = (tmp_path / name for name in ("one", "two"))
    for folder in (one, two):
        folder.mkdir()
        build(folder)
        change_params(folder, swarm={"runs_per_job": 2})
    (one / "store").mkdir()
    (two / "store").symlink_to(one / "store")
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    at_work = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "error.log").open("w"))
        for folder in (one, two)
    ]
    for folder, process in zip((one, two), at_work, strict=True):
        assert process.wait(600) == 0, (folder / "error.log").read_text()[-3000:]
    for folder in (one, two):
        assert planned_jobs(folder) == {}
        assert (folder / "results/mixture.yaml").read_bytes() == (finished / "results/mixture.yaml").read_bytes()
    assert run(one, "olmix", "audit").returncode == 0
    printed = "".join((folder / "error.log").read_text() for folder in (one, two))
    trained = Counter(re.findall(r"^(\S+)  step 32/32 ", printed, flags=re.M))
    runs = {planned.name: 1 for planned in Project.load(one).plan().runs}
    assert {name: trained[name] for name in runs} == runs


def test_an_artefact_that_is_there_is_never_removed(project):
    """Another project that shares the store may have published it since the graph was made, and may be reading it."""
    before = {path: path.stat().st_ino for path in (project / "store").glob("*/*/manifest.json")}
    done = run(project, "snakemake", "--cores", "2", "--forceall")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Finished jobid" in done.stderr
    assert {path: path.stat().st_ino for path in before} == before
