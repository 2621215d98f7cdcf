"""Runs share GPUs as long as they fit: claims of real processes, on GPUs that need not be there."""

import json
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from olmix.proxy.gpu import claim_gpu, visible_gpus
from tests.miniature import ROOT

TWO = {"GPU-a": 80_000, "GPU-b": 40_000}
JOB = """
import json, sys
from pathlib import Path
from olmix.proxy.gpu import claim_gpu
say = lambda line: print(line, flush=True)
say("ready")
sys.stdin.readline()
with claim_gpu(json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), say) as gpu:
    say(gpu)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, TWO),
        ("", {}),
        ("-1", {}),
        ("NoDevFiles", {}),
        ("0,2", {"0": 40_000, "2": 40_000}),
        (" 2 , 0 ", {"2": 40_000, "0": 40_000}),
        ("1,-1,0", {"1": 40_000}),
        ("GPU-a", {"GPU-a": 80_000}),
        ("GPU-b,GPU-a", {"GPU-b": 40_000, "GPU-a": 80_000}),
        ("MIG-c", {"MIG-c": 40_000}),
    ],
)
def test_visible_are_the_gpus_that_cuda_would_use(variable, expected):
    found = visible_gpus(variable, TWO)
    assert found == expected
    assert list(found) == list(expected), "in this order"


def test_where_the_driver_says_nothing_only_the_variable_counts():
    assert visible_gpus(None, {}) == {}
    assert list(visible_gpus("0,1", {})) == ["0", "1"]
    assert min(visible_gpus("0,1", {}).values()) > 10**6


def claims(stack, folder, gpus, *sizes):
    """GPUs that claims of these sizes get one after the other."""
    return [stack.enter_context(claim_gpu(gpus, size, folder, pytest.fail)) for size in sizes]


def test_every_gpu_gets_a_first_run_before_any_gets_a_second(tmp_path):
    with ExitStack() as stack:
        found = claims(stack, tmp_path, dict.fromkeys("abc", 80), *[10] * 7)
    assert found == [*"abc", *"abc", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_where_memory_is_unknown_runs_still_spread(tmp_path):
    with ExitStack() as stack:
        assert claims(stack, tmp_path, visible_gpus("0,1", {}), 10, 10, 10, 10) == ["0", "1", "0", "1"]


def test_claims_of_any_size_count(tmp_path):
    with ExitStack() as stack:
        assert claims(stack, tmp_path, {"a": 100, "b": 100}, 70, 20, 20, 30, 30, 30) == ["a", "b", "b", "b", "a", "b"]


def test_what_fits_on_no_gpu_gets_the_largest_to_itself(tmp_path, start):
    gpus = {"small": 40, "large": 80}
    with ExitStack() as stack:
        assert claims(stack, tmp_path, gpus, 500, 40) == ["large", "small"]
        assert "waits for 1 MB on a GPU" in start(gpus, 1)[0].stdout.readline()


@pytest.fixture
def start(tmp_path):
    """Starts processes that claim memory at the same time, say where and keep it until their input ends."""
    with ExitStack() as stack:

        def begin(gpus, needed, count=1):
            command = [sys.executable, "-c", JOB, json.dumps(gpus), str(needed), str(tmp_path)]
            jobs = []
            for _ in range(count):
                job = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                stack.callback(job.__exit__, None, None, None)
                stack.callback(job.kill)
                jobs.append(job)
            for job in jobs:
                assert job.stdout.readline() == "ready\n"
            for job in jobs:
                job.stdin.write("\n")
                job.stdin.flush()
            return jobs

        yield begin


def test_processes_that_start_at_once_spread_evenly(start):
    jobs = start(dict.fromkeys("abcd", 80), 30, count=8)
    assert sorted(job.stdout.readline().strip() for job in jobs) == [*"aabbccdd"]


@pytest.mark.parametrize("end", ["killed", "done"])
def test_a_run_waits_until_one_before_it_ends_in_whatever_way(start, end):
    gpus = {"a": 80, "b": 80}
    jobs = start(gpus, 30, count=4)
    found = [job.stdout.readline().strip() for job in jobs]
    [late] = start(gpus, 30)
    assert late.stdout.readline() == "waits for 30 MB on a GPU\n", "160 MB are enough for five, but not in one piece"
    if end == "killed":
        jobs[2].send_signal(signal.SIGKILL)
    else:
        jobs[2].stdin.close()
    assert late.stdout.readline().strip() == found[2]
