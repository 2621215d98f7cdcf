"""Everything the page shows, as plain values and arrays: no store, no files, no clock.

What can be derived (gains, noise ratios, correlations, epochs) is derived here and never passed in, so that two
numbers on the page cannot contradict each other.
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from olmix.report import format as show
from olmix.report.ancestry import Generation, Reuse, Spending
from olmix.report.gain import Array, Gain
from olmix.report.laws import Laws, Noise, Uncertainty
from olmix.report.repeats import Repeats


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
    low: float = math.nan
    """Lowest weight that resampled laws ask for, at the level of the report's uncertainty; NaN where not known."""
    high: float = math.nan
    """Highest weight that they ask for."""
    cap: float = math.inf
    """Largest weight allowed, k N / R or less."""
    floor: float = 0.0
    """Least weight allowed."""
    binding: bool = False
    """The proposal sits on the cap."""
    shadow_price: float | None = None
    """How much the objective would fall per unit of extra cap."""
    virtual: str | None = None
    """Virtual domain that the leaf is frozen in, under mixture reuse."""

    @property
    def at_floor(self) -> bool:
        """Whether the proposal sits on the least weight, which is above 0."""
        return 0 < self.floor >= self.weight * (1 - 1e-9)


@dataclass(frozen=True, eq=False)
class Task:
    """What one law is fitted to, a task or a mean of tasks: its scores over the K runs, its law, and the two mixtures
    under comparison. All scores in BPB."""

    name: str
    family: str
    weight: float
    """Share in the mean; shares are normalised over the tasks."""
    items: int
    """Items of the task, or of all tasks in the mean."""
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
    """Constant of a log-linear law, f(p) = c + exp(t'p)."""
    penalty: float = math.nan
    """Its ridge penalty on t."""

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
class Target:
    """The target model trained on the prior, the proposal and given mixtures, with the same seeds each."""

    parameters: int
    """Parameters, input embeddings aside."""
    proxy_parameters: int
    tokens: int
    """Tokens of one run."""
    proxy_tokens: int
    tasks: tuple[Task, ...]
    """Tasks of the report with what the target model scored; what is predicted is what the proxies measured."""
    others: Mapping[str, Gain]
    """Gain of each given mixture over the prior, in the mean."""

    @property
    def size(self) -> str:
        """The target model beside the proxy, in words."""
        return (
            f"{show.count(self.parameters)} parameters ({show.ratio(self.parameters / self.proxy_parameters)} the "
            f"proxy's) and {show.count(self.tokens)} tokens ({show.ratio(self.tokens / self.proxy_tokens)})"
        )


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
    added: tuple[int, ...] = ()
    """Runs that each round added, if it was grown in rounds and this is known: the first runs are those of round 1."""
    rounds: int = 1
    """Rounds that it could have been grown in."""
    stopped: str = ""
    """Why it was not grown further, if it was not."""

    @property
    def round_of(self) -> list[int | None]:
        """Round (K,) that each run was added in; none for runs of earlier generations."""
        numbers = [number for number, count in enumerate(self.added, start=1) for _ in range(count)]
        return [*numbers, *(None for _ in self.runs[len(numbers) :])]


@dataclass(frozen=True)
class Bound:
    """A bound on a leaf or a virtual domain at which the proposal sits, and what it costs."""

    name: str
    kind: Literal["cap", "floor"]
    """Largest or least weight."""
    weight: float
    price: float
    """Shadow price: fall of the objective in BPB per unit of weight that a cap is raised or a floor lowered."""
    per_token: float = math.nan
    """Fall of the objective in BPB per token that there would be more of it; NaN where tokens do not set the bound."""
    held_by: tuple[str, ...] = ()
    """Leaves at their bounds that hold a virtual domain."""


