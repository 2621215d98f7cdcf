"""Collects and writes what was asked for by name: the repeats over seeds, and the runs of the target model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params, ProxyParams
from olmix.plan.asked import NOISE, PRIOR, PROPOSAL, TARGET, TargetRuns, noise_key, repeated_runs, target_key
from olmix.plan.plan import Plan
from olmix.proxy.ladder import Budget
from olmix.proxy.model import multiplied_parameters, resolve
from olmix.regression.table import read_scores, read_table
from olmix.report import format as show
from olmix.report.data import Target, Task, spread
from olmix.report.gain import Gain
from olmix.report.repeats import Repeats
from olmix.report.stamp import publish_view
from olmix.report.tasks import read_targets
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

Floats = NDArray[np.float64]
Given = Mapping[str, Mapping[str, float]]


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
    files = {
        "noise.csv": _table(runs, found.tasks, found.scores.reshape(len(runs), -1), found.weights),
        "noise.json": show.as_json(document),
    }
    publish_view(NOISE, noise_key(plan.results_key, params.noise), root, files)
    return found.sentences


class _TargetScores:
    """Scores (S, n) of the suite's tasks of each mixture that the target model was trained on, by name."""

    def __init__(self, plan: Plan, runs: TargetRuns, store: Store) -> None:
        tasks = [task.name for task in plan.tasks]
        self.rows = [(name, run.spec.seed, run.key) for name, of in runs.mixtures.items() for run in of]
        self.rows += [(PROPOSAL, run.seed, run.key) for run in runs.proposal]
        self.of = {
            name: np.array([read_scores(EVALUATION, run.evaluation, "scores.json", tasks, store) for run in of])
            for name, of in runs.mixtures.items()
        }
        self.of[PROPOSAL] = np.array(
            [read_scores(VALIDATION, run.key, "evaluation/scores.json", tasks, store) for run in runs.proposal]
        )
        self.targets = read_targets(plan, store)
        self.tasks = tuple(tasks)

    def of_targets(self, name: str) -> Floats:
        """Scores (S, l) of the targets of laws."""
        return self.targets.scores(self.of[name], self.tasks)

    def gain(self, name: str) -> Gain:
        """Measured gain of a mixture over the prior in the mean."""
        prior, other = ((self.of_targets(each) @ self.targets.weights).tolist() for each in (PRIOR, name))
        return Gain(np.nan, np.nan, tuple(prior), tuple(other))


def collect_target(
    plan: Plan, proxy: ProxyParams, runs: TargetRuns, tasks: Sequence[Task], store: Store
) -> Target | None:
    """What the target model says; None if some of its runs have not been made.

    tasks: those of the report, as measured at proxy size.
    """
    made = all(store.has(EVALUATION, run.evaluation) for run in runs.runs)
    if not made or not all(store.has(VALIDATION, run.key) for run in runs.proposal):
        return None
    scores = _TargetScores(plan, runs, store)
    prior, proposal = scores.of_targets(PRIOR), scores.of_targets(PROPOSAL)
    size = runs.params.proxy
    return Target(
        parameters=multiplied_parameters(resolve(size.model), plan.vocabulary),
        proxy_parameters=multiplied_parameters(resolve(proxy.model), plan.vocabulary),
        tokens=Budget.of(size, plan.vocabulary).tokens,
        proxy_tokens=Budget.of(proxy, plan.vocabulary).tokens,
        tasks=tuple(
            replace(
                task,
                prior_predicted=_mean(task.prior_measured),
                proposal_predicted=_mean(task.proposal_measured),
                prior_measured=tuple(prior[:, i].tolist()),
                proposal_measured=tuple(proposal[:, i].tolist()),
            )
            for i, task in enumerate(tasks)
        ),
        others={name: scores.gain(name) for name in runs.mixtures if name != PRIOR},
    )


def write_target(plan: Plan, params: Params, given: Given, store: Store, root: Path) -> list[str]:
    """`results/target.csv`, a row per run, and `results/target.json`; returns what was found in words."""
    runs = TargetRuns.of(plan, params, given)
    scores = _TargetScores(plan, runs, store)
    weights = np.array([task.weight for task in plan.tasks])
    gains = {name: scores.gain(name) for name in scores.of if name != PRIOR}
    mean = {name: (scores.of_targets(name) @ scores.targets.weights).tolist() for name in scores.of}
    document: dict[str, Any] = {
        "plan": plan.key,
        "parameters": multiplied_parameters(resolve(runs.params.proxy.model), plan.vocabulary),
        "tokens": Budget.of(runs.params.proxy, plan.vocabulary).tokens,
        "bpb": mean,
        "gain_percent": {
            name: {"measured": gain.measured, "standard_error": gain.standard_error} for name, gain in gains.items()
        },
    }
    rows = np.vstack([scores.of[name] for name in (*runs.mixtures, PROPOSAL)])
    files = {"target.csv": _table(scores.rows, scores.tasks, rows, weights), "target.json": show.as_json(document)}
    publish_view(TARGET, target_key(plan.results_key, params, given), root, files)
    called = {name: "the proposal" if name == PROPOSAL else f"mixture {name}" for name in gains}
    return [f"At target size, {called[name]}{gain.verdict.removeprefix('proposal')}." for name, gain in gains.items()]


def _table(rows: Sequence[tuple[str, int, str]], tasks: Sequence[str], scores: Floats, weights: Floats) -> str:
    """A row per run: mixture, seed, key, score per task (K, n) and weighted mean."""
    frame = pd.DataFrame(rows, columns=["mixture", "seed", "key"])
    for i, task in enumerate(tasks):
        frame[f"bpb/{task}"] = scores[:, i]
    frame["bpb/mean"] = scores @ weights
    return frame.to_csv(index=False)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else np.nan
