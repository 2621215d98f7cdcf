"""The swarm under study: mixtures and scores, and what its mixtures are solved with, from a plan or from tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, RootModel

from olmix.errors import InputError
from olmix.interop.mmlu import group_subjects
from olmix.interop.schema import Filtering, did_you_mean
from olmix.interop.tables import Table, canonical_order, listed, mixtures, read_table
from olmix.interop.tasks import read_scores
from olmix.params import Params, RegressionParams, TargetParams
from olmix.plan.plan import Plan, PlannedTask
from olmix.regression.base import Array
from olmix.regression.fit import Evidence, read_laws
from olmix.regression.targets import Targets, choose_targets
from olmix.schema import TokenCount, read_yaml
from olmix.solve.propose import make_problem
from olmix.store import Store

GRANULARITIES = ("task", "family", "aggregate")
"""One law per task, per family of tasks, or one in all (paper, Table 3)."""


@dataclass(frozen=True)
class Limits:
    """Bounds on a mixture of m domains: the cap of a domain is repetition · per_repetition, and at most `upper`."""

    lower: Array
    upper: Array
    per_repetition: Array
    """Cap (m,) at repetition 1: tokens of a domain / tokens of the target run."""
    repetition: float
    """In force."""

    def caps(self, repetition: float) -> Array:
        """Largest weights (m,) at a repetition; infinite lifts the caps, not other bounds."""
        return np.minimum(self.upper, repetition * self.per_repetition) if math.isfinite(repetition) else self.upper


@dataclass(frozen=True)
class StudyTable:
    """Runs of a swarm in the order of their content, so that no order of rows or columns of a file has an effect."""

    domains: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    P: Array
    """(K, m) mixtures."""
    Y: Array
    """(K, n) scores, lower is better."""
    prior: Array
    """(m,) mixture that a gain is measured against."""
    reference: Array
    """(m,) what the KL penalty refers to: the prior, unless it is taken leaf by leaf under mixture reuse."""
    prior_is: str
    """Where the prior comes from, in words."""
    limits: Limits | None
    """None where the tokens of the domains are not known."""

    def __post_init__(self) -> None:
        order = np.lexsort(np.vstack([self.Y.T[::-1], self.P.T[::-1]]))
        object.__setattr__(self, "P", self.P[order])
        object.__setattr__(self, "Y", self.Y[order])

    @property
    def parameters(self) -> int:
        """Parameters of a law per task: m + 1 (paper, section 3.3.2)."""
        return len(self.domains) + 1

    @property
    def granularities(self) -> tuple[str, ...]:
        """Those that differ: with one task there is one, and families must be known."""
        families = {task.family for task in self.tasks}
        if len(self.tasks) == 1:
            return GRANULARITIES[:1]
        return GRANULARITIES if 1 < len(families) < len(self.tasks) else GRANULARITIES[::2]

    def targets(self, granularity: str) -> Targets:
        """What the laws of a granularity are fitted to."""
        params = RegressionParams.model_validate({"granularity": granularity})
        return choose_targets(self.tasks, params)

    def scores(self, granularity: str) -> Array:
        """Scores (K, l) of these laws."""
        return self.targets(granularity).scores(self.Y, [task.name for task in self.tasks])


def read_plan_table(plan: Plan, params: Params, store: Store) -> StudyTable:
    """The evidence of a plan: swarm, earlier and imported runs. Raises InputError for a plan without laws.

    Tasks that noise drowns are left out or count less, as they do for the laws.
    """
    laws = read_laws(plan, store)
    by_task = params.regression.model_copy(update={"granularity": "task"})
    targets = choose_targets(plan.tasks, by_task, laws.targets.signal_to_noise)
    evidence = Evidence.of(plan, targets, store)
    order = list(evidence.order)
    problem = make_problem(plan, params.solver, params.target, laws)
    tokens = np.array([leaf.tokens for leaf in plan.leaves], dtype=np.float64)
    upper = np.array([params.solver.bounds.get(leaf.name, (0.0, 1.0))[1] for leaf in plan.leaves])
    return StudyTable(
        domains=tuple(plan.coordinates[j].name for j in order),
        tasks=tuple(PlannedTask(name=law.name, family=law.family, weight=law.weight) for law in targets.laws),
        P=evidence.P,
        Y=evidence.Y,
        prior=np.array([plan.coordinates[j].prior for j in order]),
        reference=problem.prior,
        prior_is="the prior of the plan",
        limits=Limits(
            problem.lower,
            plan.space.caps(upper)[order],
            plan.space.caps(tokens / params.target.tokens)[order],
            params.target.repetition,
        ),
    )


class _TaskFamilies(RootModel[dict[str, Annotated[list[str], Field(min_length=1)]]]):
    """Metrics of each family."""


class _Tokens(RootModel[dict[str, Annotated[TokenCount, Field(gt=0)]]]):
    """Tokens of each domain."""


def read_table_files(
    ratios: Path,
    metrics: Path,
    families_of_tasks: Path | None = None,
    tokens: Path | None = None,
    target: TargetParams | None = None,
) -> tuple[StudyTable, list[str]]:
    """Two CSV tables joined by run id, and notes on what was left out; tasks count the same, in families if given.

    families_of_tasks: YAML or JSON, {family: [metric]}; tokens: {domain: tokens}, which makes the prior and, with a
    target, the caps. Without tokens, the prior is the mean mixture of the runs, which is what swarms are drawn around.
    Raises InputError for the first mistake.
    """
    weights, scores = read_table(ratios), read_table(metrics)
    runs, notes = _join(weights, scores)
    domains = sorted(weights.columns)
    P, rounded = mixtures(weights, runs, domains)
    families = read_yaml(families_of_tasks, _TaskFamilies).root if families_of_tasks else {}
    found = read_scores(scores, runs, families, Filtering(), False, families_of_tasks or metrics)
    notes += [*rounded, *found.notes]
    notes += [f"{name} is left out: {reason}" for name, reason in {**found.dropped_tasks, **found.dropped_runs}.items()]
    P = P[[runs.index(run) for run in found.runs]]
    family_of = {name: family for family, names in families.items() for name in names}
    for group, subjects in group_subjects(family_of).items():
        family_of[group] = family_of[next(iter(subjects))]
    sizes = _read_tokens(tokens, domains, weights) if tokens else None
    used = P.max(axis=0) > 0
    if not used.all():
        unused = [name for name, is_used in zip(domains, used, strict=True) if not is_used]
        notes.append(f"{ratios}: no run has any {listed(unused)}: left out")
    domains = [name for name, is_used in zip(domains, used, strict=True) if is_used]
    P = P[:, used]
    prior, limits, prior_is = P.mean(axis=0), None, "the mean mixture of the runs"
    if sizes is not None:
        sizes = sizes[used]
        prior, prior_is = sizes / sizes.sum(), "the shares of the tokens"
        if target:
            none = np.zeros(len(domains))
            limits = Limits(none, none + 1, sizes / target.tokens, target.repetition)
    table = StudyTable(
        domains=tuple(domains),
        tasks=tuple(
            PlannedTask(name=name, family=family_of.get(name, ""), weight=float(weight))
            for name, weight in zip(found.tasks, found.weights, strict=True)
        ),
        P=P,
        Y=found.values,
        prior=prior,
        reference=prior,
        prior_is=prior_is,
        limits=limits,
    )
    return table, notes


def drop_constant(table: StudyTable) -> tuple[StudyTable, list[str]]:
    """The table without tasks whose score is the same in every run: there is nothing to predict."""
    moves = np.ptp(table.Y, axis=0) > 1e-9 * np.abs(table.Y).max(axis=0)
    if moves.all():
        return table, []
    if not moves.any():
        raise InputError(f"all {len(table.Y)} runs have the same scores; there is nothing to compare laws by")
    gone = [task.name for task, is_moved in zip(table.tasks, moves, strict=True) if not is_moved]
    kept = tuple(task for task, is_moved in zip(table.tasks, moves, strict=True) if is_moved)
    return replace(table, tasks=kept, Y=table.Y[:, moves]), [f"{listed(gone)}: the same score in every run; left out"]


def _join(ratios: Table, metrics: Table) -> tuple[list[str], list[str]]:
    """Runs of both tables, and a note on those of one."""
    runs = [run for run in ratios.rows if run in metrics.rows]
    if not runs:
        first = [f"{next(iter(t.rows))!r} in column {t.id_column!r} of {t.path}" for t in (ratios, metrics)]
        raise InputError(f"the tables have no run in common: found {first[0]}, {first[1]}; allowed: the same run ids")
    notes = []
    for table, other in ((ratios, metrics), (metrics, ratios)):
        if alone := [run for run in table.rows if run not in other.rows]:
            notes.append(
                f"{table.path}: {len(alone)} runs are not in {other.path} and do not count: {listed(alone, 5)}"
            )
    return canonical_order(ratios, runs), notes


def _read_tokens(path: Path, domains: Sequence[str], table: Table) -> Array:
    tokens = read_yaml(path, _Tokens).root
    for name in domains:
        if name not in tokens:
            raise InputError(
                f"{path}: found no tokens of {name}, a column of {table.path}{did_you_mean(name, tokens)}; "
                f"allowed: a number for each of {listed(domains)}"
            )
    if extra := sorted(set(tokens) - set(domains)):
        raise InputError(f"{path}: {extra[0]} is no column of {table.path}; allowed: {listed(domains)}")
    return np.array([tokens[name] for name in domains], dtype=np.float64)
