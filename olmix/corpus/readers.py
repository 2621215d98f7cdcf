"""Documents of a leaf, read through Hugging Face `datasets`, filtered as declared."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

from olmix.domains.fingerprint import File, Leaf
from olmix.domains.schema import Filters, Reader
from olmix.errors import InputError

_BUILDERS = {"jsonl": "json", "parquet": "parquet", "csv": "csv", "text": "text"}


def read_documents(leaf: Leaf) -> Iterator[str]:
    """Texts of a leaf in the order of its files' identities, filters applied.

    Raises InputError naming file, row and field for a missing field, text that is not a string, or bytes that are
    not UTF-8.
    """
    documents = (text for file in leaf.files for text in _texts(file, leaf.spec.reader))
    return _filtered(documents, leaf.spec.reader.filters)


def read_rows(file: File, sample_by: str = "document") -> Iterator[dict[str, Any]]:
    """Rows of one file as dicts. Raises InputError naming the file when it cannot be read.

    A remote file is fetched and verified before its first row; WorkError if it has changed since it was identified.
    """
    with file.local() as path:
        yield from _rows(path, file, sample_by)


def _rows(path: str, file: File, sample_by: str) -> Iterator[dict[str, Any]]:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # data files only: no request to the hub on the way
    from datasets import load_dataset

    options = {"sample_by": sample_by} if file.format == "text" else {}
    try:
        yield from load_dataset(_BUILDERS[file.format], data_files=[path], split="train", streaming=True, **options)
    except StopIteration:
        return  # how `datasets` meets a file without a row
    except FileNotFoundError:
        raise InputError(f"{file.path}: not in the work tree; fetch it, for example with `dvc pull`") from None
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{file.path}: {_cause(path, file.format, error)}") from None


def _texts(file: File, reader: Reader) -> Iterator[str]:
    field = "text" if file.format == "text" else reader.text
    for number, row in enumerate(read_rows(file, reader.sample_by), start=1):
        if field not in row:
            fields = ", ".join(sorted(row)) or "none"
            raise InputError(f"{file.path}: row {number}: text field {field!r} is absent; fields here: {fields}")
        text = row[field]
        if not isinstance(text, str):
            raise InputError(f"{file.path}: row {number}: field {field!r} is {type(text).__name__}, not a string")
        yield text


def _filtered(documents: Iterator[str], filters: Filters) -> Iterator[str]:
    seen: set[bytes] = set()
    for text in documents:
        if len(text) < filters.min_chars or (filters.max_chars is not None and len(text) > filters.max_chars):
            continue
        if filters.drop_duplicates:
            fingerprint = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if fingerprint in seen:
                continue
            seen.add(fingerprint)
        yield text


def _cause(path: str, format_: str, error: Exception) -> str:
    """What is wrong in a user's terms: the first byte that is not UTF-8, else the reader's own words."""
    import fsspec

    if format_ != "parquet":
        with fsspec.open(path, "rb", compression="infer") as stream:
            start = 0
            for line in stream:
                try:
                    line.decode()
                except UnicodeDecodeError as wrong:
                    return f"byte {start + wrong.start} is not UTF-8; convert the file"
                start += len(line)
    root: BaseException = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__  # type: ignore[assignment]
    return f"not readable as {format_}: {' '.join(str(root).split())[:300]}"
