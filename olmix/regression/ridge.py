"""Ridge regression: the score of a task is linear in the mixture."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.regression.base import Array, Family, canonical_columns, check_mixtures, sort_runs
from olmix.regression.crossval import assign_folds
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.penalty import check_penalty, choose_cautiously

PENALTIES = 10.0 ** np.arange(2, -6.5, -0.5)
"""Penalties that "auto" chooses from: the first makes any task constant, the last changes no fit visibly."""


class Ridge(Family):
    """Laws f(p) = c + t·p of n tasks: fit minimises  mean_k (f(p_k) - y_k)² + penalty · ||t||².

    On the simplex a constant added to all t is the same as one added to c, so the penalty also settles which of the
    equal laws it is; a domain in no run is as good as the mean mixture.

    Parameters: penalty, at least 0, without unit, or "auto": chosen per task by 5-fold cross-validation over the runs
    (`choose_cautiously`). Attributes after fit: c_ (n,), t_ (n, m), penalty_ (n,).

    The order of runs and other tasks do not change a bit of a law.
    """

    name = "ridge"
    convex = True

    def __init__(self, penalty: float | str = "auto") -> None:
        self.penalty = penalty

    def _fit(self, P: Array, Y: Array) -> None:
        check_penalty(self.penalty)
        columns = canonical_columns(P)
        P, Y = sort_runs(P[:, columns], Y)
        tasks = np.arange(Y.shape[1])
        penalties = PENALTIES if self.penalty == "auto" else np.array([float(self.penalty)])
        chosen = choose_cautiously(_held_out_losses(P, Y)) if self.penalty == "auto" else np.zeros_like(tasks)
        c, t = _fit_path(P, Y, penalties)
        self.penalty_ = penalties[chosen]
        self.c_, self.t_ = c[chosen, tasks], t[chosen, tasks][:, np.argsort(columns)]

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        return self.c_ + check_mixtures(P, domains=self.n_features_in_) @ self.t_.T

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws, the same everywhere."""
        return weights @ self.t_

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m): none."""
        return np.zeros((len(p), len(p)))

    def expression(self, p: Any, weights: Array) -> Any:
        """The weighted sum of the laws without c."""
        return (weights @ self.t_) @ p

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: c, and t in the order of the domains, per task."""
        laws = [{"c": float(c), "t": t.tolist()} for c, t in zip(self.c_, self.t_, strict=True)]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.c_, law.t_ = read_numbers(laws, "c", ()), read_numbers(laws, "t", (m,))
        return law


def _held_out_losses(P: Array, Y: Array) -> Array:
    """Squared out-of-fold errors (g, K, n) under all penalties."""
    fold = assign_folds(P)
    losses = np.empty((len(PENALTIES), *Y.shape))
    for k in range(fold.max() + 1):
        held_out = fold == k
        c, t = _fit_path(P[~held_out], Y[~held_out], PENALTIES)
        # A product per task and penalty: its bits do not depend on how many tasks there are.
        predicted = c[..., None] + np.matmul(P[held_out], t[..., None])[..., 0]
        losses[:, held_out] = (predicted.swapaxes(1, 2) - Y[held_out]) ** 2
    return losses


def _fit_path(P: Array, Y: Array, penalties: Array) -> tuple[Array, Array]:
    """Laws c (g, n) and t (g, n, m) for all penalties, from one eigendecomposition; t has no part without runs."""
    mean = P.mean(axis=0)
    scores = np.ascontiguousarray(Y.T)
    level = scores.mean(axis=1)
    values, vectors = np.linalg.eigh((P - mean).T @ (P - mean) / len(P))
    covariance = np.matmul((P - mean).T, (scores - level[:, None])[..., None])[..., 0] / len(P)
    along = np.matmul(vectors.T, covariance[..., None])
    shrunk = values + penalties[:, None]
    inverse = np.where(values > values.max() * 1e-12, 1 / np.maximum(shrunk, 1e-300), 0.0)
    t = np.matmul(vectors, inverse[:, None, :, None] * along)[..., 0]
    return level - np.matmul(t, mean[:, None])[..., 0], t