@dataclass(frozen=True)
class Cost:
    """One row of the cost ledger; NaN where a quantity has no meaning."""

    phase: str
    jobs: int
    tokens: float
    flops: float
    core_seconds: float


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
    laws: Laws | None = None
    """The laws in force; none for a mixture that is carried over."""
    uncertainty: Uncertainty | None = None
    """None where no laws were resampled."""
    noise: Noise = field(default_factory=Noise)
    """Signal and noise of every task of the suite."""
    certificate: Mapping[str, Any] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    """Bounds that bind."""
    costs: tuple[Cost, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    """Warnings that a reader must see before trusting the numbers."""
    generations: tuple[Generation, ...] = ()
    """Accepted mixtures, oldest first; today's is last if it has not been accepted."""
    reuse: Reuse | None = None
    """What is reused of the parent generation; none without a parent."""
    repeats: Repeats | None = None
    """Mixtures repeated to measure the noise, where that was asked for."""
    target: Target | None = None
    """What the target model says, where that was asked for."""

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
                (f"{task.name}.prior_measured", (task.gain.seeds,), (self.tasks[0].gain.seeds,)),
            ]
        for name, found, shape in expected:
            if found != shape:
                raise ValueError(f"{name}: shape {found}, expected {shape}")
        if self.laws is None and self.has_effects:
            raise ValueError("laws: effects are given, and not of what family they are")
        if sum(self.swarm.added) > K:
            raise ValueError(f"swarm.added: rounds added {sum(self.swarm.added)} runs, there are {K}")
        if any(generation.today for generation in self.generations[:-1]):
            raise ValueError("generations: only the last one can be today's")
        if self.reuse is not None:
            frozen = {leaf: name for name, ratios in self.reuse.virtual.items() for leaf in ratios}
            marked = {leaf.name: leaf.virtual for leaf in self.leaves if leaf.virtual}
            if odd := sorted({name for name, _ in frozen.items() ^ marked.items()}):
                raise ValueError(f"reuse.virtual and the leaves do not agree on: {', '.join(odd)}")

    @property
    def at_target(self) -> "ReportData":
        """The gains at target size in place of those at proxy size, which take the place of what was predicted."""
        return replace(self, tasks=self.target.tasks, uncertainty=None, target=None) if self.target else self

    @property
    def verdict(self) -> str:
        """The result as one sentence; a mixture that was neither predicted nor measured says where it comes from."""
        gain = self.headline
        if self.reuse is not None and self.reuse.carried_over and not gain.seeds and not math.isfinite(gain.predicted):
            return f"mixture is carried over from {self.reuse.parent}: neither predicted nor measured"
        return gain.verdict

    @property
    def has_effects(self) -> bool:
        """Whether any effect is known: laws of some families have no gradient, and carried-over mixtures no laws."""
        return any(np.isfinite(task.effect).any() for task in self.tasks)

    @property
    def mean_name(self) -> str:
        """What the weighted mean of the tasks is called: those that noise drowns may have been dropped."""
        return "mean of kept tasks" if self.noise.of("dropped") else "mean of all tasks"

    @property
    def row_name(self) -> str:
        """What the tasks of this report are: families of tasks or all of them, where laws are fitted to such means."""
        return {"task": "task", "family": "family", "aggregate": "mean"}[self.laws.granularity if self.laws else "task"]

    @property
    def suite_tasks(self) -> int:
        """Tasks of the suite, whether or not each has a law of its own and counts."""
        return len(self.noise.tasks) or len(self.tasks)

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
        frozen = any(leaf.virtual for leaf in self.leaves)  # the interval is then that over another prior
        interval = (math.nan, math.nan) if self.uncertainty is None or frozen else self.uncertainty.gain
        return Gain(
            float(w @ [task.prior_predicted for task in self.tasks]),
            float(w @ [task.proposal_predicted for task in self.tasks]),
            tuple((w @ [task.prior_measured for task in self.tasks]).tolist()),
            tuple((w @ [task.proposal_measured for task in self.tasks]).tolist()),
            interval,
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
    def heldout_error(self) -> float:
        """Cross-validated error: root mean square over standard deviation, averaged over tasks; 1 is a constant's."""
        errors = [task.error / spread(task.observed, 0) for task in self.tasks if spread(task.observed, 0) > 0]
        return float(np.mean(errors)) if errors else math.nan

    @property
    def swarm_sd(self) -> float:
        """Standard deviation of the mean BPB over the mixtures of the swarm: the signal."""
        return spread(self.scores)

    @property
    def noise_ratio(self) -> float:
        """Signal over noise: swarm sd / seed sd of the mean BPB; NaN where the seeds agree."""
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


def average(values: Sequence[float]) -> float:
    """Mean of a sample; NaN of none."""
    return float(np.mean(values)) if values else math.nan


def spread(values: Array, ddof: int = 1) -> float:
    """Standard deviation of a sample; NaN below two values."""
    return float(np.std(values, ddof=ddof)) if len(values) > 1 else math.nan


def correlation(x: Array, y: Array) -> float:
    """Pearson correlation; NaN below three pairs, without spread or with a missing value."""
    if len(x) < 3 or not np.isfinite([x, y]).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])
