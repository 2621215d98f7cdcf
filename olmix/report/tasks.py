"""Collects what the report says of tasks: their scores and noise, and the laws that are fitted to them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.evaluation.items import items_key, read_sizes
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params, RegressionParams
from olmix.plan.plan import PRIOR, Plan
from olmix.regression.fit import read_heldout, read_laws
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND as LAW
from olmix.regression.table import read_scores, read_table
from olmix.regression.targets import Targets, choose_targets
from olmix.report import format as show
from olmix.report.data import Task, spread
from olmix.report.laws import Laws, Noise, TaskNoise, Use
from olmix.report.repeats import Repeats
from olmix.solve.safety import PlanSafety
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TaskScores:
    """Scores of the suite's tasks, and the targets that laws are fitted to."""

    tasks: tuple[str, ...]
    targets: Targets
    swarm: Floats
    """(K, n) scores of the runs that the laws are fitted on."""
    prior: Floats
    """(S, n) scores of the prior, one per validation seed."""
    proposal: Floats
    """(S, n) scores of the proposal, paired by seed."""
    by_seed: tuple[Floats, ...] = ()
    """(S, n) scores of each mixture that was trained with several seeds: prior, proposal, and those repeated."""

    @classmethod
    def of(cls, plan: Plan, store: Store, repeats: Repeats | None = None) -> "TaskScores":
        """Scores of a finished plan."""
        tasks = tuple(task.name for task in plan.tasks)
        prior_of = {run.spec.seed: run.evaluation for run in plan.prior_runs}
        shape = (len(plan.validation), len(tasks))
        prior = np.reshape(
            [read_scores(EVALUATION, prior_of[run.seed], "scores.json", tasks, store) for run in plan.validation], shape
        )
        proposal = np.reshape(
            [read_scores(VALIDATION, run.key, "evaluation/scores.json", tasks, store) for run in plan.validation], shape
        )
        swarm = read_table(plan, plan.fitted, store).scores
        of_prior = {run.seed: scores for run, scores in zip(plan.validation, prior, strict=True)}
        others, seeds = [], repeats.seeds if repeats else ()
        for mixture, scores in zip(repeats.mixtures, repeats.scores, strict=True) if repeats else ():
            if mixture == PRIOR:
                of_prior |= dict(zip(seeds, scores, strict=True))
            else:
                others.append(scores)
        by_seed = (np.reshape(list(of_prior.values()), (-1, len(tasks))), proposal, *others)
        return cls(tasks, read_targets(plan, store), swarm, prior, proposal, by_seed)

    def of_targets(self, scores: Floats) -> Floats:
        """Scores (K, l) of the targets from those of the tasks (K, n)."""
        return self.targets.scores(scores, self.tasks)

    @property
    def mean_noise(self) -> float:
        """Standard deviation of the mean score over seeds."""
        return pooled_sd(*(self.of_targets(scores) @ self.targets.weights for scores in self.by_seed))


def read_targets(plan: Plan, store: Store) -> Targets:
    """What the laws are fitted to; without laws every task is a target."""
    return choose_targets(plan.tasks, RegressionParams()) if plan.law is None else read_laws(plan, store).targets


def collect_tasks(
    plan: Plan, params: Params, scores: TaskScores, weights: Floats, safety: PlanSafety | None, store: Store
) -> tuple[Task, ...]:
    """A task per law: where laws are fitted to means of tasks, these means."""
    items = read_sizes(store, items_key(plan.suite, params.tokenizer.digest))
    observed, prior, proposal = map(scores.of_targets, (scores.swarm, scores.prior, scores.proposal))
    laws = _Predictions.of(plan, weights, safety, store)
    by_seed = [scores.of_targets(group) for group in scores.by_seed]
    return tuple(
        Task(
            name=target.name,
            family=target.family,
            weight=target.weight,
            items=sum(items[task] for task in target.shares),
            observed=observed[:, i],
            heldout=laws.heldout[:, i],
            effect=laws.effect[i],
            prior_predicted=float(laws.at_prior[i]),
            proposal_predicted=float(laws.at_proposal[i]),
            prior_measured=tuple(prior[:, i].tolist()),
            proposal_measured=tuple(proposal[:, i].tolist()),
            noise_sd=pooled_sd(*(group[:, i] for group in by_seed)),
            c=float(laws.c[i]),
            penalty=float(laws.penalty[i]),
        )
        for i, target in enumerate(scores.targets.laws)
    )


