import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from olmix.params import ModelParams, ProxyParams
from olmix.proxy.model import PRESETS
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec
from olmix.proxy.train import learning_rate

A, B = "a" * 20, "b" * 20
MODEL = ModelParams(layers=1, heads=2, width=32, mlp_width=64, tied_embeddings=True)
PROXY = ProxyParams(model=MODEL, tokens=4096, sequence_length=16, batch_size=8, learning_rate=1e-2)


def silent(line):
    pass


def train(spec, store, threads, progress):
    run_proxy(spec, {}, "", store, Execution(threads), progress)
    return spec.key


def spec(a=3072, b=1024, seed=0, **changes):
    return RunSpec.of(PROXY.model_copy(update=changes), 64, seed, {A: a, B: b})


@pytest.fixture
def leaves(put_tokens):
    """A counts up, B counts down: a model cannot learn one from the other."""
    put_tokens(A, np.arange(20_000) % 64)
    put_tokens(B, -np.arange(20_000) % 64)


def weights(store, key):
    return load_file(store.file("proxy", key, "model.safetensors"))


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_is_a_function_of_its_specification(store, leaves, tmp_path):
    key = train(spec(), store, 1, silent)
    first = weights(store, key)
    (store.path("proxy", key) / "manifest.json").unlink()
    torch.manual_seed(99)
    assert train(spec(), store, 1, silent) == key
    assert same(first, weights(store, key))


def test_training_learns_what_it_is_trained_on(store, leaves):
    losses = np.load(store.file("proxy", train(spec(4096, 0), store, 1, silent), "losses.npy"))
    assert losses[0] == pytest.approx(np.log(64), abs=0.3)
    assert losses[-1] < 0.5 * losses[0]


def test_the_manifest_accounts_for_every_token(store, leaves):
    manifest = store.manifest("proxy", train(spec(), store, 1, silent))
    facts, cost = manifest["facts"], manifest["cost"]
    assert facts["tokens_requested"] == facts["tokens_achieved"] == {A: 3072, B: 1024}
    assert facts["epochs"][A] == pytest.approx(192 / 1249)
    assert cost["tokens"] == 4096
    assert cost["flops"] > 6 * 4096 * 64 * 32
    assert cost["seconds"] > 0
    assert (cost["device"], cost["threads"]) == ("cpu", 1)


def test_a_finished_run_is_not_trained_again(store, leaves, monkeypatch):
    train(spec(), store, 1, silent)
    monkeypatch.setattr("olmix.proxy.train.new_decoder", lambda *args: pytest.fail("trained again"))
    train(spec(), store, 1, silent)


def test_a_leaf_without_tokens_is_no_part_of_the_run():
    assert spec(4096, 0).key == RunSpec.of(PROXY, 64, 0, {A: 4096}).key


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-2},
        {"weight_decay": 0.2},
        {"warmup": 0.2},
        {"final_learning_rate": 0.1},
        {"betas": (0.8, 0.95)},
        {"clip": 0.5},
        {"embedding_learning_rate": 5.0},
        {"model": MODEL.model_copy(update={"embedding_std": 0.5})},
        {"batch_size": 4},
        {"sequence_length": 32},
        {"model": "tiny"},
    ],
)
def test_every_setting_of_the_training_enters_the_key_and_the_result(store, leaves, change):
    assert spec(**change).key != spec().key
    one, two = (train(s, store, 1, silent) for s in (spec(), spec(**change)))
    assert not np.array_equal(
        np.load(store.file("proxy", one, "losses.npy")), np.load(store.file("proxy", two, "losses.npy"))
    )


def test_swapped_counts_are_another_run():
    assert spec(3072, 1024).key != spec(1024, 3072).key


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(store, leaves, preset):
    made = RunSpec.of(PROXY.model_copy(update={"model": preset, "learning_rate": 1e-3}), 64, 0, {A: 8 * 128})
    losses = np.load(store.file("proxy", train(made, store, 1, silent), "losses.npy"))
    assert len(losses) == 8
    assert losses[0] == pytest.approx(np.log(64), abs=0.3)
    assert losses[-1] < losses[0] - 0.05


def test_golden_losses(store, leaves):
    """Guards the recipe version: if these change, raise `olmix.proxy.spec.RECIPE`."""
    losses = np.load(store.file("proxy", train(spec(), store, 1, silent), "losses.npy"))
    assert spec().key == "c31776b2defcd994e640"
    assert losses[[0, 1, -1]] == pytest.approx([4.169184, 3.997672, 1.944931], rel=1e-4)


def test_warm_up_then_cosine():
    training = spec(warmup=0.1, final_learning_rate=0.25).training
    rates = [learning_rate(step, 100, training) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[55] == pytest.approx(0.625e-2)
    assert rates[99] == pytest.approx(0.25e-2, rel=0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_progress_names_loss_speed_and_time_left(store, leaves):
    lines = []
    train(spec(), store, 1, lines.append)
    assert lines
    assert all(word in lines[-1] for word in ("step 32/32", "loss", "tokens/s", "s left"))
