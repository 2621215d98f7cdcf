"""Documents of a leaf, read through Hugging Face `datasets`, filtered as declared."""

import glob
import hashlib
import os
from collections.abc import Iterator
from typing import Any

from olmix.corpus import zstd
from olmix.corpus.diagnosis import DAMAGED, diagnose
from olmix.domains.fingerprint import File, Leaf
from olmix.domains.schema import Filters, Reader
from olmix.errors import InputError

_BUILDERS = {"jsonl": "json", "parquet": "parquet", "csv": "csv", "text": "text"}
_BATCH = 1024


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
    from datasets import load_dataset, logging

    logging.set_verbosity(logging.CRITICAL)  # it prints what it raises, and what is wrong is told below
    zstd.register()
    options: dict[str, Any] = {"sample_by": sample_by} if file.format == "text" else {}
    if file.format == "parquet":
        options = {"batch_size": _BATCH}  # by default the rows of the first group, of which there may be none
    try:
        data_files = [glob.escape(path)]  # `datasets` takes it for a pattern
        yield from load_dataset(_BUILDERS[file.format], data_files=data_files, split="train", streaming=True, **options)
    except StopIteration:
        return  # how `datasets` meets a file without a row
    except FileNotFoundError:
        raise InputError(f"{file.path}: not in the work tree; fetch it, for example with `dvc pull`") from None
    except (OSError, ValueError, TypeError, RuntimeError, *DAMAGED) as error:
        raise InputError(f"{file.path}: {diagnose(path, file.format, error)}") from None


def text_of(row: dict[str, Any], field: str, where: str) -> str:
    """The text in a field of a row. Raises InputError for a field that is absent or holds anything else."""
    if field not in row:
        fields = ", ".join(sorted(row)) or "none"
        raise InputError(f"{where}: field {field!r} is absent; fields here: {fields}")
    text = row[field]
    if not isinstance(text, str):
        found = "null" if text is None else f"{type(text).__name__}, not a string"
        raise InputError(f"{where}: field {field!r} is {found}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: field {field!r} holds {text[error.start]!r}, half of a character") from None
    return text


def _texts(file: File, reader: Reader) -> Iterator[str]:
    field = "text" if file.format == "text" else reader.text
    for number, row in enumerate(read_rows(file, reader.sample_by), start=1):
        yield text_of(row, field, f"{file.path}: row {number}")


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
