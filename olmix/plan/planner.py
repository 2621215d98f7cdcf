"""The planner: from domain set, params, suite and history to the plan. Pure: no clock, no store, no global state."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from olmix.corpus.tokens import tokens_key
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError, WorkError
from olmix.params import Params, TargetParams
from olmix.plan.evidence import earlier_runs, imported_runs
from olmix.plan.plan import (
    Plan,
    PlannedCoordinate,
    PlannedImport,
    PlannedLeaf,
    PlannedRun,
    PlannedTask,
    PlannedValidation,
)
from olmix.plan.prior import collapsed_prior, natural_prior
from olmix.plan.request import Request
from olmix.plan.runs import Runs, check_trained
from olmix.plan.space import Space
from olmix.plan.swarm import TOLERANCE, Coordinates, sample_swarm, swarm_size
from olmix.proxy.ladder import Budget
from olmix.regression.spec import law_key
from olmix.solve.spec import carried_key, proposal_key, validation_key

Floats = NDArray[np.float64]

_ROUNDING = 1e-12


def make_plan(request: Request, counts: Sequence[dict[str, int]], vocabulary: int) -> Plan:
    """Plan one generation.

    counts: documents, bytes and tokens per leaf, from the manifests of their tokens. Raises InputError for domain
    sets, budgets and caps that cannot be met, before anything is trained.
    """
    check_domain_set(request.leaves)
    params, suite = request.params, request.suite
    tokens = np.array([count["tokens"] for count in counts])
    _check_budget([leaf.name for leaf in request.leaves], tokens, params, Budget.of(params.proxy, vocabulary))
    leaves = _leaves(request, counts, tokens)
    coordinates = _coordinates(request, leaves, tokens)
    space = Space.of_ratios([c.ratios for c in coordinates], [leaf.name for leaf in leaves])
    runs = Runs(leaves, params, suite.content, vocabulary)
    evidence, imports, unusable = _evidence(request, leaves, space, runs)
    swarm = _swarm(request, leaves, coordinates, space, runs, evidence, imports)
    sampled = {run.key for run in swarm}
    evidence = [run for run in evidence if run.key not in sampled]
    seeds = [params.proxy.seed + i for i in range(params.validation.seeds)]
    prior = np.array([leaf.prior for leaf in leaves])
    plan = Plan(
        key=request.round_key(1),
        parent=request.parent.name if request.parent else None,
        strategy=request.strategy,
        update=request.update.by_operator,
        lineage=request.update.lineage,
        leaves=leaves,
        coordinates=coordinates,
        tasks=[PlannedTask(name=task.name, family=task.family, weight=task.weight) for task in suite.tasks],
        suite=suite.content,
        vocabulary=vocabulary,
        swarm=swarm,
        evidence=evidence,
        imports=imports,
        unusable=unusable,
        prior_runs=[runs.plan(f"prior-seed-{seed}", prior, seed) for seed in seeds],
        noise=[],
        law=None,
        proposal="",
        validation=[],
        rounds=request.rounds,
        full_runs=request.full_runs,
    )
    return with_keys(plan, request, runs)


def with_keys(plan: Plan, request: Request, runs: Runs) -> Plan:
    """The plan with the keys that follow from its runs: laws, proposal and proof."""
    params = request.params
    scored = [*(run.evaluation for run in plan.fitted), *(run.key for run in plan.imports)]
    noise = [run.evaluation for run in plan.prior_runs] if params.regression.min_signal_to_noise else []
    law = None
    if not request.nothing_free:
        families = {task.name: (task.family, task.weight) for task in plan.tasks}
        law = law_key(scored, [c.id for c in plan.coordinates], params.regression, families, noise)
    proposal = _proposal(law, plan.leaves, plan.coordinates, plan.tasks, params)
    validation = [
        PlannedValidation(seed=run.spec.seed, key=validation_key(proposal, plan.suite, runs.template(run.spec.seed)))
        for run in plan.prior_runs
    ]
    return plan.model_copy(update={"noise": noise, "law": law, "proposal": proposal, "validation": validation})


def without_failed(plan: Plan, request: Request, failed: dict[str, str]) -> Plan:
    """The plan that does without runs of its swarm that failed: run key → what went wrong.

    Raises WorkError if more of them failed than `swarm.max_failed` allows, or too few are left to identify the laws.
    """
    left = plan.model_copy(update={"failed": failed})
    found = "; ".join(f"{name}: {problem}" for name, problem in left.failures.items())
    most = math.floor(request.params.swarm.max_failed * len(plan.swarm))
    if len(failed) > most:
        raise WorkError(
            f"{len(failed)} of {len(plan.swarm)} runs failed, at most {most} may "
            f"(swarm.max_failed {request.params.swarm.max_failed:g}): {found}"
        )
    runs_left = len(left.fitted) + len(left.imports)
    if runs_left < len(plan.coordinates) + 1:
        raise WorkError(f"{runs_left} runs are left for {len(plan.coordinates)} weights, too few for laws: {found}")
    runs = Runs(plan.leaves, request.params, plan.suite, plan.vocabulary)
    return with_keys(left, request, runs)


def check_domain_set(leaves: Sequence[Leaf]) -> None:
    """A mixture needs two leaves. Raises InputError."""
    if len(leaves) < 2:
        raise InputError(f"domains: one leaf only ({leaves[0].name}); a mixture needs at least two")


def repetition_caps(tokens: NDArray[np.int64], target: TargetParams) -> Floats:
    """Largest weights p <= k N / R (paper, section 3.3.4), (m,); above 1 where a leaf could fill the target alone."""
    caps: Floats = target.repetition * tokens / target.tokens
    return caps


def _check_budget(names: list[str], tokens: NDArray[np.int64], params: Params, budget: Budget) -> None:
    proxy, target = params.proxy, params.target
    if budget.tokens == 0:
        batch = budget.batch_size * proxy.sequence_length
        raise InputError(f"params.yaml: proxy.tokens: {proxy.tokens} is less than one batch of {batch:,} tokens")
    for name, count in zip(names, tokens, strict=True):
        if count <= proxy.sequence_length:
            raise InputError(
                f"domains: {name} has {count:,} tokens, a proxy sequence needs {proxy.sequence_length + 1:,}; "
                "remove the leaf or lower proxy.sequence_length"
            )
    usable = float(tokens.sum()) * target.repetition
    if np.minimum(repetition_caps(tokens, target), 1).sum() < 1 and usable < target.tokens:
        raise InputError(
            f"params.yaml: target.tokens: {target.tokens:,} cannot be met: all leaves hold {int(tokens.sum()):,} "
            f"tokens, {usable:,.0f} with repetition {target.repetition:g}, {target.tokens - usable:,.0f} short; "
            "lower target.tokens or raise target.repetition"
        )


def _leaves(request: Request, counts: Sequence[dict[str, int]], tokens: NDArray[np.int64]) -> list[PlannedLeaf]:
    params = request.params
    source_names = sorted({leaf.spec.source for leaf in request.leaves})
    source_of = np.array([source_names.index(leaf.spec.source) for leaf in request.leaves])
    prior = natural_prior(tokens, source_of, source_names, params.prior)
    lower, upper = _bounds(request, tokens)
    return [
        PlannedLeaf(
            name=leaf.name,
            source=leaf.spec.source,
            content=leaf.content,
            tokens_key=tokens_key(leaf.content, params.tokenizer.digest),
            prior=float(prior[j]),
            cap=float(min(upper[j], 1.0)),
            lower=float(lower[j]),
            **count,
        )
        for j, (leaf, count) in enumerate(zip(request.leaves, counts, strict=True))
    ]


def _bounds(request: Request, tokens: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Least and largest weight of each leaf (m,), from solver.bounds and repetition; the largest is not cut at 1."""
    bounds = request.params.solver.bounds
    names = [leaf.name for leaf in request.leaves]
    if unknown := sorted(set(bounds) - set(names)):
        raise InputError(
            f"params.yaml: solver.bounds: {unknown[0]!r} is no leaf of the domain set; allowed: {', '.join(names)}"
        )
    caps = repetition_caps(tokens, request.params.target)
    lower = np.array([bounds.get(name, (0.0, 1.0))[0] for name in names])
    upper = np.minimum(caps, [bounds[name][1] if name in bounds else np.inf for name in names])
    if (lower > upper).any():
        j = int((lower - upper).argmax())
        raise InputError(
            f"params.yaml: solver.bounds: {names[j]} must have at least {lower[j]:g}, but its cap "
            f"target.repetition x tokens / target.tokens is {caps[j]:.4g}; lower the bound or target.tokens"
        )
    if math.fsum(lower) > 1 + _ROUNDING:
        raise InputError(
            f"params.yaml: solver.bounds: the least weights sum to {lower.sum():.4g}; at most 1 is allowed"
        )
    if math.fsum(np.minimum(upper, 1)) < 1 - _ROUNDING and bounds:
        raise InputError(
            f"params.yaml: solver.bounds: with repetition the largest weights sum to {np.minimum(upper, 1).sum():.4g}; "
            "at least 1 is needed"
        )
    return lower, upper


