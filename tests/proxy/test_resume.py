"""Runs that are interrupted, damaged or diverge; each ends with the bytes of one that never was, or says why not."""

import multiprocessing
import os
import random
import signal
import time

import numpy as np
import pytest
import torch

from olmix.errors import WorkError
from olmix.params import ModelParams, ProxyParams
from olmix.proxy import train as trainer
from olmix.proxy.checkpoint import Checkpoints, State
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec
from olmix.store import Store

A, B = "a" * 20, "b" * 20
MODEL = ModelParams(layers=1, heads=2, width=16, mlp_width=32)
PROXY = ProxyParams(model=MODEL, tokens=51_200, sequence_length=16, batch_size=8, learning_rate=1e-2)
STEPS = 400
EVERY_STEP = Execution(checkpoint_seconds=0)
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["tests.proxy.test_resume"])


def silent(line):
    pass


def spec(seed=0, average_weights=0.0):
    proxy = PROXY.model_copy(update={"average_weights": average_weights})
    return RunSpec.of(proxy, 64, seed, {A: 38_400, B: 12_800})


@pytest.fixture(autouse=True)
def leaves(put_tokens):
    put_tokens(A, np.arange(20_000) % 64)
    put_tokens(B, np.arange(20_000) ** 2 % 61)


@pytest.fixture
def uninterrupted(store, tmp_path):
    """Payload of runs that were never interrupted, made in a store of their own."""

    def make(seed=0, average_weights=0.0):
        alone = Store(tmp_path / "alone")
        if not (alone.root / "tokens").exists():
            alone.root.mkdir(parents=True, exist_ok=True)
            (alone.root / "tokens").symlink_to(store.root / "tokens")
        made = spec(seed, average_weights)
        run_proxy(made, {}, "", alone, Execution(), silent)
        return payload(alone, made.key)

    return make


def payload(store, key):
    return {name: store.file("proxy", key, name).read_bytes() for name in ("model.safetensors", "losses.npy")}


def in_a_process(root, seed, average_weights):
    torch.set_num_threads(1)
    run_proxy(spec(seed, average_weights), {}, "", Store(root), EVERY_STEP, silent)


def start(store, seed=0, average_weights=0.0):
    process = SPAWN.Process(target=in_a_process, args=(store.root, seed, average_weights))
    process.start()
    return process


def steps_done(store, key):
    files = sorted((store.root / ".partial" / key).glob("step-*.safetensors"))
    return int(files[-1].stem.removeprefix("step-")) if files else 0


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.is_alive(), f"ended with {process.exitcode}"
        assert time.monotonic() < end
        time.sleep(0.001)


def kill_at(step, store, process, key, number=signal.SIGKILL):
    wait_for(lambda: steps_done(store, key) >= step, process)
    os.kill(process.pid, number)
    process.join(60)


def test_a_run_killed_at_twenty_random_steps_ends_with_the_same_bytes(store, uninterrupted):
    key, kills = spec().key, sorted(random.Random(7).sample(range(1, STEPS - 100), 20))
    for step in kills:
        process = start(store)
        kill_at(step, store, process, key)
        assert process.exitcode == -signal.SIGKILL, f"not killed before the end at step {step}"
        assert not store.has("proxy", key)
    process = start(store)
    process.join(120)
    assert process.exitcode == 0
    assert payload(store, key) == uninterrupted()
    assert not (store.root / ".partial" / key).exists()


def test_a_run_killed_before_and_while_its_weights_are_averaged_ends_with_the_same_bytes(store, uninterrupted):
    key, first_averaged = spec(0, 0.5).key, STEPS // 2 + 1
    for step in (50, first_averaged - 1, first_averaged, 237, STEPS - 100):
        process = start(store, 0, 0.5)
        kill_at(step, store, process, key)
        assert process.exitcode == -signal.SIGKILL, f"not killed before the end at step {step}"
    process = start(store, 0, 0.5)
    process.join(120)
    assert process.exitcode == 0
    assert payload(store, key) == uninterrupted(0, 0.5)
    assert payload(store, key) != uninterrupted()


