"""Levenberg-Marquardt for many small log-linear laws at once.

One problem is one law f(p) = c + exp(t·p) from one start. Problems are stacked along the first axis, and every
product is taken problem by problem (`np.matmul` over the stack), so that the bits of one result do not depend on
which other problems are in the stack.
"""

import numpy as np
from numpy.typing import NDArray

from olmix.regression.base import Array, Mask

MIN_C = 1e-6
"""Lower bound of c, which the paper wants positive (in bits per byte)."""

_MAX_DAMPING = 1e10
_STACK = 4_000_000  # elements of the largest temporary array


def huber(residuals: Array, delta: float) -> Array:
    """Huber loss, elementwise: r²/2 up to delta, delta (|r| - delta/2) beyond."""
    size = np.abs(residuals)
    return np.where(size <= delta, 0.5 * residuals**2, delta * (size - 0.5 * delta))


def minimise(
    P: Array, Y: Array, used: Mask, penalty: Array, start: Array, delta: float, tolerance: float, steps: int
) -> tuple[Array, Array]:
    """Local minimisers of sum_k huber(c + exp(t·p_k) - y_k) + K · penalty · ||t - (p̄·t) 1||² over c >= MIN_C and t.

    P: (K, m) mixtures; Y: (B, K) scores of B problems; used: (B, K), the runs that a problem is fitted on: sums, K and
    the mean mixture p̄ are over these; penalty: (B,); start: (B, 1 + m), rows (c, t); tolerance: a problem is done
    when an undamped step lowers its objective by less than this share of it, or after `steps` steps.
    Returns parameters (B, 1 + m) and objectives (B,).
    """
    size = max(1, _STACK // P.size)
    solved = []
    for first in range(0, len(Y), size):
        part = slice(first, first + size)
        solved.append(_minimise_stack(P, Y[part], used[part], penalty[part], start[part], delta, tolerance, steps))
    return np.concatenate([params for params, _ in solved]), np.concatenate([value for _, value in solved])


def _minimise_stack(
    P: Array, Y: Array, used: Mask, penalty: Array, start: Array, delta: float, tolerance: float, steps: int
) -> tuple[Array, Array]:
    ridge = _ridge(P, used, penalty)

    def evaluate(params: Array, problems: NDArray[np.intp]) -> tuple[Array, Array, Array, Array]:
        t = params[:, 1:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            effect = np.exp(np.matmul(P, t)[..., 0]) * used[problems]
            residual = (params[:, :1] - Y[problems]) * used[problems] + effect
            pull = np.matmul(ridge[problems], t)[..., 0]
            value = huber(residual, delta).sum(axis=1) + 0.5 * (pull * params[:, 1:]).sum(axis=1)
        return effect, residual, pull, value

    params = start.copy()
    damping = np.full(len(Y), 1e-3)
    active = np.arange(len(Y))
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


def _ridge(P: Array, used: Mask, penalty: Array) -> Array:
    """Matrices (B, m, m) of the penalty: half of t·(ridge t) is K · penalty · ||t - (p̄·t) 1||²."""
    m = P.shape[1]
    K = used.sum(axis=1)
    mean = np.matmul(used[:, None, :].astype(np.float64), P)[:, 0] / K[:, None]
    row, column = mean[:, None, :], mean[:, :, None]
    return 2 * (K * penalty)[:, None, None] * (np.eye(m) - row - column + m * column * row)


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