def _coordinates(request: Request, leaves: list[PlannedLeaf], tokens: NDArray[np.int64]) -> list[PlannedCoordinate]:
    """Coordinates with prior and cap. Raises InputError if the frozen ratios leave too little room under the caps."""
    found = request.coordinates
    space = Space.of_ratios([c.ratios for c in found], [leaf.name for leaf in leaves])
    natural = space.collapse([leaf.prior for leaf in leaves])
    prior = collapsed_prior(natural, [c.name for c in found], request.params.reuse.prior)
    lower, leaf_caps = _bounds(request, tokens)
    caps = np.minimum(space.caps(leaf_caps), 1.0)
    floors = space.floors(lower)
    for c, coordinate in enumerate(found):
        if floors[c] > caps[c] and not request.nothing_free:
            raise InputError(
                f"params.yaml: solver.bounds: {coordinate.name} needs a weight of at least {floors[c]:.4g} to give its "
                f"leaves theirs, and at most {caps[c]:.4g} to keep the others below their caps; free leaves "
                "(reuse.strategy: partial, reuse.recompute) or change the bounds"
            )
    frozen = np.array([found[c].virtual for c in space.of]) & (space.ratio > 0)
    if request.params.solver.kl > 0 and request.params.solver.kl_space == "expanded":
        for leaf in np.array(leaves, dtype=object)[frozen]:
            if leaf.prior == 0:
                raise InputError(
                    f"params.yaml: prior.manual: {leaf.name} has weight in the frozen ratios, but prior 0, which "
                    "solver.kl_space: expanded forbids; give its source a prior or set kl_space: collapsed"
                )
    if (
        request.parent
        and request.nothing_free
        and (room_left := math.fsum(np.minimum(leaf_caps[frozen], 1))) < 1 - _ROUNDING
    ):
        raise InputError(
            f"params.yaml: target.tokens: the leaves that have weight in mixtures/{request.parent.name}.yaml can fill "
            f"only {room_left:.4g} of the target; set reuse.strategy: none, or lower target.tokens"
        )
    if frozen.any() and not request.nothing_free and math.fsum(caps) < 1 - _ROUNDING:
        room = np.divide(leaf_caps, space.ratio, out=np.full(len(leaves), np.inf), where=frozen)
        name = leaves[int(np.argmin(room))].name
        recompute = ", ".join(sorted({name, *request.params.reuse.recompute}))
        raise InputError(
            f"params.yaml: reuse.strategy: with frozen ratios the mixture fills only {caps.sum():.4g} of the target; "
            f"{name} would be repeated more than {request.params.target.repetition:g} times; free it (reuse.strategy: "
            f"partial, reuse.recompute: [{recompute}]) or lower target.tokens"
        )
    return [
        PlannedCoordinate(
            name=c.name,
            id=c.id,
            virtual=c.virtual,
            ratios=c.ratios,
            prior=float(p),
            cap=float(cap),
            lower=float(min(floor, 1.0)),
        )
        for c, p, cap, floor in zip(found, prior, caps, floors, strict=True)
    ]


