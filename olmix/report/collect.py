"""Collects everything the report shows from the plan and the store."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.tokens import KIND as TOKENS
from olmix.evaluation.items import items_key, read_sizes
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params, RegressionParams
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import Plan
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.fit import read_heldout, read_laws
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND as LAW
from olmix.regression.table import read_scores, read_table
from olmix.regression.targets import Targets, choose_targets
from olmix.report.data import Cost, Leaf, ReportData, Swarm, Task
from olmix.report.reuse import collect_generations, collect_reuse
from olmix.solve.propose import read_weights
from olmix.solve.safety import PlanSafety, assess_plan
from olmix.solve.spec import KIND as PROPOSAL
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

NOISE_TARGET = 4.0
"""The swarm's spread of the mean BPB should be at least this many seed standard deviations."""

_AT_CAP = 1e-9


def collect(
    plan: Plan, params: Params, ancestors: Sequence[AcceptedMixture], store: Store, project: str, created: str
) -> ReportData:
    """Report of a finished plan; ancestors: its accepted generations, the parent first."""
    weights = read_weights(plan, store)
    certificate = store.read_json(PROPOSAL, plan.proposal, "mixture.json")["certificate"]
    safety = assess_plan(plan, params.solver, ancestors, store)
    data = ReportData(
        project=project,
        plan_key=plan.key,
        proposal_key=plan.proposal,
        created=created,
        leaves=_leaves(plan, weights, certificate),
        target_tokens=params.target.tokens,
        repetition=params.target.repetition,
        tasks=_tasks(plan, params, store, weights, safety),
        swarm=_swarm(plan, store),
        coordinates=tuple(coordinate.name for coordinate in plan.coordinates),
        noise_sd=_pooled_sd(*_mean_scores(plan, params, store)),
        certificate=certificate,
        costs=_costs(plan, store),
        provenance=_provenance(plan, store),
    )
    data = replace(data, notes=_notes(data))
    return replace(
        data,
        reuse=collect_reuse(plan, params, weights, safety, data.noise_sd, store),
        generations=collect_generations(plan, ancestors, weights, data.headline.measured, store),
    )


def _leaves(plan: Plan, weights: NDArray[np.float64], certificate: dict[str, Any]) -> tuple[Leaf, ...]:
    """Leaves with what binds them: a virtual domain is bound by those of its leaves that are at their cap."""
    prices, of = certificate["shadow_prices"], plan.space.of
    leaves = []
    for j, (leaf, weight) in enumerate(zip(plan.leaves, weights, strict=True)):
        coordinate, ratio = plan.coordinates[of[j]], plan.space.ratio[j]
        binding = coordinate.id in prices and weight >= leaf.cap * (1 - _AT_CAP)
        leaves.append(
            Leaf(
                name=leaf.name,
                source=leaf.source,
                documents=leaf.documents,
                bytes=leaf.bytes,
                tokens=leaf.tokens,
                prior=leaf.prior,
                weight=float(weight),
                cap=leaf.cap,
                binding=binding,
                shadow_price=float(prices[coordinate.id] / ratio) if binding else None,
                virtual=coordinate.name if coordinate.virtual else None,
            )
        )
    return tuple(leaves)


def _tasks(
    plan: Plan, params: Params, store: Store, weights: NDArray[np.float64], safety: PlanSafety | None
) -> tuple[Task, ...]:
    """A task per law: where laws are fitted to means of tasks, these means."""
    table = read_table(plan, plan.fitted, store)
    targets = _targets(plan, params, store)
    items = read_sizes(store, items_key(plan.suite, params.tokenizer.digest))
    prior_scores, proposal_scores = (targets.scores(s, table.tasks) for s in _validation_scores(plan, store))
    observed = targets.scores(table.scores, table.tasks)
    laws = _Laws.of(plan, store, weights, safety)
    return tuple(
        Task(
            name=target.name,
            family=target.family,
            weight=target.weight,
            items=sum(items[task] for task in target.shares),
            observed=observed[:, i],
            heldout=laws.heldout[:, i],
            effect=laws.effect[i],
            prior_predicted=float(laws.at_prior[i]),
            proposal_predicted=float(laws.at_proposal[i]),
            prior_measured=tuple(prior_scores[:, i].tolist()),
            proposal_measured=tuple(proposal_scores[:, i].tolist()),
            noise_sd=_pooled_sd(prior_scores[:, i], proposal_scores[:, i]),
            c=float(laws.c[i]),
            penalty=laws.penalties.get(target.name, math.nan),
        )
        for i, target in enumerate(targets.laws)
    )


