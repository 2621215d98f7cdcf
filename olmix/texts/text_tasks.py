"""Items cut from prose, dictionary, factbook and medical documents."""

import re
from collections.abc import Iterator

from olmix.texts.cuts import head, sentence_gaps
from olmix.texts.items import CONTINUATION_BYTES, Item, item_at

_MIN_PASSAGE_BYTES = 48
_MIN_SHORT_BYTES = 16
# Long fields are prose; short ones are mostly figures.
_MIN_FIELD_BYTES = 96
_FIELD = re.compile(r"^[^:\n]{1,40}: [^:\n]{1,60}:(?= )", re.MULTILINE)
_CODE = re.compile(r"^([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]+)?) (.+)$", re.MULTILINE)


def next_sentences(text: str, group: str) -> Iterator[Item]:
    """Two sentences -> the next one, of 48 bytes or more, cut to 160."""
    gaps = [0, *sentence_gaps(text), len(text)]
    for first, start, end in zip(gaps, gaps[2:], gaps[3:], strict=False):
        continuation = head(text[start:end], CONTINUATION_BYTES)
        if len(continuation.encode()) >= _MIN_PASSAGE_BYTES:
            passage = text[first:start].strip()
            item = item_at(passage, len(passage), continuation, group)
            yield Item(item.context, continuation, group, start)


def factbook_passages(text: str, group: str) -> Iterator[Item]:
    """Lines of a country and the label of the next field -> that field's text."""
    for match in _FIELD.finditer(text):
        start = match.end()
        continuation = head(text[start:].split("\n", 1)[0], CONTINUATION_BYTES)
        if len(continuation.encode()) >= _MIN_FIELD_BYTES:
            yield item_at(text, start, continuation, group)


def definitions(text: str, group: str) -> Iterator[Item]:
    """Headword (after its earlier definitions) -> definition."""
    word = text.split(":", 1)[0]
    start = -1
    for line in text.split("\n"):
        start += len(line) + 1
        label = start - len(line) + len(word) + 1
        continuation = head(text[label:start], CONTINUATION_BYTES)
        if line.startswith(f"{word}:") and len(continuation.encode()) >= _MIN_SHORT_BYTES:
            yield item_at(text, label, continuation, group)


def medical_codes(text: str, group: str) -> Iterator[Item]:
    """Parent diagnosis and a sub-code -> the sub-code's description."""
    lines: dict[str, str] = {}
    for match in _CODE.finditer(text):
        code, line = match[1], match[0]
        parents = [lines[code[:size]] for size in range(len(code) - 1, 2, -1) if code[:size] in lines]
        lines[code] = line
        continuation = head(line[len(code) :], CONTINUATION_BYTES)
        if parents and len(continuation.encode()) >= _MIN_SHORT_BYTES:
            yield Item(f"{parents[0]}\n{code}", continuation, group, match.start())