@dataclass(frozen=True, eq=False)
class _Predictions:
    """What the laws say, per law; NaN where the plan has none."""

    c: Floats
    penalty: Floats
    effect: Floats
    at_prior: Floats
    at_proposal: Floats
    heldout: Floats

    @classmethod
    def of(cls, plan: Plan, weights: Floats, safety: PlanSafety | None, store: Store) -> "_Predictions":
        """Read the plan's laws. The natural prior has other ratios than the frozen ones, so that its prediction takes
        the laws of leaves within virtual domains, where they are known."""
        if plan.law is None:
            n = len(plan.tasks)
            nothing = np.full(n, math.nan)
            effect = np.full((n, len(plan.coordinates)), math.nan)
            return cls(nothing, nothing, effect, nothing, nothing, np.empty((0, n)))
        laws = read_laws(plan, store)
        n = len(laws.targets.laws)
        collapsed = np.array([coordinate.prior for coordinate in plan.coordinates])
        at_prior = laws.predict(collapsed[None])[0]
        if plan.virtual:
            natural = np.array([leaf.prior for leaf in plan.leaves])
            leaf_c, leaf_t = (safety and safety.leaf_law) or (np.full(n, math.nan), np.zeros((n, len(natural))))
            at_prior = leaf_c + np.exp(leaf_t @ natural)
        runs, heldout = read_heldout(plan, store)
        log_linear = isinstance(laws.family, LogLinear)
        return cls(
            c=laws.family.c_ if log_linear else np.full(n, math.nan),
            penalty=getattr(laws.family, "penalty_", np.full(n, math.nan)) if log_linear else np.full(n, math.nan),
            effect=laws.effects(collapsed),
            at_prior=at_prior,
            at_proposal=laws.predict(plan.space.collapse(weights)[None])[0],
            heldout=heldout[[runs.index(run.key) for run in plan.fitted]],
        )


def collect_laws(plan: Plan, params: RegressionParams, store: Store) -> Laws | None:
    """Of what kind the laws in force are; None for a mixture that is carried over."""
    if plan.law is None:
        return None
    facts = store.manifest(LAW, plan.law)["facts"]
    return Laws(facts.get("family", params.family), params.granularity, facts.get("errors", {}))


def collect_noise(plan: Plan, params: RegressionParams, scores: TaskScores) -> Noise:
    """Signal and noise of every task of the suite, and what became of those that noise drowns."""
    targets = scores.targets
    use: dict[str, Use] = dict.fromkeys(targets.dropped, "dropped")
    use |= dict.fromkeys(targets.downweighted, "downweighted")
    tasks = tuple(
        TaskNoise(
            name=task.name,
            family=task.family,
            swarm_sd=spread(scores.swarm[:, i]),
            seed_sd=pooled_sd(*(group[:, i] for group in scores.by_seed)),
            ratio_at_prior=targets.signal_to_noise.get(task.name, math.nan),
            use=use.get(task.name, "kept"),
        )
        for i, task in enumerate(plan.tasks)
    )
    return Noise(tasks, params.min_signal_to_noise if targets.signal_to_noise else 0.0)


def weak_task_notes(noise: Noise) -> list[str]:
    """Tasks that were dropped or count less, by name."""
    notes = []
    below = f"whose signal-to-noise ratio is below {noise.least_ratio:g} (regression.min_signal_to_noise)"
    if dropped := [task.name for task in noise.of("dropped")]:
        kept = len(noise.tasks) - len(dropped)
        notes.append(
            f"{show.counted(len(dropped), 'task')} {below} {'was' if len(dropped) == 1 else 'were'} dropped: "
            f"{', '.join(dropped)}. The mean is over the {show.counted(kept, 'task')} kept."
        )
    if weak := noise.of("downweighted"):
        listed = ", ".join(f"{task.name} (×{noise.share(task):.2g})" for task in weak)
        verb = "counts" if len(weak) == 1 else "count"
        notes.append(f"{show.counted(len(weak), 'task')} {below} {verb} less: {listed}.")
    return notes


def pooled_sd(*groups: Floats) -> float:
    """Standard deviation within groups of seeds, each around its own mean; NaN without a group of two."""
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group) > 1)
    freedom = sum(len(group) - 1 for group in groups if len(group) > 1)
    return math.sqrt(squares / freedom) if freedom else math.nan