def _targets(plan: Plan, params: Params, store: Store) -> Targets:
    """What the laws are fitted to; every task, where the plan has no laws."""
    if plan.law is None:
        return choose_targets(plan.tasks, RegressionParams(huber_delta=params.regression.huber_delta))
    return read_laws(plan, store).targets


@dataclass(frozen=True)
class _Laws:
    """What the laws say, per law; NaN where the plan has none."""

    c: NDArray[np.float64]
    effect: NDArray[np.float64]
    at_prior: NDArray[np.float64]
    at_proposal: NDArray[np.float64]
    heldout: NDArray[np.float64]
    penalties: dict[str, float]

    @classmethod
    def of(cls, plan: Plan, store: Store, weights: NDArray[np.float64], safety: PlanSafety | None) -> "_Laws":
        """Read the plan's laws. The natural prior has other ratios than the frozen ones, so that its prediction takes
        the laws of leaves within virtual domains, where they are known."""
        if plan.law is None:
            n = len(plan.tasks)
            nothing = np.full(n, math.nan)
            return cls(nothing, np.full((n, len(plan.coordinates)), math.nan), nothing, nothing, np.empty((0, n)), {})
        laws = read_laws(plan, store)
        n = len(laws.targets.laws)
        collapsed = np.array([coordinate.prior for coordinate in plan.coordinates])
        at_prior = laws.predict(collapsed[None])[0]
        if plan.virtual:
            natural = np.array([leaf.prior for leaf in plan.leaves])
            leaf_c, leaf_t = (safety and safety.leaf_law) or (np.full(n, math.nan), np.zeros((n, len(natural))))
            at_prior = leaf_c + np.exp(leaf_t @ natural)
        runs, heldout = read_heldout(plan, store)
        return cls(
            c=laws.family.c_ if isinstance(laws.family, LogLinear) else np.full(n, math.nan),
            effect=laws.effects(collapsed),
            at_prior=at_prior,
            at_proposal=laws.predict(plan.space.collapse(weights)[None])[0],
            heldout=heldout[[runs.index(run.key) for run in plan.fitted]],
            penalties=store.manifest(LAW, plan.law)["facts"].get("penalties", {}),
        )


