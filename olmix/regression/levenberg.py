"""Levenberg-Marquardt for many small log-linear laws at once.

One problem is one law f(p) = c + exp(t·p) from one start. Problems are stacked along the first axis, and every
product is taken problem by problem (`np.matmul` over the stack), so that the bits of one result do not depend on
which other problems are in the stack.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from olmix.regression.base import Array, Mask

MIN_C = 1e-6
"""Lower bound of c, which the paper wants positive (in bits per byte)."""

SCALE_WEIGHT = 10.0
"""Weight, times m, of the part of the penalty that draws exp(p̄·t) to the spread of the scores.

Without it the penalty on differences is evaded by a large exp(p̄·t) and c = 0, that is, by a law that knows no
diminishing returns: held-out error on small swarms grows, and the solved mixture runs into a corner.
"""

_LEAST_EXPOSURE = 1e-3  # of a domain's mean squared share, relative to the mean of all: bounds its penalty
_MAX_DAMPING = 1e10
_STACK = 4_000_000  # elements of the largest temporary array


def huber(residuals: Array, delta: float) -> Array:
    """Huber loss, elementwise: r²/2 up to delta, delta (|r| - delta/2) beyond."""
    size = np.abs(residuals)
    return np.where(size <= delta, 0.5 * residuals**2, delta * (size - 0.5 * delta))


@dataclass(frozen=True)
class Problems:
    """B laws to be fitted, on the mixtures of the same K runs.

    The objective of each is  sum_k huber(c + exp(t·p_k) - y_k)
    + K · penalty · (sum_j w_j (t_j - p̄·t)² + SCALE_WEIGHT · m · (p̄·t - log s)²)  over c >= MIN_C and t,
    with p̄ the mean mixture of its runs, s the standard deviation of its scores and w_j the inverse of the mean squared
    share of domain j, scaled to geometric mean 1; sums, means and K are over its own runs.
    """

    P: Array
    """(K, m) mixtures."""
    Y: Array
    """(B, K) scores."""
    used: Mask
    """(B, K) the runs that each is fitted on."""
    penalty: Array
    """(B,)"""
    delta: float
    """Threshold of the Huber loss."""

    def part(self, which: slice) -> "Problems":
        """Some of the problems."""
        return replace(self, Y=self.Y[which], used=self.used[which], penalty=self.penalty[which])

    def ridge(self) -> tuple[Array, Array]:
        """The penalty as (t - a)·H (t - a) / 2: matrices H (B, m, m) and anchors a (B,), the same for all domains."""
        m = self.P.shape[1]
        K = self.used.sum(axis=1)
        used = self.used[:, None, :].astype(np.float64)
        mean = np.matmul(used, self.P)[:, 0] / K[:, None]
        square = np.matmul(used, self.P**2)[:, 0]
        doubt = 1 / np.maximum(square / square.mean(axis=1, keepdims=True), _LEAST_EXPOSURE)
        doubt /= np.exp(np.log(doubt).mean(axis=1, keepdims=True))
        row, column = mean[:, None, :], mean[:, :, None]
        weighted = doubt[:, :, None]
        shape = np.eye(m) * weighted - weighted * row - column * doubt[:, None, :]
        shape += (doubt.sum(axis=1)[:, None, None] + m * SCALE_WEIGHT) * column * row
        spread = np.std(self.Y, axis=1, where=self.used)
        return 2 * (K * self.penalty)[:, None, None] * shape, np.log(np.maximum(spread, MIN_C))


def minimise(problems: Problems, start: Array, tolerance: float, steps: int) -> tuple[Array, Array]:
    """Local minimisers (B, 1 + m), rows (c, t), and objectives (B,), from starts (B, 1 + m).

    A problem is done when an undamped step lowers its objective by less than `tolerance` of it, or after `steps`.
    """
    size = max(1, _STACK // problems.P.size)
    solved = []
    for first in range(0, len(start), size):
        which = slice(first, first + size)
        solved.append(_minimise_stack(problems.part(which), start[which], tolerance, steps))
    return np.concatenate([params for params, _ in solved]), np.concatenate([value for _, value in solved])


def _minimise_stack(problems: Problems, start: Array, tolerance: float, steps: int) -> tuple[Array, Array]:
    P, Y, used, delta = problems.P, problems.Y, problems.used, problems.delta
    ridge, anchor = problems.ridge()

    def evaluate(params: Array, which: NDArray[np.intp]) -> tuple[Array, Array, Array, Array]:
        t = params[:, 1:]
        distance = t - anchor[which, None]
        with np.errstate(over="ignore", invalid="ignore"):
            effect = np.exp(np.matmul(P, t[..., None])[..., 0]) * used[which]
            residual = (params[:, :1] - Y[which]) * used[which] + effect
            pull = np.matmul(ridge[which], distance[..., None])[..., 0]
            value = huber(residual, delta).sum(axis=1) + 0.5 * (pull * distance).sum(axis=1)
        return effect, residual, pull, value

    params = start.copy()
    damping = np.full(len(start), 1e-3)
    active = np.arange(len(start))
    effect, residual, pull, value = evaluate(params, active)
    for _ in range(steps):
        if not len(active):
            break
        gradient, hessian = _derivatives(
            P, used[active], effect[active], residual[active], pull[active], ridge[active], delta
        )
        held = (params[active, 0] <= MIN_C) & (gradient[:, 0] > 0)
        gradient[held, 0] = 0.0
        hessian[held, 0, 1:] = hessian[held, 1:, 0] = 0.0
        diagonal = np.einsum("bii->bi", hessian)
        diagonal += damping[active, None] * np.maximum(diagonal, 1e-12) + 1e-14
        trial = params[active] - np.linalg.solve(hessian, gradient[..., None])[..., 0]
        trial[:, 0] = np.maximum(trial[:, 0], MIN_C)
        new = evaluate(trial, active)
        gain = value[active] - new[-1]
        better = gain > 0  # False for an overflow
        done = better & (gain <= tolerance * value[active]) & (damping[active] <= 1e-3)
        done |= damping[active] > _MAX_DAMPING
        moved = active[better]
        params[moved] = trial[better]
        effect[moved], residual[moved], pull[moved], value[moved] = (part[better] for part in new)
        damping[active] = np.where(better, np.maximum(damping[active] / 5, 1e-12), damping[active] * 4)
        active = active[~done]
    return params, value


def _derivatives(
    P: Array, used: Mask, effect: Array, residual: Array, pull: Array, ridge: Array, delta: float
) -> tuple[Array, Array]:
    """Gradients (B, 1 + m) and Gauss-Newton matrices (B, 1 + m, 1 + m).

    The Huber loss enters by its quadratic majoriser, weight min(1, delta / |r|) on r² / 2: the curvature of the loss
    itself is zero beyond delta, where most residuals are, and would let steps run away.
    """
    m = P.shape[1]
    weight = used * delta / np.maximum(np.abs(residual), delta)
    slope = weight * residual
    gradient = np.empty((len(effect), 1 + m))
    gradient[:, 0] = slope.sum(axis=1)
    gradient[:, 1:] = np.matmul((slope * effect)[:, None, :], P)[:, 0] + pull
    hessian = np.empty((len(effect), 1 + m, 1 + m))
    hessian[:, 0, 0] = weight.sum(axis=1)
    hessian[:, 0, 1:] = hessian[:, 1:, 0] = np.matmul((weight * effect)[:, None, :], P)[:, 0]
    hessian[:, 1:, 1:] = np.matmul(P.T * (weight * effect**2)[:, None, :], P) + ridge
    return gradient, hessian
