"""What `olmix plan`, `olmix status` and `olmix show` say, as values; the store is only looked at."""

import json
import os
from dataclasses import dataclass
from typing import Any

import yaml

from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.project import Project
from olmix.proxy.spec import KIND as PROXY
from olmix.solve.spec import VALIDATION_KIND as VALIDATION


@dataclass(frozen=True)
class Work:
    """Jobs of one kind: all that the plan asks for, and how many are in the store."""

    name: str
    total: int
    done: int


def summarise_plan(project: Project) -> dict[str, Any]:
    """The object that `olmix plan --json` prints."""
    plan = project.plan()
    cached = sum(project.store.has(PROXY, run.key) for run in plan.swarm)
    missing = [run for run in plan.runs if not project.store.has(PROXY, run.key)]
    proofs = [run for run in plan.validation if not project.store.has(VALIDATION, run.key)]
    budget = sum(plan.swarm[0].spec.counts.values())
    return {
        "update": plan.update,
        "strategy": plan.strategy,
        "virtual": {},
        "free": [leaf.name for leaf in plan.leaves],
        "runs": {"total": len(plan.swarm), "cached": cached, "to_run": len(plan.swarm) - cached},
        "validation_runs": len(plan.prior_runs) + len(plan.validation),
        "full_recomputation_runs": len(plan.swarm),
        "tokens_to_train": budget * (len(missing) + len(proofs)),
    }


def progress(project: Project) -> tuple[list[Work], float | None]:
    """Done and total jobs per phase, and the estimated seconds to the end of the training on this machine.

    The estimate is None before the first run has finished.
    """
    plan, store = project.plan(), project.store
    done = [run for run in plan.runs if store.has(PROXY, run.key)]
    proofs = sum(store.has(VALIDATION, run.key) for run in plan.validation)
    work = [
        Work("proxy runs", len(plan.runs), len(done)),
        Work("evaluations", len(plan.runs), sum(store.has(EVALUATION, run.evaluation) for run in plan.runs)),
        Work("proof runs", len(plan.validation), proofs),
    ]
    left = len(plan.runs) - len(done) + len(plan.validation) - proofs
    if not done:
        return work, 0.0 if left == 0 else None
    costs = [store.manifest(PROXY, run.key)["cost"] for run in done]
    core_seconds = sum(cost["seconds"] * cost["threads"] for cost in costs) / len(costs)
    return work, core_seconds * left / (os.cpu_count() or 1)


def read_results(project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    """`results/mixture.yaml` and `results/metrics.json`. Raises WorkError if they do not show today's plan."""
    folder = project.root / "results"
    try:
        mixture: dict[str, Any] = yaml.safe_load((folder / "mixture.yaml").read_text(encoding="utf-8"))
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkError(f"{error.filename}: not made yet; `snakemake --cores all` makes it") from None
    if mixture["plan"] != project.plan_key:
        raise WorkError(
            "results/mixture.yaml is not of today's domain set and params; `snakemake --cores all` brings it up to date"
        )
    return mixture, metrics
