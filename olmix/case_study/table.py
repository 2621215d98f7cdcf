"""What the study found: cost and gain of each strategy, what reuse lost at each update, how proxies rank mixtures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.case_study.spec import GAIN, TARGET, CaseStudy
from olmix.case_study.step import Safety, StepRecord, read_record
from olmix.case_study.target import Scores, final_name, natural, read_target
from olmix.plan.history import Spent
from olmix.plan.swarm import swarm_size
from olmix.study.grid import pearson

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over swarm seeds and its standard error; NaN where there is one seed."""

    mean: float
    error: float
    values: tuple[float, ...]
    """One per seed."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """The estimate from a value per seed."""
        error = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")
        return cls(float(np.mean(values)), error, tuple(values))


@dataclass(frozen=True)
class StepCost:
    """Cost of one update by one strategy, the mean over seeds."""

    runs: float
    """Swarm runs that no earlier step had paid for."""
    tokens: float
    flops: float
    seconds: float
    """Core-seconds."""
    counted: bool
    """Whether the runs were only counted, since the strategy learns nothing from this step (`last_only`)."""


@dataclass(frozen=True)
class Loss:
    """What reuse lost at one update with one seed, against the reference at the same stage, and what was foreseen."""

    stage: str
    seed: int
    lost: float
    """Measured mean BPB of the reused mixture minus that of the reference, at proxy size with the same seed."""
    safety: Safety | None
    """Foreseen from the laws, without a run; None where the mixture was carried over."""


@dataclass(frozen=True)
class StrategyResult:
    """One strategy."""

    name: str
    costs: dict[str, StepCost]
    """By stage."""
    gain: Estimate
    """Percent of mean BPB over natural, at target size, after the last stage."""
    family_bpb: dict[str, Estimate]
    """Target BPB of each family of tasks."""
    losses: tuple[Loss, ...]
    proxy_gain: Estimate
    """Gain at proxy size, percent."""
    weights: dict[str, Estimate]
    """Final mixture, by leaf."""

    @property
    def cost(self) -> StepCost:
        """Of all steps."""
        every = self.costs.values()
        total = {name: sum(getattr(c, name) for c in every) for name in ("runs", "tokens", "flops", "seconds")}
        return StepCost(**total, counted=any(cost.counted for cost in every))


@dataclass(frozen=True)
class SizeFidelity:
    """How a proxy of one size ranks mixtures, against the target model."""

    name: str
    rank: float
    """Spearman's correlation of mean BPB with that of the target."""
    linear: float
    """Pearson's."""
    tasks: float
    """Median over tasks of Spearman's correlation."""
    scores: Floats
    """Mean BPB of each mixture (P,)."""


@dataclass(frozen=True)
class Results:
    """All that the study found."""

    study: CaseStudy
    strategies: tuple[StrategyResult, ...]
    """The reference first."""
    natural_bpb: Estimate
    """Target BPB of the natural mixture, over target seeds."""
    natural_families: dict[str, Estimate]
    distances: Floats
    """(s, s) mean total variation between final mixtures of the same seed, by strategy; the last one is natural."""
    fidelity: tuple[SizeFidelity, ...]
    target_scores: Floats
    """Mean BPB (P,) of the target model on the mixtures of `fidelity`."""

    def strategy(self, name: str) -> StrategyResult:
        """A strategy by name."""
        return next(each for each in self.strategies if each.name == name)

    @property
    def reference(self) -> StrategyResult:
        """Full recomputation."""
        return self.strategies[0]


def collect_results(study: CaseStudy) -> Results:
    """Read what the steps and the target models left. Raises WorkError if something has not been made."""
    records = {key: read_record(study, step) for key, step in study.steps.items()}
    tables = {table.name: read_target(study, table) for table in study.targets.values()}
    scores = tables[GAIN]
    weights = _task_weights(study, scores)
    strategies = tuple(_strategy(study, name, records, scores, weights) for name in study.names)
    seeds = natural(scores)
    sizes = tuple(_fidelity(name, tables[name], tables[TARGET], weights) for name in study.spec.fidelity.sizes)
    return Results(
        study=study,
        strategies=strategies,
        natural_bpb=Estimate.of((seeds @ weights).tolist()),
        natural_families=_families(study, scores.tasks, seeds),
        distances=_distances(study, records, [each.name for each in strategies]),
        fidelity=sizes,
        target_scores=_means(tables[TARGET], weights),
    )


def _task_weights(study: CaseStudy, scores: Scores) -> Floats:
    by_name = {task.name: task.weight for task in study.suite.tasks}
    return np.array([by_name[task] for task in scores.tasks])