def test_two_runs_at_once_are_killed_and_resumed_apart(store, uninterrupted):
    generator = random.Random(8)
    for _ in range(3):
        processes = [start(store, seed) for seed in (0, 1)]
        for seed, process in enumerate(processes):
            done = steps_done(store, spec(seed).key)
            kill_at(min(STEPS - 100, done + generator.randint(1, 60)), store, process, spec(seed).key)
    for process in [start(store, seed) for seed in (0, 1)]:
        process.join(120)
        assert process.exitcode == 0
    for seed in (0, 1):
        assert payload(store, spec(seed).key) == uninterrupted(seed)


def test_two_processes_of_the_same_run_make_it_once(store, uninterrupted):
    first = start(store)
    wait_for(lambda: steps_done(store, spec().key) >= 1, first)
    lines = []
    run_proxy(spec(), {}, "", store, EVERY_STEP, lines.append)
    first.join(60)
    assert first.exitcode == 0
    assert lines == ["waits for another process that makes the same run"]
    assert payload(store, spec().key) == uninterrupted()


def test_a_run_that_is_asked_to_stop_saves_its_last_step(store, uninterrupted, monkeypatch):
    advance, done = trainer._Run.advance, []

    def advance_until_stopped(run):
        advance(run)
        done.append(run.step)
        if len(done) == 123:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(trainer._Run, "advance", advance_until_stopped)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        run_proxy(spec(), {}, "", store, Execution(), silent)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is handler
    assert steps_done(store, spec().key) == 123
    run_proxy(spec(), {}, "", store, Execution(), silent)
    assert done == list(range(1, STEPS + 1)), "no step is done twice or left out"
    assert payload(store, spec().key) == uninterrupted()


@pytest.fixture
def stopped(store, monkeypatch):
    """A run that was stopped at step 200 and has two checkpoints; its folder."""
    advance = trainer._Run.advance

    def advance_to_200(run):
        advance(run)
        if run.step == 200:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(trainer._Run, "advance", advance_to_200)
        with pytest.raises(SystemExit):
            run_proxy(spec(), {}, "", store, EVERY_STEP, silent)
    return store.root / ".partial" / spec().key


