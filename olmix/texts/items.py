"""Evaluation items: a context and its gold continuation, scored as bits per byte of the continuation."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from olmix.texts.cuts import tail
from olmix.texts.leaks import WINDOW

CONTEXT_BYTES = 512
CONTINUATION_BYTES = 160
MAX_ITEMS = 75  # of a task; more give no better signal-to-noise ratio of the mean (docs/proxies.md)
# Two items of one document start at least so many characters apart.
SPACING = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One evaluation item; `group` is the document it is from and `start` where in it the continuation starts.

    `context + continuation` is the natural text: the continuation starts with the white space between them.
    """

    context: str
    continuation: str
    group: str
    start: int = 0

    @property
    def id(self) -> str:
        """Hex sha1 of the content."""
        return hashlib.sha1(f"{self.context}\0{self.continuation}".encode()).hexdigest()

    @property
    def window(self) -> bytes | None:
        """The 48 bytes that must not occur in training text.

        They are the first of the continuation or, where it is shorter, the last of context and continuation; None if
        both together are shorter.
        """
        continuation = self.continuation.encode()
        if len(continuation) >= WINDOW:
            return continuation[:WINDOW]
        whole = self.context.encode() + continuation
        return whole[-WINDOW:] if len(whole) >= WINDOW else None


def item_at(text: str, start: int, continuation: str, group: str, context_bytes: int = CONTEXT_BYTES) -> Item:
    """The item whose context ends at `start` of the text, cut to its last `context_bytes` bytes."""
    return Item(tail(text[:start], context_bytes), continuation, group, start)


def select(items: Iterable[Item], per_document: int, most: int = MAX_ITEMS) -> list[Item]:
    """At most `most` items and `per_document` of a document, spaced apart, chosen by content and sorted by id."""
    chosen: dict[str, Item] = {}
    starts: dict[str, list[int]] = defaultdict(list)
    for item in sorted({item.id: item for item in items}.values(), key=lambda item: item.id):
        taken = starts[item.group]
        if len(taken) < per_document and all(abs(item.start - start) >= SPACING for start in taken):
            taken.append(item.start)
            chosen[item.id] = item
    return list(chosen.values())[:most]
