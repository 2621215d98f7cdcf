"""What every regression family shares: the checks on a swarm table and the estimator that runs them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from olmix.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SUM_TOLERANCE = 0.01
"""How far a row may be from sum 1: published swarms round mixtures to three decimals."""


class Family(RegressorMixin, BaseEstimator, ABC):
    """A regression family: fits all tasks of a swarm, each on its own, in the conventions of scikit-learn."""

    def fit(self, P: ArrayLike, Y: ArrayLike, domain_names: Sequence[str] | None = None) -> Self:
        """Fit one law per task.

        P: (K, m) mixtures, rows on the simplex; Y: (K, n) scores; domain_names: m names, used in messages only.
        Raises InputError for values that are missing or not a mixture, for K < m + 1 and for a domain in no run.
        """
        P = check_mixtures(P, domain_names)
        Y = check_scores(Y, len(P))
        check_identified(P, domain_names)
        return self.fit_fold(P, Y)

    @abstractmethod
    def fit_fold(self, P: Array, Y: Array) -> Self:
        """Fit on checked arrays without asking whether every domain is identified: a fold may miss one."""

    @abstractmethod
    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) predicted for mixtures (K, m)."""


def check_mixtures(P: ArrayLike, domain_names: Sequence[str] | None = None, domains: int | None = None) -> Array:
    """Mixtures (K, m) as float64. Raises InputError naming row and column of a value that is not a share."""
    P = _finite_table(P, "mixtures", domain_names)
    if domains is not None and P.shape[1] != domains:
        raise InputError(f"mixtures: {P.shape[1]} domains, the law was fitted on {domains}")
    if domain_names is not None and len(domain_names) != P.shape[1]:
        raise InputError(f"mixtures: {P.shape[1]} columns, but {len(domain_names)} domain names")
    if (P < 0).any():
        row, column = np.argwhere(P < 0)[0]
        name = _column_name(column, domain_names)
        raise InputError(f"mixtures: row {row}, {name} is {P[row, column]:g}; weights are at least 0")
    sums = P.sum(axis=1)
    if (abs(sums - 1) > SUM_TOLERANCE).any():
        row = np.argmax(abs(sums - 1))
        raise InputError(f"mixtures: row {row} sums to {sums[row]:.6g}; weights sum to 1 (within {SUM_TOLERANCE})")
    return P


def check_scores(Y: ArrayLike, runs: int) -> Array:
    """Scores (K, n) as float64. Raises InputError naming row and column of a missing value; none is ever filled in."""
    Y = _finite_table(Y, "scores", None)
    if len(Y) != runs:
        raise InputError(f"scores: {len(Y)} rows, but {runs} mixtures; both need one row per run")
    return Y


def check_identified(P: Array, domain_names: Sequence[str] | None = None) -> None:
    """Refuse a swarm that leaves a coefficient of the law undetermined (method section 11, traps 2 and 12)."""
    K, m = P.shape
    if m + 1 > K:
        raise InputError(
            f"{K} runs for {m} domains: the law cannot be identified, it has {m + 1} parameters per task; "
            f"add at least {m + 1 - K} runs (3 (m + 1) = {3 * (m + 1)} are advised) or merge domains"
        )
    unsampled = np.flatnonzero(P.max(axis=0) == 0)
    if len(unsampled):
        names = ", ".join(_column_name(column, domain_names) for column in unsampled)
        raise InputError(
            f"no run contains {names}: the law cannot be identified; add runs that contain it, "
            "or leave it out of the fit and keep its natural share"
        )


def _finite_table(values: ArrayLike, what: str, names: Sequence[str] | None) -> Array:
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: not a table of numbers: {error}") from None
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(f"{what}: found shape {table.shape}, a table of runs by columns is expected")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise InputError(
            f"{what}: row {row}, {_column_name(column, names)} is {table[row, column]}; "
            "leave the run out or repair the value, it is never filled in"
        )
    return table


def _column_name(column: int | np.integer, names: Sequence[str] | None) -> str:
    return f"column {column}" if names is None else f"{names[int(column)]} (column {column})"
