"""What laws are fitted to: each task, or means of tasks; without the tasks that noise drowns, if so wished."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.plan.plan import PlannedTask

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """One law's score: a weighted mean of tasks."""

    name: str
    family: str
    weight: float
    """Share in the objective."""
    shares: dict[str, float]
    """Share of each task in the score, by name; they sum to 1."""


@dataclass(frozen=True)
class Targets:
    """The scores that laws are fitted to, and what was left out or counts less because of noise."""

    laws: tuple[Target, ...]
    signal_to_noise: dict[str, float]
    """Per task, standard deviation over the swarm / over seeds; empty where it was not asked for."""
    dropped: tuple[str, ...] = ()
    downweighted: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the laws."""
        return [law.name for law in self.laws]

    @property
    def weights(self) -> Floats:
        """Shares (l,) of the laws in the objective."""
        return np.array([law.weight for law in self.laws])

    def scores(self, scores: Floats, tasks: Sequence[str]) -> Floats:
        """Scores (K, l) of the laws from those of tasks (K, n), whose names are given."""
        return scores @ np.array([[law.shares.get(task, 0.0) for law in self.laws] for task in tasks])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Targets":
        """Targets written by `to_json`."""
        laws = tuple(Target(**law) for law in document["laws"])
        return cls(laws, document["signal_to_noise"], tuple(document["dropped"]), tuple(document["downweighted"]))


def choose_targets(
    tasks: Sequence[PlannedTask], params: RegressionParams, signal_to_noise: Mapping[str, float] | None = None
) -> Targets:
    """Targets of the granularity in force, from tasks whose signal-to-noise is given where a least one is demanded.

    A weak task is dropped, or its weight is multiplied by (ratio / least ratio)². Raises InputError if none is left.
    """
    ratios = dict(signal_to_noise or {})
    least = params.min_signal_to_noise
    weak = [task.name for task in tasks if ratios.get(task.name, math.inf) < least]
    factor = dict.fromkeys(weak, 0.0)
    if params.weak_tasks == "downweight":
        factor = {name: (ratios[name] / least) ** 2 for name in weak}
    weight = {task.name: task.weight * factor.get(task.name, 1.0) for task in tasks}
    kept = [task for task in tasks if weight[task.name] > 0]
    if not kept:
        best = max(ratios, key=lambda name: ratios[name])
        raise InputError(
            f"params.yaml: regression.min_signal_to_noise: {least:g} leaves no task; the highest ratio is "
            f"{ratios[best]:.3g} ({best}); lower it, or train the proxies longer"
        )
    groups: dict[str, list[PlannedTask]] = {}
    for task in kept:
        name = {"task": task.name, "family": task.family, "aggregate": "mean"}[params.granularity]
        groups.setdefault(name, []).append(task)
    total = sum(weight[task.name] for task in kept)
    laws = []
    for name, members in sorted(groups.items()):  # the order in which documents list laws
        share = sum(weight[task.name] for task in members)
        family = "all" if params.granularity == "aggregate" else members[0].family
        laws.append(Target(name, family, share / total, {task.name: weight[task.name] / share for task in members}))
    dropped = tuple(task.name for task in tasks if weight[task.name] == 0)
    return Targets(tuple(laws), ratios, dropped, tuple(name for name in weak if weight[name] > 0))


def signal_to_noise(swarm: Floats, repeats: Floats) -> Floats:
    """Spread of each task over mixtures against that over seeds (n,): standard deviations of swarm scores (K, n) and of
    repeats (S, n) of one mixture. Infinite where repeats agree; raises InputError below two repeats."""
    if len(repeats) < 2:
        raise InputError(f"{len(repeats)} repeats of one mixture: noise needs at least 2; raise validation.seeds")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.std(swarm, axis=0, ddof=1) / np.std(repeats, axis=0, ddof=1)
    return np.where(np.isnan(ratio), np.inf, ratio)
