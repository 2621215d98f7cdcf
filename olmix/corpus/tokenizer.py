"""Any Hugging Face tokenizer, frozen by digest."""

import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from olmix.digest import digest
from olmix.errors import InputError
from olmix.params import TokenizerParams

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
    """Load the tokenizer and check it against the frozen digest. Raises InputError on a mismatch."""
    definition, end_of_text = _definition(params.path, root)
    found = digest(json.loads(definition))
    if found != params.digest:
        raise InputError(
            f"params.yaml: tokenizer.digest: found {params.digest}, but the tokenizer at {params.path} has {found}; "
            "a changed tokenizer changes every run: set the new digest only if that is what you want"
        )
    tokenizer = Tokenizer.from_str(definition)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    candidates = [end_of_text] if end_of_text else list(_END_OF_TEXT)
    ids = [token_id for name in candidates if (token_id := tokenizer.token_to_id(name)) is not None]
    if not ids:
        raise InputError(f"{params.path}: the tokenizer has no end-of-text token; looked for {', '.join(candidates)}")
    vocabulary = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
    return FrozenTokenizer(tokenizer, found, vocabulary, ids[0])


def _definition(path: str, root: Path) -> tuple[str, str | None]:
    """Definition (tokenizer.json) and declared end-of-text token of a local folder or hub name."""
    folder = root / path
    if (folder / "tokenizer.json").is_file():
        config_path = folder / "tokenizer_config.json"
        config = json.loads(config_path.read_text(encoding="utf-8")) if config_path.is_file() else {}
        token = config.get("eos_token")
        name = token["content"] if isinstance(token, dict) else token
        return (folder / "tokenizer.json").read_text(encoding="utf-8"), name
    if folder.exists():
        raise InputError(f"params.yaml: tokenizer.path: {path} holds no tokenizer.json")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"params.yaml: tokenizer.path: {path!r} is no folder here and not on the hub: {reason}"
        raise InputError(message) from None
    return tokenizer.backend_tokenizer.to_str(), tokenizer.eos_token
