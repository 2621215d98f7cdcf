"""Any Hugging Face tokenizer, frozen by digest."""

import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from olmix.digest import digest
from olmix.errors import InputError
from olmix.params import TokenizerParams
from olmix.schema import short
from olmix.textfile import read_text

_END_OF_TEXT = ("<|endoftext|>", "</s>", "<eos>", "<|end_of_text|>", "<|im_end|>")


@dataclass(frozen=True)
class FrozenTokenizer:
    """A tokenizer with its digest, vocabulary size (rows of the embedding) and end-of-text token."""

    tokenizer: Tokenizer
    digest: str
    vocabulary: int
    end_of_text: int

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Token ids of several texts, encoded in parallel."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def load_tokenizer(params: TokenizerParams, root: Path) -> FrozenTokenizer:
    """Load the tokenizer and check it against the frozen digest. Raises InputError for a mismatch or a damaged file."""
    definition, end_of_text, where = _definition(params.path, root)
    try:
        found = digest(json.loads(definition))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON: {error}") from None
    if found != params.digest:
        raise InputError(
            f"params.yaml: tokenizer.digest: found {params.digest}, but the tokenizer at {params.path} has {found}; "
            "a changed tokenizer changes every run: set the new digest only if that is what you want"
        )
    try:
        tokenizer = Tokenizer.from_str(definition)
    except Exception as error:  # the library raises no other
        raise InputError(f"{where}: not a tokenizer: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    candidates = [end_of_text] if end_of_text else list(_END_OF_TEXT)
    ids = [token_id for name in candidates if (token_id := tokenizer.token_to_id(name)) is not None]
    if not ids:
        raise InputError(f"{params.path}: the tokenizer has no end-of-text token; looked for {', '.join(candidates)}")
    vocabulary = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
    return FrozenTokenizer(tokenizer, found, vocabulary, ids[0])


def _definition(path: str, root: Path) -> tuple[str, str | None, str]:
    """Definition (tokenizer.json), declared end-of-text token and origin of a tokenizer in a folder or on the hub."""
    folder = root / path
    if "\0" not in path and (folder / "tokenizer.json").exists():
        definition = read_text(folder / "tokenizer.json", "the file of a tokenizer")
        return definition, _end_of_text(folder / "tokenizer_config.json"), str(folder / "tokenizer.json")
    if "\0" not in path and folder.exists():
        raise InputError(f"params.yaml: tokenizer.path: {path!r} holds no tokenizer.json")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"params.yaml: tokenizer.path: {path!r} is no folder here and not on the hub: {reason}"
        raise InputError(message) from None
    return tokenizer.backend_tokenizer.to_str(), tokenizer.eos_token, path


def _end_of_text(path: Path) -> str | None:
    """The end-of-text token that a tokenizer_config.json declares, if it is there and does."""
    if not path.exists():
        return None
    try:
        config = json.loads(read_text(path, "the settings of a tokenizer"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None
    token = config.get("eos_token") if isinstance(config, dict) else config
    name = token.get("content") if isinstance(token, dict) else token
    if not isinstance(config, dict) or not (token is None or isinstance(name, str)):
        raise InputError(f"{path}: eos_token: found {short(token)}; allowed: a token, or a mapping with its `content`")
    return name
