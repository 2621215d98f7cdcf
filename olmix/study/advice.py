"""What the comparison recommends, in a few sentences with the numbers they rest on.

Differences are taken repeat by repeat: a setting is as good as another if its mean loss against it is at
most one standard error of that difference, or negligible.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from olmix.regression.base import Array
from olmix.study.grid import Fit, Grid, errors
from olmix.study.mixtures import Judged
from olmix.study.table import StudyTable

NEGLIGIBLE = 0.01
"""Differences of errors below this, in standard deviations of a task, and of gains below this share of the best one."""

_LISTED = 5

LAWS_PER = {"task": "one law per task", "family": "one law per family of tasks", "aggregate": "one law in all"}


@dataclass(frozen=True)
class Choice:
    """What is recommended of one kind, by a figure of which less is better, and how the alternatives do."""

    chosen: Any
    means: dict[Any, float]
    """Mean figure of every alternative, the best first."""
    standard_errors: dict[Any, float]
    as_good: tuple[Any, ...]
    """Alternatives that are as good as the best, the best first."""

    @property
    def best(self) -> Any:
        """The alternative with the least mean."""
        return next(iter(self.means))


@dataclass(frozen=True)
class Advice:
    """The recommendation."""

    family: Choice
    """At the largest number of runs, by the error averaged over tasks."""
    family_at_half: Choice
    """At half of it."""
    runs: Choice
    """For the best family: the smallest number from which on the error is as good as at the largest."""
    runs_by_family: dict[str, int]
    """The same for every family."""
    granularity: Choice
    """For the best family, by the error of the mean score."""
    kl: Choice | None
    """The largest weight as good as the best, by the judged gain; figures are negative gains."""
    kl_family: str | None
    """Family of the laws that mixtures were solved from."""


def advise(
    grid: Grid, fits: Sequence[Fit], judged: Sequence[Judged], kl_family: str | None, repetition: float
) -> Advice:
    """The recommendation; repetition: that under which KL weights are compared."""
    full = grid.runs[-1]

    def families(runs: int) -> Choice:
        return _choose({name: errors(fits, "error", name, runs) for name in grid.families})

    family = families(full)
    runs = {name: _enough(grid, fits, name) for name in grid.families}
    granularities = dict.fromkeys(fit.granularity for fit in fits)
    by_granularity = {g: errors(fits, "mean_error", family.chosen, full, g) for g in granularities}
    gains = gains_by(judged, "kl", lambda one: one.repetition == repetition)
    kl = _choose({value: -gain for value, gain in gains.items()}) if gains else None
    return Advice(
        family=family,
        family_at_half=families(grid.half),
        runs=runs[family.chosen],
        runs_by_family={name: choice.chosen for name, choice in runs.items()},
        granularity=_choose(by_granularity),
        kl=kl and replace(kl, chosen=max(kl.as_good)),
        kl_family=kl_family,
    )


def _enough(grid: Grid, fits: Sequence[Fit], family: str) -> Choice:
    """The smallest number of runs from which on the error of a family is as good as at the largest."""
    found = _choose({K: errors(fits, "error", family, K) for K in grid.runs}, best=grid.runs[-1])
    enough = grid.runs[-1]
    for K in reversed(grid.runs):
        if K not in found.as_good:
            break
        enough = K
    return replace(found, chosen=enough)


def gains_by(judged: Sequence[Judged], setting: str, chosen: Any, figure: str = "judged") -> dict[float, Array]:
    """A figure of every half by the value of a setting, of those that mixtures can meet."""
    found: dict[float, list[float]] = {}
    for one in judged:
        if chosen(one) and math.isfinite(one.judged):
            found.setdefault(getattr(one, setting), []).append(getattr(one, figure))
    return {value: np.array(figures) for value, figures in sorted(found.items())}


def standard_error(values: Array) -> float:
    """Of a mean."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def _choose(figures: Mapping[Any, Array], best: Any = None) -> Choice:
    """The alternative with the least mean figure, or the one given to compare with; figures of the same repeats."""
    means = {name: float(values.mean()) for name, values in figures.items()}
    ranked = sorted(means, key=lambda name: means[name])
    chosen = ranked[0] if best is None else best
    slack = NEGLIGIBLE * (abs(means[chosen]) if means[chosen] < 0 else 1.0)
    as_good = []
    for name in ranked:
        lost = figures[name] - figures[chosen]
        if np.isfinite(lost).all() and lost.mean() <= max(standard_error(lost), slack):
            as_good.append(name)
    errors_of = {name: standard_error(figures[name]) for name in ranked}
    return Choice(chosen, {name: means[name] for name in ranked}, errors_of, tuple(as_good))


