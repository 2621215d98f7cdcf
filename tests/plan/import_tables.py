"""Tables of runs from elsewhere, as users bring them, and the domain set and suite that they are for."""

import csv

import pytest

from olmix.domains.fingerprint import File
from olmix.errors import InputError
from olmix.evaluation.suite import Suite, SuiteTask, Task
from tests.plan.generations import leaf

PROXY = "proxy-settings"


def suite_of(*tasks, version="1"):
    files = (File("x.jsonl", f"md5:{version}", "jsonl"),)
    return Suite(tuple(SuiteTask(n, "f", 1 / len(tasks), files, Task(files=["x"]), "suite") for n in sorted(tasks)))


LEAVES = [leaf(name) for name in ("code", "maths", "web:games", "web:news")]
SUITE = suite_of("easy", "hard")
MIXTURES = [
    ["run", "code", "maths", "web:games", "web:news"],
    ["a", "0.5", "0.25", "0", "0.25"],
    ["b", "0.1", "0.2", "0.3", "0.4"],
    ["c", "1", "0", "0.0", "0"],
]
SCORES = [["run", "easy", "hard"], ["a", "1.25", "2"], ["b", "0.1", "3"], ["c", "0.7", "4.5"]]


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def changed(table, row, column, value):
    rows = [list(cells) for cells in table]
    rows[row][column] = value
    return rows


def with_column(table, name, values):
    return [[*cells, value] for cells, value in zip(table, [name, *values], strict=True)]


def without_column(table, name):
    j = table[0].index(name)
    return [cells[:j] + cells[j + 1 :] for cells in table]


def keys(imported):
    return {run.name: run.key for run in imported.runs}


def refused(tmp_path, action, *arguments, **named):
    """The message of the InputError, on one line, with paths relative to tmp_path; nothing may have been written."""
    before = sorted(p for p in (tmp_path / "evidence").rglob("*")) if (tmp_path / "evidence").exists() else []
    with pytest.raises(InputError) as error:
        action(*arguments, **named)
    after = sorted(p for p in (tmp_path / "evidence").rglob("*")) if (tmp_path / "evidence").exists() else []
    assert after == before
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")
