"""Values of mixture reuse: the generations of a mixture, what each cost, and what is reused of the parent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spending:
    """Cost of the proxy runs of a generation; NaN where unknown."""

    runs: float
    tokens: float
    flops: float
    core_seconds: float

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            self.runs + other.runs,
            self.tokens + other.tokens,
            self.flops + other.flops,
            self.core_seconds + other.core_seconds,
        )

    def saved_against(self, full: "Spending") -> "Spending":
        """Share of every quantity that is saved against another cost, 1 - self / full; NaN where full is 0."""
        return Spending(
            _saved(self.runs, full.runs),
            _saved(self.tokens, full.tokens),
            _saved(self.flops, full.flops),
            _saved(self.core_seconds, full.core_seconds),
        )


def _saved(spent: float, full: float) -> float:
    return 1 - spent / full if full > 0 else math.nan


@dataclass(frozen=True)
class Generation:
    """One mixture in the history of the domain set: an accepted one, or today's."""

    name: str
    parent: str | None
    """Generation that this one was planned from; none for a full swarm."""
    strategy: str
    """Reuse strategy: full, partial, swarm or none."""
    update: Mapping[str, Sequence[str]]
    """Names of leaves since the parent by operator: added, removed, revised, partitioned."""
    weights: Mapping[str, float]
    """The mixture by leaf name."""
    spent: Spending
    """Cost of the swarm runs that no earlier generation had paid for."""
    full: Spending
    """What full recomputation of this generation would have cost."""
    gain: float
    """Measured gain over the prior in percent; NaN where it was not measured."""
    virtual: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Frozen ratios of each virtual domain by leaf name."""
    today: bool = False
    """The mixture of this report."""

    @property
    def frozen(self) -> frozenset[str]:
        """Leaves whose ratios were reused."""
        return frozenset(leaf for ratios in self.virtual.values() for leaf in ratios)

    @property
    def frozen_weight(self) -> float:
        """Share of the mixture that lies in virtual domains, ρ."""
        return sum(self.weights.get(leaf, 0.0) for leaf in self.frozen)


@dataclass(frozen=True)
class Reuse:
    """What happened to the domain set since the parent generation, and what of its mixture is reused (section 4)."""

    strategy: str
    """full, partial, swarm or none."""
    parent: str
    update: Mapping[str, Sequence[str]]
    """Names of leaves by operator: added, removed, revised, partitioned."""
    lineage: Mapping[str, Sequence[str]]
    """Regrouped or renamed leaf → the parent's leaves that it comes from."""
    virtual: Mapping[str, Mapping[str, float]]
    """Frozen ratios of each virtual domain by leaf name."""
    free: tuple[str, ...]
    """Leaves that are recomputed."""
    kappa: float = math.nan
    """Coupling of frozen and free leaves over the tasks (Eq. 10)."""
    recomputed_weight: float = math.nan
    """1 - ρ, weight of the free leaves."""
    gap: float = math.nan
    """BPB that the frozen ratios cost against solving for all leaves, under the laws."""
    coupled: tuple[tuple[str, float], ...] = ()
    """Frozen leaves, each with the share of the gap that freeing it closes, largest first."""
    suggestion: tuple[str, ...] = ()
    """Frozen leaves that are worth recomputing; none where reuse is safe."""
    suggestion_runs: float = math.nan
    """Proxy runs that the suggestion costs."""
    unknown: str = ""
    """Why the quantities could not be computed."""
    notes: tuple[str, ...] = ()

    @property
    def carried_over(self) -> bool:
        """Nothing is free: the mixture is the parent's without the leaves that are gone, and no run is needed."""
        return bool(self.virtual) and not self.free