def _evidence(
    request: Request, leaves: list[PlannedLeaf], space: Space, runs: Runs
) -> tuple[list[PlannedRun], list[PlannedImport], list[tuple[str, str]]]:
    """Earlier and imported runs that are mixtures of today's coordinates, and the imported ones that are not."""
    if request.nothing_free:
        return [], [], []
    params, contents = request.params, [leaf.content for leaf in leaves]
    imports, unusable = imported_runs(request.imports, contents, space)
    if not params.reuse.evidence:
        return [], imports, unusable
    return earlier_runs(request.ancestors, contents, space, params.proxy, runs), imports, unusable


def _swarm(
    request: Request,
    leaves: list[PlannedLeaf],
    coordinates: list[PlannedCoordinate],
    space: Space,
    runs: Runs,
    evidence: list[PlannedRun],
    imports: list[PlannedImport],
) -> list[PlannedRun]:
    """The sampled runs: in the collapsed space, expanded last, so that no clipping touches a frozen ratio.

    Swarm reuse samples what earlier runs leave open, and at least c runs for each coordinate they hardly contain.
    """
    if request.nothing_free:
        return []
    seen, count = np.empty((0, space.size)), request.runs_by(1)
    if request.strategy == "swarm":
        earlier = [[run.mixture.get(leaf.name, 0.0) for leaf in leaves] for run in evidence]
        earlier += [[run.mixture.get(leaf.content, 0.0) for leaf in leaves] for run in imports]
        seen = space.collapse(earlier) if earlier else seen
        known = (seen > TOLERANCE).sum(axis=0) >= request.params.swarm.min_runs_per_leaf
        unseen = int((~known).sum())
        if unseen:
            least = max(swarm_size(unseen - 1, request.params.swarm), request.params.swarm.min_runs_per_leaf)
        count = max(count - len(earlier), least if unseen else 0)
    params = request.params
    space_to_sample = sampled_coordinates(request, leaves, coordinates, space, runs.tokens)
    sampled = sample_swarm(space_to_sample, params.swarm, count, seen)
    swarm = [runs.plan(f"swarm-{i:03d}", mixture, params.proxy.seed) for i, mixture in enumerate(space.expand(sampled))]
    check_trained([*swarm, *evidence], leaves, coordinates, imports)
    return swarm


