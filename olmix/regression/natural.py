"""The baseline that does not look at mixtures: what a law must beat to be of use."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.regression.base import Array, Family, check_mixtures
from olmix.regression.document import read_laws, read_numbers, write_laws


class Natural(Family):
    """Constant laws: every task scores the mean of its runs, whatever the mixture.

    No mixture is better than another, so a solver with a KL penalty proposes the prior, the natural mixture. Attributes
    after fit: level_ (n,).
    """

    name = "natural"
    convex = True
    parametric = False

    def _fit(self, P: Array, Y: Array) -> None:
        self.level_ = np.ascontiguousarray(np.sort(Y, axis=0).T).mean(axis=1)

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        return np.tile(self.level_, (len(check_mixtures(P, domains=self.n_features_in_)), 1))

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws: none."""
        return np.zeros(len(p))

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m): none."""
        return np.zeros((len(p), len(p)))

    def expression(self, p: Any, weights: Array) -> Any:
        """A constant."""
        import cvxpy as cp

        return cp.Constant(0.0)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: the mean score per task."""
        return write_laws(self.name, domains, tasks, [{"level": float(y)} for y in self.level_], self.n_features_in_)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_, law.level_ = m, read_numbers(laws, "level", ())
        return law
