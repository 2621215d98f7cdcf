"""The proposal as people read it: the content of `results/mixture.yaml`, with names in place of content digests."""

from pathlib import Path
from typing import Any

import yaml

from olmix.params import Params
from olmix.plan.plan import Plan
from olmix.report.stamp import publish_view
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


def write_mixture(plan: Plan, params: Params, store: Store, root: Path) -> None:
    """`results/mixture.yaml`: the proposed weights with prior, caps and epochs, and what they rest on."""
    document = mixture_document(plan, params, store)
    publish_view("mixture", plan.results_key, root, {"mixture.yaml": yaml.safe_dump(document, sort_keys=False)})