def test_the_last_two_checkpoints_are_kept(stopped):
    files = sorted(path.name for path in stopped.iterdir())
    assert files == ["lock", "step-000000199.safetensors", "step-000000200.safetensors"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, lambda p: p.write_bytes(p.read_bytes()[:5000]), lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_is_told_and_not_gone_on_from(store, stopped, uninterrupted, damage, damaged):
    files = sorted(stopped.glob("step-*"))
    for path in files[-damaged:]:
        damage(path)
    lines = []
    run_proxy(spec(), {}, "", store, Execution(), lines.append)
    assert [files[-1].name in lines[0], "damaged" in lines[0]] == [True, True]
    assert lines[damaged].startswith("goes on after step 199/400") == (damaged == 1)
    assert payload(store, spec().key) == uninterrupted()


def test_a_checkpoint_of_another_run_is_refused(store, stopped):
    other = store.root / ".partial" / spec(1).key
    stopped.rename(other)
    with pytest.raises(WorkError, match=rf"step-000000200\.safetensors: is a checkpoint of run {spec().key}, not of"):
        run_proxy(spec(1), {}, "", store, Execution(), silent)


def test_a_write_that_is_cut_off_leaves_the_checkpoints_before_it(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "k", 0, silent)
    checkpoints.save(State(1, 0.5, {"a": torch.ones(3)}))
    monkeypatch.setattr("olmix.proxy.checkpoint.os.fsync", lambda number: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(State(2, 1.0, {"a": torch.zeros(3)}))
    found = checkpoints.latest()
    assert (found.step, found.seconds, found.tensors["a"].tolist()) == (1, 0.5, [1, 1, 1])


def spoil(monkeypatch, steps, value=torch.nan):
    """Let the loss be `value` at each of these steps, once."""
    advance, left = trainer._Run.advance, list(steps)

    def advance_badly(run):
        advance(run)
        if left and run.step == left[0]:
            left.pop(0)
            run.losses[run.step - 1] = value
            with torch.no_grad():
                run.model.embedding.fill_(value)

    monkeypatch.setattr(trainer._Run, "advance", advance_badly)


@pytest.mark.parametrize("execution", [Execution(), EVERY_STEP], ids=["from the start", "from a checkpoint"])
def test_a_loss_that_is_no_number_is_retried_from_the_last_good_state(store, uninterrupted, monkeypatch, execution):
    expected = uninterrupted()
    spoil(monkeypatch, [120])
    lines = []
    run_proxy(spec(), {}, "", store, execution, lines.append)
    assert any(line.startswith("the loss is nan at step 120 of 400; once more") for line in lines)
    assert ("goes on after step 119/400" in lines) == (execution is EVERY_STEP)
    assert store.manifest("proxy", spec().key)["facts"]["retries"] == ["the loss is nan at step 120 of 400"]
    assert payload(store, spec().key) == expected


@pytest.mark.parametrize("execution", [Execution(), EVERY_STEP], ids=["from the start", "from a checkpoint"])
def test_weights_that_a_last_step_has_spoilt_are_neither_saved_nor_handed_over(
    store, uninterrupted, monkeypatch, execution
):
    expected = uninterrupted()
    advance, left = trainer._Run.advance, [200 if execution is EVERY_STEP else 400]

    def advance_badly(run):
        advance(run)
        if left == [run.step]:
            left.clear()
            with torch.no_grad():
                run.model.unembedding[0, 0] = torch.inf

    monkeypatch.setattr(trainer._Run, "advance", advance_badly)
    run_proxy(spec(), {}, "", store, execution, silent)
    assert store.manifest("proxy", spec().key)["facts"]["retries"][0].startswith("a weight is not finite after step")
    assert payload(store, spec().key) == expected


@pytest.mark.parametrize("execution", [Execution(), EVERY_STEP], ids=["from the start", "from a checkpoint"])
def test_weights_spoilt_while_they_are_averaged_leave_no_trace(store, uninterrupted, monkeypatch, execution):
    expected = uninterrupted(0, 0.5)
    spoil(monkeypatch, [320])
    run_proxy(spec(0, 0.5), {}, "", store, execution, silent)
    assert store.manifest("proxy", spec(0, 0.5).key)["facts"]["retries"] == ["the loss is nan at step 320 of 400"]
    assert payload(store, spec(0, 0.5).key) == expected


def test_a_run_that_fails_twice_says_where_and_keeps_its_good_state(store, uninterrupted, monkeypatch):
    expected = uninterrupted()
    with monkeypatch.context() as patch:
        spoil(patch, [120, 130])
        with pytest.raises(WorkError, match=r"the loss is nan at step 130 of 400, again; lower the learning rate"):
            run_proxy(spec(), {}, "", store, EVERY_STEP, silent)
    assert not store.has("proxy", spec().key)
    assert steps_done(store, spec().key) == 129
    run_proxy(spec(), {}, "", store, Execution(), silent)
    assert payload(store, spec().key) == expected


def test_a_loss_that_grows_is_a_failure_too(store, monkeypatch):
    advance = trainer._Run.advance

    def advance_upwards(run):
        advance(run)
        run.losses[run.step - 1] = 4.0 + 0.05 * run.step

    monkeypatch.setattr(trainer._Run, "advance", advance_upwards)
    with pytest.raises(WorkError, match=r"the loss is 7\.775 at step 100 of 400, above 6\.075: it diverges, again"):
        run_proxy(spec(), {}, "", store, Execution(), silent)


def test_a_learning_rate_far_too_high_is_found(store):
    diverging = RunSpec.of(PROXY.model_copy(update={"learning_rate": 300.0}), 64, 0, {A: 38_400, B: 12_800})
    with pytest.raises(WorkError, match=r"the loss is .* at step \d+ of 400.*, again; lower the learning rate"):
        run_proxy(diverging, {}, "", store, Execution(), silent)
