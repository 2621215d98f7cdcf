"""Collects and writes the repeats over seeds."""

from itertools import takewhile
from pathlib import Path

import numpy as np

from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params
from olmix.plan.noise import VIEW, noise_key, repeated_runs
from olmix.plan.plan import Plan
from olmix.regression.table import read_scores, read_table
from olmix.report import format as show
from olmix.report.data import spread
from olmix.report.repeats import Repeats
from olmix.report.stamp import publish_view
from olmix.report.swarm_table import table_of_runs
from olmix.store import Store


def collect_repeats(plan: Plan, params: Params, store: Store) -> Repeats | None:
    """The repeats of a plan, with as many seeds as all of its mixtures have; None if those are fewer than two."""
    repeated = repeated_runs(plan, params)
    made = [list(takewhile(lambda run: store.has(EVALUATION, run.evaluation), runs)) for runs in repeated.values()]
    seeds = min(map(len, made))
    if seeds < 2:
        return None
    evaluations = [run.evaluation for runs in made for run in runs[:seeds]]
    tasks = tuple(task.name for task in plan.tasks)
    scores = [read_scores(EVALUATION, key, "scores.json", tasks, store) for key in evaluations]
    weights = np.array([task.weight for task in plan.tasks])
    swarm = read_table(plan, plan.fitted, store).scores
    return Repeats(
        mixtures=tuple(repeated),
        seeds=tuple(run.spec.seed for run in made[0][:seeds]),
        tasks=tasks,
        scores=np.reshape(scores, (len(repeated), -1, len(tasks))),
        weights=weights,
        swarm_sd=spread(swarm @ weights),
    )


def write_repeats(plan: Plan, params: Params, store: Store, root: Path) -> list[str]:
    """`results/noise.csv`, a row per run, and `results/noise.json`; returns what was found in words."""
    found = collect_repeats(plan, params, store)
    if found is None or len(found.seeds) < params.noise.seeds:
        raise WorkError("repeats are missing; `snakemake --cores all noise` makes them")
    runs = [(mixture, run.spec.seed, run.key) for mixture, runs in repeated_runs(plan, params).items() for run in runs]
    document = {
        "plan": plan.key,
        "seed_sd": found.sd,
        "seed_sd_interval": list(found.interval),
        "swarm_sd": found.swarm_sd,
        "ratio": found.ratio,
        "difference_sd": {"same_seed": found.same_seed_sd, "other_seed": found.other_seed_sd},
        "p_equal_noise": found.dependence,
        "mixtures": dict(zip(found.mixtures, found.sds.tolist(), strict=True)),
        "tasks": dict(zip(found.tasks, found.task_sds.tolist(), strict=True)),
        "sentences": found.sentences,
    }
    scores = found.scores.reshape(len(runs), -1)
    files = {
        "noise.csv": table_of_runs(runs, found.tasks, scores, found.weights),
        "noise.json": show.as_json(document),
    }
    publish_view(VIEW, noise_key(plan.results_key, params.noise), root, files)
    return found.sentences
