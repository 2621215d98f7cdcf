"""A swarm that grows: the plan of the next round, and the mixtures that it could be grown by."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from olmix.plan.plan import Plan
from olmix.plan.planner import sampled_coordinates, with_keys
from olmix.plan.request import Request
from olmix.plan.runs import Runs, check_trained
from olmix.plan.swarm import sample_swarm
from olmix.proxy.ladder import Budget

Floats = NDArray[np.float64]


def grow_plan(plan: Plan, request: Request, mixtures: Floats, stopped: str = "") -> Plan:
    """The plan of the next round: the same problem with more runs.

    mixtures: (B, d) over the coordinates, in the order of the plan; none if the swarm is big enough, for the reason
    `stopped`. Raises InputError if two runs would train on the same tokens.
    """
    params = request.params
    runs = Runs(plan.leaves, params, plan.suite, plan.vocabulary)
    first = len(plan.swarm)
    swarm = plan.swarm + [
        runs.plan(f"swarm-{first + i:03d}", mixture, params.proxy.seed)
        for i, mixture in enumerate(plan.space.expand(mixtures) if len(mixtures) else [])
    ]
    check_trained([*swarm, *plan.evidence], plan.leaves, plan.coordinates, plan.imports)
    number = plan.round + 1
    grown = plan.model_copy(
        update={"key": request.round_key(number), "round": number, "swarm": swarm, "stopped": stopped, "failed": {}}
    )
    return with_keys(grown, request, runs)


def candidates(plan: Plan, request: Request, near: Floats, count: int) -> Floats:
    """Mixtures (2 count, d) of the plan's coordinates that the swarm could still be grown by.

    Half are drawn around the prior as the swarm was, half around mixtures `near` (d,); none has been trained.
    """
    tokens = Budget.of(request.params.proxy, plan.vocabulary).tokens
    sampled = sampled_coordinates(request, plan.leaves, plan.coordinates, plan.space, tokens)
    planned = [*plan.swarm, *plan.evidence]  # a run that failed is tried again, so it is no candidate either
    trained = [[run.mixture.get(leaf.name, 0.0) for leaf in plan.leaves] for run in planned]
    trained += [[run.mixture.get(leaf.content, 0.0) for leaf in plan.leaves] for run in plan.imports]
    seen = plan.space.collapse(trained)
    params = request.params.swarm
    around = replace(sampled, prior=0.5 * (near + sampled.prior))
    drawn = sample_swarm(sampled, params, count, seen)
    close = sample_swarm(around, params, count, np.vstack([seen, drawn]))
    return np.vstack([drawn, close])
