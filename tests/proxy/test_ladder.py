import pytest

from olmix.errors import InputError
from olmix.params import ModelParams, ProxyParams
from olmix.proxy.decoder import Decoder
from olmix.proxy.ladder import Budget
from olmix.proxy.model import PRESETS, multiplied_parameters
from olmix.proxy.spec import RunSpec
from olmix.schema import parse

DOLMA = 100_352


def proxy(**settings):
    return parse({"model": "30M", "tokens": "5x", "sequence_length": 2048} | settings, ProxyParams, "proxy")


def test_the_paper_s_model_gets_the_paper_s_settings():
    budget = Budget.of(proxy(), DOLMA)
    assert multiplied_parameters(PRESETS["30M"], DOLMA) == 29_102_336
    asked = 20 * 5 * 29_102_336  # 2,910,233,600, method.md
    assert budget.tokens == asked // (64 * 2048) * (64 * 2048)
    assert budget.batch_size == 64
    assert budget.learning_rate == pytest.approx(0.007, rel=0.05)


def test_the_rules_are_those_of_their_source():
    """At 108M parameters, the size they were fitted at, they give their constants."""
    model = ModelParams(layers=1, heads=1, width=2, mlp_width=1, family="llama")
    vocabulary = (108_000_000 - multiplied_parameters(model, 0)) // 2
    budget = Budget.of(proxy(model=model.model_dump(), sequence_length=2560), vocabulary)
    assert budget.learning_rate == pytest.approx(0.0047, rel=1e-6)
    assert budget.batch_size == 128  # 160 x 2048 tokens


def test_larger_models_take_larger_batches_and_smaller_steps():
    sizes = sorted(PRESETS, key=lambda name: multiplied_parameters(PRESETS[name], DOLMA))
    budgets = [Budget.of(proxy(model=name), DOLMA) for name in sizes]
    assert [b.learning_rate for b in budgets] == sorted((b.learning_rate for b in budgets), reverse=True)
    assert [b.batch_size for b in budgets] == sorted(b.batch_size for b in budgets)
    assert [b.tokens for b in budgets] == sorted(b.tokens for b in budgets)


@pytest.mark.parametrize("family", ["olmo2", "llama"])
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_are_those_of_the_model(family, tied):
    params = ModelParams(layers=2, heads=2, width=8, mlp_width=24, family=family, tied_embeddings=tied)
    model = Decoder(params, 50, 16)
    looked_up = 0 if tied else model.embedding.numel()
    assert multiplied_parameters(params, 50) == sum(p.numel() for p in model.parameters()) - looked_up


def test_what_is_given_is_taken():
    budget = Budget.of(proxy(tokens="100K", batch_size=3, learning_rate=0.5, sequence_length=100), DOLMA)
    assert budget == Budget(tokens=99_900, batch_size=3, learning_rate=0.5)


def test_a_run_has_numbers_only():
    """The same run, whether a setting is given or follows from the size: the same key."""
    auto, given = proxy(), Budget.of(proxy(), DOLMA)
    settings = {"batch_size": given.batch_size, "learning_rate": given.learning_rate, "tokens": given.tokens}
    specs = [RunSpec.of(each, DOLMA, 0, {"a" * 20: 2048}) for each in (auto, proxy(**settings))]
    assert specs[0].key == specs[1].key
    assert specs[0].training.batch_size == 64


def test_a_batch_has_a_sequence():
    assert Budget.of(proxy(model="tiny", tokens="1M", sequence_length=900_000), 64).batch_size == 1


@pytest.mark.parametrize(("text", "tokens"), [("0.5x", 291_023_360), ("1x", 582_046_720), ("20x", 11_640_934_400)])
def test_multiples_of_chinchilla(text, tokens):
    assert Budget.of(proxy(tokens=text, batch_size=1, sequence_length=2), DOLMA).tokens == tokens


@pytest.mark.parametrize("tokens", ["-1x", "x", "5 x", "5X", "5xx", "", "many", "1e400x", 2.5, True, [], None])
def test_other_texts_are_mistakes(tokens):
    with pytest.raises(InputError, match=r"proxy: tokens: found .*a number of tokens such as 240K or 3B"):
        proxy(tokens=tokens)


@pytest.mark.parametrize("tokens", [0, -5, "0", "0x", "0.0x"])
def test_nothing_to_train_on_is_a_mistake(tokens):
    with pytest.raises(InputError, match=r"proxy: tokens: found .*: input should be greater than 0"):
        proxy(tokens=tokens)


@pytest.mark.parametrize("tokens", ["1e400", 10**30, "9" * 400 + "x", "10000000x"])
def test_so_is_more_than_anybody_has(tokens):
    with pytest.raises(InputError, match=r"proxy: tokens: found .*: input should be at most"):
        proxy(tokens=tokens)
