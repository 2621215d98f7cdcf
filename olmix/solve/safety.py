"""Is reuse safe here? The paper's quantities for a plan, from its laws and those of earlier generations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError, WorkError
from olmix.params import SolverParams
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import Plan
from olmix.plan.reuse import virtual_id
from olmix.plan.space import Space
from olmix.regression.base import Family
from olmix.regression.families import read_family
from olmix.regression.fit import read_laws
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND as LAW
from olmix.solve.document import read_weights
from olmix.solve.problem import Problem
from olmix.solve.reuse_gap import ReuseSafety, anchored, assess, leaf_level_law
from olmix.store import Store

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlanSafety:
    """What is known about the safety of a plan's reuse."""

    found: ReuseSafety | None = None
    leaf_law: tuple[Floats, Floats] | None = None
    """Today's laws at leaf level, c (n,) and t (n, m)."""
    unknown: str = ""
    """Why something could not be computed."""


def assess_plan(
    plan: Plan, params: SolverParams, ancestors: Sequence[AcceptedMixture], store: Store
) -> PlanSafety | None:
    """Safety of a plan with frozen ratios and laws; None for other plans. ancestors: the parent first."""
    if plan.law is None or not plan.virtual:
        return None
    laws = read_laws(plan, store)
    tasks = laws.targets.names
    try:
        family = _log_linear(laws.family, "today's laws")
        earlier_c, earlier = _leaf_laws(ancestors, tasks, store)
        frozen = [leaf.content for j, leaf in enumerate(plan.leaves) if plan.coordinates[plan.space.of[j]].virtual]
        _demand(earlier, frozen, ancestors[0])
    except _UnknownLawError as reason:
        return PlanSafety(unknown=str(reason))
    weights = read_weights(plan, store)
    missing = np.full(len(tasks), np.nan)
    earlier_t = np.array([earlier.get(leaf.content, missing) for leaf in plan.leaves]).T
    t = np.empty_like(family.t_)
    t[:, list(laws.order)] = family.t_
    leaf_law = _expand(family.c_, t, plan.space, weights, earlier_c, earlier_t)
    problem = Problem(
        laws=LogLinear.of(*leaf_law),
        task_weights=laws.targets.weights,
        prior=np.array([leaf.prior for leaf in plan.leaves]),
        caps=np.array([leaf.cap for leaf in plan.leaves]),
        lower=np.array([leaf.lower for leaf in plan.leaves]),
        kl=params.kl,
        names=tuple(leaf.name for leaf in plan.leaves),
    )
    try:
        found = assess(problem, weights, plan.space.of, plan.space.ratio)
    except (InputError, WorkError) as error:  # e.g. a prior of 0 on a leaf that has weight
        return PlanSafety(None, leaf_law, str(error))
    return PlanSafety(found, leaf_law)


class _UnknownLawError(Exception):
    """An earlier law that is not at hand."""


def _leaf_laws(
    ancestors: Sequence[AcceptedMixture], tasks: Sequence[str], store: Store
) -> tuple[Floats, dict[str, Floats]]:
    """Laws of the newest generation that has some, at leaf level: c (n,), and t (n,) per leaf content."""
    if not ancestors:
        raise _UnknownLawError("no earlier generation has laws")
    mixture, before = ancestors[0], ancestors[1:]
    if mixture.law is None:  # carried over: the laws are still those of its parent
        return _leaf_laws(before, tasks, store)
    if not store.has(LAW, mixture.law):
        raise _UnknownLawError(
            f"the laws of {mixture.name} are not in the store ({mixture.law}); `dvc pull` may bring them"
        )
    document = store.read_json(LAW, mixture.law, "law.json")
    _log_linear(read_family(document), f"the laws of {mixture.name}")
    if absent := [task for task in tasks if task not in document["tasks"]]:
        raise _UnknownLawError(f"the laws of {mixture.name} know no task {absent[0]}")
    c = np.array([document["tasks"][task]["c"] for task in tasks])
    t = np.array([document["tasks"][task]["t"] for task in tasks])
    content_of = {name: leaf.content for name, leaf in mixture.leaves.items()}
    contents = list(content_of.values())
    if not mixture.virtual:
        if not set(contents) <= set(document["domains"]):
            raise _UnknownLawError(f"the laws of {mixture.name} are not those of the leaves in its file")
        return c, {content: t[:, document["domains"].index(content)] for content in contents}
    virtual = [{content_of[name]: share for name, share in ratios.items()} for ratios in mixture.virtual.values()]
    frozen = {content for ratios in virtual for content in ratios}
    coordinates = virtual + [{content: 1.0} for content in contents if content not in frozen]
    ids = [virtual_id(ratios) for ratios in virtual] + [content for content in contents if content not in frozen]
    if not set(ids) <= set(document["domains"]):
        raise _UnknownLawError(f"the laws of {mixture.name} are not those of the virtual domains in its file")
    earlier_c, earlier = _leaf_laws(before, tasks, store)
    _demand(earlier, frozen, mixture)
    missing = np.full(len(tasks), np.nan)
    leaf_c, leaf_t = _expand(
        c,
        t[:, [document["domains"].index(id) for id in ids]],
        Space.of_ratios(coordinates, contents),
        np.array([mixture.weight_of[content] for content in contents]),
        earlier_c,
        np.array([earlier.get(content, missing) for content in contents]).T,
    )
    return leaf_c, dict(zip(contents, leaf_t.T, strict=True))


def _log_linear(law: Family, whose: str) -> LogLinear:
    if not isinstance(law, LogLinear):
        raise _UnknownLawError(f"{whose} are of the family {law.name}; the paper's quantities are those of log_linear")
    return law


def _expand(
    c: Floats, t: Floats, space: Space, weights: Floats, earlier_c: Floats, earlier_t: Floats
) -> tuple[Floats, Floats]:
    """Collapsed laws at leaf level: anchored at the mixture (m,) that they were solved for, then expanded."""
    frozen = np.where(np.isfinite(earlier_t).all(axis=0), weights, 0.0)
    earlier_part = np.exp(np.nan_to_num(earlier_t) @ (frozen / max(frozen.sum(), 1e-300)))
    constant, collapsed = anchored(c, t, space.collapse(weights), earlier_c, earlier_part)
    return constant, leaf_level_law(collapsed, space.of, space.ratio, earlier_t)


def _demand(laws: dict[str, Floats], contents: Iterable[str], mixture: AcceptedMixture) -> None:
    if any(content not in laws for content in contents):
        raise _UnknownLawError(f"a leaf that {mixture.name} was frozen with is in no earlier law")
