"""What laws that add a decreasing power of every weight share: the penalised fit, and what solvers ask for."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from olmix.errors import InputError
from olmix.regression.base import Array, Family, Mask, canonical_columns, check_mixtures, sort_runs
from olmix.regression.crossval import assign_folds
from olmix.regression.least_squares import minimise
from olmix.regression.penalty import check_penalty, choose_cautiously

PENALTIES = 10.0 ** np.arange(1, -5.5, -1)
"""Penalties that "auto" chooses from: the first makes any task constant, the last changes no fit visibly."""

MAX_PROMISE = 0.2
"""A penalty is refused if its law expects of equal weights a score so many ranges below the best run: effects of single
domains are added up there that the runs of sparse swarms, with a few domains each, never show together."""

MAX_EXPONENT = 10.0
"""Upper bound of exponents: a larger one is a wall at weight 0, and overflows."""

_LEAST_EFFECT = 1e-12  # of a term that is worth a solver's while, in the unit of the scores
_SHAPE_WEIGHT = 0.3  # of the penalty on the shape of a term, against that on its effect
_PATH_TOLERANCE, _PATH_STEPS = 1e-2, 50  # enough to compare penalties
_FIT_TOLERANCE, _FIT_STEPS = 1e-5, 200
_STACK = 300_000  # elements of the largest temporary array: those of processor caches are faster


class Terms(NamedTuple):
    """A term of the law and its derivatives by the parameters, elementwise."""

    value: Array
    by_a: Array
    by_alpha: Array


class PowerLaw(Family):
    """Laws f(p) = c + sum_j b_j (p_j + s_j)^-alpha_j of n tasks, decreasing in every weight and convex.

    A family has parameters c, a_j and alpha_j per task, from which b and s follow, and fits by penalised least squares:
    fit minimises  sum_k (f(p_k) - y_k)² + K · penalty · (sum_j e_j² + v · sum_j shape_j²),  with e_j the effect of
    domain j, what its term loses from weight 0 to weight 1, v the variance of the task's scores and shape_j the
    distance of the parameter that shapes the term from its usual value, times 0.3. The law is drawn towards "the
    mixture has no effect"; without that, powers explode where a domain is rare in the runs.

    penalty: at least 0, without unit, or "auto": chosen per task by 5-fold cross-validation over the runs
    (`choose_cautiously`), and none whose law promises too much (MAX_PROMISE). There is no random state; the order of
    runs and other tasks do not change a bit of a law.
    """

    convex = True

    penalty: float | str
    penalty_: Array
    c_: Array
    A_: Array
    alpha_: Array

    @abstractmethod
    def _terms(self, P: Array, a: Array, alpha: Array) -> Terms:
        """Terms for weights, parameters a and exponents that broadcast against each other."""

    @abstractmethod
    def _bounds(self, m: int) -> tuple[Array, Array]:
        """Lower and upper bounds (1 + 2m,) of c, a and alpha."""

    @abstractmethod
    def _start(self, level: Array, m: int) -> Array:
        """Parameters (B, 1 + 2m) to start from, for mean scores (B,)."""

    @abstractmethod
    def _usual(self, m: int) -> tuple[Array, Array]:
        """Weights and centres (1 + 2m,) of the penalty on parameters that shape a term."""

    @abstractmethod
    def _set(self, params: Array) -> None:
        """Set the attributes of fitted parameters (n, 1 + 2m)."""

    @abstractmethod
    def _factors(self) -> tuple[Array, Array]:
        """b and s (n, m) of the fitted laws."""

    def _fit(self, P: Array, Y: Array) -> None:
        check_penalty(self.penalty)
        if (Y < 0).any():
            row, column = np.argwhere(Y < 0)[0]
            raise InputError(
                f"scores: row {row}, column {column} is {Y[row, column]:g}; {self.name} laws are sums of positive terms"
            )
        m = P.shape[1]
        columns = canonical_columns(P)
        P, Y = sort_runs(P[:, columns], Y)
        every = np.full(len(P), True)
        if self.penalty == "auto":
            self.penalty_, params = self._fit_chosen(P, Y)
        else:
            penalty = float(self.penalty)
            self.penalty_ = np.full(Y.shape[1], penalty)
            params = self._fit_paths(P, Y, [every], np.append(PENALTIES[penalty < PENALTIES], penalty))[-1, 0]
        problems = _Problems.of(self, P, Y, [every], self.penalty_)
        params = self._minimise(problems, params, _FIT_TOLERANCE, _FIT_STEPS)
        back = np.argsort(columns)
        self._set(np.column_stack([params[:, :1], params[:, 1 + back], params[:, 1 + m + back]]))

    def _fit_chosen(self, P: Array, Y: Array) -> tuple[Array, Array]:
        """Penalty (n,) of each task by cross-validation, and the parameters (n, 1 + 2m) on all runs."""
        m, fold = P.shape[1], assign_folds(P)
        parts = [fold != k for k in range(fold.max() + 1)] + [np.full(len(P), True)]
        paths = self._fit_paths(P, Y, parts, PENALTIES)
        losses = np.empty((len(PENALTIES), *Y.shape))
        for k, part in enumerate(parts[:-1]):
            losses[:, ~part] = (self._scores(paths[:, k], P[~part]) - Y[~part]) ** 2
        promised = self._scores(paths[:, -1], np.full((1, m), 1 / m))[:, 0]
        modest = promised >= Y.min(axis=0) - MAX_PROMISE * np.ptp(Y, axis=0)
        modest[0] = True  # under the largest penalty a law is nearly constant
        chosen = choose_cautiously(losses, modest)
        return PENALTIES[chosen], paths[chosen, -1, np.arange(Y.shape[1])]

    def _fit_paths(self, P: Array, Y: Array, parts: list[Mask], penalties: Array) -> Array:
        """Parameters (g, parts, n, 1 + 2m) for all penalties, the largest first, all parts of the runs at once.

        A law starts from the one with the next larger penalty, which leads to the same basin for every part.
        """
        n, m = Y.shape[1], P.shape[1]
        params = self._start(np.concatenate([_means(Y[part]) for part in parts]), m)
        path = []
        for penalty in penalties:
            problems = _Problems.of(self, P, Y, parts, np.full(len(parts) * n, penalty))
            params = self._minimise(problems, params, _PATH_TOLERANCE, _PATH_STEPS)
            path.append(params)
        return np.stack(path).reshape(len(penalties), len(parts), n, -1)

    def _minimise(self, problems: "_Problems", start: Array, tolerance: float, steps: int) -> Array:
        K, m = problems.P.shape
        return minimise(problems, start, *self._bounds(m), tolerance, steps, max(1, _STACK // (K * (1 + 2 * m))))

    def _scores(self, params: Array, P: Array) -> Array:
        """Scores (g, K, n) that parameters (g, n, 1 + 2m) predict for mixtures (K, m)."""
        m = P.shape[1]
        c, a, alpha = params[:, :, None, 0], params[:, :, None, 1 : 1 + m], params[:, :, None, 1 + m :]
        return (c + self._terms(P, a, alpha).value.sum(axis=-1)).swapaxes(1, 2)

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.n_features_in_)
        b, s = self._factors()
        laws = zip(self.c_, b, s, self.alpha_, strict=True)
        return np.column_stack([c + (b * (P + s) ** -alpha).sum(axis=1) for c, b, s, alpha in laws])

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p."""
        b, s = self._factors()
        return -weights @ (b * self.alpha_ * (p + s) ** (-self.alpha_ - 1))

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p: no term has more than one weight."""
        b, s = self._factors()
        return np.diag(weights @ (b * self.alpha_ * (self.alpha_ + 1) * (p + s) ** (-self.alpha_ - 2)))

    def expression(self, p: Any, weights: Array) -> Any:
        """Weighted powers, each as its value at weight 0 times exp(-alpha · log(1 + p_j / s_j)).

        In cvxpy a power has a single exponent, of which it takes a rational approximation; and exponentials that do not
        exceed 1 are what solvers are accurate for. Terms without effect, which are constants, are left out.
        """
        import cvxpy as cp

        b, s = self._factors()
        without = weights[:, None] * b * s**-self.alpha_
        effect = without - weights[:, None] * b * (1 + s) ** -self.alpha_
        i, j = np.nonzero(effect > _LEAST_EFFECT)
        if not len(i):
            return cp.Constant(0.0)
        return without[i, j] @ cp.exp(cp.multiply(-self.alpha_[i, j], cp.log(1 + cp.multiply(1 / s[i, j], p[j]))))


@dataclass(frozen=True)
class _Problems:
    """The objectives of laws, halved: one problem per part of the runs and task, for `least_squares.minimise`."""

    family: PowerLaw
    P: Array
    """(K, m) mixtures."""
    Y: Array
    """(B, K) scores."""
    used: Array
    """(B, K) 1 for the runs that each is fitted on, 0 for others."""
    effect_weight: Array
    """(B, 1) root of K · penalty, K the runs of each."""
    shape_weight: Array
    """(B, 1 + 2m) the same for the parameters that shape a term."""
    centre: Array
    """(1 + 2m,) their usual values."""

    @classmethod
    def of(cls, family: PowerLaw, P: Array, Y: Array, parts: list[Mask], penalty: Array) -> "_Problems":
        """Problems of all tasks (K, n) for each part of the runs; penalty (B,)."""
        n = Y.shape[1]
        weights, centre = family._usual(P.shape[1])
        root = np.sqrt(np.repeat([part.sum() for part in parts], n) * penalty)[:, None]
        spread = np.concatenate([np.ascontiguousarray(Y[part].T).std(axis=1) for part in parts])
        used = np.repeat(np.array(parts, dtype=np.float64), n, axis=0)
        shape_weight = root * spread[:, None] * _SHAPE_WEIGHT * weights
        return cls(family, P, np.tile(Y.T, (len(parts), 1)), used, root, shape_weight, centre)

    def value(self, params: Array, which: NDArray[np.intp]) -> Array:
        """Half the penalised sums of squares (b,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            terms, effects = self._terms(params)
            residual, effect, shape = self._residuals(params, terms.value, effects.value, which)
            return 0.5 * ((residual**2).sum(axis=1) + (effect**2).sum(axis=1) + (shape**2).sum(axis=1))

    def derivatives(self, params: Array, which: NDArray[np.intp]) -> tuple[Array, Array]:
        """Gradients (b, q) and Gauss-Newton matrices (b, q, q)."""
        m = self.P.shape[1]
        terms, effects = self._terms(params)
        residual, effect, shape = self._residuals(params, terms.value, effects.value, which)
        slope = np.concatenate([np.ones((*residual.shape, 1)), terms.by_a, terms.by_alpha], axis=2)
        slope *= self.used[which, :, None]
        gradient = np.matmul(residual[:, None], slope)[:, 0] + shape * self.shape_weight[which]
        matrix = np.matmul(slope.swapaxes(1, 2), slope)
        diagonal = np.einsum("bii->bi", matrix)
        diagonal += self.shape_weight[which] ** 2
        by_a, by_alpha = (self.effect_weight[which] * part for part in effects[1:])
        gradient[:, 1 : 1 + m] += effect * by_a
        gradient[:, 1 + m :] += effect * by_alpha
        j = np.arange(1, 1 + m)
        matrix[:, j, j] += by_a**2
        matrix[:, j + m, j + m] += by_alpha**2
        matrix[:, j, j + m] += by_a * by_alpha
        matrix[:, j + m, j] += by_a * by_alpha
        return gradient, matrix

    def _terms(self, params: Array) -> tuple[Terms, Terms]:
        """Terms (b, K, m) in the runs, and what they lose from weight 0 to weight 1 (b, m)."""
        m = self.P.shape[1]
        a, alpha = params[:, 1 : 1 + m], params[:, 1 + m :]
        terms = self.family._terms(self.P, a[:, None], alpha[:, None])
        ends = (self.family._terms(np.full(m, weight), a, alpha) for weight in (0.0, 1.0))
        return terms, Terms(*(without - alone for without, alone in zip(*ends, strict=True)))

    def _residuals(self, params: Array, terms: Array, effects: Array, which: NDArray[np.intp]) -> tuple[Array, ...]:
        residual = (params[:, :1] + terms.sum(axis=2) - self.Y[which]) * self.used[which]
        return residual, effects * self.effect_weight[which], (params - self.centre) * self.shape_weight[which]


def _means(Y: Array) -> Array:
    """Means (n,) of scores (K, n), each summed by itself, so that its bits do not depend on how many there are."""
    return np.ascontiguousarray(Y.T).mean(axis=1)
