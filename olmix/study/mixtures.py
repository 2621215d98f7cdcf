"""Mixtures under other KL weights and repetition limits, from laws of half the runs, judged by a law of all runs.

The judge is a model too, fitted on runs that the laws have seen among others: what it says is no measurement.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.regression.auto import Auto
from olmix.regression.base import Array, Family
from olmix.regression.families import FAMILIES, make_family
from olmix.solve.active_set import settle
from olmix.solve.mirror import descend
from olmix.solve.problem import Problem
from olmix.solve.projection import flattest, project
from olmix.study.grid import hashed_order
from olmix.study.table import StudyTable

_STEPS, _TOLERANCE = 300, 1e-7  # of descents, where laws are not convex


@dataclass(frozen=True)
class Judged:
    """The mixture solved for by the laws of one half of the runs. Gains over the prior, in the unit of the scores."""

    kl: float
    repetition: float
    """Infinite: without caps."""
    half: int
    """Which half."""
    predicted: float
    """Gain that these laws promise; NaN if no mixture meets the caps, and so are the others."""
    judged: float
    """Gain by the law of all runs."""
    divergence: float
    """KL(mixture || prior) in nats."""
    binding: int
    """Domains at their cap."""


def fit_judge(table: StudyTable, regression: RegressionParams) -> Auto:
    """The law of all runs: the best family by cross-validation among those of `auto`."""
    return Auto(regression.penalty, regression.huber_delta).fit_fold(table.P, table.scores("task"))


def can_solve(family: str) -> bool:
    """Whether mixtures can be solved for from such laws by descent."""
    return FAMILIES[family].smooth


def judge_half(
    table: StudyTable,
    family: str,
    regression: RegressionParams,
    judge: Family,
    half: int,
    settings: Sequence[tuple[float, float]],
) -> list[Judged]:
    """Mixtures for settings (kl, repetition), from laws of a pseudo-random half of the runs."""
    rows = hashed_order(table.P, half)[: len(table.P) // 2]
    Y, weights = table.scores("task"), table.targets("task").weights
    law = make_family(family, regression.penalty, regression.huber_delta).fit_fold(table.P[rows], Y[rows])
    problem = Problem(law, weights, table.reference, np.ones(len(table.domains)), 0.0, table.domains)
    found = []
    near: dict[float, Array] = {}
    for kl, repetition in sorted(settings, key=lambda pair: (pair[1], -pair[0])):
        caps, lower = problem.caps, problem.lower
        if table.limits is not None:
            caps, lower = table.limits.caps(repetition), table.limits.lower
        asked = replace(problem, kl=kl, caps=caps, lower=lower)
        try:
            asked.check_feasible()
        except InputError:
            found.append(Judged(kl, repetition, half, math.nan, math.nan, math.nan, 0))
            continue
        p = _solve(asked, near.get(repetition))
        near[repetition] = p
        at_prior, at_p = (float(judge.predict(mixture[None])[0] @ weights) for mixture in (table.prior, p))
        found.append(
            Judged(
                kl=kl,
                repetition=repetition,
                half=half,
                predicted=asked.law(table.prior) - asked.law(p),
                judged=at_prior - at_p,
                divergence=asked.divergence(p),
                binding=int(((p >= asked.upper) & (asked.upper < 1) & ~asked.closed).sum()),
            )
        )
    return found


def _solve(problem: Problem, near: Array | None) -> Array:
    """The best end of descents from the prior, the flattest mixture and the optimum at a larger KL weight, polished.

    That is the optimum if the laws are convex; of others, a proposal tries many more starts.
    """
    starts = [project(problem.log_prior, problem.lower, problem.upper)]
    if not problem.convex:
        starts.append(flattest(problem.lower, problem.upper))
    if near is not None:
        starts.append(near)
    ends = [descend(problem, start, _STEPS, _TOLERANCE) for start in starts]
    return settle(problem, min(ends, key=problem.objective))
