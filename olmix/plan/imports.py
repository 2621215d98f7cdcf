"""Finished runs from elsewhere: `evidence/<name>/` holds their mixtures, their scores and what the numbers mean.

`olmix import` writes such a folder from two tables; planning reads it again and checks it against today's domain set,
suite and proxy settings. Leaves are known by content, so that a renamed leaf is the same leaf. A run that does not
fit today is listed with the reason; nothing is dropped silently and nothing is filled in.
"""

import csv
import math
import re
import shutil
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, model_validator

from olmix.csvfile import read_rows, to_number
from olmix.digest import digest
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.evaluation.suite import Suite
from olmix.schema import Section, read_yaml
from olmix.store import write_atomically

FOLDER = "evidence"
MIXTURES = "mixtures.csv"
SCORES = "scores.csv"
PINS = "pins.yaml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_RUN = "run"
_ROW_NUMBERS = ("", "Unnamed: 0", "index")  # names of a first column that numbers the rows
_LABELS = (*_ROW_NUMBERS, "name")  # columns of the authors' tables that are no leaf and no task
_SUMS = (0.996, 1.003)  # what mixtures rounded to three decimals sum to
_ROUNDING = 1e-9


@dataclass(frozen=True)
class ImportedRun:
    """A finished run that fits today's domain set, suite and proxy settings."""

    name: str
    """NAME/run id."""
    mixture: dict[str, float]
    """Weight per leaf content; positive, sums to 1."""
    scores: dict[str, float]
    """BPB per task."""
    key: str
    """Digest of mixture and scores; names and the order of rows and columns play no part."""


@dataclass(frozen=True)
class Import:
    """One folder of `evidence/`."""

    name: str
    runs: tuple[ImportedRun, ...]
    """Usable runs, sorted by name."""
    unusable: tuple[tuple[str, str], ...]
    """Name of a run, or of the import where it is all of them, and the reason."""


class Pins(Section):
    """`pins.yaml` of an import: what its numbers mean. Written by `olmix import`."""

    leaves: dict[str, str] = Field(min_length=1)
    """Content digest of every leaf of mixtures.csv."""
    suite: str
    """Content digest of the suite."""
    proxy: str
    """Digest of the proxy settings."""

    @model_validator(mode="after")
    def _distinct(self) -> "Pins":
        if len(set(self.leaves.values())) < len(self.leaves):
            raise ValueError("leaves: two leaves have the same content digest")
        return self


def read_imports(folder: Path, leaves: Sequence[Leaf], suite: Suite, proxy: str) -> tuple[Import, ...]:
    """All imports, sorted by name, checked against what holds today; none if there is no folder.

    proxy: digest of today's proxy settings. Raises InputError for a damaged import.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; the folder of imported runs is expected")
    if not folder.is_dir():
        return ()
    imports = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        if not path.is_dir():
            if path.name == "README.md":
                continue
            raise InputError(f"{path}: found a file; allowed: folders that `olmix import` writes, and README.md")
        imports.append(_read_import(path, leaves, suite, proxy))
    return tuple(_count_once(imports))


def import_runs(
    root: Path, name: str, mixtures: Path, scores: Path, leaves: Sequence[Leaf], suite: Suite, proxy: str
) -> Import:
    """Check two tables, write `evidence/<name>/` and return it as planning reads it.

    mixtures: a column of run ids and a weight per leaf; scores: a column of run ids and BPB per task. Rows are joined
    by run id. Raises InputError, before anything is written, for a name that is taken and for tables with mistakes.
    """
    folder = root / FOLDER
    if not _NAME.fullmatch(name):
        raise InputError(
            f"NAME: found {name!r}; allowed: letters, digits and _ . + -, beginning with a letter or digit"
        )
    if (folder / name).exists():
        raise InputError(f"{folder / name}: exists already; remove the folder first, or choose another name")
    read_imports(folder, leaves, suite, proxy)
    tables = _check_tables(mixtures, scores, leaves, suite)
    pins = {"leaves": {leaf.name: leaf.content for leaf in leaves}, "suite": suite.content, "proxy": proxy}
    private = folder / f".{name}.{uuid.uuid4().hex[:8]}"
    try:
        _write_table(private / MIXTURES, tables.runs, tables.leaves, tables.weights)
        _write_table(private / SCORES, tables.runs, tables.tasks, tables.scores)
        write_atomically(private / PINS, yaml.safe_dump(pins, allow_unicode=True))
        private.rename(folder / name)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return next(found for found in read_imports(folder, leaves, suite, proxy) if found.name == name)


def import_notes(mixtures: Path, scores: Path, leaves: Sequence[Leaf], suite: Suite) -> list[str]:
    """What `import_runs` takes from two tables and what it makes of it, a line each. Raises InputError as it does."""
    return _check_tables(mixtures, scores, leaves, suite).notes


def _read_import(path: Path, leaves: Sequence[Leaf], suite: Suite, proxy: str) -> Import:
    pins = read_yaml(path / PINS, Pins)
    mixtures, scores = _read_table(path / MIXTURES, ()), _read_table(path / SCORES, ())
    _same_runs(mixtures, scores)
    _exact_columns(mixtures, pins.leaves, f"leaf of {PINS}")
    misfits = []
    if pins.suite != suite.content:
        misfits.append(f"scored with suite {pins.suite}, today's is {suite.content}")
    else:
        _exact_columns(scores, [task.name for task in suite.tasks], "task of the suite")
    if pins.proxy != proxy:
        misfits.append(f"trained with proxy settings {pins.proxy}, today's are {proxy}")

    names, tasks = sorted(pins.leaves), sorted(scores.columns)
    weights, measured = mixtures.numbers(mixtures.ids, names), scores.numbers(mixtures.ids, tasks)
    for run, total in zip(mixtures.ids, _sums(weights), strict=True):
        if abs(total - 1) > _ROUNDING:
            raise InputError(f"{mixtures.path}: run {run!r}: weights sum to {total:.12g}; allowed: 1")
    if misfits:
        return Import(path.name, (), ((path.name, f"all {len(mixtures.ids)} runs: {'; '.join(misfits)}"),))

    gone = _gone(pins, leaves)
    runs, unusable = [], []
    for run, row, values in zip(mixtures.ids, weights.tolist(), measured.tolist(), strict=True):
        mixture = {name: weight for name, weight in zip(names, row, strict=True) if weight > 0}
        if reasons := [f"weight {mixture[name]:.4g} on {gone[name]}" for name in mixture if name in gone]:
            unusable.append((f"{path.name}/{run}", "; ".join(reasons)))
        else:
            by_content = {pins.leaves[name]: weight for name, weight in mixture.items()}
            runs.append(_imported_run(f"{path.name}/{run}", by_content, dict(zip(tasks, values, strict=True))))
    return Import(path.name, tuple(runs), tuple(unusable))


def _gone(pins: Pins, leaves: Sequence[Leaf]) -> dict[str, str]:
    """Leaves of an import whose content is not in today's domain set, with the words for it."""
    names, contents = {leaf.name for leaf in leaves}, {leaf.content for leaf in leaves}
    return {
        name: f"{name}, which had other content then" if name in names else f"{name}, which is not in the domain set"
        for name, content in pins.leaves.items()
        if content not in contents
    }


