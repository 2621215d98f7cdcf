"""The family with the best cross-validated error on the swarm at hand."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.regression.base import Array, Family
from olmix.regression.blend import Blend
from olmix.regression.crossval import cross_validated
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear


class Auto(Family):
    """Fits every candidate out of fold and then, on all runs, the one with the smallest error.

    Error: root mean square of what is held out over the standard deviation of the task, averaged over tasks, so that
    1 is what a constant achieves. Candidates: the log-linear law (not with fewer than m + 2 runs), the kernel law and
    their mean; of equals, the first.

    Parameters: penalty and huber_delta of the log-linear law. Attributes after fit: best_, errors_ by family name,
    heldout_ (K, n) the out-of-fold predictions of the chosen family.
    """

    name = "auto"
    parametric = False

    best_: Family
    errors_: dict[str, float]
    heldout_: Array

    def __init__(self, penalty: float | str = "auto", huber_delta: float = 0.02) -> None:
        self.penalty = penalty
        self.huber_delta = huber_delta

    def _fit(self, P: Array, Y: Array) -> None:
        candidates: list[Family] = [LogLinear(self.penalty, self.huber_delta), Kernel()]
        if len(P) < P.shape[1] + 2:
            del candidates[0]
        heldout = {candidate.name: cross_validated(P, Y, candidate) for candidate in candidates}
        if len(candidates) == 2:
            candidates.append(Blend(self.penalty, self.huber_delta))
            heldout[Blend.name] = 0.5 * (heldout[LogLinear.name] + heldout[Kernel.name])
        spread = np.maximum(Y.std(axis=0), 1e-12)
        self.errors_ = {
            name: float((np.sqrt(((found - Y) ** 2).mean(axis=0)) / spread).mean()) for name, found in heldout.items()
        }
        best = min(candidates, key=lambda candidate: self.errors_[candidate.name])
        self.heldout_ = heldout[best.name]
        self.best_ = best.fit_fold(P, Y)

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m), by the chosen family."""
        return self.best_.predict(P)

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p, by the chosen family."""
        return self.best_.gradient(p, weights)

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p, by the chosen family."""
        return self.best_.hessian(p, weights)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws of the chosen family, as that family writes them."""
        return self.best_.to_json(domains, tasks)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Not there: what was chosen is read by its own family. Raises TypeError."""
        raise TypeError("laws that `auto` chose are read by their own family")
