"""The second opinion of a certificate: another method than the one that found the mixture, from starts of its own."""

import numpy as np

from olmix.solve.mirror import descend
from olmix.solve.problem import Array, Problem
from olmix.solve.projection import flattest, project

_STEPS = 300
_TOLERANCE = 1e-9
_SEED = 1
_DRAWS = 3  # starts, beside the flattest mixture, where there may be several minima
_LARGEST = 128  # leaves up to which sequential quadratic programming takes well below a second


def second_objective(problem: Problem) -> float:
    """Objective that an independent solver reaches within the bounds.

    Convex: mirror descent from the flattest mixture, while the first solver is an interior-point method with Newton
    steps. Otherwise sequential quadratic programming (SLSQP), while the first solver descends by mirror steps, from
    random starts; in large problems mirror steps from these starts instead.
    """
    lower, upper = problem.lower, problem.upper
    flat = flattest(lower, upper)
    if problem.convex:
        return problem.objective(descend(problem, flat, _STEPS, _TOLERANCE))
    rng = np.random.default_rng(_SEED)
    draws = rng.dirichlet(np.ones(len(flat)), _DRAWS)
    starts = [flat, *(project(np.log(np.maximum(draw, 1e-300)), lower, upper) for draw in draws)]
    solve = _program if len(flat) <= _LARGEST else _descend
    return min(problem.objective(solve(problem, start)) for start in starts)


def _descend(problem: Problem, start: Array) -> Array:
    return descend(problem, start, _STEPS, _TOLERANCE)


def _program(problem: Problem, start: Array) -> Array:
    """Mixture (m,) found by SLSQP over the leaves between their bounds, in weights that are divided by their sum."""
    from scipy.optimize import LinearConstraint, minimize

    is_open = problem.upper > problem.lower
    floor = np.maximum(problem.lower, 1e-15 if problem.kl > 0 else 0.0)

    def expand(x: Array) -> tuple[Array, float]:
        p = problem.lower.copy()
        p[is_open] = np.clip(x, floor[is_open], problem.upper[is_open])
        return p / p.sum(), float(p.sum())

    def slope(x: Array) -> Array:
        p, total = expand(x)
        gradient = problem.gradient(p)
        return np.asarray((gradient - gradient @ p)[is_open] / total)

    if is_open.sum() < 2:
        return start
    result = minimize(  # type: ignore[call-overload]
        lambda x: problem.objective(expand(x)[0]),
        start[is_open],
        jac=slope,
        bounds=np.stack([floor, np.maximum(floor, problem.upper)], axis=1)[is_open],
        constraints=LinearConstraint(np.ones((1, is_open.sum())), *[1 - problem.lower[~is_open].sum()] * 2),
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-13},
    )
    p = expand(result.x)[0]
    # Divided by its sum, a mixture may leave its bounds by what SLSQP violated the sum: then it is moved back.
    return project(np.log(np.maximum(p, 1e-300)), problem.lower, problem.upper)
