"""One Gaussian process for all tasks: the log score is smooth in the logs of the weights."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from olmix.errors import InputError
from olmix.regression.base import Array, Family, canonical_columns, check_mixtures, sort_runs
from olmix.regression.document import read_laws, read_numbers, write_laws

RELEVANCE_SPREAD = 1.0
"""Prior standard deviation of the log relevance of a domain, relative to the relevance that all share."""

_LENGTHS = (np.exp(-3.0), np.exp(3.5))  # longer ones are a nearly linear law out of huge terms that cancel
_FLOORS = (1e-4, 0.3)
_FLOOR_STARTS = (0.003, 0.03)
_NOISES = (1e-6, 10.0)
_NOISE_FACTORS = 10.0 ** np.arange(-2, 6.25, 0.25)  # noise of one task relative to the noise that all share
_RELEVANCES = (-6.0, 4.0)
_STEPS = 100
_LEAST_SPREAD = 1e-9  # of the scores of a task, so that a constant one can be scaled


class Kernel(Family):
    """Gaussian processes whose kernel, fitted to all tasks together, is shared: k(p, q) = exp(-sum_j w_j d_j² / 2).

    d_j = log(p_j + floor) - log(q_j + floor): doubling a weight has an effect of its own size wherever it starts, down
    to the floor. Kernel (relevances w_j of the domains, floor, noise) maximises the evidence of all tasks, each scaled
    and centred, with a log-normal prior on w_j / mean; tasks see the same mixtures, so one factorisation per step
    serves them all. Then each task gets the noise that maximises its own evidence: one that mixtures do not move is
    predicted by its mean. Scores are modelled by their logarithm, or as they are if one of a task is not positive.

    No parameters and no random state. Other tasks have a say in a law (they share the kernel), their order has not;
    the order of runs does not change a bit.

    Attributes after fit: mixtures_ (K, m), floor_, relevance_ (m,), noise_ (n,) relative to the variance of the
    process, level_ (n,), coefficients_ (K, n), logarithmic_ (n,).
    """

    name = "kernel"
    parametric = False
    refits = True

    mixtures_: Array
    floor_: float
    relevance_: Array
    noise_: Array
    level_: Array
    coefficients_: Array
    logarithmic_: NDArray[np.bool_]

    def _fit(self, P: Array, Y: Array) -> None:
        columns = canonical_columns(P)
        P, Y = sort_runs(P[:, columns], Y)
        tasks = np.lexsort(Y)
        self.logarithmic_ = np.all(Y > 0, axis=0)
        Z = np.where(self.logarithmic_, np.log(np.where(Y > 0, Y, 1.0)), Y)
        spread = np.maximum(Z.std(axis=0), _LEAST_SPREAD)
        evidence = _Evidence(P, (Z / spread)[:, tasks])
        kernel = evidence.maximise()
        covariance = kernel.covariance(P, P)
        self.noise_, self.level_, self.coefficients_ = _condition(covariance, Z, kernel.noise)
        back = np.argsort(columns)
        self.mixtures_, self.relevance_, self.floor_ = P[:, back].copy("C"), kernel.relevance[back], kernel.floor

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.n_features_in_)
        return self._scores(self.level_ + self._kernel.covariance(P, self.mixtures_) @ self.coefficients_)

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p."""
        slope, _, steepness = self._derivatives(p, weights)
        return slope.sum(axis=1) @ steepness

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p."""
        slope, rise, steepness = self._derivatives(p, weights)
        pull, above = slope.sum(axis=1), p + self.floor_
        bend = (pull * steepness.T) @ steepness
        bend -= np.diag((pull.sum() * self.relevance_ / above + pull @ steepness) / above)
        curved = self.logarithmic_ & (rise > 0)
        along = steepness.T @ slope[:, curved]
        return bend + (along / rise[curved]) @ along.T

    def refit(self, P: Array, Y: Array) -> Self:
        """The same process conditioned on other scores (K, n) of the mixtures that it was fitted on."""
        law = copy(self)
        Z = np.where(self.logarithmic_, np.log(np.maximum(Y, 1e-300)), Y)
        covariance = self._kernel.covariance(P, P)
        values, vectors = np.linalg.eigh(covariance)
        inverse = 1 / (np.maximum(values, 0.0)[:, None] + self.noise_)
        ones, scores = vectors.sum(axis=0)[:, None], vectors.T @ Z
        law.mixtures_ = P
        law.level_ = (inverse * ones * scores).sum(axis=0) / (inverse * ones**2).sum(axis=0)
        law.coefficients_ = vectors @ (inverse * (scores - ones * law.level_))
        return law

    def posterior(self, P: Array, noise: float) -> Array:
        """Posterior covariance (L, L) of the process, in units of its variance, between mixtures (L, m)."""
        from scipy.linalg import cho_factor, cho_solve

        known = self._kernel.covariance(self.mixtures_, self.mixtures_) + noise * np.eye(len(self.mixtures_))
        cross = self._kernel.covariance(self.mixtures_, P)
        return self._kernel.covariance(P, P) - cross.T @ cho_solve(cho_factor(known), cross)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: the kernel, the mixtures of the runs, and per task what predicts it."""
        columns = zip(self.level_, self.noise_, self.logarithmic_, self.coefficients_.T, strict=True)
        laws = [
            {"level": float(level), "noise": float(noise), "logarithmic": bool(log), "coefficients": c.tolist()}
            for level, noise, log, c in columns
        ]
        kernel = {"floor": self.floor_, "relevance": self.relevance_.tolist(), "mixtures": self.mixtures_.tolist()}
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, kernel=kernel)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        kernel = document.get("kernel")
        if not isinstance(kernel, Mapping):
            raise InputError(f"kernel: found {kernel!r}; floor, relevance and mixtures are expected")
        law = cls()
        law.n_features_in_ = m
        law.floor_ = float(read_numbers([kernel], "floor", (), _FLOORS[0] / 2)[0])
        law.relevance_ = read_numbers([kernel], "relevance", (m,), 0.0)[0]
        law.mixtures_ = check_mixtures(kernel.get("mixtures", []), domains=m)
        law.level_, law.noise_ = read_numbers(laws, "level", ()), read_numbers(laws, "noise", (), 0.0)
        if not all(isinstance(one.get("logarithmic"), bool) for one in laws):
            raise InputError("tasks: logarithmic: true or false is expected for every task")
        law.logarithmic_ = np.array([one["logarithmic"] for one in laws])
        # In memory as after a fit: the bits of a product can depend on the layout.
        law.coefficients_ = read_numbers(laws, "coefficients", (len(law.mixtures_),)).T.copy("C")
        return law

    def _derivatives(self, p: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Weighted slope of each law by its covariance with a run (K, n), of each law by its latent value (n,), and
        derivative of the log covariance by the mixture (K, m)."""
        covariance = self._kernel.covariance(p[None], self.mixtures_)[0]
        latent = self.level_ + covariance @ self.coefficients_
        rise = weights * np.where(self.logarithmic_, np.exp(np.minimum(latent, 700.0)), 1.0)
        difference = np.log(p + self.floor_) - np.log(self.mixtures_ + self.floor_)
        return covariance[:, None] * self.coefficients_ * rise, rise, -difference * self.relevance_ / (p + self.floor_)

    @property
    def _kernel(self) -> "_SharedKernel":
        return _SharedKernel(self.relevance_, self.floor_, 0.0)

    def _scores(self, latent: Array) -> Array:
        return np.where(self.logarithmic_, np.exp(np.minimum(latent, 700.0)), latent)


class _SharedKernel(NamedTuple):
    relevance: Array
    floor: float
    noise: float

    def covariance(self, P: Array, Q: Array) -> Array:
        """Kernel (K, L) between mixtures (K, m) and (L, m)."""
        scale = np.sqrt(self.relevance)
        return np.exp(-0.5 * _squared_distances(np.log(P + self.floor) * scale, np.log(Q + self.floor) * scale))


class _Evidence:
    """Negative log evidence of all tasks as a function of log length, log floor, log noise and log relevances."""

    def __init__(self, P: Array, Z: Array) -> None:
        """P: (K, m) mixtures; Z: (K, n) scaled scores."""
        self.P, self.Z = P, Z

    def maximise(self) -> _SharedKernel:
        """The kernel with the highest evidence times prior, from the better of two floors."""
        from scipy.optimize import minimize

        m = self.P.shape[1]
        starts = [np.concatenate([[np.log(2.0), np.log(floor), -4.0], np.zeros(m)]) for floor in _FLOOR_STARTS]
        start = min(starts, key=lambda theta: self(theta)[0])
        limits = [np.log(_LENGTHS), np.log(_FLOORS), np.log(_NOISES), *[_RELEVANCES] * m]
        found = minimize(  # type: ignore[call-overload]
            self, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": _STEPS}
        )
        length, floor, noise, *relevance = found.x
        return _SharedKernel(np.exp(np.array(relevance) - 2 * length) / m, float(np.exp(floor)), float(np.exp(noise)))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient per run and task; level and variance of each task are integrated out or profiled."""
        from scipy.linalg import cho_factor, cho_solve

        P, Z = self.P, self.Z
        (K, m), n = P.shape, Z.shape[1]
        floor, noise, log_relevance = np.exp(theta[1]), np.exp(theta[2]), theta[3:]
        relevance = np.exp(log_relevance - 2 * theta[0]) / m
        logs, growth = np.log(P + floor), floor / (P + floor)
        scaled = logs * np.sqrt(relevance)
        covariance = np.exp(-0.5 * _squared_distances(scaled, scaled))
        factor = cho_factor(covariance + noise * np.eye(K), lower=True)
        inverse = cho_solve(factor, np.eye(K))
        ones = inverse.sum(axis=1)
        total = ones.sum()
        centred = Z - (ones @ Z) / total
        pulled = inverse @ centred
        squares = np.maximum((centred * pulled).sum(axis=0), 1e-300)
        value = n * np.log(np.diag(factor[0])).sum() + 0.5 * n * np.log(total) + 0.5 * (K - 1) * np.log(squares).sum()
        value += 0.5 * (log_relevance**2).sum() / RELEVANCE_SPREAD**2

        # Derivative by the covariance of two runs; then by theta through the distances of their logs.
        slope = 0.5 * n * (inverse - np.outer(ones, ones) / total) - 0.5 * (K - 1) * (pulled / squares) @ pulled.T
        inner = slope * covariance
        rows = inner.sum(axis=1)
        spread = relevance * 2 * (rows @ logs**2 - (logs * (inner @ logs)).sum(axis=0))
        shift = relevance * 2 * (rows @ (logs * growth) - (logs * (inner @ growth)).sum(axis=0))
        gradient = np.concatenate(
            [
                [spread.sum(), -shift.sum(), noise * np.trace(slope)],
                -0.5 * spread + log_relevance / RELEVANCE_SPREAD**2,
            ]
        )
        return value / (K * n), gradient / (K * n)


def _condition(covariance: Array, Z: Array, shared_noise: float) -> tuple[Array, Array, Array]:
    """Noise (n,), level (n,) and coefficients (K, n) of each task, with the noise of most evidence for it."""
    K, n = Z.shape
    values, vectors = np.linalg.eigh(covariance)
    noises = np.maximum(shared_noise * _NOISE_FACTORS, _NOISES[0])
    inverse = 1 / (np.maximum(values, 0.0) + noises[:, None])  # (g, K)
    ones, scores = vectors.sum(axis=0), vectors.T @ Z
    total = inverse @ ones**2
    levels = (inverse * ones) @ scores / total[:, None]  # (g, n)
    squares = np.maximum(inverse @ scores**2 - levels**2 * total[:, None], (K - 1) * _LEAST_SPREAD**2)
    deviance = (K - 1) * np.log(squares) - np.log(inverse).sum(axis=1)[:, None] + np.log(total)[:, None]
    best = deviance.argmin(axis=0)
    tasks = np.arange(n)
    level = levels[best, tasks]
    coefficients = vectors @ (inverse[best].T * (scores - ones[:, None] * level))
    return noises[best], level, coefficients


def _squared_distances(A: Array, B: Array) -> Array:
    return np.maximum((A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2 * A @ B.T, 0.0)
