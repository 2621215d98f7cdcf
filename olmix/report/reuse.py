"""Collects what the report says of mixture reuse: the update, its safety, and the sequence of generations."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from olmix.params import Params
from olmix.plan.history import AcceptedMixture, Spent
from olmix.plan.ledger import make_ledger
from olmix.plan.plan import Plan
from olmix.plan.swarm import swarm_size
from olmix.proxy.spec import KIND as PROXY
from olmix.report.ancestry import Generation, Reuse, Spending
from olmix.solve.reuse_gap import CLOSED_SHARE, ReuseSafety
from olmix.solve.safety import PlanSafety
from olmix.solve.spec import KIND as PROPOSAL
from olmix.store import Store


def collect_reuse(
    plan: Plan,
    params: Params,
    weights: NDArray[np.float64],
    safety: PlanSafety | None,
    noise_sd: float,
    store: Store,
) -> Reuse | None:
    """The update since the parent and what was reused; None for a plan without a parent.

    noise_sd: standard deviation of the mean BPB over seeds. A gap below it calls for nothing to be recomputed.
    """
    if plan.parent is None:
        return None
    known = safety.found if safety else None
    free = np.array([not plan.coordinates[c].virtual for c in plan.space.of])
    suggestion = tuple(known.suggestion) if known and not known.frozen_gap < noise_sd else ()
    return Reuse(
        strategy=plan.strategy,
        parent=plan.parent,
        update=plan.update,
        lineage=plan.lineage,
        virtual=plan.virtual,
        free=tuple(plan.free),
        kappa=known.kappa if known else math.nan,
        recomputed_weight=float(weights[free].sum()),
        gap=known.frozen_gap if known else math.nan,
        coupled=tuple((leaf.name, leaf.share) for leaf in known.coupled) if known else (),
        suggestion=suggestion,
        suggestion_runs=swarm_size(len(plan.coordinates) + len(suggestion), params.swarm) if suggestion else math.nan,
        unknown=safety.unknown if safety else "",
        notes=_notes(plan, known if suggestion else None, store),
    )


def _notes(plan: Plan, known: ReuseSafety | None, store: Store) -> tuple[str, ...]:
    """What the ratios cost in scores alone, and frozen leaves that had to leave their ratios."""
    notes = []
    if known:
        notes.append(
            "In scores alone, without the KL term, the laws predict that the reused mixture is "
            f"{known.law_gap:.4f} BPB worse than the best of all."
        )
        if known.suggestion_share < CLOSED_SHARE:
            notes.append(
                "Freeing these leaves closes less than half of the gap: full recomputation is the better advice."
            )
    over = store.read_json(PROPOSAL, plan.proposal, "mixture.json").get("over_cap", [])
    if names := [leaf.name for leaf in plan.leaves if leaf.content in over]:
        notes.append(
            f"Renormalising pushed {', '.join(names)} over the cap; the mixture is the closest one under the caps, so "
            "that the ratios of the other leaves are kept."
        )
    return tuple(notes)


def collect_generations(
    plan: Plan, ancestors: Sequence[AcceptedMixture], weights: NDArray[np.float64], gain: float, store: Store
) -> tuple[Generation, ...]:
    """Accepted generations that today's plan descends from, oldest first, then today's."""
    if not ancestors:
        return ()
    earlier = [
        Generation(
            name=mixture.name,
            parent=mixture.parent,
            strategy=mixture.strategy,
            update=mixture.update,
            weights=mixture.weights,
            spent=_spending(mixture.ledger.spent),
            full=_spending(mixture.ledger.full_recomputation),
            gain=mixture.gain_percent.get("measured", math.nan),
            virtual=mixture.virtual,
        )
        for mixture in reversed(ancestors)
    ]
    costs = {run.key: store.manifest(PROXY, run.key)["cost"] for run in plan.fitted_swarm}
    ledger = make_ledger(costs, plan.full_runs, ancestors)
    today = Generation(
        name="today",
        parent=plan.parent,
        strategy=plan.strategy,
        update=plan.update,
        weights={leaf.name: float(weight) for leaf, weight in zip(plan.leaves, weights, strict=True)},
        spent=_spending(ledger.spent),
        full=_spending(ledger.full_recomputation),
        gain=gain,
        virtual=plan.virtual,
        today=True,
    )
    return (*earlier, today)


def _spending(spent: Spent) -> Spending:
    return Spending(spent.runs, spent.tokens, spent.flops or math.nan, spent.seconds)