def _validation_scores(plan: Plan, store: Store) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores (seeds, n) of the prior and of the proposal, paired by seed."""
    tasks = [task.name for task in plan.tasks]
    prior_of = {run.spec.seed: run.evaluation for run in plan.prior_runs}
    prior = [read_scores(EVALUATION, prior_of[run.seed], "scores.json", tasks, store) for run in plan.validation]
    proposal = [read_scores(VALIDATION, run.key, "evaluation/scores.json", tasks, store) for run in plan.validation]
    shape = (len(plan.validation), len(tasks))
    return np.array(prior).reshape(shape), np.array(proposal).reshape(shape)


def _mean_scores(plan: Plan, params: Params, store: Store) -> list[NDArray[np.float64]]:
    targets, tasks = _targets(plan, params, store), [task.name for task in plan.tasks]
    return [targets.scores(scores, tasks) @ targets.weights for scores in _validation_scores(plan, store)]


def _pooled_sd(*groups: NDArray[np.float64]) -> float:
    """Standard deviation within groups of seeds, each around its own mean; NaN without a group of two."""
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group) > 1)
    freedom = sum(len(group) - 1 for group in groups if len(group) > 1)
    return math.sqrt(squares / freedom) if freedom else math.nan


def _swarm(plan: Plan, store: Store) -> Swarm:
    table = read_table(plan, plan.fitted, store)
    costs = [store.manifest(PROXY, run.key)["cost"] for run in plan.fitted]
    return Swarm(
        runs=table.runs,
        mixtures=table.mixtures,
        seeds=tuple(run.spec.seed for run in plan.fitted),
        tokens=tuple(cost["tokens"] for cost in costs),
        seconds=tuple(cost["seconds"] for cost in costs),
    )


def _costs(plan: Plan, store: Store) -> tuple[Cost, ...]:
    """Measured cost of every phase, wherever and whenever its artefacts were made."""

    def of(kind: str, keys: Iterable[str]) -> list[dict[str, Any]]:
        return [store.manifest(kind, key)["cost"] for key in sorted(set(keys))]

    prior_runs = of(PROXY, [run.key for run in plan.prior_runs])
    prior_scores = of(EVALUATION, [run.evaluation for run in plan.prior_runs])
    proof = of(VALIDATION, [run.key for run in plan.validation])
    return (
        _cost("tokens", of(TOKENS, [leaf.tokens_key for leaf in plan.leaves])),
        _cost("swarm: train", of(PROXY, [run.key for run in plan.fitted])),
        _cost("swarm: evaluate", of(EVALUATION, [run.evaluation for run in plan.fitted])),
        _cost("fit", of(LAW, [plan.law] if plan.law else [])),
        _cost("solve", of(PROPOSAL, [plan.proposal])),
        _cost("proof: train", prior_runs + [cost["train"] for cost in proof]),
        _cost("proof: evaluate", prior_scores + [cost["evaluate"] for cost in proof]),
    )


def _cost(phase: str, costs: list[dict[str, Any]]) -> Cost:
    """Sum over jobs; NaN where no job records a quantity."""

    def total(name: str) -> float:
        known = [cost[name] for cost in costs if name in cost]
        return sum(known) if known else math.nan

    seconds = sum(cost["seconds"] * cost.get("threads", 1) for cost in costs)
    return Cost(phase, len(costs), total("tokens"), total("flops"), seconds)


def _provenance(plan: Plan, store: Store) -> tuple[tuple[str, str], ...]:
    """Keys, and the versions that made the evidence; more than one value means mixed environments."""
    made_by = [store.manifest(PROXY, run.key) for run in plan.runs]
    rows = [
        ("plan", plan.key),
        ("suite", plan.suite),
        ("law", plan.law or "none, carried over"),
        ("proposal", plan.proposal),
    ]
    for name in sorted({name for manifest in made_by for name in manifest["provenance"]}):
        found = sorted({manifest["provenance"].get(name, "not recorded") for manifest in made_by})
        rows.append((name, " | ".join(found)))
    devices = sorted({f"{m['cost']['device']}, {m['cost'].get('precision', 'not recorded')}" for m in made_by})
    if plan.imports:
        rows.append(("imported runs", str(len(plan.imports))))
    return (*rows, ("device", " | ".join(devices)))


def _notes(data: ReportData) -> tuple[str, ...]:
    """What a reader must know before trusting the numbers."""
    notes = []
    if data.noise_ratio < NOISE_TARGET:
        notes.append(
            f"The swarm's spread of the mean score is only {data.noise_ratio:.1f} seed standard deviations "
            f"(at least {NOISE_TARGET:g} are wanted): train the proxies longer, or raise runs_per_parameter."
        )
    mixed = [name for name, value in data.provenance if " | " in value]
    if mixed:
        notes.append(f"The evidence comes from different environments: {', '.join(mixed)} differ between runs.")
    return tuple(notes)