def _imported_run(name: str, mixture: dict[str, float], scores: dict[str, float]) -> ImportedRun:
    contents, tasks = sorted(mixture), sorted(scores)
    numbers = np.array([*(mixture[content] for content in contents), *(scores[task] for task in tasks)], "<f8")
    key = digest({"import": [contents, tasks, numbers.tobytes().hex()]})  # bytes: decimals of 50,000 floats take long
    return ImportedRun(name, mixture, scores, key)


def _count_once(imports: Iterable[Import]) -> list[Import]:
    """A run that is in `evidence/` twice, digit for digit, is one observation."""
    first: dict[str, str] = {}
    found = []
    for each in imports:
        runs, repeated = [], []
        for run in each.runs:
            if run.key in first:
                repeated.append((run.name, f"has the mixture and the scores of {first[run.key]}; it counts once"))
            else:
                first[run.key] = run.name
                runs.append(run)
        found.append(replace(each, runs=tuple(runs), unusable=tuple(sorted([*each.unusable, *repeated]))))
    return found


@dataclass(frozen=True)
class _Table:
    """A CSV file of rows with a run id; cells are text until `numbers`."""

    path: Path
    id_column: str
    columns: tuple[str, ...]
    rows: dict[str, list[str]]

    @property
    def ids(self) -> list[str]:
        """Run ids, sorted."""
        return sorted(self.rows)

    def cells(self, runs: Sequence[str], column: str) -> list[str]:
        """One column of some runs."""
        j = self.columns.index(column)
        return [self.rows[run][j] for run in runs]

    def numbers(self, runs: Sequence[str], columns: Sequence[str]) -> NDArray[np.float64]:
        """Cells (runs, columns), finite and at least 0. Raises InputError naming run and column."""
        position = {column: j for j, column in enumerate(self.columns)}
        where = [position[column] for column in columns]
        values = np.array([[to_number(row[j]) for j in where] for row in map(self.rows.__getitem__, runs)], np.float64)
        for i, k in np.argwhere(~(np.isfinite(values) & (values >= 0))):
            raise InputError(
                f"{self.path}: run {runs[i]!r}, column {columns[k]!r}: found {self.rows[runs[i]][where[k]]!r}; "
                "allowed: a finite number, at least 0"
            )
        return values + 0.0  # no negative zeros


def _read_table(path: Path, names: Collection[str]) -> _Table:
    """Read a table. Run ids are in the column `run`, or in a first column that is unnamed or `index` (and no name)."""
    header, rows = read_rows(path)
    twice = [column for j, column in enumerate(header) if column in header[:j]]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} is given twice; allowed: once")
    if _RUN in header:
        j = header.index(_RUN)
    elif header[0] in _ROW_NUMBERS and header[0] not in names:
        j = 0
    else:
        raise InputError(
            f"{path}: no column of run ids; found {', '.join(header)}; "
            "allowed: a column named run, or a first column that is unnamed or named index"
        )
    by_run: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        run = row.pop(j)
        if not run or not run.isprintable():
            raise InputError(f"{path}: line {line}, column {header[j]!r}: found {run!r}; allowed: a run id")
        if run in by_run:
            raise InputError(f"{path}: run {run!r} is given twice, in lines {lines[run]} and {line}; allowed: once")
        by_run[run], lines[run] = row, line
    if not by_run:
        raise InputError(f"{path}: found no run; allowed: a line per run")
    return _Table(path, header[j], (*header[:j], *header[j + 1 :]), by_run)


