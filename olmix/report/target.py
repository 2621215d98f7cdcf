"""Collects and writes the runs of the target model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params, ProxyParams
from olmix.plan.plan import PRIOR, Plan
from olmix.plan.target import VIEW, Mixtures, TargetRuns, target_key
from olmix.proxy.ladder import Budget
from olmix.proxy.model import multiplied_parameters, resolve
from olmix.regression.table import read_scores
from olmix.report import format as show
from olmix.report.data import Target, Task, average
from olmix.report.gain import Gain
from olmix.report.stamp import publish_view
from olmix.report.swarm_table import table_of_runs
from olmix.report.tasks import read_targets
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

Floats = NDArray[np.float64]

PROPOSAL = "proposal"


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
                prior_predicted=average(task.prior_measured),
                proposal_predicted=average(task.proposal_measured),
                prior_measured=tuple(prior[:, i].tolist()),
                proposal_measured=tuple(proposal[:, i].tolist()),
            )
            for i, task in enumerate(tasks)
        ),
        others={name: scores.gain(name) for name in runs.mixtures if name != PRIOR},
    )


def write_target(plan: Plan, params: Params, given: Mixtures, store: Store, root: Path) -> list[str]:
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
    files = {
        "target.csv": table_of_runs(scores.rows, scores.tasks, rows, weights),
        "target.json": show.as_json(document),
    }
    publish_view(VIEW, target_key(plan.results_key, params, given), root, files)
    called = {name: "the proposal" if name == PROPOSAL else f"mixture {name}" for name in gains}
    return [f"At target size, {called[name]}{gain.verdict.removeprefix('proposal')}." for name, gain in gains.items()]