def _families(study: CaseStudy, tasks: Sequence[str], scores: Floats) -> dict[str, Estimate]:
    """Mean BPB per family of tasks from scores (S, n)."""
    family = {task.name: task.family for task in study.suite.tasks}
    names = list(dict.fromkeys(family[task] for task in tasks))
    of = {name: [i for i, task in enumerate(tasks) if family[task] == name] for name in names}
    return {name: Estimate.of(scores[:, columns].mean(axis=1).tolist()) for name, columns in of.items()}


def _strategy(
    study: CaseStudy,
    name: str,
    records: Mapping[str, StepRecord],
    scores: Scores,
    weights: Floats,
) -> StrategyResult:
    seeds = study.spec.seeds
    chains = {seed: [records[step.key] for step in study.chain(name, seed)] for seed in seeds}
    final = np.array([scores.of[final_name(name, seed)].mean(axis=0) for seed in seeds])
    before = float((natural(scores) @ weights).mean())
    gain = Estimate.of([100 * (1 - value / before) for value in (final @ weights).tolist()])
    last = [chain[-1] for chain in chains.values()]
    leaves = list(last[0].mixture.weights)
    return StrategyResult(
        name=name,
        costs=_costs(study, name, chains),
        gain=gain,
        family_bpb=_families(study, scores.tasks, final),
        losses=tuple(_losses(study, name, chains, records)),
        proxy_gain=Estimate.of([100 * (1 - record.proposal_bpb / record.prior_bpb) for record in last]),
        weights={leaf: Estimate.of([record.mixture.weights[leaf] for record in last]) for leaf in leaves},
    )


def _costs(study: CaseStudy, name: str, chains: Mapping[int, Sequence[StepRecord]]) -> dict[str, StepCost]:
    """By stage; stages that were left out cost as many runs as full recomputation has, at the price of the others."""
    first = study.spec.seeds[0]
    swarm = study.chain(name, first)[-1].params.swarm
    spent = {
        record.stage: [chain[i].mixture.ledger.spent for chain in chains.values()]
        for i, record in enumerate(chains[first])
    }
    known = {stage: _mean(each) for stage, each in spent.items()}
    costs = {}
    for stage in study.spec.stages:
        if stage in known:
            costs[stage] = known[stage]
            continue
        last = known[study.spec.stages[-1]]
        runs = swarm_size(len(study.stages[stage]), swarm)
        share = runs / last.runs
        costs[stage] = StepCost(runs, last.tokens * share, last.flops * share, last.seconds * share, counted=True)
    return costs


def _mean(spent: Sequence[Spent]) -> StepCost:
    of = {name: float(np.mean([getattr(each, name) for each in spent])) for name in Spent.model_fields}
    return StepCost(**of, counted=False)


def _losses(
    study: CaseStudy, name: str, chains: Mapping[int, Sequence[StepRecord]], records: Mapping[str, StepRecord]
) -> list[Loss]:
    """What was lost at each update, of strategies that make all stages; nothing for the reference itself."""
    found: list[Loss] = []
    if name == study.spec.reference:
        return found
    for seed, chain in chains.items():
        reference = [records[step.key] for step in study.chain(study.spec.reference, seed)]
        if len(chain) < len(reference):
            continue
        for mine, other in zip(chain[1:], reference[1:], strict=True):
            found.append(Loss(mine.stage, seed, mine.proposal_bpb - other.proposal_bpb, mine.safety))
    return found


def _distances(study: CaseStudy, records: Mapping[str, StepRecord], names: Sequence[str]) -> Floats:
    """Total variation between final mixtures, the mean over seeds; natural is the last row and column."""
    total = np.zeros((len(names) + 1, len(names) + 1))
    for seed in study.spec.seeds:
        last = [records[study.chain(name, seed)[-1].key].mixture for name in names]
        leaves = sorted(last[0].weights)
        rows = [[mixture.weights[leaf] for leaf in leaves] for mixture in last]
        rows.append([last[0].leaves[leaf].prior for leaf in leaves])
        mixtures = np.array(rows)
        total += 0.5 * np.abs(mixtures[:, None] - mixtures[None]).sum(axis=2)
    return total / len(study.spec.seeds)


def _means(scores: Scores, weights: Floats) -> Floats:
    """Mean BPB of each mixture (P,)."""
    return np.array([float(found.mean(axis=0) @ weights) for found in scores.of.values()])


def _of_task(scores: Scores, task: int) -> Floats:
    """BPB of each mixture (P,) on one task."""
    return np.array([float(found[:, task].mean()) for found in scores.of.values()])


def _fidelity(name: str, proxy: Scores, target: Scores, weights: Floats) -> SizeFidelity:
    ours, theirs = _means(proxy, weights), _means(target, weights)
    by_task = [pearson(_of_task(proxy, i), _of_task(target, i), ranks=True) for i in range(len(proxy.tasks))]
    rank = pearson(ours, theirs, ranks=True)
    return SizeFidelity(name, rank, pearson(ours, theirs), float(np.median(by_task)), ours)
