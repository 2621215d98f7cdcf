"""The log-linear law of the paper (section 3.3.3): the score of a task is c + exp(t·p), one law per task."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.errors import InputError
from olmix.regression.base import Array, Family, check_mixtures
from olmix.regression.crossval import assign_folds
from olmix.regression.levenberg import MIN_C, huber, minimise

PENALTIES = 10.0 ** np.arange(0, -9.5, -0.5)
"""Penalties that "auto" chooses from: the first makes any task constant, the last changes no fit visibly."""

SMALLEST_PENALTY = 1e-12
"""Stands for penalty 0, at which the loss of a rarely sampled domain often has no minimum: its t runs to -infinity."""

_STARTS = (0.05, 0.4, 0.7, 0.9, 0.97)  # c of a start, as a share of the lowest score
_FIT_TOLERANCE = 1e-10
_PATH_TOLERANCE = 1e-6  # enough to compare penalties


class LogLinear(Family):
    """Laws f(p) = c + exp(t·p), c > 0, of n tasks, fitted by a penalised Huber loss.

    Per task, fit minimises  sum_k huber(f(p_k) - y_k) + K · penalty · ||t - (p̄·t) 1||²,  p̄ the mean mixture of the
    runs. On the simplex a constant added to all t only scales exp, so what is penalised is the deviation of each
    domain from the mean mixture: the law is drawn towards "the mixture has no effect", and a domain that the data
    say nothing about is as good as the mean mixture.

    Parameters: penalty, at least 0 in (bits per byte)², or "auto": chosen per task by 5-fold cross-validation over
    the runs; of the penalties whose Huber loss is within half a standard error of the best, the largest.
    huber_delta: threshold of the loss in bits per byte.

    Attributes after fit: c_ (n,), t_ (n, m), penalty_ (n,), loss_ (n,) the summed Huber loss on the runs.

    There is no random state. Rows are sorted by content first, so their order does not change a bit of the result,
    and neither does the presence or order of other tasks.
    """

    def __init__(self, penalty: float | str = "auto", huber_delta: float = 0.02) -> None:
        self.penalty = penalty
        self.huber_delta = huber_delta

    def fit_fold(self, P: Array, Y: Array) -> Self:
        """Fit on checked arrays; a domain that no run contains gets the coefficient of the mean mixture."""
        self._check_settings()
        P, Y = _sort_runs(P, Y)
        if self.penalty == "auto":
            self.penalty_ = self._choose_penalty(P, Y)
        else:
            self.penalty_ = np.full(Y.shape[1], float(self.penalty))
        law = self._fit_starts(P, Y, self.penalty_, _FIT_TOLERANCE)
        self.c_, self.t_ = law[:, 0], law[:, 1:]
        self.n_features_in_ = P.shape[1]
        self.loss_ = huber(self.predict(P) - Y, self.huber_delta).sum(axis=0)
        return self

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.t_.shape[1])
        return self.c_ + np.exp(P @ self.t_.T)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values, by name: m domains and n tasks, in the order of the arrays given to fit."""
        laws = {
            task: {"c": float(c), "t": t.tolist()} for task, c, t in zip(tasks, self.c_, self.t_, strict=True)
        }
        if len(laws) != len(tasks) or len(set(domains)) != self.t_.shape[1]:
            raise InputError(f"{len(domains)} domains and {len(tasks)} tasks: {self.t_.shape[::-1]} unique names needed")
        return {"regression": "log_linear", "domains": list(domains), "tasks": laws}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`: domains and tasks in the order of the document. Raises InputError if malformed."""
        family = document.get("regression")
        if family != "log_linear":
            raise InputError(f"regression: found {family!r}, 'log_linear' is expected")
        domains, tasks = document["domains"], document["tasks"]
        law = cls()
        law.c_ = np.array([task["c"] for task in tasks.values()], dtype=np.float64)
        law.t_ = np.empty((len(tasks), len(domains)))
        for i, (name, task) in enumerate(tasks.items()):
            if len(task["t"]) != len(domains):
                raise InputError(f"tasks.{name}.t: {len(task['t'])} coefficients for {len(domains)} domains")
            law.t_[i] = task["t"]
        law.n_features_in_ = len(domains)
        return law

    def _check_settings(self) -> None:
        if self.penalty != "auto" and (isinstance(self.penalty, str) or not 0 <= self.penalty < np.inf):
            raise InputError(f"penalty: found {self.penalty!r}; 'auto' or a number of at least 0 is allowed")
        if not 0 < self.huber_delta < np.inf:
            raise InputError(f"huber_delta: found {self.huber_delta!r}; a number above 0 is allowed")

    def _choose_penalty(self, P: Array, Y: Array) -> Array:
        """Penalty (n,) of each task: the largest within half a standard error of the lowest out-of-fold loss."""
        fold = assign_folds(P)
        loss = np.empty((len(PENALTIES), *Y.shape))
        for k in range(fold.max() + 1):
            held_out = fold == k
            path = self._fit_path(P[~held_out], Y[~held_out])
            for g, law in enumerate(path):
                with np.errstate(over="ignore"):
                    predicted = law[:, 0] + np.exp(P[held_out] @ law[:, 1:].T)
                loss[g, held_out] = huber(predicted - Y[held_out], self.huber_delta)
        best = loss.mean(axis=1).argmin(axis=0)
        excess = loss - np.take_along_axis(loss, best[None, None, :], axis=0)
        error = excess.std(axis=1, ddof=1) / np.sqrt(len(P))
        return PENALTIES[(excess.mean(axis=1) <= 0.5 * error).argmax(axis=0)]

    def _fit_path(self, P: Array, Y: Array) -> list[Array]:
        """Laws (n, 1 + m) for each penalty, the largest first; each fit starts from the one before."""
        n = Y.shape[1]
        law = self._fit_starts(P, Y, np.full(n, PENALTIES[0]), _PATH_TOLERANCE)
        path = [law]
        for penalty in PENALTIES[1:]:
            law, _ = minimise(P, Y.T, np.full(n, penalty), law, self.huber_delta, _PATH_TOLERANCE)
            path.append(law)
        return path

    def _fit_starts(self, P: Array, Y: Array, penalty: Array, tolerance: float) -> Array:
        """Best laws (n, 1 + m) over the starts; the loss is not convex in (c, t), but has few minima."""
        starts = _starting_laws(P, Y)
        n, s, width = starts.shape
        ridge = np.repeat(np.maximum(penalty, SMALLEST_PENALTY), s)
        laws, values = minimise(
            P, np.repeat(Y.T, s, axis=0), ridge, starts.reshape(n * s, width), self.huber_delta, tolerance
        )
        best = values.reshape(n, s).argmin(axis=1)
        return laws.reshape(n, s, width)[np.arange(n), best]


def _sort_runs(P: Array, Y: Array) -> tuple[Array, Array]:
    """Runs in the order of their mixtures; among runs of one mixture, each task in the order of its own scores."""
    P = P + 0.0  # -0.0 is 0.0
    distinct, group = np.unique(P, axis=0, return_inverse=True)
    group = group.ravel()
    by_task = [scores[np.lexsort((scores, group))] for scores in Y.T]
    return distinct[np.sort(group)], np.stack(by_task, axis=1)


def _starting_laws(P: Array, Y: Array) -> Array:
    """Starts (n, s, 1 + m): for a few values of c, t by ridge regression of log(y - c) on the mixture."""
    lowest = Y.min(axis=0)
    margin = 0.02 * (Y.max(axis=0) - lowest) + 1e-6  # keeps the logarithm finite near the lowest score
    deviation = np.eye(P.shape[1]) - P.mean(axis=0)
    gram = P.T @ P + len(P) * 1e-3 * deviation.T @ deviation
    starts = []
    for share in _STARTS:
        c = np.maximum(share * lowest, MIN_C)
        heights = np.log(np.maximum(Y - c, margin))
        t = np.stack([np.linalg.solve(gram, P.T @ height) for height in heights.T])
        starts.append(np.column_stack([c, t]))
    return np.stack(starts, axis=1)
