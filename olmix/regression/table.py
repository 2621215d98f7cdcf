"""The swarm table: mixtures and scores of evaluated runs, joined by run key, never by position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.plan.planner import Plan, PlannedRun
from olmix.store import Store


@dataclass(frozen=True)
class SwarmTable:
    """Runs by leaves and by tasks.

    mixtures: (K, m) achieved shares of the trained tokens; scores: (K, n) bits per byte.
    """

    runs: tuple[str, ...]
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
    return SwarmTable(tuple(run.name for run in runs), tuple(names.values()), tasks, mixtures, scores)


def read_scores(kind: str, key: str, name: str, tasks: Sequence[str], store: Store) -> NDArray[np.float64]:
    """Bits per byte of tasks (n,) from a scores file of the store. Raises WorkError naming what is not a number."""
    found = store.read_json(kind, key, name)
    row = np.array([found[task]["bpb"] for task in tasks])
    if not np.isfinite(row).all():
        bad = [task for task, value in zip(tasks, row, strict=True) if not np.isfinite(value)]
        raise WorkError(f"{store.path(kind, key) / name}: score of {', '.join(bad)} is not a number")
    return row
