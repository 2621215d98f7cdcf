"""CSV tables of a swarm: mixtures and scores, a row per run. Rows are known by run id, columns by name, never by place.

Tables of allenai/olmix have a column `run` or `run_id`; those of RegMix have `index`. Labels are no domains and no
metrics. Nothing is filled in.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from olmix.csvfile import read_rows, to_number
from olmix.errors import InputError
from olmix.regression.base import SUM_TOLERANCE, Array

IDS = ("run", "run_id", "index", "")
"""Columns of run ids, the first that a table has; the last is the unnamed first column that pandas writes."""

LABELS = ("run", "run_id", "index", "name")
"""Columns that are neither domain nor metric, beside unnamed ones."""

ROUNDING = 1e-6
"""Sums of weights that differ from 1 by less are not worth a note."""

_LAST_DIGITS = 1e-9  # 0.99 is within 0.01 of 1
_MISSING = ("", "nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class Table:
    """A CSV file with a row per run; cells are text."""

    path: Path
    id_column: str
    columns: tuple[str, ...]
    """All but ids and labels."""
    rows: dict[str, dict[str, str]]
    """Cells by run and column, labels too, runs in the order of the file."""

    def numbers(self, runs: Sequence[str], columns: Sequence[str]) -> Array:
        """Values (runs, columns), NaN where there is none."""
        return self._array(runs, columns, "a finite number, or nothing")

    def weights(self, runs: Sequence[str], columns: Sequence[str]) -> Array:
        """Values (runs, columns) of at least 0. Raises InputError naming run and column of anything else."""
        allowed = "a weight of at least 0"
        weights = self._array(runs, columns, allowed)
        for k, j in np.argwhere(~(weights >= 0)):
            found = self.rows[runs[k]][columns[j]]
            raise InputError(
                f"{self.path}: run {runs[k]!r}, column {columns[j]!r}: found {found!r}; allowed: {allowed}"
            )
        return weights

    def _array(self, runs: Sequence[str], columns: Sequence[str], allowed: str) -> Array:
        values = [[self._value(run, column, allowed) for column in columns] for run in runs]
        return np.array(values, dtype=np.float64).reshape(len(runs), len(columns)) + 0.0  # no negative zeros

    def _value(self, run: str, column: str, allowed: str) -> float:
        """A finite number, or NaN where there is none."""
        cell = self.rows[run][column]
        if cell.lower() in _MISSING:
            return math.nan
        value = to_number(cell)
        if not math.isfinite(value):
            raise InputError(f"{self.path}: run {run!r}, column {column!r}: found {cell!r}; allowed: {allowed}")
        return value


def read_table(path: Path) -> Table:
    """Read a table. Raises InputError naming file and line for anything but rows with distinct run ids."""
    header, lines = read_rows(path)
    found = ["" if column.startswith("Unnamed:") else column for column in header]
    id_column = next((name for name in IDS if (name in found if name else not found[0])), None)
    if id_column is None:
        readable = listed([name if name.isprintable() else repr(name) for name in header])[:200]
        raise InputError(
            f"{path}: no column of run ids; found {readable}; allowed: a column named run, run_id or index"
        )
    j = found.index(id_column)
    names = [name for name in found if name]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise InputError(f"{path}: column {twice!r} is given twice; allowed: once")
    rows: dict[str, dict[str, str]] = {}
    at: dict[str, int] = {}
    for line, cells in lines:
        run = cells[j]
        if not run or not run.isprintable():
            raise InputError(f"{path}: line {line}, column {header[j]!r}: found {run!r}; allowed: a run id")
        if run in rows:
            raise InputError(f"{path}: run {run!r} is given twice, in lines {at[run]} and {line}; allowed: once")
        rows[run] = {name: cell for name, cell in zip(found, cells, strict=True) if name}
        at[run] = line
    columns = tuple(name for name in names if name not in LABELS)
    if not rows or not columns:
        raise InputError(f"{path}: found {len(rows)} runs and {len(columns)} columns of values; allowed: at least one")
    return Table(path, id_column or header[j], columns, rows)


def mixtures(table: Table, runs: Sequence[str], domains: Sequence[str]) -> tuple[Array, list[str]]:
    """Weights (runs, domains) that sum to 1, and a note if that took more than the last digits.

    Raises InputError naming the run for a missing or negative weight, weight on another column, and a sum further
    than 0.01 from 1.
    """
    others = [column for column in table.columns if column not in domains]
    weights = table.weights(runs, [*domains, *others])
    for i, k in np.argwhere(weights[:, len(domains) :] > 0):
        raise InputError(
            f"{table.path}: run {runs[i]!r}, column {others[k]!r}: found weight {weights[i, len(domains) + k]:g} on "
            f"what is no domain; allowed: weight on {listed(domains)}"
        )
    weights = weights[:, : len(domains)]
    sums = np.array([math.fsum(row) for row in weights.tolist()])  # rounded once: the order of columns plays no part
    for run, total in zip(runs, sums, strict=True):
        if abs(total - 1) > SUM_TOLERANCE + _LAST_DIGITS:
            raise InputError(
                f"{table.path}: run {run!r}: weights sum to {total:.6g}; allowed: 1, within {SUM_TOLERANCE}"
            )
    notes = []
    if rounded := [run for run, total in zip(runs, sums, strict=True) if abs(total - 1) > ROUNDING]:
        notes.append(
            f"{table.path}: weights of {len(rounded)} runs sum to {sums.min():.6g} to {sums.max():.6g}: renormalised"
        )
    exact = sums == 1
    weights[~exact] /= sums[~exact, None]
    return weights, notes


def canonical_order(table: Table, runs: Sequence[str]) -> list[str]:
    """Runs by their numbers in the column `index`, or else by id (2 before 10): an order that rows cannot change."""
    numbers = [to_number(table.rows[run].get("index", "")) for run in runs]
    if len(set(numbers)) == len(runs) and all(map(math.isfinite, numbers)):
        return [run for _, run in sorted(zip(numbers, runs, strict=True))]
    return sorted(runs, key=_natural)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names for a message, the first few of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Digits compare as numbers."""
    parts = re.split(r"(\d+)", name, flags=re.ASCII)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)], name
