import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from olmix.params import ModelParams, ProxyParams
from olmix.proxy import train as trainer
from olmix.proxy.decoder import split_parameter
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec

A = "a" * 20
STEPS = 32
MODEL = ModelParams(layers=1, heads=2, width=32, mlp_width=64)
PROXY = ProxyParams(
    model=MODEL,
    tokens=STEPS * 128,
    sequence_length=16,
    batch_size=8,
    learning_rate=1e-2,
    final_learning_rate=1.0,  # weights differ from step to step until the end
)


@pytest.fixture(autouse=True)
def leaf(put_tokens):
    put_tokens(A, np.arange(20_000) ** 2 % 61)


@pytest.fixture
def trained(store, monkeypatch):
    """Trains at a share: weights as saved, losses, and the weights after every step, which the test itself recorded."""
    advance = trainer._Run.advance

    def train(share):
        spec, after = RunSpec.of(PROXY.model_copy(update={"average_weights": share}), 64, 0, {A: STEPS * 128}), []

        def advance_and_record(run):
            advance(run)
            weights = run.model.state_dict()
            parts = [split_parameter(name, weight.double()) for name, weight in weights.items()]
            after.append({name: part.clone() for pieces in parts for name, part in pieces.items()})

        monkeypatch.setattr(trainer._Run, "advance", advance_and_record)
        run_proxy(spec, {}, "", store, Execution(), lambda line: None)
        saved = load_file(store.file("proxy", spec.key, "model.safetensors"))
        return spec.key, saved, np.load(store.file("proxy", spec.key, "losses.npy")), after

    return train


def distance(saved, weights):
    assert saved.keys() == weights.keys()
    return max((saved[name].double() - weights[name]).abs().max().item() for name in saved)


@pytest.mark.parametrize(("share", "steps"), [(0.25, 8), (0.5, 16), (0.99, 32), (0.11, 4), (0.001, 1)])
def test_the_saved_model_is_the_mean_of_the_weights_after_the_last_steps(trained, share, steps):
    _, saved, _, after = trained(share)
    assert len(after) == STEPS

    def mean(last):
        return {name: torch.stack([weights[name] for weights in after[-last:]]).mean(0) for name in saved}

    assert distance(saved, mean(steps)) < 1e-6
    assert distance(saved, mean(max(1, steps - 1))) > 1e-4 or steps == 1
    assert distance(saved, mean(steps + 1)) > 1e-4 or steps == STEPS


def test_without_averaging_a_run_has_the_key_it_always_had_and_the_weights_of_its_last_step(trained):
    key, saved, _, after = trained(0.0)
    assert key == "851d1b61411231b371f8"
    assert distance(saved, after[-1]) == 0


def test_another_share_is_another_run_of_the_same_training(trained):
    runs = [trained(share) for share in (0.0, 0.25, 0.5)]
    keys, saved, losses, _ = zip(*runs, strict=True)
    assert len(set(keys)) == len(keys)
    assert all(distance(saved[i], saved[j]) > 1e-3 for i, j in ((0, 1), (0, 2), (1, 2)))
    assert all(np.array_equal(losses[0], other) for other in losses)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_shares_are_at_least_0_and_below_1(share):
    with pytest.raises(ValidationError, match="average_weights"):
        ProxyParams(tokens=1000, average_weights=share)
