"""Everything the page shows, as plain values and arrays: no store, no files, no clock.

What can be derived (gains, noise ratios, correlations, epochs) is derived here and never passed in, so that two
numbers on the page cannot contradict each other.
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Status = Literal["better", "worse", "indistinguishable", "unproven"]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """Prior against proposal, in BPB: what the laws predict and what seeds measured, paired by position."""

    prior_predicted: float
    proposal_predicted: float
    prior_measured: tuple[float, ...] = ()
    proposal_measured: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.prior_measured) != len(self.proposal_measured):
            raise ValueError(
                f"seeds are paired: {len(self.prior_measured)} measurements of the prior, "
                f"{len(self.proposal_measured)} of the proposal"
            )

    @property
    def seeds(self) -> int:
        """Number of paired seeds."""
        return len(self.prior_measured)

    @property
    def predicted(self) -> float:
        """Predicted gain in percent of the prior's BPB; positive is better; NaN without a prediction."""
        return 100 * (self.prior_predicted - self.proposal_predicted) / self.prior_predicted

    @property
    def measured(self) -> float:
        """Measured gain in percent of the prior's mean BPB; NaN without seeds."""
        return float(np.mean(self._per_seed)) if self.seeds else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the measured gain in percent, over paired seeds; NaN below two seeds."""
        return float(np.std(self._per_seed, ddof=1)) / math.sqrt(self.seeds) if self.seeds > 1 else math.nan

    @property
    def standard_errors(self) -> float:
        """Distance of the measured gain from zero in standard errors, without sign; NaN below two seeds."""
        if self.standard_error == 0:
            return math.inf if self.measured else 0.0
        return abs(self.measured) / self.standard_error

    @property
    def status(self) -> Status:
        """Better or worse only if the 95 % Student interval of the paired difference leaves out zero."""
        if not math.isfinite(self.measured) or self.seeds < 2:
            return "unproven"
        if not self.standard_errors > stats.t.ppf((1 + CONFIDENCE) / 2, self.seeds - 1):
            return "indistinguishable"
        return "better" if self.measured > 0 else "worse"

    @property
    def verdict(self) -> str:
        """The result as one sentence, whatever its sign."""
        if self.seeds == 0:
            if not math.isfinite(self.predicted):
                if math.isfinite(self.proposal_predicted):
                    return "gain is not known: the prior was neither predicted nor measured"
                return "proposal was neither predicted nor measured"
            return f"proposal is predicted to be {_direction(self.predicted)}; not measured, validation is off"
        if not math.isfinite(self.measured):
            return "proposal cannot be judged: a score of the seeds is missing"
        if self.seeds == 1:
            return f"proposal is {_direction(self.measured)} in one seed, which cannot tell a gain from noise"
        away = (
            "no spread between them"
            if math.isinf(self.standard_errors)
            else f"{self.standard_errors:.1f} standard errors"
        )
        evidence = f"± {self.standard_error:.1f} % ({self.seeds} seeds, {away})"
        if self.status == "indistinguishable":
            return f"proposal is not distinguishable from the prior: {_direction(self.measured)} {evidence}"
        return f"proposal is {_direction(self.measured)} {evidence}"

    @property
    def _per_seed(self) -> Array:
        prior, proposal = np.array(self.prior_measured), np.array(self.proposal_measured)
        return 100 * (prior - proposal) / prior.mean()


def _direction(gain: float) -> str:
    return f"{'better' if gain >= 0 else 'worse'} by {abs(gain):.1f} %"


@dataclass(frozen=True)
class Leaf:
    """One leaf of the domain set, with its share of the prior and of the proposal."""

    name: str
    source: str
    documents: int
    bytes: int
    tokens: int
    """N, available tokens."""
    prior: float
    weight: float
    """Share of the proposal."""
    cap: float = math.inf
    """Largest weight allowed, k N / R."""
    binding: bool = False
    """The proposal sits on the cap."""
    shadow_price: float | None = None
    """How much the objective would fall per unit of extra cap."""
    virtual: str | None = None
    """Virtual domain that the leaf is frozen in, under mixture reuse."""


@dataclass(frozen=True, eq=False)
class Task:
    """One task: its scores over the K runs, its law, and the two mixtures under comparison. All scores in BPB."""

    name: str
    family: str
    weight: float
    """Share in the mean; shares are normalised over the tasks."""
    items: int
    observed: Array
    """(K,) score of each run."""
    heldout: Array
    """(K,) prediction of each run by a law fitted without it; NaN where there is none."""
    effect: Array
    """(d,) change in BPB per unit of weight moved from the prior to each coordinate."""
    prior_predicted: float
    proposal_predicted: float
    prior_measured: tuple[float, ...] = ()
    """One score per validation seed."""
    proposal_measured: tuple[float, ...] = ()
    """One score per validation seed, in the same order."""
    noise_sd: float = math.nan
    """Standard deviation over seeds at one mixture."""
    c: float = math.nan
    """Constant of the law f(p) = c + exp(t'p)."""
    t: Array = field(default_factory=lambda: np.empty(0))
    """(d,) coefficients of the law; may be empty."""
    penalty: float = math.nan
    """Ridge penalty on t."""

    @property
    def gain(self) -> Gain:
        """Prior against proposal on this task."""
        return Gain(self.prior_predicted, self.proposal_predicted, self.prior_measured, self.proposal_measured)

    @property
    def swarm_sd(self) -> float:
        """Standard deviation over the mixtures of the swarm."""
        return spread(self.observed)

    @property
    def correlation(self) -> float:
        """Pearson correlation of held-out predictions with the scores."""
        return correlation(self.heldout, self.observed)

    @property
    def error(self) -> float:
        """Root mean square error of the held-out predictions."""
        return float(np.sqrt(np.mean((self.heldout - self.observed) ** 2))) if len(self.observed) else math.nan


@dataclass(frozen=True, eq=False)
class Swarm:
    """The K proxy runs that the laws are fitted on."""

    runs: tuple[str, ...]
    """Run keys."""
    mixtures: Array
    """(K, m) weights over the leaves, in the order of the report's leaves."""
    seeds: tuple[int, ...]
    tokens: tuple[int, ...]
    """Tokens trained on."""
    seconds: tuple[float, ...]
    """Training time; NaN when unknown."""


@dataclass(frozen=True)
class Cost:
    """One row of the cost ledger; NaN where a quantity has no meaning."""

    phase: str
    jobs: int
    tokens: float
    flops: float
    core_seconds: float


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


@dataclass(frozen=True, eq=False)
class ReportData:
    """One report. Raises ValueError if an array's shape does not fit the leaves, tasks and runs.

    A mixture that is carried over has no swarm and no laws: K = 0, and predictions and effects are NaN.
    """

    project: str
    plan_key: str
    proposal_key: str
    created: str
    leaves: tuple[Leaf, ...]
    target_tokens: int
    """R, tokens of the training run that the mixture is for."""
    repetition: float
    """k, how often a document may be repeated."""
    tasks: tuple[Task, ...]
    swarm: Swarm
    coordinates: tuple[str, ...]
    """Names of the d coordinates of the laws: leaves, and virtual domains under mixture reuse."""
    noise_sd: float = math.nan
    """Standard deviation of the mean BPB over seeds at one mixture."""
    certificate: Mapping[str, Any] = field(default_factory=dict)
    costs: tuple[Cost, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    """Warnings that a reader must see before trusting the numbers."""
    generations: tuple[Generation, ...] = ()
    """Accepted mixtures, oldest first; today's is last if it has not been accepted."""
    reuse: Reuse | None = None
    """What is reused of the parent generation; none without a parent."""

    def __post_init__(self) -> None:
        K, m, d = len(self.swarm.runs), len(self.leaves), len(self.coordinates)
        if not self.tasks or not self.leaves:
            raise ValueError(f"a report needs leaves and tasks: found {m} leaves and {len(self.tasks)} tasks")
        expected: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
            ("swarm.mixtures", self.swarm.mixtures.shape, (K, m)),
            *((f"swarm.{name}", (len(getattr(self.swarm, name)),), (K,)) for name in ("seeds", "tokens", "seconds")),
        ]
        for task in self.tasks:
            expected += [
                (f"{task.name}.observed", task.observed.shape, (K,)),
                (f"{task.name}.heldout", task.heldout.shape, (K,)),
                (f"{task.name}.effect", task.effect.shape, (d,)),
                (f"{task.name}.t", task.t.shape, (d,) if task.t.size else (0,)),
                (f"{task.name}.prior_measured", (task.gain.seeds,), (self.tasks[0].gain.seeds,)),
            ]
        for name, found, shape in expected:
            if found != shape:
                raise ValueError(f"{name}: shape {found}, expected {shape}")
        if any(generation.today for generation in self.generations[:-1]):
            raise ValueError("generations: only the last one can be today's")
        if self.reuse is not None:
            frozen = {leaf: name for name, ratios in self.reuse.virtual.items() for leaf in ratios}
            marked = {leaf.name: leaf.virtual for leaf in self.leaves if leaf.virtual}
            if odd := sorted({name for name, _ in frozen.items() ^ marked.items()}):
                raise ValueError(f"reuse.virtual and the leaves do not agree on: {', '.join(odd)}")

    @property
    def verdict(self) -> str:
        """The result as one sentence; a mixture that was neither predicted nor measured says where it comes from."""
        gain = self.headline
        if self.reuse is not None and self.reuse.carried_over and not gain.seeds and not math.isfinite(gain.predicted):
            return f"mixture is carried over from {self.reuse.parent}: neither predicted nor measured"
        return gain.verdict

    @property
    def has_laws(self) -> bool:
        """Whether any effect is known: a mixture that is carried over has no laws."""
        return any(np.isfinite(task.effect).any() for task in self.tasks)

    @property
    def cumulative_spent(self) -> tuple[Spending, ...]:
        """What all generations up to each one have cost together."""
        return tuple(accumulate((generation.spent for generation in self.generations), operator.add))

    @property
    def cumulative_full(self) -> tuple[Spending, ...]:
        """What full recomputation of all generations up to each one would have cost together."""
        return tuple(accumulate((generation.full for generation in self.generations), operator.add))

    @property
    def saved(self) -> Spending:
        """Share of full recomputation that reuse has saved over all generations; NaN where unknown."""
        if not self.generations:
            return Spending(math.nan, math.nan, math.nan, math.nan)
        return self.cumulative_spent[-1].saved_against(self.cumulative_full[-1])

    def weight_of(self, names: Iterable[str]) -> float:
        """Share of the proposal that some leaves have together."""
        weights = {leaf.name: leaf.weight for leaf in self.leaves}
        return sum(weights[name] for name in names)

    @property
    def task_weights(self) -> Array:
        """(n,) shares of the tasks in the mean, normalised."""
        weights = np.array([task.weight for task in self.tasks])
        return weights / weights.sum()

    @property
    def headline(self) -> Gain:
        """Prior against proposal on the weighted mean of the tasks."""
        w = self.task_weights
        return Gain(
            float(w @ [task.prior_predicted for task in self.tasks]),
            float(w @ [task.proposal_predicted for task in self.tasks]),
            tuple((w @ [task.prior_measured for task in self.tasks]).tolist()),
            tuple((w @ [task.proposal_measured for task in self.tasks]).tolist()),
        )

    @property
    def scores(self) -> Array:
        """(K,) weighted mean BPB of each run."""
        return self.task_weights @ np.array([task.observed for task in self.tasks])

    @property
    def heldout_scores(self) -> Array:
        """(K,) weighted mean of the held-out predictions."""
        return self.task_weights @ np.array([task.heldout for task in self.tasks])

    @property
    def swarm_sd(self) -> float:
        """Standard deviation of the mean BPB over the mixtures of the swarm: the signal."""
        return spread(self.scores)

    @property
    def noise_ratio(self) -> float:
        """Signal over noise: swarm sd / seed sd of the mean BPB."""
        return self.swarm_sd / self.noise_sd if self.noise_sd else math.nan

    @property
    def families(self) -> dict[str, list[Task]]:
        """Tasks by family, in order of first appearance."""
        families: dict[str, list[Task]] = {}
        for task in self.tasks:
            families.setdefault(task.family, []).append(task)
        return families

    @property
    def ranked_leaves(self) -> list[Leaf]:
        """Leaves by falling weight, then prior, then name."""
        return sorted(self.leaves, key=lambda leaf: (-leaf.weight, -leaf.prior, leaf.name))

    @property
    def ranked_coordinates(self) -> list[int]:
        """Positions of the law's coordinates by falling weight; a virtual domain weighs as much as its leaves."""
        weights = dict.fromkeys(self.coordinates, 0.0)
        for leaf in self.leaves:
            name = leaf.virtual or leaf.name
            weights[name] = weights.get(name, 0.0) + leaf.weight
        return sorted(range(len(self.coordinates)), key=lambda index: -weights[self.coordinates[index]])

    def epochs(self, leaf: Leaf, weight: float) -> float:
        """Times that a leaf is read by the target run at a weight, weight x R / N."""
        return weight * self.target_tokens / leaf.tokens if leaf.tokens else math.nan


def spread(values: Array) -> float:
    """Standard deviation of a sample; NaN below two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def correlation(x: Array, y: Array) -> float:
    """Pearson correlation; NaN below three pairs, without spread or with a missing value."""
    if len(x) < 3 or not np.isfinite([x, y]).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])
