import pytest

from olmix.errors import InputError
from olmix.params import read_params

MINIMAL = "tokenizer: {digest: abc}\ntarget: {tokens: 20M}\nproxy: {tokens: 400K}\n"


def read(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return read_params(path)


@pytest.mark.parametrize(
    ("text", "tokens"), [("2000", 2000), ("2e6", 2_000_000), ("1.5B", 1_500_000_000), ("6T", 6 * 10**12)]
)
def test_token_counts_may_be_written_with_units(tmp_path, text, tokens):
    assert read(tmp_path, MINIMAL.replace("20M", text)).target.tokens == tokens


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "target: {tokens: 20M, repetiton: 4}",
            "target.repetiton: unknown field; allowed here: repetition, run, tokens",
        ),
        ("target: {tokens: many}", "target.tokens: found 'many': input should be a valid integer"),
        ("target: {tokens: -3}", "target.tokens: found -3: input should be greater than 0"),
        (
            "target: {tokens: 20M}\nprior: {manual: {web: .nan}}",
            "prior.manual.web: found nan: input should be a finite",
        ),
        ("target: {tokens: 20M}\nsolver: {kl: .inf}", "solver.kl: found inf: input should be a finite number"),
        ("target: {}", "target.tokens: required field is missing"),
    ],
)
def test_a_mistake_names_field_value_and_what_is_allowed(tmp_path, change, message):
    with pytest.raises(InputError, match=r"params\.yaml") as error:
        read(tmp_path, MINIMAL.replace("target: {tokens: 20M}", change))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("huge", "proxy.model: found 'huge': input should be 'tiny'"),
        ("{layers: 2, heads: 3, width: 128, mlp_width: 64}", "proxy.model: width 128 over 3 heads"),
        ("{layers: 0, heads: 4, width: 128, mlp_width: 64}", "proxy.model.layers: found 0"),
    ],
)
def test_mistakes_in_a_model_of_ones_own(tmp_path, model, message):
    with pytest.raises(InputError, match="params") as error:
        read(tmp_path, MINIMAL.replace("{tokens: 400K}", f"{{tokens: 400K, model: {model}}}"))
    assert message in str(error.value)


def test_a_key_given_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml:4: not valid YAML: key 'target' is given twice"):
        read(tmp_path, MINIMAL + "target: {tokens: 3}\n")


def test_broken_yaml_names_the_line(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml:2: not valid YAML"):
        read(tmp_path, "a: 1\n]b: [1, 2\n")


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml: no such file"):
        read_params(tmp_path / "params.yaml")
