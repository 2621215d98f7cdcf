"""From laws to the proposed mixture, as one artefact."""

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.params import SolverParams, TargetParams
from olmix.plan.plan import Plan
from olmix.regression.fit import read_law
from olmix.solve.certificate import SUM_TOLERANCE, project
from olmix.solve.exact import Problem, solve
from olmix.solve.spec import KIND
from olmix.store import Store, write_atomically

Floats = NDArray[np.float64]


def propose(plan: Plan, params: SolverParams, target: TargetParams, store: Store) -> str:
    """Solve for the best feasible mixture and publish `mixture.json` with its certificate; returns the key.

    Solved over the coordinates and expanded to leaves last. Where nothing is free, the parent's mixture is carried
    over instead. Weights are listed by leaf content digest, so that renaming a leaf solves nothing again.
    """
    key = plan.proposal
    if store.has(KIND, key):
        return key
    started = time.perf_counter()
    document = _carry_over(plan) if plan.law is None else _solve(plan, params, target, store)
    with store.publish(KIND, key) as draft:
        write_atomically(draft.path / "mixture.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        draft.inputs = {"law": plan.law, "params": params.model_dump(mode="json")}
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def make_problem(plan: Plan, params: SolverParams, store: Store) -> Problem:
    """The problem over the plan's coordinates, in its order.

    A KL term over leaves is one over coordinates with a tilted prior, but for a constant (`Space.tilted`).
    """
    c, t = read_law(plan, store)
    prior = np.array([coordinate.prior for coordinate in plan.coordinates])
    if params.kl_space == "expanded":
        leaf_prior = np.array([leaf.prior for leaf in plan.leaves])
        leaf_prior *= (prior / plan.space.collapse(leaf_prior))[
            plan.space.of
        ]  # where reuse.prior sets a virtual domain
        prior = plan.space.tilted(leaf_prior)
    return Problem(
        c=c,
        t=t,
        task_weights=np.array([task.weight for task in plan.tasks]),
        prior=prior,
        caps=np.array([coordinate.cap for coordinate in plan.coordinates]),
        kl=params.kl,
        names=tuple(coordinate.name for coordinate in plan.coordinates),
    )


def _solve(plan: Plan, params: SolverParams, target: TargetParams, store: Store) -> dict[str, Any]:
    # Canonical order of coordinates: names and their order must not change a bit of the solution.
    ids = [coordinate.id for coordinate in plan.coordinates]
    columns = sorted(range(len(ids)), key=lambda j: ids[j])
    problem = make_problem(plan, params, store)
    problem = replace(
        problem,
        t=problem.t[:, columns],
        prior=problem.prior[columns],
        caps=problem.caps[columns],
        names=tuple(problem.names[j] for j in columns),
    )
    cap_hint = f"target.repetition {target.repetition:g} x tokens / target.tokens {target.tokens:,}"
    solution = solve(problem, cap_hint)
    certificate = solution.certificate.to_json([ids[j] for j in columns])
    weights = np.empty(len(ids))
    weights[columns] = solution.weights
    return {
        "weights": _by_content(plan, plan.space.expand(weights)),
        "coordinates": {id: float(w) for id, w in zip(ids, weights, strict=True)},
        "objective": certificate["objective"],
        "certificate": certificate,
    }


def _carry_over(plan: Plan) -> dict[str, Any]:
    """The frozen mixture, renormalised; where that pushes a leaf over its cap, the closest mixture under the caps.

    Closest in KL: capped leaves stay at their caps, the others keep their ratios.
    """
    leaves = sorted(plan.leaves, key=lambda leaf: leaf.content)
    ratios = plan.coordinates[0].ratios
    frozen = np.array([ratios[leaf.name] for leaf in leaves])
    caps = np.array([leaf.cap for leaf in leaves])
    weights, used = frozen.copy(), frozen > 0
    over = frozen > caps
    if over.any():
        weights[used] = project(np.log(frozen[used]), caps[used])
    certificate = {
        "ok": abs(float(weights.sum()) - 1) <= SUM_TOLERANCE and bool((weights <= caps).all()),
        "sum_violation": abs(float(weights.sum()) - 1),
        "bound_violation": float(np.maximum(weights - caps, 0).max()),
        "moved": float(np.abs(weights - frozen).sum() / 2),
        "shadow_prices": {},
    }
    return {
        "weights": {leaf.content: float(w) for leaf, w in zip(leaves, weights, strict=True)},
        "coordinates": {plan.coordinates[0].id: 1.0},
        "objective": None,
        "over_cap": [leaf.content for leaf, is_over in zip(leaves, over, strict=True) if is_over],
        "certificate": certificate,
    }


def _by_content(plan: Plan, weights: Floats) -> dict[str, float]:
    return {leaf.content: float(w) for leaf, w in zip(plan.leaves, weights, strict=True)}


def read_weights(plan: Plan, store: Store) -> Floats:
    """Weights of the plan's proposal (m,), leaves in the order of the plan."""
    weights = store.read_json(KIND, plan.proposal, "mixture.json")["weights"]
    return np.array([weights[leaf.content] for leaf in plan.leaves])
