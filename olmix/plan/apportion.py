"""Exact integer token counts of a mixture."""

import numpy as np
from numpy.typing import NDArray


def apportion(weights: NDArray[np.float64], total: int, ids: list[str]) -> NDArray[np.int64]:
    """Split `total` units by weights (m,) with the largest remainder method; the result (m,) sums to `total`.

    Ties go to the smaller id, so that the order of leaves does not matter. Zero weight gets zero units.
    """
    weights = np.asarray(weights, np.float64)
    quota = weights * total
    counts = np.floor(quota).astype(np.int64)
    remainders = quota - counts
    remaining = total - int(counts.sum())
    eligible = np.flatnonzero(weights > 0)
    ranked = sorted(zip((-remainders[eligible]).tolist(), [ids[j] for j in eligible.tolist()], eligible, strict=True))
    counts[[j for _, _, j in ranked[:remaining]]] += 1
    return counts
