"""Data order of a run: a pure function of (seed, tokens), shared between runs wherever they share leaves.

A leaf is cut into windows of one sequence each, permuted by (seed, leaf). A run that takes s sequences of it reads the
first s of that permutation, so two runs that share a leaf read the same prefix (common random numbers). Sequences of
all leaves are spread evenly over the run, so that every batch holds close to the mixture itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Order:
    """Sequence i of a run starts at token `starts[i]` of the leaf with index `leaves[i]`; both (S,) int64."""

    leaves: NDArray[np.int64]
    starts: NDArray[np.int64]


def sequence_order(keys: list[str], sequences: list[int], windows: list[int], length: int, seed: int) -> Order:
    """Order of all sequences of a run.

    keys: tokens key per leaf; sequences: sequences to take per leaf; windows: windows that each leaf holds; length:
    tokens per window. A leaf with fewer windows than sequences is read again in another order.
    """
    leaves, starts, positions = [], [], []
    for index in sorted(range(len(keys)), key=lambda i: keys[i]):
        count = sequences[index]
        if count == 0:
            continue
        leaves.append(np.full(count, index, np.int64))
        starts.append(_prefix(keys[index], count, windows[index], seed) * length)
        offset = np.random.default_rng([seed, int(keys[index], 16), 1]).random()
        positions.append((np.arange(count) + offset) / count)
    order = np.argsort(np.concatenate(positions), kind="stable")
    return Order(np.concatenate(leaves)[order], np.concatenate(starts)[order])


def _prefix(key: str, count: int, windows: int, seed: int) -> NDArray[np.int64]:
    """First `count` windows of the leaf's permutation; each further pass over the leaf has its own."""
    passes = -(-count // windows)
    permutations = [
        np.random.default_rng([seed, int(key, 16), 0, epoch]).permutation(windows) for epoch in range(passes)
    ]
    return np.concatenate(permutations)[:count]
