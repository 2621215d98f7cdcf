"""Token arrays of leaves: one flat memory-mapped array and an index of documents, keyed by content and tokenizer."""

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.readers import read_documents
from olmix.corpus.tokenizer import FrozenTokenizer
from olmix.digest import digest
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.store import Store

RECIPE = 1
"""Version of the tokenising recipe: raise it when the same documents would give other tokens."""

KIND = "tokens"
_BATCH = 512


def tokens_key(content: str, tokenizer_digest: str) -> str:
    """Key of a leaf's tokens: its content, the tokenizer and the recipe."""
    return digest({"content": content, "tokenizer": tokenizer_digest, "recipe": RECIPE})


def make_tokens(
    leaf: Leaf, tokenizer: FrozenTokenizer, store: Store, threads: int, progress: Callable[[str], None]
) -> str:
    """Tokenise a leaf into the store and return its key.

    Payload: `tokens.npy` (T,) uint16 or uint32, every document ended by the end-of-text token, and `documents.npy`
    (D + 1,) int64 offsets. Raises InputError for a leaf without documents.
    """
    key = tokens_key(leaf.content, tokenizer.digest)
    if store.has(KIND, key):
        return key
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    started = time.perf_counter()
    dtype = np.uint16 if tokenizer.vocabulary <= 1 << 16 else np.uint32
    with store.publish(KIND, key) as draft:
        raw = draft.path / "tokens.raw"
        offsets, size = [0], 0
        with raw.open("wb") as stream:
            for batch in _batches(read_documents(leaf)):
                for ids in tokenizer.encode_batch(batch):
                    np.asarray([*ids, tokenizer.end_of_text], dtype).tofile(stream)
                    offsets.append(offsets[-1] + len(ids) + 1)
                size += sum(len(text.encode()) for text in batch)
                progress(f"{leaf.name}: {len(offsets) - 1:,} documents, {offsets[-1]:,} tokens")
        if len(offsets) == 1:
            raise InputError(f"{leaf.spec.where}: {leaf.name} has no document after filters; remove it or widen them")
        _to_npy(raw, draft.path / "tokens.npy", dtype, offsets[-1])
        np.save(draft.path / "documents.npy", np.asarray(offsets, np.int64))
        draft.inputs = {"content": leaf.content, "tokenizer": tokenizer.digest, "recipe": RECIPE}
        draft.facts = {"documents": len(offsets) - 1, "bytes": size, "tokens": offsets[-1]}
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def open_tokens(store: Store, key: str) -> NDArray[np.uint16 | np.uint32]:
    """The verified token array of a leaf, memory-mapped, shape (T,)."""
    return np.load(store.file(KIND, key, "tokens.npy"), mmap_mode="r", allow_pickle=False)


def _batches(documents: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(documents, _BATCH)):
        yield batch


def _to_npy(raw: Path, path: Path, dtype: type[np.uint16 | np.uint32], count: int) -> None:
    """Turn the raw stream into .npy without holding it in memory: the length is known only at the end."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(count,))
    array[:] = np.memmap(raw, dtype=dtype, mode="r", shape=(count,))
    array.flush()
    raw.unlink()
