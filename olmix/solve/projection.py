"""The two problems over bounded mixtures that have a closed form: closest in KL, and cheapest under fixed prices.

Bounds: lower (m,) >= 0 and upper (m,) >= lower, with sum lower <= 1 <= sum upper.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def project(log_weights: Array, lower: Array, upper: Array) -> Array:
    """Mixture x (m,) within the bounds that minimises KL(x || exp(log_weights)); the weights need no normalising.

    It is clip(s · weight, lower, upper). The sum grows with s, in pieces between the s at which a leaf meets a bound.
    Everything is done in logs: with a small KL weight, weights differ by factors of e^5000 and their order counts.
    """
    weights = np.maximum(log_weights - log_weights.max(), -1e12)
    with np.errstate(divide="ignore"):
        leaves, fills = np.log(lower) - weights, np.log(upper) - weights
    edges = np.sort(np.concatenate([leaves, fills]))

    def total(log_s: float) -> float:
        return float(np.clip(np.exp(np.minimum(log_s + weights, 1.0)), lower, upper).sum())

    edge = edges[min(bisect_left(edges, 1.0, key=total), len(edges) - 1)]  # the last if they sum to 1 but for rounding
    x = np.where(fills < edge, upper, lower)
    free = (leaves < edge) & (fills >= edge)
    if free.any():
        share = np.exp(weights[free] - weights[free].max())
        x[free] = (1.0 - x[~free].sum()) * share / share.sum()
    return np.clip(x, lower, upper)


def cheapest(prices: Array, lower: Array, upper: Array) -> Array:
    """Mixture x (m,) within the bounds that minimises prices·x: the cheapest leaves are full, the others empty."""
    order = np.argsort(prices, kind="stable")
    room = (upper - lower)[order]
    before = np.cumsum(room) - room
    x = lower.copy()
    x[order] += np.clip(1.0 - lower.sum() - before, 0.0, room)
    return x


def flattest(lower: Array, upper: Array) -> Array:
    """Mixture (m,) within the bounds that is closest to equal weights."""
    return project(np.zeros(len(lower)), lower, upper)
