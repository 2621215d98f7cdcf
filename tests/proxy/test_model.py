import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from olmix.params import ModelParams
from olmix.proxy.decoder import Decoder, load_decoder, new_decoder, save_decoder, split_parameter
from olmix.proxy.model import PRESETS, flops_per_token, parameter_count, training_memory

TINY = ModelParams(layers=2, heads=2, width=16, mlp_width=32)
VARIANTS = [(family, tied) for family in ("olmo2", "llama") for tied in (False, True)]


def sized(params, vocabulary):
    """Parameters in all, and without those of the input embeddings."""
    with torch.device("meta"):
        model = Decoder(params, vocabulary, 64)
    total = sum(p.numel() for p in model.parameters())
    return total, total - model.embedding.numel()


def test_the_30m_preset_has_the_size_of_the_paper():
    assert sized(PRESETS["30M"], 100_352) == (54_792_448, 29_102_336)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_near_their_name(name):
    total, rest = sized(PRESETS[name], 2048 if name == "tiny" else 100_352)
    expected = {"tiny": 0.32e6, "1M": 1.7e6, "15M": 15e6, "30M": 29e6, "60M": 60e6}[name]
    assert (total if PRESETS[name].tied_embeddings else rest) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(("family", "tied"), VARIANTS)
def test_a_saved_model_is_the_same_in_transformers(family, tied, tmp_path):
    from transformers import AutoModelForCausalLM

    params = TINY.model_copy(update={"family": family, "tied_embeddings": tied, "embedding_std": 0.5})
    model = new_decoder(params, 50, 16, seed=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(3)), alpha=0.3)
    save_decoder(model, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(2))
    logits = model(ids) @ model.unembedding.T
    expected = theirs(input_ids=ids).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    for each in (logits, expected):
        cross_entropy(each[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    gradients = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in model.named_parameters():
        for part, piece in split_parameter(name, weight.grad).items():
            torch.testing.assert_close(piece, gradients.pop(part), rtol=1e-3, atol=1e-6)
    assert not gradients


@pytest.mark.parametrize(("family", "tied"), VARIANTS)
def test_the_saved_configuration_is_that_of_transformers(family, tied, tmp_path):
    from transformers import AutoConfig, LlamaConfig, Olmo2Config

    params = TINY.model_copy(update={"family": family, "tied_embeddings": tied})
    save_decoder(new_decoder(params, 50, 16, seed=1), tmp_path)
    theirs = {"olmo2": Olmo2Config, "llama": LlamaConfig}[family](
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        dtype="float32",
        architectures=["Olmo2ForCausalLM" if family == "olmo2" else "LlamaForCausalLM"],
    )
    ours = AutoConfig.from_pretrained(tmp_path).to_dict()
    different = {name for name, value in theirs.to_dict().items() if ours.get(name, value) != value}
    assert different <= {"_name_or_path"}
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == family


@pytest.mark.parametrize(("family", "tied"), VARIANTS)
def test_a_saved_model_is_loaded_bit_by_bit(family, tied, tmp_path):
    params = TINY.model_copy(update={"family": family, "tied_embeddings": tied})
    model = new_decoder(params, 50, 16, seed=1)
    save_decoder(model, tmp_path)
    loaded = load_decoder(tmp_path, params, 50, 16)
    ids = torch.arange(12)[None]
    assert torch.equal(model(ids) @ model.unembedding.T, loaded(ids) @ loaded.unembedding.T)


def test_an_evaluation_before_training_does_no_harm():
    model, ids = new_decoder(TINY, 50, 16, seed=1), torch.arange(11)[None]
    with torch.inference_mode():
        model(ids)
    model(ids).sum().backward()


@pytest.mark.parametrize("family", ["olmo2", "llama"])
def test_the_seed_alone_decides_the_parameters(family):
    params = TINY.model_copy(update={"family": family})
    one = new_decoder(params, 50, 8, seed=1)
    torch.rand(7)
    two = new_decoder(params, 50, 8, seed=1)
    other = new_decoder(params, 50, 8, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_initial_parameters_are_spread_as_asked():
    model = new_decoder(ModelParams(layers=1, heads=2, width=64, mlp_width=64, embedding_std=1.0), 500, 8, seed=0)
    spread = {name: weight.std().item() for name, weight in model.named_parameters() if weight.ndim == 2}
    assert spread.pop("model.embed_tokens.weight") == pytest.approx(1.0, rel=0.05)
    assert list(spread.values()) == pytest.approx([0.02] * len(spread), rel=0.05)
    assert all((weight == 1).all() for weight in model.parameters() if weight.ndim == 1)


def test_building_a_model_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    new_decoder(TINY, 50, 8, seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("family", ["olmo2", "llama"])
def test_a_model_does_not_see_the_future(family):
    model = new_decoder(TINY.model_copy(update={"family": family}), 50, 8, seed=0)
    ids = torch.arange(8)[None]
    changed = ids.clone()
    changed[0, 5] = 49
    before, after = model(ids), model(changed)
    assert torch.equal(before[0, :5], after[0, :5])
    assert not torch.equal(before[0, 5], after[0, 5])


def test_flops_count_the_matrices():
    params = ModelParams(layers=2, heads=4, width=128, mlp_width=384, tied_embeddings=True)
    model = new_decoder(params, 2048, 128, seed=0)
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert flops_per_token(params, 2048, 128) == 6 * (matrices + 2 * 128 * 128)


@pytest.mark.parametrize(
    "params", [*PRESETS.values(), *(TINY.model_copy(update={"family": f}) for f in ("olmo2", "llama"))]
)
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_are_counted_without_the_model(params, tied):
    params = params.model_copy(update={"tied_embeddings": tied})
    assert parameter_count(params, 1000) == sized(params, 1000)[0]


def test_memory_is_about_what_was_measured():
    """`python -m benchmarks.memory`: 2.45 GiB."""
    assert training_memory(PRESETS["30M"], 100_352, 8 * 1024) == pytest.approx(2.45 * 2**30, rel=0.15)


def test_averages_take_the_memory_of_another_model():
    more, less = (training_memory(TINY, 1000, 1024, averages=averages) for averages in (True, False))
    assert more - less == 4 * parameter_count(TINY, 1000)
