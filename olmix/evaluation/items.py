"""Items of a suite as tokens, read and checked once, before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.tokenizer import FrozenTokenizer
from olmix.digest import digest
from olmix.evaluation.suite import Suite, read_items
from olmix.store import Store

RECIPE = 1
"""Version of the encoding: raise it when the same items would give other tokens."""

KIND = "items"


def items_key(suite_content: str, tokenizer_digest: str) -> str:
    """Key of a suite's tokens."""
    return digest({"suite": suite_content, "tokenizer": tokenizer_digest, "recipe": RECIPE})


@dataclass(frozen=True)
class TaskTokens:
    """Tokens of a task's items.

    tokens: flat array of all contexts and continuations in turn; lengths: (items, 2) tokens of context and
    continuation; sizes: (items,) UTF-8 bytes of the continuations.
    """

    tokens: NDArray[np.int32]
    lengths: NDArray[np.int64]
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """Token ids that score (part of) an item; the first `given` ids are context."""

    item: int
    ids: NDArray[np.int32]
    given: int


def make_items(suite: Suite, tokenizer: FrozenTokenizer, store: Store, progress: Callable[[str], None]) -> str:
    """Encode all items of a suite into the store; returns the key. Raises InputError for the first bad item.

    Context and continuation are encoded apart, so that exactly the continuation's bytes are scored.
    """
    key = items_key(suite.content, tokenizer.digest)
    if store.has(KIND, key):
        return key
    with store.publish(KIND, key) as draft:
        for task in suite.tasks:
            items = read_items(task)
            contexts = tokenizer.encode_batch([item.context for item in items])
            continuations = tokenizer.encode_batch([item.continuation for item in items])
            pairs = list(zip(contexts, continuations, strict=True))
            np.savez(
                draft.path / f"{task.name}.npz",
                tokens=np.array([token for pair in pairs for ids in pair for token in ids], np.int32),
                lengths=np.array([[len(context), len(continuation)] for context, continuation in pairs], np.int64),
                sizes=np.array([len(item.continuation.encode()) for item in items], np.int64),
            )
            progress(f"{task.name}: {len(items)} items")
        draft.inputs = {"suite": suite.content, "tokenizer": tokenizer.digest, "recipe": RECIPE}
        draft.facts = {"end_of_text": tokenizer.end_of_text, "tasks": [task.name for task in suite.tasks]}
    return key


def read_tokens(store: Store, key: str) -> tuple[dict[str, TaskTokens], int]:
    """Tokens per task, and the end-of-text token."""
    facts = store.manifest(KIND, key)["facts"]
    tasks = {}
    for task in facts["tasks"]:
        with np.load(store.file(KIND, key, f"{task}.npz"), allow_pickle=False) as stored:
            tasks[task] = TaskTokens(stored["tokens"], stored["lengths"], stored["sizes"])
    return tasks, facts["end_of_text"]


def read_sizes(store: Store, key: str) -> dict[str, int]:
    """Number of items per task."""
    return {name: len(task.sizes) for name, task in read_tokens(store, key)[0].items()}


def windows(task: TaskTokens, end_of_text: int, length: int) -> list[Window]:
    """Windows of end-of-text, context, continuation that read at most `length` tokens.

    A long context loses its beginning; a continuation longer than a window is scored in steps of half a window, each
    given what comes before it.
    """
    found = []
    start = 0
    for item, (context, continuation) in enumerate(task.lengths.tolist()):
        end_of_item = start + context + continuation
        ids = np.concatenate([[end_of_text], task.tokens[start:end_of_item]]).astype(np.int32)
        step = length if continuation <= length else length // 2
        position = context + 1
        while position < len(ids):
            end = min(position + step, len(ids))
            first = max(0, end - length - 1)
            found.append(Window(item, ids[first:end], position - first))
            position = end
        start = end_of_item
    return found
