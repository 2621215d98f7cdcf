"""The view `results/swarm.csv`: every run that the results rest on, as a table."""

from pathlib import Path

import numpy as np
import pandas as pd

from olmix.plan.plan import Plan
from olmix.regression.table import read_table
from olmix.report.stamp import publish_view
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
