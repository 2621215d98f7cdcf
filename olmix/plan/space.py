"""The space of a mixing problem: free leaves, and virtual domains in which ratios are frozen (paper, section 4.2).

A collapsed mixture r has a weight per coordinate. Expansion gives the leaves of a virtual domain their fixed shares of
its weight, q_j = r_v · p̃_j; a free leaf is a coordinate of its own with share 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """d coordinates over m leaves; every leaf belongs to exactly one coordinate."""

    of: NDArray[np.intp]
    """(m,) coordinate of each leaf."""
    ratio: Floats
    """(m,) frozen share of each leaf within its coordinate; 1 for a free leaf."""

    @classmethod
    def of_ratios(cls, ratios: Sequence[Mapping[str, float]], leaves: Sequence[str]) -> "Space":
        """The space whose coordinates hold these shares {leaf: share}, over leaf names (m,)."""
        position = {name: j for j, name in enumerate(leaves)}
        of, ratio = np.zeros(len(leaves), dtype=np.intp), np.zeros(len(leaves))
        for c, shares in enumerate(ratios):
            for name, share in shares.items():
                of[position[name]], ratio[position[name]] = c, share
        return cls(of, ratio)

    @property
    def size(self) -> int:
        """Number of coordinates d."""
        return int(self.of.max()) + 1

    def expand(self, r: ArrayLike) -> Floats:
        """Leaf weights (…, m) of collapsed mixtures (…, d)."""
        return np.asarray(r, dtype=np.float64)[..., self.of] * self.ratio

    def collapse(self, p: ArrayLike) -> Floats:
        """Weights of coordinates (…, d), exact sums over their leaves (…, m): the order of leaves changes no bit."""
        values = np.asarray(p, dtype=np.float64)
        flat = values.reshape(-1, values.shape[-1])
        out = np.zeros((len(flat), self.size))
        for c in range(self.size):
            members = np.flatnonzero(self.of == c)
            out[:, c] = flat[:, members[0]] if len(members) == 1 else [math.fsum(row) for row in flat[:, members]]
        return out.reshape(*values.shape[:-1], self.size)

    def caps(self, leaf_caps: Floats) -> Floats:
        """Largest weight (d,) of each coordinate that keeps every leaf under its own: min over leaves of cap / ratio.

        leaf_caps: (m,) k N / R, not cut at 1; so are the results. Infinite if all ratios are 0.
        """
        used = self.ratio > 0
        limits = np.full(self.size, np.inf)
        np.minimum.at(limits, self.of[used], leaf_caps[used] / self.ratio[used])
        while (over := used & (limits[self.of] * self.ratio > leaf_caps)).any():  # by a rounding error of the division
            limits[self.of[over]] = np.nextafter(limits[self.of[over]], 0)
        return limits

    def floors(self, leaf_floors: Floats) -> Floats:
        """Least weight (d,) of each coordinate that gives every leaf its own (m,): max over leaves of floor / ratio.

        Infinite where a leaf with a floor has ratio 0.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.where(leaf_floors > 0, leaf_floors / self.ratio, 0.0)
        found = np.zeros(self.size)
        np.maximum.at(found, self.of, needed)
        reachable = (leaf_floors > 0) & (self.ratio > 0)
        while (short := reachable & (found[self.of] * self.ratio < leaf_floors)).any():  # by rounding, as for caps
            found[self.of[short]] = np.nextafter(found[self.of[short]], np.inf)
        return found

    def tilted(self, prior: Floats) -> Floats:
        """Prior over coordinates (d,) whose KL term stands for the leaf by leaf one of a prior over leaves (m,).

        With q the expansion of r, KL(q || p0) = KL(r || r0) + Σ r_c d_c, d_c = KL(ratios of c || p0 within c): the
        collapsed prior is tilted to r0_c exp(-d_c) = exp(Σ_j ratio_j log(p0_j / ratio_j)), and what normalising it
        costs is a constant. 0 for a coordinate with a share of a leaf that has no prior.
        """
        terms = np.zeros(len(prior))
        used = self.ratio > 0
        with np.errstate(divide="ignore"):
            terms[used] = self.ratio[used] * np.log(prior[used] / self.ratio[used])
        tilted = np.exp(self.collapse(terms))
        return np.asarray(tilted / tilted.sum() if tilted.any() else tilted)

    def contains(self, amounts: Floats, tolerance: float) -> bool:
        """Whether leaf amounts (m,), tokens or weights, have the frozen ratios, but for a rounding error."""
        return bool((np.abs(amounts - self.expand(self.collapse(amounts))) <= tolerance).all())


def frozen_ratios(weights: ArrayLike) -> Floats:
    """Ratios p̃ of unaffected leaves from their weights: divided by their sum, unless that is 1 already.

    Freezing a whole mixture thus keeps every bit of it.
    """
    values = np.asarray(weights, dtype=np.float64)
    total = math.fsum(values)
    return values if abs(total - 1) <= 1e-12 else values / total
