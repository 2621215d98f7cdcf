"""The comparison: families of laws x numbers of runs x granularities, by predictions of runs that are held out.

The runs are split into parts by their content. Each repeat holds one part out and fits laws on the first K of the other
runs, in an order that is hashed from their content too, for growing K. So all laws of a repeat are asked about the same
runs, those of a smaller K are among those of a larger one, and differences are taken repeat by repeat.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.regression.auto import Auto
from olmix.regression.base import Array
from olmix.regression.blend import Blend
from olmix.regression.crossval import assign_folds
from olmix.regression.families import FAMILIES, make_family
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear
from olmix.study.table import StudyTable

Rows = NDArray[np.intp]

MULTIPLES = (1.0, 1.5)
"""Runs per parameter c = K / (m + 1) that are tried: these, and their doubles as far as the runs go."""

CLOSE = 1.1
"""A number of runs this close below the largest one is not tried besides."""

LARGEST_ERROR = 100.0
"""More than this does not count: a law that explodes is useless, however far it goes."""

_NOT_COMPARED = (Auto.name, "search")  # a chooser among the others; a table that knows no other runs than its own
_LEAST_SPREAD = 1e-12
_DECIMALS = 9  # of predictions in standard deviations: what is beyond is rounding


@dataclass(frozen=True)
class Fit:
    """How well the laws of one family, fitted on some runs, predict the runs that a repeat holds out.

    Errors are root mean squares over the standard deviation of the score over all runs: 1 is what a constant achieves.
    Correlations are 0 where predictions are constant: they rank nothing.
    """

    family: str
    granularity: str
    runs: int
    repeat: int
    heldout: int
    error: float
    """Averaged over the laws."""
    correlation: float
    """Pearson's, averaged over the laws."""
    mean_error: float
    """Of the mean score, which mixtures are solved for."""
    mean_pearson: float
    mean_spearman: float


