"""The proposal as it is read from the store: its weights, and `results/mixture.yaml` with names in place of digests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.params import Params
from olmix.plan.plan import Plan
from olmix.solve.spec import KIND as PROPOSAL
from olmix.store import Store

Floats = NDArray[np.float64]


def read_weights(plan: Plan, store: Store) -> Floats:
    """Weights of the plan's proposal (m,), leaves in the order of the plan."""
    weights = store.read_json(PROPOSAL, plan.proposal, "mixture.json")["weights"]
    return np.array([weights[leaf.content] for leaf in plan.leaves])


def read_coordinates(plan: Plan, store: Store) -> Floats:
    """Weights of the plan's proposal (d,) over its coordinates, in the order of the plan."""
    weights = store.read_json(PROPOSAL, plan.proposal, "mixture.json")["coordinates"]
    return np.array([weights[coordinate.id] for coordinate in plan.coordinates])


def mixture_document(plan: Plan, params: Params, store: Store) -> dict[str, Any]:
    """The proposed weights with prior, caps and epochs, and what they rest on."""
    solved = store.read_json(PROPOSAL, plan.proposal, "mixture.json")
    weights = read_weights(plan, store)
    return {
        "plan": plan.key,
        "law": plan.law,
        "proposal": plan.proposal,
        "parent": plan.parent,
        "strategy": plan.strategy,
        "update": plan.update,
        "objective": solved["objective"],
        "target": params.target.model_dump(exclude={"run"}),
        "virtual": plan.virtual,
        "weights": {leaf.name: float(w) for leaf, w in zip(plan.leaves, weights, strict=True)},
        "leaves": {
            leaf.name: {
                "content": leaf.content,
                "tokens": leaf.tokens,
                "prior": leaf.prior,
                "cap": leaf.cap,
                "epochs": float(w) * params.target.tokens / leaf.tokens,
            }
            for leaf, w in zip(plan.leaves, weights, strict=True)
        },
    }
