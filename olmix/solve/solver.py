"""The choice of a solver: as much proof as the laws allow (method section 6)."""

from typing import Literal

from olmix.errors import InputError
from olmix.solve import exact, gradient, search, simulation
from olmix.solve.certificate import Solution
from olmix.solve.problem import Array, Problem

Method = Literal["auto", "exact", "gradient", "simulation", "search"]


def solve(problem: Problem, method: Method = "auto", swarm: tuple[Array, Array] | None = None) -> Solution:
    """Mixture that minimises the objective of the problem, with its certificate.

    method: `auto` is `exact` for convex problems, `gradient` for other smooth laws and `simulation` for laws without a
    gradient. swarm: mixtures (K, m) and scores (K, n), which `search` chooses from and `gradient` also starts from.
    Raises InputError for infeasible bounds and for a method that cannot solve this problem, WorkError if the answer of
    `exact` or `gradient` cannot be proved.
    """
    if method == "auto":
        method = "exact" if problem.convex else "gradient" if problem.laws.smooth else "simulation"
    if method == "exact":
        return exact.solve(problem)
    if method == "gradient":
        return gradient.solve(problem, None if swarm is None else swarm[0])
    if method == "simulation":
        return simulation.solve(problem)
    if swarm is None:
        raise InputError("solver search: it chooses from the mixtures of the swarm, and none were given")
    return search.solve(problem, *swarm)