@dataclass(frozen=True)
class Grid:
    """What is fitted."""

    families: tuple[str, ...]
    runs: tuple[int, ...]
    """Numbers of runs, growing."""
    half: int
    """That of them closest to half the largest."""
    repeats: int
    regression: RegressionParams
    """Settings of log-linear laws."""

    @classmethod
    def of(cls, table: StudyTable, families: Sequence[str], repeats: int, regression: RegressionParams) -> "Grid":
        """The grid of a table. Raises InputError for families that cannot be compared and for too few runs."""
        allowed = [name for name in FAMILIES if name not in _NOT_COMPARED]
        for name in families:
            if name not in allowed:
                raise InputError(f"study.families: found {name!r}; allowed: {', '.join(allowed)}")
        if {LogLinear.name, Blend.name} & set(families) and (table.Y < 0).any():
            task = table.tasks[int(np.argwhere(table.Y < 0)[0, 1])].name
            raise InputError(
                f"study.families: log-linear laws need scores of at least 0, but {task} has {table.Y.min():g}; "
                "leave log_linear and blend out, or the task"
            )
        fold = assign_folds(table.P, repeats)
        least = table.parameters
        largest = min(int((fold != repeat).sum()) for repeat in range(repeats))
        distinct = len(np.unique(table.P.round(9), axis=0))
        if distinct < repeats:
            raise InputError(f"{distinct} different mixtures cannot be split into study.repeats = {repeats} parts")
        if largest < least:
            raise InputError(
                f"{len(table.P)} runs for {len(table.domains)} domains: with one part of {repeats} held out {largest} "
                f"are left, and at least m + 1 = {least} are needed; a study takes "
                f"{math.ceil(least * repeats / (repeats - 1))} runs or more"
            )
        runs = sizes(largest, least)
        half = min(runs, key=lambda K: abs(math.log(2 * K / largest)))
        return cls(tuple(dict.fromkeys(families)), runs, half, repeats, regression)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(runs, repeat) of every cell; families and granularities are fitted in one go."""
        return [(runs, repeat) for runs in self.runs for repeat in range(self.repeats)]


def sizes(largest: int, parameters: int) -> tuple[int, ...]:
    """Numbers of runs to fit on, from one per parameter up to the largest."""
    found = []
    factor = 1
    while factor * parameters <= largest:
        found += [math.ceil(factor * c * parameters) for c in MULTIPLES]
        factor *= 2
    return (*(K for K in found if largest >= CLOSE * K), largest)


def fit_cell(table: StudyTable, grid: Grid, runs: int, repeat: int) -> list[Fit]:
    """All families on the same runs; granularities other than `task` at half the runs and at the largest number."""
    train, heldout = split(table.P, grid, runs, repeat)
    everywhere = runs in (grid.half, grid.runs[-1])
    found = []
    for granularity in table.granularities if everywhere else table.granularities[:1]:
        Y, weights = table.scores(granularity), table.targets(granularity).weights
        spread, mean_spread = (np.maximum(scores.std(axis=0), _LEAST_SPREAD) for scores in (Y, Y @ weights))
        laws = predict_by_family(grid, table.P[train], Y[train], table.P[heldout])
        for family, predicted in laws.items():
            figures = compare(predicted, Y[heldout], spread, weights, mean_spread)
            found.append(Fit(family, granularity, runs, repeat, len(heldout), *figures))
    return found


def split(P: Array, grid: Grid, runs: int, repeat: int) -> tuple[Rows, Rows]:
    """Rows (runs,) that laws are fitted on in a cell, and the rows that they predict."""
    heldout = assign_folds(P, grid.repeats) == repeat
    order = hashed_order(P, repeat)
    return order[~heldout[order]][:runs], np.flatnonzero(heldout)


def predict_by_family(grid: Grid, P: Array, Y: Array, others: Array) -> dict[str, Array]:
    """Scores of other mixtures, predicted by the laws of each family; a blend is not fitted twice."""
    found: dict[str, Array] = {}
    for name in sorted(grid.families, key=lambda name: name == Blend.name):
        if name == Blend.name and {LogLinear.name, Kernel.name} <= found.keys():
            found[name] = 0.5 * (found[LogLinear.name] + found[Kernel.name])
        else:
            law = make_family(name, grid.regression.penalty, grid.regression.huber_delta)
            found[name] = law.fit_fold(P, Y).predict(others)
    return {name: found[name] for name in grid.families}


def hashed_order(P: Array, repeat: int) -> Rows:
    """Rows of P (K, m) in a pseudo-random order, another for each repeat, that depends on their content alone."""
    rounded = P.round(9) + 0.0
    hashes = [hashlib.sha256(f"{repeat} ".encode() + row.tobytes()).hexdigest() for row in rounded]
    return np.array(sorted(range(len(P)), key=lambda k: (hashes[k], k)), dtype=np.intp)


def errors(fits: Iterable[Fit], figure: str, family: str, runs: int, granularity: str = "task") -> Array:
    """A figure of every repeat."""
    chosen = {
        fit.repeat: getattr(fit, figure)
        for fit in fits
        if (fit.family, fit.runs, fit.granularity) == (family, runs, granularity)
    }
    return np.array([chosen[repeat] for repeat in sorted(chosen)])


def compare(predicted: Array, truth: Array, spread: Array, weights: Array, mean_spread: float) -> tuple[float, ...]:
    """The figures of a Fit from predictions and scores (K, l), their spreads (l,) and that of the mean score."""
    mean = truth @ weights
    with np.errstate(over="ignore", invalid="ignore"):
        law_errors = np.sqrt(((predicted - truth) ** 2).mean(axis=0)) / spread
        mean_predicted = predicted @ weights
        mean_error = float(np.sqrt(((mean_predicted - mean) ** 2).mean()) / mean_spread)
        predicted, mean_predicted = predicted / spread, mean_predicted / mean_spread
    correlations = [pearson(a, b) for a, b in zip(predicted.T, truth.T, strict=True)]
    figures = (
        np.minimum(law_errors, LARGEST_ERROR).mean(),
        np.mean(correlations),
        min(mean_error, LARGEST_ERROR),
        pearson(mean_predicted, mean),
        pearson(mean_predicted, mean, ranks=True),
    )
    return tuple(float(figure) for figure in figures)


def pearson(predicted: Array, truth: Array, ranks: bool = False) -> float:
    """Correlation, of ranks if so wished, of predictions in units of the spread of the scores with the scores.

    0 where predictions are not finite, or constant but for rounding.
    """
    if not np.isfinite(predicted).all():
        return 0.0
    a, b = predicted.round(_DECIMALS), truth
    if ranks:
        a, b = rankdata(a), rankdata(b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
