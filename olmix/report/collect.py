"""Collects everything the report shows from the plan and the store."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.tokens import KIND as TOKENS
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params
from olmix.plan.history import AcceptedMixture
from olmix.plan.noise import repeated_runs
from olmix.plan.plan import KIND as PLAN
from olmix.plan.plan import Plan, PlannedRun, PlannedValidation, round_key
from olmix.plan.target import Mixtures, TargetRuns
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.spec import KIND as LAW
from olmix.regression.table import read_table
from olmix.report.data import Bound, Cost, Leaf, ReportData, Swarm
from olmix.report.laws import Uncertainty
from olmix.report.noise import collect_repeats
from olmix.report.reuse import collect_generations, collect_reuse
from olmix.report.target import collect_target
from olmix.report.tasks import TaskScores, collect_laws, collect_noise, collect_tasks, weak_task_notes
from olmix.solve.certificate import BILLION
from olmix.solve.document import read_weights
from olmix.solve.safety import assess_plan
from olmix.solve.spec import KIND as PROPOSAL
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

Floats = NDArray[np.float64]

NOISE_TARGET = 4.0
"""The swarm's spread of the mean BPB should be at least this many seed standard deviations."""

_AT_BOUND = 1e-9


def collect(
    plan: Plan,
    params: Params,
    ancestors: Sequence[AcceptedMixture],
    given: Mixtures,
    store: Store,
    project: str,
    created: str,
) -> ReportData:
    """Report of a finished plan.

    ancestors: its accepted generations, the parent first; given: mixtures that the target model is trained on beside
    prior and proposal, weights by leaf name.
    """
    weights = read_weights(plan, store)
    solved = store.read_json(PROPOSAL, plan.proposal, "mixture.json")
    safety = assess_plan(plan, params.solver, ancestors, store)
    repeats, target = collect_repeats(plan, params, store), TargetRuns.if_any(plan, params, given)
    scores = TaskScores.of(plan, store, repeats)
    data = ReportData(
        project=project,
        plan_key=plan.results_key,
        proposal_key=plan.proposal,
        created=created,
        leaves=_leaves(plan, weights, solved),
        target_tokens=params.target.tokens,
        repetition=params.target.repetition,
        tasks=collect_tasks(plan, params, scores, weights, safety, store),
        swarm=_swarm(plan, store),
        coordinates=tuple(coordinate.name for coordinate in plan.coordinates),
        noise_sd=scores.mean_noise,
        laws=collect_laws(plan, params.regression, store),
        uncertainty=_uncertainty(solved),
        noise=collect_noise(plan, params.regression, scores),
        certificate=solved["certificate"],
        bounds=_bounds(plan, weights, solved["certificate"]),
        costs=_costs(plan, params, target, store),
        repeats=repeats,
        provenance=_provenance(plan, store),
    )
    data = replace(data, notes=(*_failure_notes(plan), *_notes(data)))
    return replace(
        data,
        target=collect_target(plan, params.proxy, target, data.tasks, store) if target else None,
        reuse=collect_reuse(plan, params, weights, safety, data.noise_sd, store),
        generations=collect_generations(plan, ancestors, weights, data.headline.measured, store),
    )


