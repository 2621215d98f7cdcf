"""Fit of the laws on the swarm table, as one artefact."""

import json
import time

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.plan.plan import Plan
from olmix.regression.crossval import cross_validated
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND, RECIPE
from olmix.regression.table import read_evidence
from olmix.store import Store, write_atomically


def fit_laws(plan: Plan, params: RegressionParams, store: Store) -> str:
    """Fit one law per task on the plan's evidence, in the space of its coordinates, and publish it; returns the key.

    `law.json` names coordinates by their ids (a renamed leaf keeps its law); `heldout.npz` holds out-of-fold
    predictions (K, n) with the run keys (K,) and tasks (n,). Raises InputError for a plan without laws.
    """
    key = law_of(plan)
    if store.has(KIND, key):
        return key
    started = time.perf_counter()
    # Canonical order of runs, coordinates and tasks: the same evidence gives the same bits.
    table = read_evidence(plan, store)
    ids = [coordinate.id for coordinate in plan.coordinates]
    columns = sorted(range(len(ids)), key=lambda j: ids[j])
    P, Y = plan.space.collapse(table.mixtures)[:, columns], table.scores
    estimator = LogLinear(penalty=params.penalty, huber_delta=params.huber_delta)
    names = [plan.coordinates[j].name for j in columns]
    law = estimator.fit(P, Y, domain_names=names)
    if len(law.unidentified_):
        open_to_doubt = ", ".join(names[j] for j in law.unidentified_)
        raise InputError(f"the runs do not determine the effect of {open_to_doubt}; raise swarm.runs_per_parameter")
    heldout = cross_validated(P, Y, estimator)
    with store.publish(KIND, key) as draft:
        document = law.to_json([ids[j] for j in columns], list(table.tasks))
        write_atomically(draft.path / "law.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        np.savez(draft.path / "heldout.npz", predictions=heldout, runs=list(table.keys), tasks=list(table.tasks))
        draft.inputs = {
            "evaluations": sorted(run.evaluation for run in plan.fitted),
            "imports": sorted(run.key for run in plan.imports),
            "params": params.model_dump(mode="json"),
            "recipe": RECIPE,
        }
        draft.facts = {"penalties": dict(zip(table.tasks, law.penalty_.tolist(), strict=True))}
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def law_of(plan: Plan) -> str:
    """Key of the plan's laws. Raises InputError where the mixture is carried over, so that there are none."""
    if plan.law is None:
        raise InputError("today's plan has no law: nothing is free, the mixture is carried over from its parent")
    return plan.law


def read_law(plan: Plan, store: Store) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients c (n,) and t (n, d), tasks and coordinates in the order of the plan."""
    document = store.read_json(KIND, law_of(plan), "law.json")
    columns = [document["domains"].index(coordinate.id) for coordinate in plan.coordinates]
    laws = [document["tasks"][task.name] for task in plan.tasks]
    return np.array([law["c"] for law in laws]), np.array([law["t"] for law in laws])[:, columns]
