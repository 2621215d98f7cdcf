"""The log-linear law of the paper (section 3.3.3): the score of a task is c + exp(t·p), one law per task."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from olmix.errors import InputError
from olmix.regression.base import Array, Family, Mask, canonical_columns, check_mixtures, sort_runs
from olmix.regression.crossval import assign_folds
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.levenberg import MIN_C, Problems, huber, minimise
from olmix.regression.penalty import check_penalty

PENALTIES = 10.0 ** np.arange(0, -11.5, -1.0)
"""Penalties that "auto" chooses from: the first makes any task constant, the last changes no fit visibly."""

USUAL_PENALTY = 1e-6
"""Preferred among those that cross-validation can hardly tell from the best: chance is no reason to leave it."""

CLOSE = 0.5
"""Standard errors within which out-of-fold losses of two penalties are not told apart."""

MAX_RANGES = 10.0
"""A penalty is refused if its law predicts, anywhere on the simplex, a score so many ranges above the worst run."""

SMALLEST_PENALTY = 1e-12
"""Stands for penalty 0, at which the loss of a rarely sampled domain often has no minimum: its t runs to -infinity."""

_STARTS = (0.05, 0.4, 0.7, 0.9, 0.97)  # c of a start, as a share of the lowest score
_PATH_START = 0.5
_FIT_TOLERANCE, _FIT_STEPS = 1e-10, 1000
_PATH_TOLERANCE, _PATH_STEPS = 1e-6, 100  # enough to compare penalties


class LogLinear(Family):
    """Laws f(p) = c + exp(t·p), c > 0, of n tasks, fitted by a penalised Huber loss.

    Per task, fit minimises  sum_k huber(f(p_k) - y_k)
    + K · penalty · (sum_j w_j (t_j - p̄·t)² + 10 m (p̄·t - log s)²),  p̄ the mean mixture of the runs, s the standard
    deviation of the task's scores. On the simplex a constant added to all t only scales exp, so the first term
    penalises how much domains differ: the law is drawn towards "the mixture has no effect", and a domain that the
    data say nothing about is as good as the mean mixture. It is drawn leaf by leaf: w_j is the inverse of the mean
    squared share of domain j in the runs, so that one rarely sampled is held back long before the others are.
    The second term fixes the scale (`levenberg.SCALE_WEIGHT`).

    Parameters: penalty, at least 0 in (bits per byte)², or "auto": chosen per task by 5-fold cross-validation over
    the runs; of the penalties whose Huber loss is within CLOSE standard errors of the best, the one closest to
    USUAL_PENALTY, and none whose law explodes away from the runs (MAX_RANGES).
    huber_delta: threshold of the loss in bits per byte.

    Attributes after fit: c_ (n,), t_ (n, m), penalty_ (n,), loss_ (n,) the summed Huber loss on the runs.

    There is no random state. Rows are sorted by content first, so their order does not change a bit of a law, and
    neither does the presence or order of other tasks.
    """

    name = "log_linear"
    convex = True
    refits = True

    def __init__(self, penalty: float | str = "auto", huber_delta: float = 0.02) -> None:
        self.penalty = penalty
        self.huber_delta = huber_delta

    def _fit(self, P: Array, Y: Array) -> None:
        self._check_settings()
        columns = canonical_columns(P)
        P, Y = sort_runs(P[:, columns], Y)
        if self.penalty == "auto":
            self.penalty_, law = self._fit_chosen(P, Y)
        else:
            self.penalty_ = np.full(Y.shape[1], float(self.penalty))
            law = self._fit_starts(P, Y)
        self.c_, self.t_ = law[:, 0], law[:, 1:]
        self.loss_ = huber(self.predict(P) - Y, self.huber_delta).sum(axis=0)
        self.t_ = self.t_[:, np.argsort(columns)].copy("C")

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.t_.shape[1])
        return self.c_ + np.exp(P @ self.t_.T)

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p."""
        return (weights * np.exp(self.t_ @ p)) @ self.t_

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p."""
        factor = np.sqrt(weights * np.exp(self.t_ @ p))[:, None] * self.t_
        return factor.T @ factor

    def expression(self, p: Any, weights: Array) -> Any:
        """Weighted exponentials; c does not move a minimum (method section 6)."""
        import cvxpy as cp

        return weights @ cp.exp(self.t_ @ p)

    def refit(self, P: Array, Y: Array) -> Self:
        """Laws of other scores with the penalties of these, from whose coefficients the search for them starts."""
        law = self.of(self.c_, self.t_)
        law.penalty_ = self.penalty_
        problems = Problems(
            P, Y.T, np.full(Y.T.shape, True), np.maximum(law.penalty_, SMALLEST_PENALTY), self.huber_delta
        )
        start = np.column_stack([self.c_, self.t_])
        found, _ = minimise(problems, start, _PATH_TOLERANCE, _PATH_STEPS)
        law.c_, law.t_ = found[:, 0], found[:, 1:]
        return law

    @classmethod
    def of(cls, c: ArrayLike, t: ArrayLike) -> Self:
        """Laws with given coefficients c (n,) and t (n, m)."""
        law = cls()
        law.c_, law.t_ = np.asarray(c, dtype=np.float64), np.asarray(t, dtype=np.float64)
        law.n_features_in_ = law.t_.shape[1]
        return law

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: c, t in the order of the domains and, of a fit, the penalty, per task."""
        laws = [{"c": float(c), "t": t.tolist()} for c, t in zip(self.c_, self.t_, strict=True)]
        if hasattr(self, "penalty_"):
            for law, penalty in zip(laws, self.penalty_, strict=True):
                law["penalty"] = float(penalty)
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`: domains and tasks in the order of the document. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls.of(read_numbers(laws, "c", ()), read_numbers(laws, "t", (m,)))
        if all("penalty" in one for one in laws):
            law.penalty_ = read_numbers(laws, "penalty", (), 0.0)
        return law

    def _check_settings(self) -> None:
        check_penalty(self.penalty)
        if not 0 < self.huber_delta < np.inf:
            raise InputError(f"huber_delta: found {self.huber_delta!r}; a number above 0 is allowed")

    def _fit_starts(self, P: Array, Y: Array) -> Array:
        """Best laws (n, 1 + m) over the starts; the loss is not convex in (c, t), but has few minima."""
        starts = np.stack([_starting_laws(P, Y, share) for share in _STARTS], axis=1)
        n, s, width = starts.shape
        penalty = np.repeat(np.maximum(self.penalty_, SMALLEST_PENALTY), s)
        scores = np.repeat(Y.T, s, axis=0)
        problems = Problems(P, scores, np.full(scores.shape, True), penalty, self.huber_delta)
        laws, values = minimise(problems, starts.reshape(n * s, width), _FIT_TOLERANCE, _FIT_STEPS)
        best = values.reshape(n, s).argmin(axis=1)
        return laws.reshape(n, s, width)[np.arange(n), best]

    def _fit_chosen(self, P: Array, Y: Array) -> tuple[Array, Array]:
        """Penalty (n,) of each task by cross-validation, and the laws (n, 1 + m) fitted with it on all runs."""
        fold = assign_folds(P)
        parts = [fold != k for k in range(fold.max() + 1)] + [np.full(len(P), True)]
        paths = self._fit_paths(P, Y, parts)
        loss = np.empty((len(PENALTIES), *Y.shape))
        for part, path in zip(parts[:-1], paths[:-1], strict=True):
            loss[:, ~part] = huber(_scores(path, P[~part]) - Y[~part], self.huber_delta)
        tame = _worst_scores(paths[-1]) <= Y.max(axis=0) + MAX_RANGES * np.ptp(Y, axis=0)
        chosen = _choose(loss, tame)
        penalty = PENALTIES[chosen]
        problems = Problems(P, Y.T, np.full(Y.T.shape, True), penalty, self.huber_delta)
        law, _ = minimise(problems, paths[-1][chosen, np.arange(Y.shape[1])], _FIT_TOLERANCE, _FIT_STEPS)
        return penalty, law

    def _fit_paths(self, P: Array, Y: Array, parts: list[Mask]) -> list[Array]:
        """For each part of the runs, laws (g, n, 1 + m) for all penalties, the largest first, all parts at once.

        A law starts from the one with the next larger penalty, which leads to the same basin for every part.
        """
        n = Y.shape[1]
        used = np.repeat(parts, n, axis=0)
        scores = np.tile(Y.T, (len(parts), 1))
        law = np.concatenate([_starting_laws(P[part], Y[part], _PATH_START) for part in parts])
        path = []
        for penalty in PENALTIES:
            problems = Problems(P, scores, used, np.full(len(law), penalty), self.huber_delta)
            law, _ = minimise(problems, law, _PATH_TOLERANCE, _PATH_STEPS)
            path.append(law)
        return list(np.stack(path).reshape(len(PENALTIES), len(parts), n, -1).swapaxes(0, 1))


def _choose(loss: Array, tame: Mask) -> NDArray[np.intp]:
    """Index (n,) of each task's penalty, from out-of-fold losses (g, K, n) and the laws that may be used (g, n)."""
    tame[0] = True  # under the largest penalty a law is nearly constant
    mean = np.where(tame, loss.mean(axis=1), np.inf)
    best = mean.argmin(axis=0)
    excess = loss - np.take_along_axis(loss, best[None, None, :], axis=0)
    error = excess.std(axis=1) / np.sqrt(loss.shape[1])
    close = tame & (excess.mean(axis=1) <= CLOSE * error)
    distance = np.abs(np.log10(PENALTIES / USUAL_PENALTY))
    return np.where(close, distance[:, None], np.inf).argmin(axis=0)


def _scores(laws: Array, P: Array) -> Array:
    """Scores (g, K, n) that laws (g, n, 1 + m) predict for mixtures (K, m)."""
    with np.errstate(over="ignore"):
        return laws[:, None, :, 0] + np.exp(np.matmul(P, laws[:, :, 1:].swapaxes(1, 2)))


def _worst_scores(laws: Array) -> Array:
    """Highest score (g, n) on the whole simplex: a law is convex, so it is that of a single domain."""
    with np.errstate(over="ignore"):
        return laws[:, :, 0] + np.exp(laws[:, :, 1:].max(axis=2))


def _starting_laws(P: Array, Y: Array, share: float) -> Array:
    """Starts (n, 1 + m): c is a share of the lowest score, t comes by ridge regression of log(y - c) on the mixture."""
    lowest = Y.min(axis=0)
    margin = 0.02 * np.ptp(Y, axis=0) + 1e-6  # keeps the logarithm finite near the lowest score
    deviation = np.eye(P.shape[1]) - P.mean(axis=0)
    gram = P.T @ P + len(P) * 1e-3 * deviation.T @ deviation
    c = np.maximum(share * lowest, MIN_C)
    heights = np.log(np.maximum(Y - c, margin))
    # One task at a time, or its bits would depend on how many there are.
    t = [np.linalg.solve(gram, P.T @ height) for height in np.ascontiguousarray(heights.T)]
    return np.column_stack([c, t])