@dataclass(frozen=True)
class _Tables:
    """A user's two tables after all checks, runs and columns sorted."""

    runs: list[str]
    leaves: list[str]
    tasks: list[str]
    weights: NDArray[np.float64]
    scores: NDArray[np.float64]
    notes: list[str]


def _check_tables(mixtures_path: Path, scores_path: Path, leaves: Sequence[Leaf], suite: Suite) -> _Tables:
    names, tasks = sorted(leaf.name for leaf in leaves), sorted(task.name for task in suite.tasks)
    if _RUN in (*names, *tasks):
        kind = "leaf" if _RUN in names else "task"
        raise InputError(f"a {kind} is named {_RUN!r}, which is the column of run ids; give the {kind} another name")
    mixtures, scores = _read_table(mixtures_path, names), _read_table(scores_path, tasks)
    _same_runs(mixtures, scores)
    runs = mixtures.ids

    present = [name for name in names if name in mixtures.columns]
    ignored = [column for column in mixtures.columns if column not in names]
    for column in ignored:
        if column not in _LABELS:
            _without_weight(mixtures, runs, column, names)
    weights = np.zeros((len(runs), len(names)))
    weights[:, [names.index(name) for name in present]] = mixtures.numbers(runs, present)
    totals = _sums(weights)
    for run, total in zip(runs, totals, strict=True):
        if not _SUMS[0] - _ROUNDING <= total <= _SUMS[1] + _ROUNDING:
            raise InputError(
                f"{mixtures_path}: run {run!r}: weights sum to {total:.6g}; "
                f"allowed: 1, or {_SUMS[0]} to {_SUMS[1]} where weights were rounded"
            )
    rounded = np.abs(totals - 1) > _ROUNDING
    weights[rounded] /= totals[rounded, None]

    if missing := [task for task in tasks if task not in scores.columns]:
        raise InputError(
            f"{scores_path}: no column for {_some(missing)}; allowed: a column for every task of the suite, "
            f"{', '.join(tasks)}"
        )
    unused = [column for column in scores.columns if column not in tasks]

    notes = [
        f"{mixtures_path}: {len(runs)} runs by column {mixtures.id_column!r}, {len(present)} leaves",
        f"{scores_path}: {len(runs)} runs by column {scores.id_column!r}, {len(tasks)} tasks",
    ]
    if absent := [name for name in names if name not in present]:
        notes.append(f"{mixtures_path}: no column for {', '.join(absent)}: weight 0 in every run")
    for path, columns in ((mixtures_path, ignored), (scores_path, unused)):
        if columns:
            notes.append(f"{path}: ignored columns: {', '.join(map(repr, columns))}")
    if rounded.any():
        found = totals[rounded]
        notes.append(
            f"{mixtures_path}: renormalised {rounded.sum()} runs whose weights summed to "
            f"{found.min():.6g} to {found.max():.6g}: {_some([run for run, r in zip(runs, rounded, strict=True) if r])}"
        )
    return _Tables(runs, names, tasks, weights, scores.numbers(runs, tasks), notes)


def _without_weight(table: _Table, runs: list[str], column: str, names: list[str]) -> None:
    """A column that is no leaf of today may stay where it holds nothing but zeros."""
    for run, cell in zip(runs, table.cells(runs, column), strict=True):
        if cell and to_number(cell) != 0:
            raise InputError(
                f"{table.path}: run {run!r}, column {column!r}: found {cell!r} for what is no leaf today; "
                f"allowed: {', '.join(names)}"
            )


def _same_runs(mixtures: _Table, scores: _Table) -> None:
    for table, other in ((mixtures, scores), (scores, mixtures)):
        if missing := [run for run in other.ids if run not in table.rows]:
            raise InputError(
                f"{table.path}: no row for {_some(missing)} of {other.path}; allowed: the same runs in both files"
            )


def _exact_columns(table: _Table, names: Iterable[str], what: str) -> None:
    names = sorted(names)
    if missing := [name for name in names if name not in table.columns]:
        raise InputError(f"{table.path}: no column for {_some(missing)}; allowed: a column for every {what}")
    if unknown := [column for column in table.columns if column not in names]:
        raise InputError(f"{table.path}: column {unknown[0]!r} is no {what}; allowed: {', '.join(names)}")


def _sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of rows, correctly rounded, so that the order of the columns plays no part."""
    return np.array([math.fsum(row) for row in weights.tolist()])


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _write_table(path: Path, runs: list[str], columns: list[str], values: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([_RUN, *columns])
        writer.writerows([run, *row] for run, row in zip(runs, values.tolist(), strict=True))
