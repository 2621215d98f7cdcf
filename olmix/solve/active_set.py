"""Newton's method on the active set: takes a solver's answer to the last digits of the optimality conditions."""

import numpy as np

from olmix.solve.problem import DUST, Array, Mask, Problem

_MAX_STEPS = 500
_NEAR_BOUND = 1e-6  # a first guess at which bounds are active; wrong guesses are repaired
_SHRINK = 0.99  # largest relative decrease per step of a weight that the KL term keeps above 0
_NEGLIGIBLE = 1e-6 * DUST  # a weight that falls below this under the KL term is held at 0
_TOLERANCE = 1e-13  # of slopes, relative to the largest gradient
_NOISE = 1e-15  # rounding of the objective, relative


def polish(problem: Problem, p: Array) -> Array:
    """Minimiser (m,) of `problem`, from a nearby feasible p (m,); every leaf must be open (`Problem.closed`).

    A step that would cross a bound ends there and holds it; a held bound with a multiplier of the wrong sign is let
    go. Weights at a cap equal it exactly. Best effort after a fixed number of steps: the certificate judges the result.
    """
    caps = np.minimum(problem.caps, 1.0)
    full = (p >= caps * (1 - _NEAR_BOUND)) & (caps < 1)
    empty = (p <= _NEAR_BOUND) & (problem.kl == 0) & ~full
    guess = _fill(np.where(full, caps, np.where(empty, 0.0, p)), ~(full | empty))
    if (guess <= caps).all() and abs(guess.sum() - 1) < _NOISE * len(p):
        p = guess
    else:
        full[:] = empty[:] = False
    for _ in range(_MAX_STEPS):
        free = ~(full | empty)
        gradient = _gradient(problem, p)
        slope = gradient - _level(gradient, p, free, full)
        tolerance = _TOLERANCE * max(1.0, np.abs(gradient).max())
        if (np.abs(slope[free]) <= tolerance).all():
            wrong = np.where(full, slope, np.where(empty, -slope, 0.0))
            if wrong.max() <= tolerance:
                break
            released = wrong.argmax()
            full[released] = empty[released] = False
            if problem.kl > 0 and p[released] == 0:
                p[released] = DUST
            continue
        step = _newton_step(problem, p, slope, free)
        room = _room(problem, p, step, caps)
        length = min(1.0, room.min())
        slack = _NOISE * abs(problem.objective(p))
        while problem.objective(p + length * step) > problem.objective(p) + slack:
            length /= 2
        p = p + length * step
        stopped = (room <= length) & ((step > 0) | (problem.kl == 0))
        full |= stopped & (step > 0)
        empty |= (stopped & (step < 0)) | ((problem.kl > 0) & (p < _NEGLIGIBLE))
        p = np.minimum(_fill(np.where(full, caps, np.where(empty, 0.0, p)), ~(full | empty)), caps)
    return p


def _gradient(problem: Problem, p: Array) -> Array:
    gradient = problem.law_gradient(p)
    if problem.kl > 0:  # at 0, the slope at DUST: if it is below the level, the optimal weight is above DUST
        gradient = gradient + problem.kl * (np.log(np.where(p > 0, p, DUST) / problem.prior) + 1)
    return gradient


def _level(gradient: Array, p: Array, free: Mask, full: Mask) -> float:
    """Common gradient of the free leaves: the multiplier of sum p = 1."""
    if free.any():
        return float(np.average(gradient[free], weights=p[free] + 1e-12))
    return float(gradient[full].max())


def _newton_step(problem: Problem, p: Array, slope: Array, free: Mask) -> Array:
    """Newton step (m,) within sum p = 1, zero where a bound is held.

    With KL the unknowns are scaled by sqrt(p), which turns its Hessian kl / p into kl and keeps tiny weights exact.
    """
    scale = np.sqrt(p[free]) if problem.kl > 0 else np.ones(free.sum())
    factor = np.sqrt(problem.task_weights * np.exp(problem.t @ p))[:, None] * problem.t[:, free] * scale
    hessian = factor.T @ factor
    hessian += (problem.kl if problem.kl > 0 else 1e-10 * np.trace(hessian) + 1e-300) * np.eye(len(scale))
    solved = np.linalg.solve(hessian, np.column_stack([scale * slope[free], scale]))
    along = (scale @ solved[:, 0]) / (scale @ solved[:, 1])
    step = np.zeros_like(p)
    step[free] = scale * (along * solved[:, 1] - solved[:, 0])
    return step


def _room(problem: Problem, p: Array, step: Array, caps: Array) -> Array:
    """Longest step (m,) that each leaf allows; with KL no weight may reach 0."""
    down = p * (_SHRINK if problem.kl > 0 else 1.0)
    ahead = np.where(step > 0, caps - p, down)
    moving = step != 0
    return np.where(moving & ((step < 0) | (caps < 1)), ahead / np.where(moving, np.abs(step), 1.0), np.inf)


def _fill(p: Array, free: Mask) -> Array:
    """p with its free weights rescaled so that all sum to 1."""
    if not free.any() or p[free].sum() <= 0:
        return p
    return np.where(free, p * ((1 - p[~free].sum()) / p[free].sum()), p)
