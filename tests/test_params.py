import pytest

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
