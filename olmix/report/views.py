"""Files in `results/`: a small view on the store for today's plan, with names in place of content digests.

A view has fixed names, so it says which plan it shows by a stamp file whose name holds the plan's key; a missing stamp
is what makes Snakemake write the view again.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from olmix.params import Params
from olmix.plan.plan import Plan
from olmix.regression.table import read_table
from olmix.report import format as show
from olmix.report.data import ReportData, correlation
from olmix.report.page import picture, render
from olmix.report.stamp import publish_view
from olmix.solve.document import mixture_document
from olmix.store import Store


def write_swarm_table(plan: Plan, store: Store, root: Path) -> None:
    """`results/swarm.csv`: a row per run with its origin, achieved weights, score per task and weighted mean."""
    table = read_table(plan, plan.runs, store)
    imported = [[run.mixture.get(leaf.content, 0.0) for leaf in plan.leaves] for run in plan.imports]
    imported_scores = [[run.scores[task] for task in table.tasks] for run in plan.imports]
    mixtures = np.vstack([table.mixtures, np.reshape(imported, (-1, len(plan.leaves)))])
    scores = np.vstack([table.scores, np.reshape(imported_scores, (-1, len(plan.tasks)))])
    counts = (len(plan.fitted_swarm), len(plan.evidence), len(plan.prior_runs), len(plan.imports))
    frame = pd.DataFrame(
        {
            "run": [*table.runs, *(run.name for run in plan.imports)],
            "key": [*table.keys, *(run.key for run in plan.imports)],
            "origin": np.repeat(["swarm", "earlier", "prior", "imported"], counts),
            "seed": pd.array([*(run.spec.seed for run in plan.runs), *(None for _ in plan.imports)], dtype="Int64"),
            **{f"weight/{leaf}": mixtures[:, j] for j, leaf in enumerate(table.leaves)},
            **{f"bpb/{task}": scores[:, i] for i, task in enumerate(table.tasks)},
            "bpb/mean": scores @ np.array([task.weight for task in plan.tasks]),
        }
    )
    publish_view("swarm", plan.results_key, root, {"swarm.csv": frame.to_csv(index=False)})


def write_mixture(plan: Plan, params: Params, store: Store, root: Path) -> None:
    """`results/mixture.yaml`: the proposed weights with prior, caps and epochs, and what they rest on."""
    document = mixture_document(plan, params, store)
    publish_view("mixture", plan.results_key, root, {"mixture.yaml": yaml.safe_dump(document, sort_keys=False)})


def write_report(data: ReportData, root: Path) -> None:
    """`results/report.html` and `results/mixture.svg` for people, `results/metrics.json` for `dvc metrics`."""
    files = {"report.html": render(data), "mixture.svg": picture(data), "metrics.json": show.as_json(metrics(data))}
    publish_view("report", data.plan_key, root, files)


def metrics(data: ReportData) -> dict[str, Any]:
    """The numbers worth comparing between experiments; NaN where one is unknown."""
    gain = data.headline
    values = {
        "prior_bpb": {"predicted": gain.prior_predicted, "measured": _mean(gain.prior_measured)},
        "proposal_bpb": {"predicted": gain.proposal_predicted, "measured": _mean(gain.proposal_measured)},
        "gain_percent": {
            "predicted": gain.predicted,
            "predicted_low": gain.predicted_low,
            "predicted_high": gain.predicted_high,
            "measured": gain.measured,
            "standard_error": gain.standard_error,
        },
        "noise": {"seed_sd": data.noise_sd, "swarm_sd": data.swarm_sd, "ratio": data.noise_ratio},
        "law": {
            "heldout_correlation": correlation(data.heldout_scores, data.scores),
            "heldout_error": data.heldout_error,
        },
        "tasks": {task.name: task.gain.measured for task in data.tasks},
    }
    if data.uncertainty:
        values["uncertainty"] = {"regret_bpb": data.uncertainty.regret}
    if data.repeats:
        low, high = data.repeats.interval
        values["repeats"] = {"seed_sd": data.repeats.sd, "seed_sd_low": low, "seed_sd_high": high}
    if data.target:
        at_target = data.at_target.headline
        values["target_gain_percent"] = {"measured": at_target.measured, "standard_error": at_target.standard_error}
    if data.reuse:
        values["reuse"] = {
            "recomputed_weight": data.reuse.recomputed_weight,
            "coupling": data.reuse.kappa,
            "gap_bpb": data.reuse.gap,
        }
    return values


def _mean(values: tuple[float, ...]) -> float:
    return float(np.mean(values)) if values else math.nan
