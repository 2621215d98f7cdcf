"""How sure a proposal is: laws of resampled scores, the mixtures that they ask for, and the gain that they promise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from olmix.regression.base import Family
from olmix.solve.active_set import settle
from olmix.solve.mirror import descend
from olmix.solve.problem import Problem

Floats = NDArray[np.float64]

LEVEL = 0.9
"""Of the intervals."""

_STEPS, _TOLERANCE = 200, 1e-6  # of the descents, where laws are not convex


@dataclass(frozen=True)
class Uncertainty:
    """Proposals and gains of resampled laws, in the problem's order."""

    weights: Floats
    """(B, m) the proposal that each would have led to."""
    gain: Floats
    """(B,) by how much the proposal at hand lowers the mean law below the prior, as each sees it, in bits per byte."""
    regret: Floats
    """(B,) by how much the objective of its own proposal is below that of the proposal at hand; at least 0."""

    @property
    def weight_interval(self) -> Floats:
        """Lowest and highest weights (2, m), each at LEVEL."""
        return np.quantile(self.weights, _tails(), axis=0)

    @property
    def gain_interval(self) -> tuple[float, float]:
        """Lowest and highest gain at LEVEL."""
        low, high = np.quantile(self.gain, _tails())
        return float(low), float(high)


def resample(law: Family, P: Floats, Y: Floats, heldout: Floats, draws: int, seed: int) -> Iterator[Family]:
    """Laws refitted to scores that could as well have been observed: a wild bootstrap of the held-out errors.

    P: (K, m) mixtures; Y: (K, n) scores; heldout: (K, n) out-of-fold predictions. Each draw keeps or turns the sign of
    a run's errors, of all tasks alike, around what the law predicts for it. Errors of held-out runs hold the noise of
    seeds and what the family cannot express, and mixtures stay as designed, so that no domain drops out.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort(np.vstack([Y.T, P.T]))
    fitted, errors = law.predict(P)[order], (Y - heldout)[order]
    for _ in range(draws):
        signs = rng.choice([-1.0, 1.0], len(P))
        yield law.refit(P[order], fitted + signs[:, None] * errors)


def assess(problem: Problem, weights: Floats, prior: Floats, laws: Iterable[Family]) -> Uncertainty:
    """Uncertainty of a proposal (m,) of a problem, and of its gain over the prior (m,), from resampled laws."""
    solved, gains, regrets = [], [], []
    for law in laws:
        drawn = replace(problem, laws=law)
        own = _solve_near(drawn, weights)
        solved.append(own)
        gains.append(drawn.law(prior) - drawn.law(weights))
        regrets.append(max(0.0, drawn.objective(weights) - drawn.objective(own)))
    return Uncertainty(np.array(solved), np.array(gains), np.array(regrets))


def _solve_near(problem: Problem, weights: Floats) -> Floats:
    """Minimiser (m,) from a mixture within the bounds: the minimum of convex laws, a local one of others."""
    if problem.convex:
        return settle(problem, weights)
    ends = [descend(problem, weights, _STEPS, _TOLERANCE), weights]
    return min(ends, key=problem.objective)


def _tails() -> tuple[float, float]:
    return (1 - LEVEL) / 2, (1 + LEVEL) / 2
