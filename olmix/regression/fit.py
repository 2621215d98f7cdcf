"""Fit of the laws on the swarm table, as one artefact."""

import json
import time

import numpy as np
from numpy.typing import NDArray

from olmix.params import RegressionParams
from olmix.plan.planner import Plan
from olmix.regression.crossval import cross_validated
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND, RECIPE
from olmix.regression.table import read_table
from olmix.store import Store, write_atomically


def fit_laws(plan: Plan, params: RegressionParams, store: Store) -> str:
    """Fit one law per task on the plan's swarm and publish it; returns the law key.

    `law.json` names leaves by content digest (a renamed leaf keeps its law); `heldout.npz` holds out-of-fold
    predictions (K, n) with the run keys (K,) and tasks (n,).
    """
    key = plan.law
    if store.has(KIND, key):
        return key
    started = time.perf_counter()
    # Canonical order of runs, leaves and tasks: the same evidence gives the same bits.
    runs = sorted(plan.swarm, key=lambda run: run.key)
    table = read_table(plan, runs, store)
    contents = [leaf.content for leaf in plan.leaves]
    columns = sorted(range(len(contents)), key=lambda j: contents[j])
    P, Y = table.mixtures[:, columns], table.scores
    estimator = LogLinear(penalty=params.penalty, huber_delta=params.huber_delta)
    names = [table.leaves[j] for j in columns]
    law = estimator.fit(P, Y, domain_names=names)
    heldout = cross_validated(P, Y, estimator)
    with store.publish(KIND, key) as draft:
        document = law.to_json([contents[j] for j in columns], list(table.tasks))
        write_atomically(draft.path / "law.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        np.savez(draft.path / "heldout.npz", predictions=heldout, runs=[r.key for r in runs], tasks=list(table.tasks))
        draft.inputs = {
            "evaluations": sorted(run.evaluation for run in runs),
            "params": params.model_dump(mode="json"),
            "recipe": RECIPE,
        }
        draft.facts = {"penalties": dict(zip(table.tasks, law.penalty_.tolist(), strict=True))}
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def read_law(plan: Plan, store: Store) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients c (n,) and t (n, m), tasks and leaves in the order of the plan."""
    document = store.read_json(KIND, plan.law, "law.json")
    columns = [document["domains"].index(leaf.content) for leaf in plan.leaves]
    laws = [document["tasks"][task.name] for task in plan.tasks]
    return np.array([law["c"] for law in laws]), np.array([law["t"] for law in laws])[:, columns]
