"""Levenberg-Marquardt within bounds, for many small problems at once.

Problems are stacked along the first axis and every product is taken problem by problem, so that the bits of one result
do not depend on which other problems are in the stack (as in `levenberg`, which is for log-linear laws alone).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from olmix.regression.base import Array

_START_DAMPING, _MAX_DAMPING = 0.1, 1e10


class Problems(Protocol):
    """Sums of squares of B problems with q parameters each; `which` (b,) are the problems that are asked for."""

    def value(self, params: Array, which: NDArray[np.intp]) -> Array:
        """Half the sums of squares (b,) at params (b, q); not finite where a square overflows."""
        ...

    def derivatives(self, params: Array, which: NDArray[np.intp]) -> tuple[Array, Array]:
        """Gradients (b, q) and Gauss-Newton matrices (b, q, q) at params (b, q)."""
        ...


def minimise(
    problems: Problems, start: Array, lower: Array, upper: Array, tolerance: float, steps: int, stack: int
) -> Array:
    """Local minimisers (B, q) from starts (B, q), within bounds (q,), equal ones for what is fixed.

    A problem is done when a step with little damping lowers it by less than `tolerance` of its value, or after `steps`.
    stack: how many are solved at once, which bounds memory.
    """
    solved = np.clip(start, lower, upper)
    for first in range(0, len(start), stack):
        which = np.arange(first, min(first + stack, len(start)))
        solved[which] = _minimise_stack(problems, which, solved[which], lower, upper, tolerance, steps)
    return solved


def _minimise_stack(
    problems: Problems,
    which: NDArray[np.intp],
    params: Array,
    lower: Array,
    upper: Array,
    tolerance: float,
    steps: int,
) -> Array:
    value = problems.value(params, which)
    gradients, matrices = problems.derivatives(params, which)
    damping = np.full(len(which), _START_DAMPING)
    active = np.arange(len(which))
    for _ in range(steps):
        if not len(active):
            break
        here = params[active]
        gradient, matrix = gradients[active], matrices[active]
        free = np.where(gradient > 0, here > lower, here < upper) & (lower < upper)
        gradient *= free
        matrix *= free[:, :, None] & free[:, None, :]
        diagonal = np.einsum("bii->bi", matrix)
        diagonal += damping[active, None] * np.maximum(diagonal, 1e-12) + 1e-14 + ~free
        trial = np.clip(here - np.linalg.solve(matrix, gradient[..., None])[..., 0], lower, upper)
        new = problems.value(trial, which[active])
        gain = value[active] - new
        better = gain > 0  # False for an overflow
        done = better & (gain <= tolerance * value[active]) & (damping[active] <= _START_DAMPING)
        done |= damping[active] > _MAX_DAMPING
        moved = active[better]
        params[moved], value[moved] = trial[better], new[better]
        damping[active] = np.where(better, np.maximum(damping[active] / 3, 1e-12), damping[active] * 4)
        if (again := active[better & ~done]).size:
            gradients[again], matrices[again] = problems.derivatives(params[again], which[again])
        active = active[~done]
    return params
