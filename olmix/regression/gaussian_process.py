"""A Gaussian process per task on the mixtures themselves, as in ADMIRE-BayesOpt (paper, section 3.3.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.regression.base import Array, Family, canonical_columns, check_mixtures, sort_runs
from olmix.regression.crossval import assign_folds
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.penalty import choose_shares

LENGTHS = 10.0 ** np.linspace(-2, 2, 41)
"""Length scales of the kernel that are compared, over the range of the authors."""

NOISE_RATIOS = 10.0 ** np.linspace(-8, 4, 121)
"""Noise levels, as a share of the constant, that are compared."""

CONSTANTS = (1e-3, 1e3)
"""Range of the kernel's constant (authors' code), for scores that are scaled to variance 1."""

NOISES = (1e-5, 10.0)
"""Range of the noise level (authors' code)."""


class GaussianProcess(Family):
    """Posterior means of Gaussian processes with the kernel constant · exp(-|p - q|² / (2 length²)) + noise, by task.

    Scores are centred and scaled to variance 1; constant, length and noise maximise the marginal likelihood within the
    bounds of the authors. Their code starts a local search ten times; here lengths and noise ratios are compared on a
    fine grid, with the best constant for each in closed form, so that one eigendecomposition per length serves all
    tasks and there is neither a start nor a random state. Likelihood alone finds effects in tasks that mixtures do not
    move, so the share of each effect that is kept is chosen by 5-fold cross-validation (`choose_shares`).

    Attributes after fit: mixtures_ (K, m), level_ (n,), coefficients_ (n, K) of the kernel with constant and share,
    constant_ (n,), length_ (n,), noise_ (n,), share_ (n,), evidence_ (n,) the log marginal likelihood.

    Neither the order of runs nor other tasks change a bit of a law.
    """

    name = "gp"
    parametric = False

    mixtures_: Array
    level_: Array
    coefficients_: Array
    constant_: Array
    length_: Array
    noise_: Array
    share_: Array
    evidence_: Array

    def _fit(self, P: Array, Y: Array) -> None:
        columns = canonical_columns(P)
        P, Y = sort_runs(P[:, columns], Y)
        held_out, means = np.empty_like(Y), np.empty_like(Y)
        fold = assign_folds(P)
        for k in range(fold.max() + 1):
            part = GaussianProcess()
            part._condition(P[fold != k], Y[fold != k])
            held_out[fold == k], means[fold == k] = part._scores(P[fold == k]), part.level_
        self._condition(P, Y)
        self.share_ = choose_shares(held_out, means, Y)
        self.coefficients_ *= self.share_[:, None]
        self.mixtures_ = P[:, np.argsort(columns)]

    def _condition(self, P: Array, Y: Array) -> None:
        """Set the attributes to those of the most likely kernels, with the whole effect."""
        K, n = Y.shape
        scores = np.ascontiguousarray(Y.T)
        level, spread = scores.mean(axis=1), scores.std(axis=1)
        spread[spread < 1e-12] = 1.0
        scaled = ((scores - level[:, None]) / spread[:, None])[:, :, None]
        distances = _squared_distances(P, P)
        constant, length, noise = np.ones(n), np.ones(n), np.ones(n)
        coefficients, evidence = np.zeros((n, K)), np.full(n, -np.inf)
        for candidate in LENGTHS:
            values, vectors = np.linalg.eigh(np.exp(-0.5 * distances / candidate**2))
            inverse = 1 / (np.maximum(values, 0.0) + NOISE_RATIOS[:, None])  # (g, K)
            # A stack of products, one per task: the bits of a task do not depend on how many there are.
            parts = np.matmul(vectors.T, scaled)
            squares = np.matmul(inverse, parts**2)[..., 0]  # (n, g)
            constants = np.clip(squares / K, *_constants(NOISE_RATIOS))
            found = -0.5 * (squares / constants + K * np.log(2 * np.pi * constants) - np.log(inverse).sum(axis=1))
            best = found.argmax(axis=1)
            found = found[np.arange(n), best]
            better = np.flatnonzero(found > evidence)
            best = best[better]
            evidence[better], length[better] = found[better], candidate
            constant[better] = constants[better, best]
            noise[better] = NOISE_RATIOS[best] * constant[better]
            coefficients[better] = np.matmul(vectors, inverse[best][..., None] * parts[better])[..., 0]
        self.mixtures_, self.level_, self.coefficients_ = P, level, coefficients * spread[:, None]
        self.constant_, self.length_, self.noise_, self.evidence_ = constant, length, noise, evidence

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        return self._scores(check_mixtures(P, domains=self.n_features_in_))

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p."""
        difference, terms = self._terms(p, weights)
        return -(self.length_**-2.0 @ terms) @ difference

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p."""
        difference, terms = self._terms(p, weights)
        curved = difference.T @ ((self.length_**-4.0 @ terms)[:, None] * difference)
        return curved - (self.length_**-2.0 @ terms).sum() * np.eye(len(p))

    def _terms(self, p: Array, weights: Array) -> tuple[Array, Array]:
        """Distance of p from each run, (K, m), and what each adds to the weighted sum of the laws, (n, K)."""
        difference = p - self.mixtures_
        kernel = np.exp(-0.5 * (difference**2).sum(axis=1) / self.length_[:, None] ** 2)
        return difference, weights[:, None] * self.coefficients_ * kernel

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: the mixtures of the runs, and per task level, length and coefficients."""
        laws = [
            {"level": float(level), "length": float(length), "coefficients": coefficients.tolist()}
            for level, length, coefficients in zip(self.level_, self.length_, self.coefficients_, strict=True)
        ]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, mixtures=self.mixtures_.tolist())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.mixtures_ = check_mixtures(document.get("mixtures", []), domains=m)
        law.level_, law.length_ = read_numbers(laws, "level", ()), read_numbers(laws, "length", (), LENGTHS[0])
        law.coefficients_ = read_numbers(laws, "coefficients", (len(law.mixtures_),))
        return law

    def _scores(self, P: Array) -> Array:
        distances = _squared_distances(P, self.mixtures_)
        laws = zip(self.level_, self.length_, self.coefficients_, strict=True)
        return np.column_stack([level + np.exp(-0.5 * distances / length**2) @ c for level, length, c in laws])


def _constants(ratios: Array) -> tuple[Array, Array]:
    """Bounds of the constant for ratios of noise to constant, so that both are in the ranges of the authors."""
    return np.maximum(CONSTANTS[0], NOISES[0] / ratios), np.minimum(CONSTANTS[1], NOISES[1] / ratios)


def _squared_distances(A: Array, B: Array) -> Array:
    """(K, L) between rows of (K, m) and (L, m), as sums of squares: differences of large sums lose digits."""
    total = np.zeros((len(A), len(B)))
    for a, b in zip(A.T, B.T, strict=True):
        total += (a[:, None] - b) ** 2
    return total
