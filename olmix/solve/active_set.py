"""Newton's method on the active set: takes a solver's answer to the last digits of the optimality conditions."""

from dataclasses import replace

import numpy as np

from olmix.solve.problem import DUST, FEASIBILITY_TOLERANCE, Array, Mask, Problem
from olmix.solve.projection import project

_MAX_STEPS = 500
_NEAR_BOUND = 1e-6  # a first guess at which bounds are active; wrong guesses are repaired
_SHRINK = 0.99  # largest relative decrease per step of a weight that the KL term keeps above 0
_NEGLIGIBLE = 1e-6 * DUST  # a weight that falls below this under the KL term is held at 0
_TOLERANCE = 1e-13  # of slopes, relative to the largest gradient
_NOISE = 1e-15  # rounding of the objective, relative
_CANCELLED = 1e-10  # rounding of a law that is the small sum of large terms, relative (at least 1)
_LEAST_CURVATURE = 1e-8  # of a direction, relative to the largest, where the objective is not convex


def settle(problem: Problem, near: Array) -> Array:
    """Local minimiser (m,) near a mixture within the bounds, without dust.

    Weights below DUST become 0 and the rest is polished again. Leaves with a lower bound keep it, and no weight is
    dropped that the caps of the others cannot take over.
    """
    if (only := _only_mixture(problem)) is not None:
        return only
    weights = polish(problem, near)
    while (dust := (weights < DUST) & (problem.lower == 0) & ~problem.closed).any():
        problem = replace(problem, caps=np.where(dust, 0.0, problem.caps))
        if problem.upper.sum() < 1:
            break
        near = project(np.log(np.maximum(weights, DUST)), problem.lower, problem.upper)
        weights = polish(problem, near)
    return weights


def polish(problem: Problem, p: Array) -> Array:
    """Local minimiser (m,) of `problem`, from a nearby p (m,) within its bounds.

    A step that would cross a bound ends there and holds it; a held bound with a multiplier of the wrong sign is let
    go. Weights at a bound equal it exactly. Best effort, of a fixed number of steps: the certificate judges the result.
    """
    lower, upper = problem.lower, problem.upper
    fixed = upper <= lower
    inside = (problem.kl > 0) & (lower == 0)  # weights that the KL term keeps above 0
    full, low = _guess_active(problem, p, inside)
    if np.where(full, upper, lower).sum() < 1 < np.where(low, lower, upper).sum():
        p = project(np.log(np.maximum(p, 1e-300)), np.where(full, upper, lower), np.where(low, lower, upper))
    else:
        full[:] = low[:] = False
    full |= fixed
    for _ in range(_MAX_STEPS):
        free = ~(full | low)
        gradient = _gradient(problem, p)
        slope = gradient - _level(gradient, p, free, full & ~fixed)
        tolerance = _TOLERANCE * max(1.0, np.abs(gradient).max())
        if (np.abs(slope[free]) <= tolerance).all():
            wrong = np.where(fixed, 0.0, np.where(full, slope, np.where(low, -slope, 0.0)))
            if wrong.max() <= tolerance:
                break
            released = wrong.argmax()
            full[released] = low[released] = False
            if p[released] == 0:  # where slopes may be infinite
                p[released] = min(DUST, upper[released])
            continue
        step = _newton_step(problem, p, slope, free)
        room = _room(p, step, inside, lower, upper)
        length = _step_length(problem, p, step, float(gradient @ step), min(1.0, room.min()))
        p = np.maximum(p + length * step, lower)
        stopped = (room <= length) & ~((step < 0) & inside)
        full |= stopped & (step > 0)
        low |= (stopped & (step < 0)) | (inside & (p < _NEGLIGIBLE))
        p = np.clip(_fill(_at_bounds(problem, p, full, low), ~(full | low)), lower, upper)
    return np.clip(_fill(p, ~(full | low)), lower, upper)


def _only_mixture(problem: Problem) -> Array | None:
    """The mixture (m,) if the bounds allow a single one, but for dust."""
    for bound in (problem.upper, problem.lower):
        if abs(bound.sum() - 1) <= FEASIBILITY_TOLERANCE:
            tidy = np.where((bound < DUST) & (problem.lower == 0), 0.0, bound)
            return tidy if abs(tidy.sum() - 1) <= FEASIBILITY_TOLERANCE else bound.copy()
    return None


