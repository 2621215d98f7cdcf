"""Is reuse safe here? The paper's quantities for a plan, from its laws and those of earlier generations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError, WorkError
from olmix.params import SolverParams
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import Plan
from olmix.plan.reuse import virtual_id
from olmix.regression.fit import read_law
from olmix.regression.spec import KIND as LAW
from olmix.solve.problem import Problem
from olmix.solve.propose import read_weights
from olmix.solve.reuse_gap import ReuseSafety, assess, leaf_level_law
from olmix.store import Store

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlanSafety:
    """What is known about the safety of a plan's reuse."""

    found: ReuseSafety | None
    leaf_law: Floats | None
    """Today's laws at leaf level, t (n, m)."""
    unknown: str = ""
    """Why nothing could be computed."""


def assess_plan(
    plan: Plan, params: SolverParams, ancestors: Sequence[AcceptedMixture], store: Store
) -> PlanSafety | None:
    """Safety of a plan with frozen ratios and laws; None for other plans. ancestors: the parent first."""
    if plan.law is None or not plan.virtual:
        return None
    tasks = [task.name for task in plan.tasks]
    try:
        earlier = _leaf_laws(ancestors, tasks, store)
        frozen = [leaf.content for j, leaf in enumerate(plan.leaves) if plan.coordinates[plan.space.of[j]].virtual]
        _demand(earlier, frozen, ancestors[0])
    except _UnknownLawError as reason:
        return PlanSafety(None, None, str(reason))
    c, t = read_law(plan, store)
    missing = np.full(len(tasks), np.nan)
    earlier_t = np.array([earlier.get(leaf.content, missing) for leaf in plan.leaves]).T
    leaf_t = leaf_level_law(t, plan.space.of, plan.space.ratio, earlier_t)
    problem = Problem(
        c=c,
        t=leaf_t,
        task_weights=np.array([task.weight for task in plan.tasks]),
        prior=np.array([leaf.prior for leaf in plan.leaves]),
        caps=np.array([leaf.cap for leaf in plan.leaves]),
        kl=params.kl,
        names=tuple(leaf.name for leaf in plan.leaves),
    )
    try:
        found = assess(problem, read_weights(plan, store), plan.space.of, plan.space.ratio)
    except (InputError, WorkError) as error:  # e.g. a prior of 0 on a leaf that has weight
        return PlanSafety(None, leaf_t, str(error))
    return PlanSafety(found, leaf_t)


class _UnknownLawError(Exception):
    """An earlier law that is not at hand."""


def _leaf_laws(ancestors: Sequence[AcceptedMixture], tasks: Sequence[str], store: Store) -> dict[str, Floats]:
    """Coefficients (n,) per leaf content in the newest generation with laws, at leaf level by those before it."""
    if not ancestors:
        return {}
    mixture, before = ancestors[0], ancestors[1:]
    if mixture.law is None:  # carried over: the laws are still those of its parent
        return _leaf_laws(before, tasks, store)
    if not store.has(LAW, mixture.law):
        raise _UnknownLawError(
            f"the laws of {mixture.name} are not in the store ({mixture.law}); `dvc pull` may bring them"
        )
    document = store.read_json(LAW, mixture.law, "law.json")
    if absent := [task for task in tasks if task not in document["tasks"]]:
        raise _UnknownLawError(f"the laws of {mixture.name} know no task {absent[0]}")
    t = dict(zip(document["domains"], np.array([document["tasks"][task]["t"] for task in tasks]).T, strict=True))
    content_of = {name: leaf.content for name, leaf in mixture.leaves.items()}
    frozen = {name for ratios in mixture.virtual.values() for name in ratios}
    found = {content: t[content] for name, content in content_of.items() if name not in frozen}
    if frozen:
        earlier = _leaf_laws(before, tasks, store)
        _demand(earlier, [content_of[name] for name in frozen], mixture)
        for ratios in mixture.virtual.values():
            shares = {content_of[name]: ratio for name, ratio in ratios.items()}
            contents = list(shares)
            collapsed = t[virtual_id(shares)][:, None]
            leaf_t = leaf_level_law(
                collapsed,
                np.zeros(len(contents), dtype=np.intp),
                np.array([shares[content] for content in contents]),
                np.array([earlier[content] for content in contents]).T,
            )
            found |= dict(zip(contents, leaf_t.T, strict=True))
    return found


def _demand(laws: dict[str, Floats], contents: Sequence[str], mixture: AcceptedMixture) -> None:
    if any(content not in laws for content in contents):
        raise _UnknownLawError(f"a leaf that {mixture.name} was frozen with is in no earlier law")
