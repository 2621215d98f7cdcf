"""Entropic mirror descent: a first-order method that needs nothing but gradients and never leaves the mixtures."""

import numpy as np

from olmix.solve.problem import Array, Problem
from olmix.solve.projection import project

_NOISE = 1e-15  # rounding of the law, relative
_LARGEST_CURVATURE = 1e15


def descend(problem: Problem, p: Array, steps: int, tolerance: float) -> Array:
    """Mixture (m,) at the end of a descent from p (m,), which is within the bounds.

    Each step minimises the law's tangent plus kl · KL(x || prior) plus L · KL(x || p), in closed form (`project`), with
    a curvature L that is just large enough for the objective to fall (Beck and Teboulle 2003; Lu, Freund and Nesterov
    2018). It ends once `Problem.gap` is at most the tolerance, relative to the objective (at least 1), or after so many
    steps. For a problem that is not convex it ends near a stationary mixture.
    """
    curvature, law = 1.0, _law(problem, p)
    for step in range(steps):
        if step % 10 == 0 and problem.gap(p) <= tolerance * max(1.0, abs(problem.objective(p))):
            break
        slope, log_p = problem.slope(p), np.log(np.maximum(p, 1e-300))
        while True:
            pull = problem.kl * problem.log_prior + curvature * log_p - slope
            x = project(pull / (problem.kl + curvature), problem.lower, problem.upper)
            moved = x[x > 0] @ (np.log(x[x > 0]) - log_p[x > 0])
            new = _law(problem, x)
            bound = law + slope @ (x - p) + curvature * moved
            if new <= bound + _NOISE * abs(law) or curvature > _LARGEST_CURVATURE:
                break
            curvature *= 2
        p, law, curvature = x, new, max(curvature / 1.5, 1e-6)
    return p


def _law(problem: Problem, p: Array) -> float:
    """The part of the objective that the step linearises."""
    return -problem.law(p) if problem.worst else problem.law(p)
