"""Solution for smooth laws that are not convex: descents from many starts, the best of them proved locally optimal."""

import numpy as np

from olmix.errors import InputError, WorkError
from olmix.solve.active_set import settle
from olmix.solve.certificate import Solution, certify
from olmix.solve.mirror import descend
from olmix.solve.problem import Array, Problem
from olmix.solve.projection import flattest, project

DRAWS = (16, 64, 256)
"""Random starts; the next number is tried if the second solver found something better than all of them led to."""

VERTICES = 64
"""Starts close to mixtures of a single leaf: those with the lowest objective."""

ROWS = 8
"""Starts at mixtures of the swarm: those with the lowest objective."""

AGREEMENT = 1e-4
"""Starts agree whose objectives differ by less, relative to the objective (at least 1): descents end early."""

_STEPS, _TOLERANCE = 200, 1e-7
_POLISHED = 4
_SEED = 0
_VERTEX = 7.0  # log of how much more weight than any other the leaf of a vertex has


def solve(problem: Problem, mixtures: Array | None = None) -> Solution:
    """Mixture that minimises the objective as far as can be found, for laws that are smooth.

    Mirror descent from the prior, the flattest mixture, vertices, random mixtures and the best of the given mixtures
    (K, m), all moved within the bounds; the best few ends are polished by Newton steps. Deterministic. Raises
    InputError for infeasible bounds and laws without a gradient, WorkError if no end can be proved locally optimal.
    """
    if not problem.laws.smooth:
        raise InputError("solver gradient: the laws have no gradient; `simulation` can search for a mixture")
    problem.check_feasible()
    for draws in DRAWS:
        solution = _solve_from(problem, _starts(problem, mixtures, draws))
        if solution.certificate.ok:
            return solution
    raise WorkError(f"no mixture could be proved locally optimal: {'; '.join(solution.certificate.failures)}")


def _solve_from(problem: Problem, starts: Array) -> Solution:
    ends = np.array([descend(problem, start, _STEPS, _TOLERANCE) for start in starts])
    values = np.array([problem.objective(end) for end in ends])
    best: list[Array] = []
    for j in np.argsort(values, kind="stable"):
        if len(best) < _POLISHED and all(np.abs(ends[j] - other).sum() > 1e-3 for other in best):
            best.append(ends[j])
    weights = min((settle(problem, end) for end in best), key=problem.objective)
    lowest = problem.objective(weights)
    agreed = int((values <= lowest + AGREEMENT * max(1.0, abs(lowest))).sum())
    return Solution(weights, certify(problem, weights, starts=(agreed, len(starts))))


def _starts(problem: Problem, mixtures: Array | None, draws: int) -> Array:
    """Mixtures (S, m) within the bounds."""
    lower, upper, m = problem.lower, problem.upper, len(problem.names)

    def within(log_weights: Array) -> Array:
        return np.array([project(row, lower, upper) for row in log_weights])

    def lowest(candidates: Array, number: int) -> Array:
        values = [problem.objective(candidate) for candidate in candidates]
        return candidates[np.argsort(values, kind="stable")[:number]]

    rng = np.random.default_rng(_SEED)
    spread = np.exp(rng.uniform(np.log(0.05), np.log(2), draws))
    drawn = np.array([rng.dirichlet(np.full(m, a)) for a in spread])
    vertices = within(_VERTEX * np.eye(m)[problem.upper > 0])
    groups = [
        project(problem.log_prior, lower, upper)[None],
        flattest(lower, upper)[None],
        lowest(vertices, VERTICES),
        within(np.log(np.maximum(drawn, 1e-6))),
    ]
    if mixtures is not None:
        groups.append(lowest(within(np.log(np.maximum(mixtures, 1e-6))), ROWS))
    return np.concatenate(groups)
