"""Signal and noise of a finished project against the number of evaluation items: `python -m benchmarks.noise [FOLDER]`.

Signal is the standard deviation of the weighted mean BPB over the swarm, noise that over seeds at one mixture (of prior
and proposal, pooled). Items are drawn at random, 20 times, from those that the runs were scored on.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from olmix.evaluation.items import read_tokens
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.project import Project
from olmix.solve.spec import VALIDATION_KIND as VALIDATION

Bits = dict[str, NDArray[np.float64]]
DRAWS = 20


def main() -> None:
    """Print a line per number of items."""
    project = Project.load(Path(sys.argv[1]) if sys.argv[1:] else Path())
    plan, store = project.plan(), project.store
    sizes = {name: task.sizes for name, task in read_tokens(store, project.items_key)[0].items()}
    weights = {task.name: task.weight for task in plan.tasks}

    def read(kind: str, key: str, name: str) -> Bits:
        with np.load(store.file(kind, key, name)) as stored:
            return dict(stored)

    swarm = [read(EVALUATION, run.evaluation, "bits.npz") for run in plan.fitted]
    prior = [read(EVALUATION, run.evaluation, "bits.npz") for run in plan.prior_runs]
    proposal = [read(VALIDATION, run.key, "evaluation/bits.npz") for run in plan.validation]
    rng = np.random.default_rng(0)

    def spread(runs: list[Bits], items: dict[str, NDArray[np.intp]]) -> float:
        means = [sum(w * run[t][items[t]].sum() / sizes[t][items[t]].sum() for t, w in weights.items()) for run in runs]
        return float(np.std(means, ddof=1))

    most = max(map(len, sizes.values()))
    print(f"{'items a task':>12} {'signal':>8} {'noise':>8} {'signal / noise':>15}")
    for count in [n for n in (10, 25, 50, 75, 100, 150) if n < most] + [most]:
        rows = []
        for _ in range(DRAWS if count < most else 1):
            items = {task: rng.permutation(len(size))[:count] for task, size in sizes.items()}
            noise = np.mean([spread(runs, items) ** 2 for runs in (prior, proposal)])
            rows.append((spread(swarm, items), noise))
        signal, variance = np.mean(rows, axis=0)
        print(f"{count:12} {signal:8.4f} {variance**0.5:8.4f} {signal / variance**0.5:15.1f}")


if __name__ == "__main__":
    main()
