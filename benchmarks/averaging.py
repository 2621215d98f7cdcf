"""Signal and noise against the share of the last steps whose weights are averaged: `python -m benchmarks.averaging`.

The first mixtures of a project's swarm are trained with the same seeds each. Averaging changes no step of the training,
so one training gives the scores at all shares. Signal is the standard deviation over mixtures of the weighted mean BPB
(mean of the seeds), noise that over the seeds of a mixture, pooled. `gain` is the ratio of the two as a multiple of
that at share 0, with the middle 90 % when the seeds of each mixture are resampled. The tokens and items of the project
are taken from its store; scores of runs stay in OUTPUT, from where a second call goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from olmix.corpus.tokens import open_tokens
from olmix.evaluation.items import read_tokens, windows
from olmix.evaluation.score import score_windows
from olmix.process import keep_freed_memory
from olmix.project import Project
from olmix.proxy.averaging import TailAverage
from olmix.proxy.device import Device
from olmix.proxy.order import sequence_order
from olmix.proxy.spec import RunSpec
from olmix.proxy.train import _Run
from olmix.store import Store, write_atomically

SHARES = (0.0, 0.02, 0.05, 0.1, 0.25)
RESAMPLES = 2000
Floats = NDArray[np.float64]


def main() -> None:
    """Train what is missing and print a table per learning rate at the end of the cosine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--output", type=Path, default=Path("averaging"))
    parser.add_argument("--mixtures", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--final-learning-rates", type=float, nargs="+", default=[0.0, 0.1])
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    project = Project.load(arguments.folder)
    plan = project.latest_plan()
    weights = {task.name: task.weight for task in plan.tasks}
    specs = [run.spec for run in plan.swarm[: arguments.mixtures]]
    arguments.output.mkdir(parents=True, exist_ok=True)
    found: dict[float, list[list[Floats]]] = {rate: [] for rate in arguments.final_learning_rates}
    for seed in range(arguments.seeds):
        for rate, seeds in found.items():
            seeds.append([])
            for spec in specs:
                training = spec.training.model_copy(update={"final_learning_rate": rate})
                run = spec.model_copy(update={"seed": seed, "training": training})
                path = arguments.output / f"{run.key}.json"
                if not path.exists():
                    write_atomically(path, json.dumps(scores(run, weights, project.items_key, project.store)))
                by_share = json.loads(path.read_text())
                seeds[-1].append(np.array([by_share[str(share)] for share in SHARES]))
    for rate, seeds in found.items():
        print(f"\nfinal_learning_rate {rate}: {len(specs)} mixtures x {len(seeds)} seeds")
        show(np.array(seeds).transpose(2, 1, 0))


def scores(spec: RunSpec, weights: dict[str, float], items: str, store: Store) -> dict[str, float]:
    """Weighted mean BPB of a run by share of averaged steps."""
    keys, length = sorted(spec.counts), spec.training.sequence_length
    arrays = [open_tokens(store, key) for key in keys]
    sequences = [spec.counts[key] // length for key in keys]
    order = sequence_order(keys, sequences, [(len(array) - 1) // length for array in arrays], length, spec.seed)
    run = _Run(spec, arrays, order, Device.best(), compiled=False)
    parameters = dict(run.model.named_parameters())
    tails = {share: TailAverage(parameters, share, run.steps) for share in SHARES if share}
    while run.step < run.steps:
        run.advance()
        for tail in tails.values():
            tail.update(run.step)
    found = {"0.0": weighted_bpb(run.model, weights, items, store)}
    for share, tail in tails.items():
        tail.replace_weights()
        found[str(share)] = weighted_bpb(run.model, weights, items, store)
    return found


def weighted_bpb(model: Any, weights: dict[str, float], items: str, store: Store) -> float:
    """Weighted mean BPB of a model over the tasks."""
    tasks, end_of_text = read_tokens(store, items)
    bits = {
        name: score_windows(model, windows(tasks[name], end_of_text, model.sequence_length), Device.best()).sum()
        for name in weights
    }
    return float(sum(weight * bits[name] / tasks[name].sizes.sum() for name, weight in weights.items()))


def show(bpb: Floats) -> None:
    """Print a line per share; bpb: (shares, mixtures, seeds)."""
    signal, noise = signal_and_noise(bpb)
    ratio = signal / noise
    rng = np.random.default_rng(0)
    _, mixtures, seeds = bpb.shape
    gains = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(seeds, size=(mixtures, seeds))
        resampled, spread = signal_and_noise(np.take_along_axis(bpb, drawn[None], axis=2))
        gains.append((resampled / spread) / (resampled[0] / spread[0]))
    low, high = np.nanquantile(gains, (0.05, 0.95), axis=0)
    print(f"{'share':>6} {'mean BPB':>9} {'signal':>8} {'noise':>8} {'ratio':>7} {'gain':>6}")
    for i, share in enumerate(SHARES):
        figures = f"{bpb[i].mean():9.4f} {signal[i]:8.4f} {noise[i]:8.4f} {ratio[i]:7.1f} {ratio[i] / ratio[0]:6.2f}"
        print(f"{share:6} {figures}  ({low[i]:.2f} to {high[i]:.2f})")


def signal_and_noise(bpb: Floats) -> tuple[Floats, Floats]:
    """Standard deviations (shares,) between mixtures and, pooled, between seeds; bpb: (shares, mixtures, seeds)."""
    return bpb.mean(2).std(1, ddof=1), np.sqrt(bpb.var(2, ddof=1).mean(1))


if __name__ == "__main__":
    main()