def _leaves(plan: Plan, weights: Floats, solved: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """Leaves with what binds them: a virtual domain is bound by those of its leaves that are at their cap."""
    prices, of = solved["certificate"]["shadow_prices"], plan.space.of
    intervals = solved.get("uncertainty", {}).get("weights", {})
    leaves = []
    for j, (leaf, weight) in enumerate(zip(plan.leaves, weights, strict=True)):
        coordinate, ratio = plan.coordinates[of[j]], plan.space.ratio[j]
        binding = coordinate.id in prices and weight >= leaf.cap * (1 - _AT_BOUND)
        low, high = intervals.get(leaf.content, (math.nan, math.nan))
        leaves.append(
            Leaf(
                name=leaf.name,
                source=leaf.source,
                documents=leaf.documents,
                bytes=leaf.bytes,
                tokens=leaf.tokens,
                prior=leaf.prior,
                weight=float(weight),
                low=low,
                high=high,
                cap=leaf.cap,
                floor=leaf.lower,
                binding=binding,
                shadow_price=float(prices[coordinate.id] / ratio) if binding else None,
                virtual=coordinate.name if coordinate.virtual else None,
            )
        )
    return tuple(leaves)


def _uncertainty(solved: Mapping[str, Any]) -> Uncertainty | None:
    """What the proposal says of it; None where no laws were resampled."""
    if "uncertainty" not in solved:
        return None
    found = solved["uncertainty"]
    gain = found["gain"]["low"], found["gain"]["high"]
    return Uncertainty(found["resamples"], found["level"], gain, found["regret"])


def _bounds(plan: Plan, weights: Floats, certificate: Mapping[str, Any]) -> tuple[Bound, ...]:
    """Binding bounds with their prices, dearest first."""
    at_cap = weights >= np.array([leaf.cap for leaf in plan.leaves]) * (1 - _AT_BOUND)
    lower = np.array([leaf.lower for leaf in plan.leaves])
    at_floor = (lower > 0) & (weights <= lower * (1 + _AT_BOUND))
    per_billion = certificate.get("per_billion_tokens", {})
    bounds = []
    for c, coordinate in enumerate(plan.coordinates):
        members = coordinate.virtual & (plan.space.of == c)
        holding = {
            kind: tuple(plan.leaves[j].name for j in np.flatnonzero(members & at))
            for kind, at in (("cap", at_cap), ("floor", at_floor))
        }
        price = certificate["shadow_prices"].get(coordinate.id)
        if price is not None:
            per_token = per_billion.get(coordinate.id, math.nan) / BILLION
            bounds.append(Bound(coordinate.name, "cap", coordinate.cap, price, per_token, holding["cap"]))
        price = certificate.get("floor_prices", {}).get(coordinate.id)
        if price is not None:
            bounds.append(Bound(coordinate.name, "floor", coordinate.lower, price, held_by=holding["floor"]))
    return tuple(sorted(bounds, key=lambda bound: -bound.price))


def _swarm(plan: Plan, store: Store) -> Swarm:
    table = read_table(plan, plan.fitted, store)
    costs = [store.manifest(PROXY, run.key)["cost"] for run in plan.fitted]
    return Swarm(
        runs=table.runs,
        mixtures=table.mixtures,
        seeds=tuple(run.spec.seed for run in plan.fitted),
        tokens=tuple(cost["tokens"] for cost in costs),
        seconds=tuple(cost["seconds"] for cost in costs),
        added=_rounds(plan, store),
        rounds=plan.rounds,
        stopped=plan.stopped,
    )


def _rounds(plan: Plan, store: Store) -> tuple[int, ...]:
    """Runs of the laws that each round of a growing swarm added; nothing if it does not grow, or plans are gone."""
    keys = [round_key(plan.key, number) for number in range(1, plan.rounds)]
    if not keys or not all(store.has(PLAN, key) for key in keys):
        return ()
    before = [[run["key"] for run in store.read_json(PLAN, key, "plan.json")["swarm"]] for key in keys]
    sizes = [len(set(swarm) - set(plan.failed)) for swarm in before] + [len(plan.fitted_swarm)]
    return tuple(count for count in np.diff(sizes, prepend=0).tolist() if count)


def _costs(plan: Plan, params: Params, target: TargetRuns | None, store: Store) -> tuple[Cost, ...]:
    """Measured cost of every phase, wherever and whenever its artefacts were made."""

    def of(kind: str, keys: Iterable[str]) -> list[dict[str, Any]]:
        return [store.manifest(kind, key)["cost"] for key in sorted(set(keys))]

    def trained(
        phase: str, runs: Iterable[PlannedRun], proposal: Iterable[PlannedValidation] = (), always: bool = False
    ) -> tuple[Cost, ...]:
        """Training and evaluation of runs, those that are made; no row where none is, unless it is `always` there."""
        made = [run for run in runs if store.has(PROXY, run.key) and store.has(EVALUATION, run.evaluation)]
        of_proposal = of(VALIDATION, [run.key for run in proposal if store.has(VALIDATION, run.key)])
        if not (made or of_proposal or always):
            return ()
        train = of(PROXY, [run.key for run in made]) + [cost["train"] for cost in of_proposal]
        score = of(EVALUATION, [run.evaluation for run in made]) + [cost["evaluate"] for cost in of_proposal]
        return _cost(f"{phase}: train", train), _cost(f"{phase}: evaluate", score)

    planned = {run.key for run in plan.runs}
    repeats = [run for runs in repeated_runs(plan, params).values() for run in runs if run.key not in planned]
    return (
        _cost("tokens", of(TOKENS, [leaf.tokens_key for leaf in plan.leaves])),
        *trained("swarm", plan.fitted, always=True),
        _cost("fit", of(LAW, [plan.law] if plan.law else [])),
        _cost("solve", of(PROPOSAL, [plan.proposal])),
        *trained("proof", plan.prior_runs, plan.validation, always=True),
        *trained("noise", repeats),
        *(trained("target", target.runs, target.proposal) if target else ()),
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


def _failure_notes(plan: Plan) -> list[str]:
    """Runs that the laws do without."""
    return [f"{name} failed, the laws do without it: {problem}." for name, problem in plan.failures.items()]


def _notes(data: ReportData) -> tuple[str, ...]:
    """What a reader must know before trusting the numbers."""
    notes = weak_task_notes(data.noise)
    if data.noise_ratio < NOISE_TARGET:
        notes.append(
            f"The swarm's spread of the mean score is only {data.noise_ratio:.1f} seed standard deviations "
            f"(at least {NOISE_TARGET:g} are wanted): train the proxies longer, or raise runs_per_parameter."
        )
    mixed = [name for name, value in data.provenance if " | " in value]
    if mixed:
        notes.append(f"The evidence comes from different environments: {', '.join(mixed)} differ between runs.")
    return tuple(notes)
