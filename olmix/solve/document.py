"""The proposal as people read it: the content of `results/mixture.yaml`, with names in place of content digests."""

from typing import Any

from olmix.params import Params
from olmix.plan.plan import Plan
from olmix.solve.spec import KIND as PROPOSAL
from olmix.store import Store


def mixture_document(plan: Plan, params: Params, store: Store) -> dict[str, Any]:
    """The proposed weights with prior, caps and epochs, and what they rest on."""
    solved = store.read_json(PROPOSAL, plan.proposal, "mixture.json")
    weights = [solved["weights"][leaf.content] for leaf in plan.leaves]
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
