"""What is wrong with a data file that could not be read, in its owner's terms."""

import json
import lzma
import zlib
from typing import Any

import zstandard

from olmix.domains.schema import Format, compression_of

DAMAGED = (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)
"""Errors of a compressed file that is damaged, beside OSError."""

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_LONGEST = 60


def diagnose(path: str, format_: Format, error: Exception) -> str:
    """What is wrong: the compression, the first byte that is not UTF-8, the first line that is no JSON object, or else
    the reader's own words."""
    if format_ != "parquet":
        try:
            if problem := _in_lines(path, format_):
                return problem
        except (OSError, *DAMAGED) as damage:
            read_as = _COMPRESSIONS.get(compression_of(path), format_)
            return f"not readable as {read_as}: {_words(damage)}"
    root: BaseException = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__  # type: ignore[assignment]
    return f"not readable as {format_}: {_words(root)}"


def _in_lines(path: str, format_: Format) -> str:
    import fsspec

    with fsspec.open(path, "rb", compression="infer") as stream:
        start = 0
        for number, line in enumerate(stream, start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError as wrong:
                return f"line {number}: byte {start + wrong.start} is not UTF-8; convert the file"
            if format_ == "jsonl" and text.strip() and (problem := _in_json(text)):
                return f"line {number}: {problem}"
            start += len(line)
    return ""


def _in_json(line: str) -> str:
    allowed = 'an object in one line is allowed, such as {"text": "…"}'
    try:
        row: Any = json.loads(line)
    except ValueError:
        return f"found {_start(line)}, which is not JSON; {allowed}"
    except RecursionError:
        return f"found {_start(line)}, which is nested too deep; {allowed}"
    if not isinstance(row, dict):
        return f"found {_start(line)}; {allowed}"
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as wrong:
        return f"found {wrong.object[wrong.start]!r}, half of a character"
    return ""


def _start(line: str) -> str:
    text = repr(line.strip()[:_LONGEST])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
