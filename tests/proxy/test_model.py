import pytest
import torch

from olmix.params import ModelParams
from olmix.proxy.model import PRESETS, build_model, flops_per_token

TINY = ModelParams(layers=1, heads=2, width=16, mlp_width=32)


def test_the_30m_preset_has_the_size_of_the_paper():
    with torch.device("meta"):
        model = build_model(PRESETS["30M"], vocabulary=100_352, sequence_length=2048, seed=0)
    total = sum(p.numel() for p in model.parameters())
    assert total == 54_792_448
    assert total - model.get_input_embeddings().weight.numel() == 29_102_336


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_near_their_name(name):
    with torch.device("meta"):
        model = build_model(PRESETS[name], vocabulary=2048 if name == "tiny" else 100_352, sequence_length=64, seed=0)
    embedding = model.get_input_embeddings().weight.numel()
    size = sum(p.numel() for p in model.parameters()) - (0 if PRESETS[name].tied_embeddings else embedding)
    expected = {"tiny": 0.32e6, "1M": 1.7e6, "15M": 15e6, "30M": 29e6, "60M": 60e6}[name]
    assert size == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("family", ["olmo2", "llama"])
def test_the_seed_alone_decides_the_parameters(family):
    params = TINY.model_copy(update={"family": family})
    one = build_model(params, 50, 8, seed=1)
    torch.rand(7)
    two = build_model(params, 50, 8, seed=1)
    other = build_model(params, 50, 8, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_building_a_model_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_model(TINY, 50, 8, seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("family", ["olmo2", "llama"])
def test_a_model_does_not_see_the_future(family):
    model = build_model(TINY.model_copy(update={"family": family}), 50, 8, seed=0).eval()
    ids = torch.arange(8)[None]
    changed = ids.clone()
    changed[0, 5] = 49
    with torch.inference_mode():
        before, after = model(input_ids=ids).logits, model(input_ids=changed).logits
    assert torch.equal(before[0, :5], after[0, :5])
    assert not torch.equal(before[0, 5], after[0, 5])


def test_flops_count_the_matrices():
    params = ModelParams(layers=2, heads=4, width=128, mlp_width=384, tied_embeddings=True)
    model = build_model(params, 2048, 128, seed=0)
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert flops_per_token(params, 2048, 128) == 6 * (matrices + 2 * 128 * 128)
