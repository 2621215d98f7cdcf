"""The best mixture of the swarm itself: no law is needed, and none is believed (method section 6)."""

import numpy as np
from numpy.typing import ArrayLike

from olmix.errors import InputError
from olmix.regression.base import check_mixtures, check_scores
from olmix.solve.certificate import Solution, certify
from olmix.solve.problem import Problem


def solve(problem: Problem, mixtures: ArrayLike, scores: ArrayLike) -> Solution:
    """The feasible mixture of the swarm with the lowest objective by its observed scores; the laws do not matter.

    mixtures: (K, m), divided by their sums, which published tables round; scores: (K, n), averaged over runs of the
    same mixture. Task weights, KL penalty, bounds and `worst` count as for every solver. Of equals, the first in the
    order of weights. Raises InputError for infeasible bounds, and if no mixture of the swarm is within them.
    """
    problem.check_feasible()
    P = check_mixtures(mixtures, problem.names, len(problem.names))
    Y = check_scores(scores, len(P))
    if Y.shape[1] != len(problem.task_weights):
        raise InputError(f"scores: {Y.shape[1]} tasks, but {len(problem.task_weights)} task weights")
    P, run_of = np.unique(P / P.sum(axis=1, keepdims=True), axis=0, return_inverse=True)
    Y = np.array([Y[run_of == k].mean(axis=0) for k in range(len(P))])
    beyond = np.maximum(P - problem.upper, problem.lower - P)
    feasible = beyond.max(axis=1) <= 0
    if not feasible.any():
        k = int(beyond.max(axis=1).argmin())
        j = int(beyond[k].argmax())
        raise InputError(
            f"solver search: none of the {len(P)} mixtures of the swarm is within the bounds; the closest has "
            f"{P[k, j]:.4g} of {problem.names[j]}, {problem.lower[j]:.4g} to {problem.upper[j]:.4g} is allowed"
        )
    P, Y = P[feasible], Y[feasible]
    best = int(problem.objectives(P, Y).argmin())
    return Solution(P[best], certify(problem, P[best], proves="feasible", scores=Y[best]))