def _guess_active(problem: Problem, p: Array, inside: Mask) -> tuple[Mask, Mask]:
    """Leaves (m,) that an optimum near p has at their upper and at their lower bound.

    Those that are there, and those that are closer to it than the slope that presses them on it is to 0.
    """
    gradient = _gradient(problem, p)
    # Leaves between their bounds have most of the room, and their common gradient is the level.
    room = np.minimum(p - problem.lower, problem.upper - p)
    slope = (gradient - np.average(gradient, weights=room + 1e-15)) / max(1.0, np.abs(gradient).max())
    full = (problem.upper < 1) & (problem.upper - p <= np.maximum(_NEAR_BOUND * problem.upper, -slope))
    low = ~full & ~inside & (p - problem.lower <= np.maximum(_NEAR_BOUND, slope))
    return full, low


def _at_bounds(problem: Problem, p: Array, full: Mask, low: Mask) -> Array:
    return np.where(full, problem.upper, np.where(low, problem.lower, p))


def _gradient(problem: Problem, p: Array) -> Array:
    gradient = problem.slope(p)
    if problem.kl > 0:  # at 0, the slope at DUST: if it is below the level, the optimal weight is above DUST
        gradient = gradient + problem.kl * (np.log(np.where(p > 0, p, DUST)) - problem.log_prior + 1)
    return gradient


def _level(gradient: Array, p: Array, free: Mask, full: Mask) -> float:
    """Common gradient of the free leaves: the multiplier of sum p = 1."""
    if free.any():
        return float(np.average(gradient[free], weights=p[free] + 1e-12))
    return float(gradient[full].max() if full.any() else gradient.min())


def _newton_step(problem: Problem, p: Array, slope: Array, free: Mask) -> Array:
    """Descent step (m,) within sum p = 1, zero where a bound is held.

    With KL the unknowns are scaled by sqrt(p), which turns its Hessian kl / p into kl and keeps tiny weights exact.
    """
    scale = np.sqrt(p[free]) if problem.kl > 0 else np.ones(free.sum())
    hessian = problem.curvature(p)[np.ix_(free, free)] * np.outer(scale, scale)
    size = float(np.trace(hessian))
    hessian += (problem.kl if problem.kl > 0 else 1e-10 * abs(size) + 1e-300) * np.eye(len(scale))
    step = np.zeros_like(p)
    if problem.convex:
        solved = np.linalg.solve(hessian, np.column_stack([scale * slope[free], scale]))
        along = (scale @ solved[:, 0]) / (scale @ solved[:, 1])
        step[free] = scale * (along * solved[:, 1] - solved[:, 0])
    else:
        step[free] = scale * _safe_step(hessian, scale * slope[free], scale / np.linalg.norm(scale))
    return step


def _safe_step(hessian: Array, slope: Array, normal: Array) -> Array:
    """Newton step orthogonal to `normal`, with |eigenvalues|: it descends also where the Hessian is not positive."""
    inside = np.eye(len(normal)) - np.outer(normal, normal)
    values, vectors = np.linalg.eigh(inside @ hessian @ inside)
    values = np.maximum(np.abs(values), _LEAST_CURVATURE * np.abs(values).max() + 1e-300)
    step = -vectors @ ((vectors.T @ (inside @ slope)) / values)
    return np.asarray(inside @ step)


def _step_length(problem: Problem, p: Array, step: Array, descent: float, longest: float) -> float:
    """The longest of longest / 2^i at which the objective has not risen.

    Close to the minimum it falls by less than its rounding, and the gradient tells: its component along the step, the
    `descent` at p, must have lost a tenth of its size.
    """
    value = problem.objective(p)
    slack, noise = _NOISE * max(abs(value), problem.kl), _CANCELLED * max(abs(value), 1.0)
    length = longest
    while True:
        moved = np.maximum(p + length * step, problem.lower)
        rise = problem.objective(moved) - value
        if not rise > slack or (rise <= noise and abs(_gradient(problem, moved) @ step) <= 0.9 * abs(descent)):
            return length
        length /= 2


def _room(p: Array, step: Array, inside: Mask, lower: Array, upper: Array) -> Array:
    """Longest step (m,) that each leaf allows; no weight that the KL term keeps above 0 may reach it."""
    ahead = np.where(step > 0, upper - p, np.where(inside, p * _SHRINK, p - lower))
    bound = (step < 0) | ((step > 0) & (upper < 1))
    return np.where(bound, ahead / np.where(bound, np.abs(step), 1.0), np.inf)


def _fill(p: Array, free: Mask) -> Array:
    """p with its free weights rescaled so that all sum to 1."""
    if not free.any() or p[free].sum() <= 0:
        return p
    return np.where(free, p * ((1 - p[~free].sum()) / p[free].sum()), p)
