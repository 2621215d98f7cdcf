"""From laws to the proposed mixture, as one artefact."""

import json
import time

import numpy as np
from numpy.typing import NDArray

from olmix.params import SolverParams, TargetParams
from olmix.plan.planner import Plan
from olmix.regression.fit import read_law
from olmix.solve.exact import Problem, solve
from olmix.solve.spec import KIND
from olmix.store import Store, write_atomically


def propose(plan: Plan, params: SolverParams, target: TargetParams, store: Store) -> str:
    """Solve for the best feasible mixture and publish `mixture.json` with its certificate; returns the key.

    Weights are listed by leaf content digest, so that renaming a leaf solves nothing again.
    """
    key = plan.proposal
    if store.has(KIND, key):
        return key
    started = time.perf_counter()
    c, t = read_law(plan, store)
    # Canonical order of leaves: names and their order must not change a bit of the solution.
    columns = sorted(range(len(plan.leaves)), key=lambda j: plan.leaves[j].content)
    leaves = [plan.leaves[j] for j in columns]
    problem = Problem(
        c=c,
        t=t[:, columns],
        task_weights=np.array([task.weight for task in plan.tasks]),
        prior=np.array([leaf.prior for leaf in leaves]),
        caps=np.array([leaf.cap for leaf in leaves]),
        kl=params.kl,
        names=tuple(leaf.name for leaf in leaves),
    )
    cap_hint = f"target.repetition {target.repetition:g} x tokens / target.tokens {target.tokens:,}"
    solution = solve(problem, cap_hint)
    certificate = solution.certificate.to_json([leaf.content for leaf in leaves])
    with store.publish(KIND, key) as draft:
        document = {
            "weights": {leaf.content: float(w) for leaf, w in zip(leaves, solution.weights, strict=True)},
            "objective": certificate["objective"],
            "certificate": certificate,
        }
        write_atomically(draft.path / "mixture.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        draft.inputs = {"law": plan.law, "params": params.model_dump(mode="json")}
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def read_weights(plan: Plan, store: Store) -> NDArray[np.float64]:
    """Weights of the plan's proposal (m,), leaves in the order of the plan."""
    weights = store.read_json(KIND, plan.proposal, "mixture.json")["weights"]
    return np.array([weights[leaf.content] for leaf in plan.leaves])
