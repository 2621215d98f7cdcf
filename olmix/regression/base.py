"""What every regression family shares: the checks on a swarm table and the estimator that runs them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from threadpoolctl import threadpool_limits

from olmix.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SUM_TOLERANCE = 0.01
"""How far a row may be from sum 1: published swarms round mixtures to three decimals."""


class Family(RegressorMixin, BaseEstimator, ABC):
    """A regression family: fits all tasks of a swarm, each on its own, in the conventions of scikit-learn.

    What a solver needs comes with it, of a weighted sum of the tasks' laws: `gradient` and `hessian` of a smooth
    family, and the `expression` of a convex one. They take one mixture (m,) and weights (n,), at least 0; a family
    without them raises TypeError, and says so beforehand by its flags.
    """

    name: ClassVar[str]
    """Value of `regression.family`."""
    convex: ClassVar[bool] = False
    """Every law is convex in the mixture, so that a local minimum is the minimum."""
    smooth: ClassVar[bool] = True
    """Laws have a gradient and second derivatives; without them, mixtures can only be searched for."""
    refits: ClassVar[bool] = False
    """Laws can be refitted to resampled scores in milliseconds, so that proposals get intervals."""
    parametric: ClassVar[bool] = True
    """A law has parameters of its own for every domain, so that at least m + 1 runs are needed."""

    n_features_in_: int
    unidentified_: NDArray[np.intp]
    """Columns of domains whose effect the runs do not determine (`unidentified`)."""

    def fit(self, P: ArrayLike, Y: ArrayLike, domain_names: Sequence[str] | None = None) -> Self:
        """Fit one law per task.

        P: (K, m) mixtures, rows on the simplex; Y: (K, n) scores; domain_names: m names, used in messages only.
        Raises InputError for values that are missing or not a mixture, and for K < m + 1 if the family is parametric.
        """
        P = check_mixtures(P, domain_names)
        Y = check_scores(Y, len(P))
        if self.parametric:
            check_enough_runs(P)
        return self.fit_fold(P, Y)

    def fit_fold(self, P: Array, Y: Array) -> Self:
        """Fit on checked arrays without asking for a number of runs: a fold of a small swarm has few."""
        self.n_features_in_ = P.shape[1]
        self.unidentified_ = unidentified(P)
        with threadpool_limits(limits=1, user_api="blas"):  # sums in another order have other bits
            self._fit(P, Y)
        return self

    @abstractmethod
    def _fit(self, P: Array, Y: Array) -> None:
        """Set the attributes that a fit has."""

    @abstractmethod
    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) predicted for mixtures (K, m)."""

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p, as a function of m free variables."""
        raise TypeError(f"{self.name}: laws without a gradient (`smooth` is False)")

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p."""
        raise TypeError(f"{self.name}: laws without second derivatives (`smooth` is False)")

    def expression(self, p: Any, weights: Array) -> Any:
        """The weighted sum of the laws as a convex cvxpy expression of the variable p (m,), up to a constant."""
        raise TypeError(f"{self.name}: laws without a convex expression (`convex` is False)")

    def refit(self, P: Array, Y: Array) -> Self:
        """Laws of other scores (K, n) of the same runs (K, m), with everything that was chosen kept; for resampling."""
        raise TypeError(f"{self.name}: laws without a quick refit (`refits` is False)")

    @abstractmethod
    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: {"regression": name, "domains": [m names], "tasks": {n names: ...}, ...}.

        Domains and tasks in the order of the arrays given to fit. Raises ValueError if the names do not fit.
        """

    @classmethod
    @abstractmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`; they predict the same bits. Raises InputError if malformed."""


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


def check_enough_runs(P: Array) -> None:
    """Refuse fewer runs than a law per task has parameters (method section 11, trap 2)."""
    K, m = P.shape
    if m + 1 > K:
        raise InputError(
            f"{K} runs for {m} domains: the law cannot be identified, it has {m + 1} parameters per task; "
            f"add at least {m + 1 - K} runs (3 (m + 1) = {3 * (m + 1)} are advised) or merge domains"
        )


def unidentified(P: Array) -> NDArray[np.intp]:
    """Columns of domains whose coefficient in t·p the mixtures (K, m) leave open (method section 11, trap 12).

    A domain in no run, and domains that always come in the same proportion: those that take part in a null vector of P.
    """
    _, size, right = np.linalg.svd(P, full_matrices=True)
    rank = int((size > size.max() * 1e-9).sum())
    return np.flatnonzero(np.abs(right[rank:]).max(axis=0, initial=0.0) > 1e-6)


def sort_runs(P: Array, Y: Array) -> tuple[Array, Array]:
    """Runs in the order of their mixtures; among runs of one mixture, each task in the order of its own scores."""
    P = P + 0.0  # -0.0 is 0.0
    distinct, group = np.unique(P, axis=0, return_inverse=True)
    group = group.ravel()
    by_task = [scores[np.lexsort((scores, group))] for scores in Y.T]
    return distinct[np.sort(group)], np.stack(by_task, axis=1)


def canonical_columns(P: Array) -> NDArray[np.intp]:
    """An order (m,) of the domains that depends on the content of the mixtures (K, m) alone.

    Families fit in this order, so that rounding, and all that comes of it, is the same however a table is arranged.
    """
    size = (P**2).sum(axis=1).round(9)[:, None]
    content = np.vstack([np.sort(P, axis=0), np.sort((P * size).round(12), axis=0)])
    return np.lexsort(content)


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
