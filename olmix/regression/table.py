"""The swarm table: mixtures and scores of evaluated runs, joined by run key, never by position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.plan.plan import Plan, PlannedRun
from olmix.store import Store


@dataclass(frozen=True)
class SwarmTable:
    """Runs by leaves and by tasks.

    mixtures: (K, m) achieved shares of the trained tokens; scores: (K, n) bits per byte.
    """

    keys: tuple[str, ...]
    """Run keys; of imported runs, keys of their own."""
    runs: tuple[str, ...]
    """Names of the runs."""
    leaves: tuple[str, ...]
    tasks: tuple[str, ...]
    mixtures: NDArray[np.float64]
    scores: NDArray[np.float64]


def read_table(plan: Plan, runs: Sequence[PlannedRun], store: Store) -> SwarmTable:
    """Table of planned runs, all of which have been evaluated; leaves and tasks in the order of the plan."""
    names = {leaf.tokens_key: leaf.name for leaf in plan.leaves}
    tasks = tuple(task.name for task in plan.tasks)
    mixtures = np.zeros((len(runs), len(plan.leaves)))
    scores = np.empty((len(runs), len(tasks)))
    columns = {leaf.tokens_key: j for j, leaf in enumerate(plan.leaves)}
    for i, run in enumerate(runs):
        total = sum(run.spec.counts.values())
        for key, count in run.spec.counts.items():
            mixtures[i, columns[key]] = count / total
        scores[i] = read_scores(EVALUATION, run.evaluation, "scores.json", tasks, store)
    keys = tuple(run.key for run in runs)
    return SwarmTable(keys, tuple(run.name for run in runs), tuple(names.values()), tasks, mixtures, scores)


def read_evidence(plan: Plan, store: Store) -> SwarmTable:
    """All that the laws are fitted on: the swarm, earlier runs and imported ones, in the order of their keys."""
    table = read_table(plan, plan.fitted, store)
    imported = np.array([[run.mixture.get(leaf.content, 0.0) for leaf in plan.leaves] for run in plan.imports])
    scores = np.array([[run.scores[task] for task in table.tasks] for run in plan.imports])
    keys = (*table.keys, *(run.key for run in plan.imports))
    runs = (*table.runs, *(run.name for run in plan.imports))
    order = sorted(range(len(keys)), key=lambda i: keys[i])
    return SwarmTable(
        keys=tuple(keys[i] for i in order),
        runs=tuple(runs[i] for i in order),
        leaves=table.leaves,
        tasks=table.tasks,
        mixtures=np.vstack([table.mixtures, imported.reshape(-1, len(plan.leaves))])[order],
        scores=np.vstack([table.scores, scores.reshape(-1, len(table.tasks))])[order],
    )


def read_scores(kind: str, key: str, name: str, tasks: Sequence[str], store: Store) -> NDArray[np.float64]:
    """Bits per byte of tasks (n,) from a scores file of the store. Raises WorkError naming what is not a number."""
    found = store.read_json(kind, key, name)
    row = np.array([found[task]["bpb"] for task in tasks])
    if not np.isfinite(row).all():
        bad = [task for task, value in zip(tasks, row, strict=True) if not np.isfinite(value)]
        raise WorkError(f"{store.path(kind, key) / name}: score of {', '.join(bad)} is not a number")
    return row
