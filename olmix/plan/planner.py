"""The plan: from domain set, params and suite to the complete list of keys. Pure: no clock, no store, no global state.

Below the plan everything is keyed by content; names appear here and in `results/` only.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.tokens import tokens_key
from olmix.digest import digest
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.evaluation.spec import evaluation_key
from olmix.evaluation.suite import Suite
from olmix.params import Params, SwarmParams, TargetParams
from olmix.plan.apportion import apportion
from olmix.plan.prior import natural_prior
from olmix.plan.swarm import Coordinates, sample_swarm
from olmix.proxy.spec import RunSpec
from olmix.regression.spec import law_key
from olmix.schema import Section
from olmix.solve.spec import proposal_key, validation_key

RECIPE = 1
"""Version of the planner and sampler: raise it when the same inputs would give other runs."""

KIND = "plan"

# Where things are is no part of what they are; their contents enter the key by themselves.
_PATHS: Any = {"domains": True, "evaluation": True, "tokenizer": {"path"}}


class PlannedLeaf(Section):
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
    """Largest weight k N / R that the target run allows, at most 1."""


class PlannedRun(Section):
    """A proxy run with the mixture that was asked for and the keys that follow from it."""

    name: str
    mixture: dict[str, float]
    """Requested weight per leaf name."""
    spec: RunSpec
    key: str
    evaluation: str


class PlannedTask(Section):
    """A task with its share of the objective."""

    name: str
    family: str
    weight: float


class PlannedValidation(Section):
    """A run that proves the proposal; its mixture is known once the proposal is solved."""

    seed: int
    key: str


Planned = TypeVar("Planned", PlannedRun, PlannedValidation)


class Plan(Section):
    """The complete plan of one generation."""

    key: str
    strategy: str
    update: dict[str, list[str]]
    """Leaf names by what happened to them since the parent generation."""
    leaves: list[PlannedLeaf]
    tasks: list[PlannedTask]
    suite: str
    """Content digest of the suite."""
    vocabulary: int
    swarm: list[PlannedRun]
    prior_runs: list[PlannedRun]
    """The prior trained with each validation seed."""
    law: str
    proposal: str
    validation: list[PlannedValidation]

    @property
    def runs(self) -> list[PlannedRun]:
        """Every run whose mixture is known at planning time."""
        return [*self.swarm, *self.prior_runs]

    def run(self, key: str) -> PlannedRun:
        """The run with a key. Raises InputError for a key that is not planned."""
        return _find(self.runs, "key", key)

    def evaluated_run(self, key: str) -> PlannedRun:
        """The run with an evaluation key. Raises InputError for a key that is not planned."""
        return _find(self.runs, "evaluation", key)

    def validation_run(self, key: str) -> PlannedValidation:
        """The validation run with a key. Raises InputError for a key that is not planned."""
        return _find(self.validation, "key", key)


def _find(planned: list[Planned], field: str, key: str) -> Planned:
    for item in planned:
        if getattr(item, field) == key:
            return item
    raise InputError(f"{key}: not part of today's plan")


def plan_key(leaves: Sequence[Leaf], params: Params, suite: Suite) -> str:
    """Key of the plan, known before any token is counted: names, contents, params, tasks."""
    return digest(
        {
            "leaves": {leaf.name: leaf.content for leaf in leaves},
            "params": params.model_dump(mode="json", exclude=_PATHS),
            "suite": suite.content,
            "tasks": {task.name: [task.family, task.weight] for task in suite.tasks},
            "recipe": RECIPE,
        }
    )


def make_plan(
    leaves: Sequence[Leaf], counts: Sequence[dict[str, int]], params: Params, suite: Suite, vocabulary: int
) -> Plan:
    """Plan one generation.

    counts: documents, bytes and tokens per leaf, from the manifests of their tokens. Raises InputError for domain
    sets, budgets and caps that cannot be met, before anything is trained.
    """
    check_domain_set(leaves)
    names = [leaf.name for leaf in leaves]
    tokens = np.array([count["tokens"] for count in counts])
    _check_budget(names, tokens, params)
    source_names = sorted({leaf.spec.source for leaf in leaves})
    source_of = np.array([source_names.index(leaf.spec.source) for leaf in leaves])
    prior = natural_prior(tokens, source_of, source_names, params.prior)
    caps = repetition_caps(tokens, params.target)
    planned = [
        PlannedLeaf(
            name=leaf.name,
            source=leaf.spec.source,
            content=leaf.content,
            tokens_key=tokens_key(leaf.content, params.tokenizer.digest),
            prior=float(prior[j]),
            cap=float(caps[j]),
            **count,
        )
        for j, (leaf, count) in enumerate(zip(leaves, counts, strict=True))
    ]
    runs = _Runs(planned, params, suite, vocabulary)
    mixtures = sample_swarm(_coordinates(planned, params), params.swarm)
    swarm = [runs.plan(f"swarm-{i:03d}", mixture, params.proxy.seed) for i, mixture in enumerate(mixtures)]
    seeds = [params.proxy.seed + i for i in range(params.validation.seeds)]
    prior_runs = [runs.plan(f"prior-seed-{seed}", prior, seed) for seed in seeds]
    tasks = [PlannedTask(name=task.name, family=task.family, weight=task.weight) for task in suite.tasks]
    law = law_key([run.evaluation for run in swarm], params.regression)
    proposal = proposal_key(
        law,
        {leaf.content: (leaf.prior, leaf.cap) for leaf in planned},
        {task.name: task.weight for task in tasks},
        params.solver,
    )
    validation = [
        PlannedValidation(seed=seed, key=validation_key(proposal, suite.content, runs.template(seed))) for seed in seeds
    ]
    return Plan(
        key=plan_key(leaves, params, suite),
        strategy="none",
        update={"added": names, "removed": [], "revised": [], "partitioned": [], "unchanged": []},
        leaves=planned,
        tasks=tasks,
        suite=suite.content,
        vocabulary=vocabulary,
        swarm=swarm,
        prior_runs=prior_runs,
        law=law,
        proposal=proposal,
        validation=validation,
    )


def check_domain_set(leaves: Sequence[Leaf]) -> None:
    """A mixture needs two leaves. Raises InputError."""
    if len(leaves) < 2:
        raise InputError(f"domains: one leaf only ({leaves[0].name}); a mixture needs at least two")


def repetition_caps(tokens: NDArray[np.int64], target: TargetParams) -> NDArray[np.float64]:
    """Largest weights p <= k N / R (paper, section 3.3.4), at most 1, (m,)."""
    return np.minimum(target.repetition * tokens / target.tokens, 1.0)


def run_spec(
    mixture: NDArray[np.float64], leaves: Sequence[PlannedLeaf], params: Params, vocabulary: int, seed: int
) -> RunSpec:
    """The proxy run of a mixture (m,): whole sequences per leaf, whole batches in all."""
    keys = [leaf.tokens_key for leaf in leaves]
    sequences = apportion(mixture, _sequences(params), keys)
    length = params.proxy.sequence_length
    counts = {key: int(n) * length for key, n in zip(keys, sequences, strict=True)}
    return RunSpec.of(params.proxy, vocabulary, seed, counts)


class _Runs:
    """Turns mixtures into planned runs."""

    def __init__(self, leaves: list[PlannedLeaf], params: Params, suite: Suite, vocabulary: int) -> None:
        self._leaves, self._params, self._suite, self._vocabulary = leaves, params, suite, vocabulary

    def plan(self, name: str, mixture: NDArray[np.float64], seed: int) -> PlannedRun:
        """A run of the plan."""
        spec = run_spec(mixture, self._leaves, self._params, self._vocabulary, seed)
        weights = {leaf.name: float(w) for leaf, w in zip(self._leaves, mixture, strict=True) if w > 0}
        key = spec.key
        evaluation = evaluation_key(key, self._suite.content)
        return PlannedRun(name=name, mixture=weights, spec=spec, key=key, evaluation=evaluation)

    def template(self, seed: int) -> dict[str, Any]:
        """What determines a run besides its mixture."""
        empty = RunSpec.of(self._params.proxy, self._vocabulary, seed, {})
        return empty.ingredients() | {"sequences": _sequences(self._params)}


def _sequences(params: Params) -> int:
    batches = params.proxy.tokens // (params.proxy.batch_size * params.proxy.sequence_length)
    return batches * params.proxy.batch_size


def _check_budget(names: list[str], tokens: NDArray[np.int64], params: Params) -> None:
    proxy, target = params.proxy, params.target
    if _sequences(params) == 0:
        batch = proxy.batch_size * proxy.sequence_length
        raise InputError(f"params.yaml: proxy.tokens: {proxy.tokens:,} is less than one batch of {batch:,} tokens")
    for name, count in zip(names, tokens, strict=True):
        if count <= proxy.sequence_length:
            raise InputError(
                f"domains: {name} has {count:,} tokens, a proxy sequence needs {proxy.sequence_length + 1:,}; "
                "remove the leaf or lower proxy.sequence_length"
            )
    usable = float(tokens.sum()) * target.repetition
    if repetition_caps(tokens, target).sum() < 1 and usable < target.tokens:
        raise InputError(
            f"params.yaml: target.tokens: {target.tokens:,} cannot be met: all leaves hold {int(tokens.sum()):,} "
            f"tokens, {usable:,.0f} with repetition {target.repetition:g}, {target.tokens - usable:,.0f} short; "
            "lower target.tokens or raise target.repetition"
        )


def _coordinates(leaves: list[PlannedLeaf], params: Params) -> Coordinates:
    """What the sampler needs to know of each leaf; a proxy run must not read a leaf more often than allowed."""
    swarm: SwarmParams = params.swarm
    known = {leaf.name for leaf in leaves} | {leaf.source for leaf in leaves}
    if unknown := [name for name in swarm.required if name not in known]:
        raise InputError(
            f"params.yaml: swarm.required: {unknown[0]!r} is no leaf or source; allowed: {', '.join(sorted(known))}"
        )
    available = np.array([leaf.tokens * swarm.max_repetition / params.proxy.tokens for leaf in leaves])
    return Coordinates(
        ids=tuple(leaf.content for leaf in leaves),
        names=tuple(leaf.name for leaf in leaves),
        sources=tuple(leaf.source for leaf in leaves),
        prior=np.array([leaf.prior for leaf in leaves]),
        max_weight=np.minimum(available, 1.0),
        required=np.array([leaf.name in swarm.required for leaf in leaves]),
        required_sources=tuple(sorted({leaf.source for leaf in leaves} & set(swarm.required))),
    )
