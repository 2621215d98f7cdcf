"""One row of the catalogue of mistakes, and the changes that rows are made of."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.miniature import change_params, write_jsonl, write_yaml

Change = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A mistake in a small project, the command that meets it, and the one line that it must say."""

    what: str
    change: Change
    command: str
    """Words of the command after `olmix`; `{code}` is the tokens key of the leaf `code`."""
    message: str
    """What follows `olmix: `, in full; paths are as the user wrote them."""
    code: int = 2
    progress: int = 0
    """Lines of progress before it."""


def nothing(folder):
    """The mistake is in the command."""


def both(*changes: Change) -> Change:
    def change(folder):
        for each in changes:
            each(folder)

    return change


def params(**sections) -> Change:
    """Fields of sections of params.yaml."""
    return lambda folder: change_params(folder, **sections)


def top(**fields: Any) -> Change:
    """Fields of params.yaml that replace whole sections."""

    def change(folder):
        found = yaml.safe_load((folder / "params.yaml").read_text())
        write_yaml(folder / "params.yaml", found | fields)

    return change


def put(path: str, content: str | bytes) -> Change:
    """A file with this content."""

    def change(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def append(path: str, text: str) -> Change:
    return lambda folder: put(path, (folder / path).read_text() + text)(folder)


def cut(path: str, share: float = 0.5) -> Change:
    """The file without its end."""

    def change(folder):
        content = (folder / path).read_bytes()
        put(path, content[: int(len(content) * share)])(folder)

    return change


def rows(path: str, *found: Any) -> Change:
    """A file of JSON lines."""
    return lambda folder: write_jsonl(folder / path, list(found))


def document(path: str, value: Any) -> Change:
    """A YAML file."""
    return lambda folder: write_yaml(folder / path, value)


def remove(path: str) -> Change:
    return lambda folder: (folder / path).unlink()


def a_folder(path: str) -> Change:
    def change(folder):
        (folder / path).unlink(missing_ok=True)
        (folder / path).mkdir(parents=True)

    return change


def a_pipe(path: str) -> Change:
    def change(folder):
        (folder / path).unlink(missing_ok=True)
        os.mkfifo(folder / path)

    return change


def a_dangling_link(path: str) -> Change:
    def change(folder):
        (folder / path).unlink(missing_ok=True)
        (folder / path).symlink_to("nowhere")

    return change


def edit(path: str, change_document: Callable[[dict], object]) -> Change:
    """A JSON or YAML document in which something is changed in place."""

    def change(folder):
        found = yaml.safe_load((folder / path).read_text())
        change_document(found)
        write_yaml(folder / path, found) if path.endswith("yaml") else put(path, json.dumps(found))(folder)

    return change


def parquet(path: str, **columns: list[Any]) -> Change:
    def change(folder):
        pd.DataFrame(columns).to_parquet(folder / path)

    return change


def of_code(path: str, **fields: Any) -> Change:
    """The leaf `code` reads this file."""
    return document("domains/code.yaml", {"files": path} | fields)
