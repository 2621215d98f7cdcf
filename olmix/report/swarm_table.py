"""Tables of runs with their scores: `results/swarm.csv`, and those of repeats and target runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from olmix.plan.plan import Plan
from olmix.regression.table import read_table
from olmix.report.stamp import publish_view
from olmix.store import Store

Floats = NDArray[np.float64]


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
            **_scores(table.tasks, scores, np.array([task.weight for task in plan.tasks])),
        }
    )
    publish_view("swarm", plan.results_key, root, {"swarm.csv": frame.to_csv(index=False)})


def table_of_runs(runs: Sequence[tuple[str, int, str]], tasks: Sequence[str], scores: Floats, weights: Floats) -> str:
    """A CSV row per run (mixture, seed, key), with its score per task, from (K, n), and their weighted mean."""
    frame = pd.DataFrame(runs, columns=["mixture", "seed", "key"])
    return frame.assign(**_scores(tasks, scores, weights)).to_csv(index=False)


def _scores(tasks: Sequence[str], scores: Floats, weights: Floats) -> dict[str, Floats]:
    """Columns of scores (K, n): one per task, and the mean by weights (n,)."""
    return {**{f"bpb/{task}": scores[:, i] for i, task in enumerate(tasks)}, "bpb/mean": scores @ weights}
