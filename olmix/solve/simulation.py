"""Random search over Dirichlet mixtures, for laws that have no gradient (method section 6)."""

import numpy as np

from olmix.solve.certificate import Solution, certify
from olmix.solve.problem import Array, Problem
from olmix.solve.projection import project

ROUNDS = 10
DRAWS = 100_000
"""Mixtures per round."""

SEED = 1337
NEAR_BEST = 1e-3
"""Mixtures within this of the lowest objective are averaged: what they share is less noise than one of them."""

SMALLEST = 1e-5
"""A weight below this is set to 0."""

_CHUNK = 2_000_000  # weights drawn at once
_ENOUGH = 1000  # feasible mixtures per round, if need be by moving others onto the bounds


def solve(problem: Problem, draws: int = DRAWS, rounds: int = ROUNDS, seed: int = SEED) -> Solution:
    """Mixture with the lowest objective found; nothing says that there is no better one, and the certificate says so.

    Per round, mixtures are drawn from Dirichlet(centre · strength), with strengths log-uniform between f and 100 f,
    f = 2, 4, …, so that they spread less from round to round; the centre starts at the prior and moves half-way to the
    best mixture so far. Those beyond the bounds do not count; where these are so tight that fewer than 1000 are left,
    that many others are moved onto the bounds. Candidates are the best mixture of each round and the average of those
    close to it. Raises InputError for infeasible bounds.
    """
    problem.check_feasible()
    rng = np.random.default_rng(seed)
    best = centre = project(problem.log_prior, problem.lower, problem.upper)
    lowest = problem.objective(best)
    for number in range(rounds):
        for candidate in _round(problem, centre, 2.0 * (number + 1), draws, rng):
            tidy = _tidied(problem, candidate)
            if (value := problem.objective(tidy)) < lowest:
                best, lowest = tidy, value
        centre = (best + centre) / 2
    return Solution(best, certify(problem, best, proves="feasible"))


def _round(problem: Problem, centre: Array, f: float, draws: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The best of the mixtures drawn (m,), and the average (m,) of those close to it."""
    near, values = np.empty((0, len(centre))), np.empty(0)
    feasible = 0
    spare = near
    size = max(1, _CHUNK // len(centre))
    for first in range(0, draws, size):
        strength = np.exp(rng.uniform(np.log(f), np.log(100 * f), min(size, draws - first)))
        drawn = rng.standard_gamma(strength[:, None] * centre)
        drawn = drawn[drawn.sum(axis=1) > 0]
        drawn /= drawn.sum(axis=1, keepdims=True)
        within = ((drawn <= problem.upper) & (drawn >= problem.lower)).all(axis=1)
        feasible += int(within.sum())
        spare = np.concatenate([spare, drawn[~within]])[:_ENOUGH]
        near, values = _keep_near_best(problem, near, values, drawn[within])
    if feasible < _ENOUGH:
        logs = np.log(np.maximum(spare[: _ENOUGH - feasible], SMALLEST))
        moved = np.array([project(row, problem.lower, problem.upper) for row in logs])
        near, values = _keep_near_best(problem, near, values, moved)
    return near[values.argmin()], near.mean(axis=0)


def _keep_near_best(problem: Problem, near: Array, values: Array, more: Array) -> tuple[Array, Array]:
    """Those within NEAR_BEST of the best of mixtures (K, m), which have these objectives (K,), and more ones (L, m)."""
    if not len(more):
        return near, values
    near = np.concatenate([near, more])
    values = np.concatenate([values, problem.objectives(more, problem.laws.predict(more))])
    keep = values <= values.min() + NEAR_BEST
    return near[keep], values[keep]


def _tidied(problem: Problem, p: Array) -> Array:
    """p (m,) without weights below SMALLEST, within the bounds to the last digit."""
    upper = np.where((p < SMALLEST) & (problem.lower == 0), 0.0, problem.upper)
    if upper.sum() < 1:
        upper = problem.upper
    return project(np.log(np.maximum(p, 1e-300)), problem.lower, upper)