def tells_anything(advice: Advice) -> bool:
    """Whether the best family predicts better than a constant."""
    return advice.family.means[advice.family.best] < 1 - NEGLIGIBLE


def sentences(advice: Advice, grid: Grid, fits: Sequence[Fit], table: StudyTable, judge: str) -> dict[str, str]:
    """The recommendation in words, by subject; judge: family of the laws that judge mixtures."""
    found = {
        "Family": _family(advice, grid),
        "Runs": _runs(advice, grid, table),
        "Granularity": _granularity(advice, grid, fits),
    }
    if advice.kl is not None:
        found["KL weight"] = _kl(advice, judge)
    return found


def _family(advice: Advice, grid: Grid) -> str:
    full, half = advice.family, advice.family_at_half
    runs = f"with {grid.runs[-1]} runs its laws miss them by {_figure(full)} standard deviations of a task"
    found = f"{full.chosen} predicts held-out runs best: {runs}{_others(full)}"
    tied = [name for name in full.as_good if name != full.chosen]
    if not tells_anything(advice):
        found += ". A constant does as well: these runs tell laws nothing about mixtures"
    elif tied:
        found += f"; {_listed(tied)} {'is' if len(tied) == 1 else 'are'} as good"
    if grid.half == grid.runs[-1]:
        return f"{found}."
    also = f"also {half.chosen}" if half.chosen == full.chosen else half.chosen
    return f"{found}. With {grid.half} runs it is {also}: {_figure(half)}{_others(half)}."


def _runs(advice: Advice, grid: Grid, table: StudyTable) -> str:
    choice, full, name = advice.runs, grid.runs[-1], advice.family.chosen
    at_full = choice.means[full]
    if len(grid.runs) == 1:
        return f"{full} runs are the fewest that laws can be fitted on; too few to tell how many suffice."
    if choice.chosen == full:
        before = grid.runs[-2]
        return (
            f"More runs would help: from {before} to {full} runs the error of {name} laws "
            f"still falls, from {choice.means[before]:.3f} to {at_full:.3f}."
        )
    c = choice.chosen / table.parameters
    return (
        f"{choice.chosen} runs suffice (c = {c:.2g} in K = c (m + 1)): with them the error of {name} laws is "
        f"{choice.means[choice.chosen]:.3f}, as good as {at_full:.3f} with {full}."
    )


def _granularity(advice: Advice, grid: Grid, fits: Sequence[Fit]) -> str:
    choice = advice.granularity
    if len(choice.means) == 1:
        return "There is one task, so there is one law."
    name, full = advice.family.chosen, grid.runs[-1]

    def figures(granularity: str) -> str:
        rank = float(np.median(errors(fits, "mean_spearman", name, full, granularity)))
        return f"{LAWS_PER[granularity]} {choice.means[granularity]:.3f} (rank correlation {rank:.2f})"

    tied = [LAWS_PER[granularity] for granularity in choice.as_good if granularity != choice.chosen]
    equal = f"; {_listed(tied)} {'is' if len(tied) == 1 else 'are'} as good" if tied else ""
    listed = ", ".join(figures(granularity) for granularity in choice.means)
    return f"{LAWS_PER[choice.chosen]} predicts the mean score best. Its error: {listed}{equal}."


def _kl(advice: Advice, judge: str) -> str:
    kl = advice.kl
    assert kl is not None
    found = (
        f"{kl.chosen:g} is the largest weight as good as the best: {judge} laws of all runs "
        f"see a gain over the prior of {-kl.means[kl.chosen]:.4f} in mixtures from {advice.kl_family} laws of half the "
        f"runs"
    )
    if kl.means[kl.best] >= 0:
        found = f"No weight promises a gain: {judge} laws of all runs see none in any mixture"
    elif kl.best != kl.chosen:
        found += f", and of {-kl.means[kl.best]:.4f} at weight {kl.best:g}"
    return f"{found}. That is a model's judgement, not a measurement."


def _figure(choice: Choice) -> str:
    return f"{choice.means[choice.chosen]:.3f} ± {choice.standard_errors[choice.chosen]:.3f}"


def _others(choice: Choice) -> str:
    """The next best, in brackets."""
    others = [name for name in choice.means if name != choice.chosen][:_LISTED]
    return f" ({', '.join(f'{name} {choice.means[name]:.3f}' for name in others)})" if others else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
