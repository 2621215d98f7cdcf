"""Kill anything at any moment: no process keeps working, and the same command again ends with the same bytes.

Four kills in the usual tests; `python -m pytest tests/graph/test_kill_sweep.py --kills 60 -rP` is the sweep and prints
each of them. The trainer is the real one, with many checkpoints a run.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.graph.conftest import dvc, git, stages_without_texts
from tests.miniature import build, change_params, planned_jobs, snakemake

KILLS_OF_A_TEST = 2
COMMANDS = {"snakemake": ("snakemake", "--cores", "2"), "dvc": ("dvc", "repro")}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMES = re.compile(r'( data-value="[\d.e-]+")?>[\d.,]+ (s|min)<|\d{4}-\d\d-\d\d \d\d:\d\d UTC')
VICTIMS = ("command", "descendant", "group")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel kills orphans on Linux only")


def pytest_generate_tests(metafunc):
    """A test for every two kills, by turns of Snakemake and of DVC."""
    if "seed" in metafunc.fixturenames:
        seeds = range(-(-metafunc.config.getoption("--kills") // KILLS_OF_A_TEST))
        metafunc.parametrize("seed", seeds, ids=[f"{list(COMMANDS)[seed % 2]}-{seed}" for seed in seeds])


@pytest.fixture(scope="session")
def undisturbed(made_once):
    """`project`: nothing made yet; `made`: the same after an undisturbed run; `seconds`: how long that took."""

    def fill(folder):
        project = folder / "project"
        project.mkdir()
        build(project)
        change_params(project, proxy={"tokens": 16_384, "checkpoint_seconds": 0.2})
        stages_without_texts(project)
        git(project, "init", "-q")
        dvc(project, "init", "-q")
        git(project, "add", "-A")
        git(project, "commit", "-qm", "nothing made")
        shutil.copytree(project, folder / "made/project")
        started = time.monotonic()
        done = snakemake(folder / "made/project")
        assert done.returncode == 0, done.stderr[-3000:]
        (folder / "seconds").write_text(str(time.monotonic() - started))

    return made_once("undisturbed", fill)


def test_after_kills_the_same_command_ends_with_the_same_bytes(undisturbed, tmp_path, seed):
    rng = random.Random(seed)
    command = list(COMMANDS.values())[seed % 2]
    seconds = float((undisturbed / "seconds").read_text())
    folder = fresh(undisturbed, tmp_path, 0)
    kills = starts = 0
    while kills < KILLS_OF_A_TEST:
        running = start(folder, command)
        starts += 1
        try:
            running.wait(rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            kills += 1
            print(kill(folder, running, rng.choice(VICTIMS), rng.choice(SIGNALS)))
        else:  # it was at its end before
            same_bytes(folder, undisturbed, running)
            folder = fresh(undisturbed, tmp_path, starts)
    last = start(folder, command)
    last.wait(600)
    same_bytes(folder, undisturbed, last)
    assert planned_jobs(folder) == {}


def fresh(undisturbed: Path, folder: Path, number: int) -> Path:
    """A project of which nothing has been made."""
    return Path(shutil.copytree(undisturbed / "project", folder / str(number) / "project"))


def start(folder: Path, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a command as a shell does: in a process group of its own."""
    with (folder / "output.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            env=os.environ  # DVC takes the user's shell; this one stays above the commands it runs
            | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "SHELL": "/bin/sh"},
        )


def kill(folder: Path, running: subprocess.Popen[bytes], victim: str, number: signal.Signals) -> str:
    """Send a signal to a command, to a process below it or to all of them, wait for the end and say what was hit."""
    below = {pid: text for pid, text in processes(folder).items() if pid != running.pid}
    at_work = sorted({match[1] for text in below.values() if (match := re.search(r"make --log \S+ (\S+)", text))})
    target = random.Random(len(below)).choice(sorted(below)) if victim == "descendant" and below else running.pid
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.killpg(running.pid, number) if victim == "group" else os.kill(target, number)
    running.wait(300)
    deadline = time.monotonic() + 20
    while left := processes(folder):
        assert time.monotonic() < deadline, f"{number.name} to {victim}: still at work: {left}"
        time.sleep(0.05)
    return f"{number.name:8} to {victim:10} at {', '.join(at_work) or 'start or end'}"


def processes(folder: Path) -> dict[int, str]:
    """Processes that work in a project, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if (process / "cwd").resolve() == folder and text:  # a zombie has none
                found[int(process.name)] = text
        except OSError:
            continue  # ended meanwhile
    return found


def same_bytes(folder: Path, undisturbed: Path, ended: subprocess.Popen[bytes]) -> None:
    """A command has made the same store and the same results as the undisturbed run."""
    assert ended.returncode == 0, (folder / "output.log").read_text()[-3000:]
    made = undisturbed / "made/project"
    assert artefacts(folder) == artefacts(made)
    assert results(folder) == results(made)
    staged = [path.name for path in (folder / "store/.partial").glob("*") if path.name.startswith("staged-")]
    assert staged == []


def artefacts(folder: Path) -> dict[str, object]:
    """All that is in the store but times and versions."""
    manifests = map(json.loads, map(Path.read_text, (folder / "store").glob("[!.]*/*/manifest.json")))
    return {f"{m['kind']}/{m['key']}": [m["inputs"], m["facts"], m["files"]] for m in manifests}


def results(folder: Path) -> dict[str, str]:
    """All that is in results/, without the date and the times of the report."""
    files = [path for path in (folder / "results").rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): TIMES.sub("", path.read_text()) for path in files}
