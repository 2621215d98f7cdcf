"""The plan as a value: the complete list of keys of one generation, as `plan.json` holds it.

Below the plan everything is keyed by content; names appear here and in `results/` only.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import TypeVar

from olmix.digest import digest
from olmix.errors import InputError
from olmix.plan.space import Space
from olmix.proxy.spec import RunSpec
from olmix.schema import Record

KIND = "plan"

PRIOR = "prior"
"""Name of the natural mixture among others."""


class PlannedLeaf(Record):
    """A leaf of the domain set with what planning derived for it."""

    name: str
    source: str
    content: str
    tokens_key: str
    documents: int
    bytes: int
    tokens: int
    prior: float
    cap: float
    """Largest weight: k N / R, which the target run allows, and that of solver.bounds; at most 1."""
    lower: float = 0.0
    """Least weight, from solver.bounds."""


class PlannedCoordinate(Record):
    """A coordinate of the problem: a free leaf or a virtual domain."""

    name: str
    id: str
    """Content digest of a free leaf; of a virtual domain, digest of its contents and ratios."""
    virtual: bool
    ratios: dict[str, float]
    """Frozen share of each leaf by name; 1 for a free leaf."""
    prior: float
    cap: float
    """Largest weight that keeps each of its leaves under its cap, at most 1."""
    lower: float = 0.0
    """Least weight that gives each of its leaves its own."""


class PlannedRun(Record):
    """A proxy run with the mixture that was asked for and the keys that follow from it."""

    name: str
    mixture: dict[str, float]
    """Requested weight per leaf name."""
    spec: RunSpec
    key: str
    evaluation: str


class PlannedImport(Record):
    """A run from elsewhere that the laws are also fitted on."""

    name: str
    key: str
    mixture: dict[str, float]
    """Weight per leaf content."""
    scores: dict[str, float]
    """Bits per byte per task."""


class PlannedTask(Record):
    """A task with its share of the objective."""

    name: str
    family: str
    weight: float


class PlannedValidation(Record):
    """A run that proves the proposal; its mixture is known once the proposal is solved."""

    seed: int
    key: str


def round_key(plan: str, number: int) -> str:
    """Key of the plan of a round before the last one, which has the key of the plan itself."""
    return digest({"plan": plan, "round": number})


def results_key(plan: str, failed: Collection[str]) -> str:
    """Key of what the results of a plan show that does without some runs."""
    return digest({"plan": plan, "without": sorted(failed)}) if failed else plan


Planned = TypeVar("Planned", PlannedRun, PlannedValidation)


class Plan(Record):
    """The complete plan of one generation."""

    key: str
    parent: str | None
    """Accepted generation that this one updates."""
    strategy: str
    update: dict[str, list[str]]
    """Leaf names by what happened to them since the parent generation."""
    lineage: dict[str, list[str]]
    """Regrouped or renamed leaf → the parent's leaves that it comes from."""
    leaves: list[PlannedLeaf]
    coordinates: list[PlannedCoordinate]
    tasks: list[PlannedTask]
    suite: str
    """Content digest of the suite."""
    vocabulary: int
    swarm: list[PlannedRun]
    evidence: list[PlannedRun]
    """Runs of earlier generations that the laws are also fitted on."""
    imports: list[PlannedImport]
    unusable: list[tuple[str, str]]
    """Imported runs that say nothing about today's problem, with the reason."""
    prior_runs: list[PlannedRun]
    """The prior trained with each validation seed."""
    noise: list[str]
    """Evaluations of `prior_runs` that the laws depend on, where tasks that noise drowns count less."""
    law: str | None
    """None where nothing is free: the mixture is then carried over from the parent."""
    proposal: str
    validation: list[PlannedValidation]
    round: int = 1
    """Round of a growing swarm that this plan ends."""
    rounds: int = 1
    stopped: str = ""
    """Why the swarm was not grown further, if it was not."""
    full_runs: int
    """Swarm runs that full recomputation would ask for."""
    failed: dict[str, str] = {}
    """Key of a swarm run that failed → what went wrong. The laws do without it, until it is tried again."""

    @property
    def failures(self) -> dict[str, str]:
        """Name of each run that failed → what went wrong."""
        return {run.name: self.failed[run.key] for run in self.swarm if run.key in self.failed}

    @property
    def results_key(self) -> str:
        """Key of what the results show: the plan, and what it does without."""
        return results_key(self.key, self.failed)

    @property
    def fitted_swarm(self) -> list[PlannedRun]:
        """Runs of the swarm that have not failed."""
        return [run for run in self.swarm if run.key not in self.failed]

    @property
    def fitted(self) -> list[PlannedRun]:
        """Runs that the laws are fitted on, imported ones aside."""
        return [*self.fitted_swarm, *self.evidence]

    @property
    def runs(self) -> list[PlannedRun]:
        """Every run whose mixture is known at planning time, but those that failed."""
        return [*self.fitted, *self.prior_runs]

    @cached_property
    def space(self) -> Space:
        """The coordinates as arrays over the plan's leaves."""
        return Space.of_ratios([c.ratios for c in self.coordinates], [leaf.name for leaf in self.leaves])

    @property
    def virtual(self) -> dict[str, dict[str, float]]:
        """Frozen ratios of each virtual domain by leaf name."""
        return {c.name: c.ratios for c in self.coordinates if c.virtual}

    @property
    def free(self) -> list[str]:
        """Names of the free leaves."""
        return [c.name for c in self.coordinates if not c.virtual]

    def validation_run(self, key: str) -> PlannedValidation:
        """The validation run with a key. Raises InputError for a key that is not planned."""
        return find(self.validation, "key", key)


def find(planned: Iterable[Planned], field: str, key: str) -> Planned:
    """The run with a key in a field. Raises InputError for a key that is not planned."""
    for item in planned:
        if getattr(item, field) == key:
            return item
    raise InputError(f"{key}: not part of today's plan")
