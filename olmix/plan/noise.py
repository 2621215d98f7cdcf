"""Repeats of mixtures with other seeds, which measure the noise: made when asked for by name, no part of a plan."""

import numpy as np
from numpy.typing import NDArray

from olmix.digest import digest
from olmix.params import NoiseParams, Params
from olmix.plan.plan import PRIOR, Plan, PlannedRun
from olmix.plan.runs import Runs

Floats = NDArray[np.float64]

VIEW = "noise"
"""Name of its stamp."""


def noise_key(plan: str, params: NoiseParams) -> str:
    """Key of what the repeats show: the plan, whose key covers all runs, and what is repeated."""
    return digest({"plan": plan, "noise": params.model_dump(mode="json")})


def repeated_runs(plan: Plan, params: Params) -> dict[str, list[PlannedRun]]:
    """Name of each repeated mixture → its runs, one per seed: the prior and the most different ones of the swarm.

    Seeds of the prior are those of the proof, where there is one; the first seed of the others is a run of the swarm.
    """
    swarm = [*plan.swarm, *plan.evidence]
    leaves = [leaf.name for leaf in plan.leaves]
    prior = np.array([leaf.prior for leaf in plan.leaves])
    mixtures = np.array([[run.mixture.get(leaf, 0.0) for leaf in leaves] for run in swarm]).reshape(-1, len(leaves))
    chosen = [swarm[i] for i in most_different(mixtures, prior, params.noise.mixtures)]
    runs = Runs(plan.leaves, params, plan.suite, plan.vocabulary)
    repeated = {PRIOR: runs.plan(PRIOR, prior, params.proxy.seed)} | {run.name: run for run in chosen}
    seeds = range(params.proxy.seed, params.proxy.seed + params.noise.seeds)
    counts = {
        name: np.array([run.spec.counts.get(leaf.tokens_key, 0) for leaf in plan.leaves], float)
        for name, run in repeated.items()
    }
    return {name: [runs.repeat(f"{name}-seed-{s}", counts[name], s) for s in seeds] for name in repeated}


def most_different(mixtures: Floats, first: Floats, count: int) -> list[int]:
    """Rows of mixtures (K, m), each as far in total variation as any from `first` (m,) and from the rows before it."""
    chosen: list[int] = []
    distance = np.abs(mixtures - first).sum(axis=1)
    while len(chosen) < min(count, len(mixtures)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(mixtures - mixtures[chosen[-1]]).sum(axis=1))
        distance[chosen] = -1.0
    return chosen
