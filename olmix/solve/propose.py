"""From laws to the proposed mixture, as one artefact."""

import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.params import SolverParams, TargetParams
from olmix.plan.plan import Plan
from olmix.regression.fit import Evidence, FittedLaws, read_heldout, read_laws
from olmix.solve.certificate import SUM_TOLERANCE
from olmix.solve.document import read_coordinates
from olmix.solve.problem import DUST, Problem
from olmix.solve.projection import project
from olmix.solve.solver import solve
from olmix.solve.spec import KIND
from olmix.solve.uncertainty import LEVEL, Uncertainty, assess, resample
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


def make_problem(plan: Plan, params: SolverParams, target: TargetParams, laws: FittedLaws) -> Problem:
    """The problem over the plan's coordinates, in the order of their ids: names and their order change no bit of it.

    A KL term over leaves is one over coordinates with a tilted prior, but for a constant (`Space.tilted`).
    """
    prior = np.array([coordinate.prior for coordinate in plan.coordinates])
    if params.kl_space == "expanded":
        leaf_prior = np.array([leaf.prior for leaf in plan.leaves])
        leaf_prior *= (prior / plan.space.collapse(leaf_prior))[
            plan.space.of
        ]  # where reuse.prior sets a virtual domain
        prior = plan.space.tilted(leaf_prior)
    return Problem(
        laws=laws.family,
        task_weights=laws.targets.weights,
        prior=prior[list(laws.order)],
        caps=np.array([plan.coordinates[j].cap for j in laws.order]),
        kl=params.kl,
        names=tuple(plan.coordinates[j].name for j in laws.order),
        lower=np.array([plan.coordinates[j].lower for j in laws.order]),
        target=None if params.bounds else target,  # a cap that is not k N / R has no price in tokens
    )


def assess_proposal(plan: Plan, params: SolverParams, target: TargetParams, store: Store, draws: int) -> Uncertainty:
    """Uncertainty of the plan's proposal, coordinates in the order of their ids."""
    laws = read_laws(plan, store)
    weights = read_coordinates(plan, store)[list(laws.order)]
    return _assess(plan, make_problem(plan, params, target, laws), laws, weights, store, draws)


def _assess(plan: Plan, problem: Problem, laws: FittedLaws, weights: Floats, store: Store, draws: int) -> Uncertainty:
    evidence = Evidence.of(plan, laws.targets, store)
    runs, heldout = read_heldout(plan, store)
    heldout = heldout[[runs.index(run) for run in evidence.runs]]
    prior = np.array([plan.coordinates[j].prior for j in laws.order])
    resampled = resample(laws.family, evidence.P, evidence.Y, heldout, draws, int(plan.proposal, 16))
    return assess(problem, weights, prior, resampled)


def _solve(plan: Plan, params: SolverParams, target: TargetParams, store: Store) -> dict[str, Any]:
    laws = read_laws(plan, store)
    problem = make_problem(plan, params, target, laws)
    evidence = Evidence.of(plan, laws.targets, store)
    solution = solve(problem, params.method, (evidence.P, evidence.Y))
    ids = [plan.coordinates[j].id for j in laws.order]
    certificate = solution.certificate.to_json(ids)
    document = {
        "weights": _by_content(plan, plan.space.expand(_in_plan_order(laws, solution.weights))),
        "coordinates": dict(zip(ids, solution.weights.tolist(), strict=True)),
        "objective": certificate["objective"],
        "certificate": certificate,
    }
    if params.resamples and laws.family.refits:
        found = _assess(plan, problem, laws, solution.weights, store, params.resamples)
        low, high = (
            _by_content(plan, plan.space.expand(_in_plan_order(laws, bound))) for bound in found.weight_interval
        )
        gain_low, gain_high = found.gain_interval
        document["uncertainty"] = {
            "resamples": params.resamples,
            "level": LEVEL,
            "weights": {content: [low[content], high[content]] for content in low},
            "gain": {"expected": float(found.gain.mean()), "low": gain_low, "high": gain_high},
            "regret": float(found.regret.mean()),
        }
    return document


def _in_plan_order(laws: FittedLaws, values: Floats) -> Floats:
    arranged = np.empty_like(values)
    arranged[list(laws.order)] = values
    return arranged


def _carry_over(plan: Plan) -> dict[str, Any]:
    """The frozen mixture, renormalised; where that pushes a leaf beyond a bound, the closest mixture within them.

    Closest in KL: leaves beyond a bound end at it, the others keep their ratios.
    """
    leaves = sorted(plan.leaves, key=lambda leaf: leaf.content)
    ratios = plan.coordinates[0].ratios
    frozen = np.array([ratios[leaf.name] for leaf in leaves])
    caps = np.array([leaf.cap for leaf in leaves])
    lower = np.array([leaf.lower for leaf in leaves])
    weights, used = frozen.copy(), (frozen > 0) | (lower > 0)
    over = frozen > caps
    if over.any() or (frozen < lower).any():
        weights[used] = project(np.log(np.maximum(frozen[used], DUST)), lower[used], np.minimum(caps[used], 1.0))
    certificate = {
        "ok": abs(float(weights.sum()) - 1) <= SUM_TOLERANCE and bool(((weights <= caps) & (weights >= lower)).all()),
        "sum_violation": abs(float(weights.sum()) - 1),
        "bound_violation": float(np.maximum(weights - caps, lower - weights).clip(0.0).max()),
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