def sampled_coordinates(
    request: Request,
    leaves: list[PlannedLeaf],
    coordinates: list[PlannedCoordinate],
    space: Space,
    run_tokens: int,
) -> Coordinates:
    """What the sampler needs to know; a proxy run must not read a leaf more often than allowed."""
    params = request.params
    required = set(params.swarm.required)
    known = {leaf.name for leaf in leaves} | {leaf.source for leaf in leaves}
    if unknown := [name for name in params.swarm.required if name not in known]:
        raise InputError(
            f"params.yaml: swarm.required: {unknown[0]!r} is no leaf or source; allowed: {', '.join(sorted(known))}"
        )
    source_of = {leaf.name: leaf.source for leaf in leaves}
    inside = [{name for name, ratio in c.ratios.items() if ratio > 0} for c in coordinates]
    absent = {name for c in coordinates for name in c.ratios}.difference(*inside)
    if never := sorted(required & absent):
        raise InputError(
            f"params.yaml: swarm.required: {never[0]} is frozen at weight 0, so that no run can contain it; "
            f"free it (reuse.strategy: partial, reuse.recompute: [{never[0]}])"
        )
    # A source that is frozen in part is in every mixture that its virtual domain is in.
    partly = {source_of[name] for c, names in zip(coordinates, inside, strict=True) if c.virtual for name in names}
    available = np.array([leaf.tokens * params.swarm.max_repetition / run_tokens for leaf in leaves])
    return Coordinates(
        ids=tuple(c.id for c in coordinates),
        names=tuple(c.name for c in coordinates),
        sources=tuple(c.source for c in request.coordinates),
        prior=np.array([c.prior for c in coordinates]),
        max_weight=np.minimum(space.caps(available), 1.0),
        resolution=2 * params.proxy.sequence_length / run_tokens,
        required=np.array(
            [
                bool(required & names) or (c.virtual and bool(required & {source_of[name] for name in names}))
                for c, names in zip(coordinates, inside, strict=True)
            ]
        ),
        required_sources=tuple(sorted({leaf.source for leaf in leaves} & required - partly)),
    )


def _proposal(
    law: str | None,
    leaves: list[PlannedLeaf],
    coordinates: list[PlannedCoordinate],
    tasks: list[PlannedTask],
    params: Params,
) -> str:
    """Key of the proposal: solved from the laws, or carried over from the parent."""
    if law is None:
        return carried_key(coordinates[0].id, {leaf.content: (leaf.lower, leaf.cap) for leaf in leaves})
    content_of = {leaf.name: leaf.content for leaf in leaves}
    prior_of = {leaf.content: leaf.prior for leaf in leaves}
    frozen = [content_of[name] for c in coordinates if c.virtual for name in c.ratios]
    return proposal_key(
        law,
        {c.id: (c.prior, c.lower, c.cap) for c in coordinates},
        {content: prior_of[content] for content in frozen} if params.solver.kl_space == "expanded" else {},
        {task.name: task.weight for task in tasks},
        params.solver,
    )
