"""Random search over Dirichlet mixtures, for laws that have no gradient (method section 6)."""

import numpy as np

from olmix.solve.active_set import only_mixture
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

_CHUNK = 4_000_000  # weights drawn at once
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
    if (only := only_mixture(problem)) is not None:
        return Solution(only, certify(problem, only, proves="feasible"))
    rng = np.random.default_rng(seed)
    best = centre = project(problem.log_prior, problem.lower, problem.upper)
    lowest = problem.objective(best)
    for number in range(rounds):
        candidates = _draw(problem, centre, 2.0 * (number + 1), draws, rng)
        values = problem.objectives(candidates, problem.laws.predict(candidates))
        average = candidates[values <= values.min() + NEAR_BEST].mean(axis=0)
        for candidate in (candidates[values.argmin()], average):
            tidy = _tidied(problem, candidate)
            if (value := problem.objective(tidy)) < lowest:
                best, lowest = tidy, value
        centre = (best + centre) / 2
    return Solution(best, certify(problem, best, proves="feasible"))


def _draw(problem: Problem, centre: Array, f: float, draws: int, rng: np.random.Generator) -> Array:
    """Feasible mixtures (K, m), K at least 1."""
    feasible: list[Array] = []
    spare: list[Array] = []
    found = 0
    step = max(1, _CHUNK // len(centre))
    for first in range(0, draws, step):
        size = min(step, draws - first)
        strength = np.exp(rng.uniform(np.log(f), np.log(100 * f), size))
        drawn = rng.standard_gamma(strength[:, None] * centre)
        total = drawn.sum(axis=1)
        drawn = drawn[total > 0] / total[total > 0, None]
        within = ((drawn <= problem.upper) & (drawn >= problem.lower)).all(axis=1)
        feasible.append(drawn[within])
        spare.append(drawn[~within][:_ENOUGH])
        found += int(within.sum())
    if found < _ENOUGH:
        beyond = np.concatenate(spare)[: _ENOUGH - found]
        feasible += [project(np.log(np.maximum(row, SMALLEST)), problem.lower, problem.upper)[None] for row in beyond]
    return np.concatenate(feasible)


def _tidied(problem: Problem, p: Array) -> Array:
    """p (m,) without weights below SMALLEST, within the bounds to the last digit."""
    upper = np.where((p < SMALLEST) & (problem.lower == 0), 0.0, problem.upper)
    if upper.sum() < 1:
        upper = problem.upper
    return project(np.log(np.maximum(p, 1e-300)), problem.lower, upper)
