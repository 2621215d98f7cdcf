"""The tasks of a fit: which metrics count, how they are averaged, what is missing, and what each weighs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from olmix.errors import InputError
from olmix.interop.mmlu import group_subjects, is_subject
from olmix.interop.schema import Filtering, did_you_mean
from olmix.interop.tables import Table, listed
from olmix.regression.base import Array

MOST_MISSING = 0.1
"""A task that more than this share of the runs lacks is dropped; after that, a run that lacks a task is."""


@dataclass(frozen=True)
class Scores:
    """Scores of the runs that have all of them."""

    runs: list[str]
    tasks: list[str]
    values: Array
    """(K, n)"""
    weights: Array
    """(n,) in the objective, sum 1."""
    dropped_tasks: dict[str, str]
    """Tasks that are left out, with the reason."""
    dropped_runs: dict[str, str]
    notes: list[str]


@dataclass
class _Choice:
    """Tasks as weighted means of columns, and what is known about the others."""

    averages: dict[str, dict[str, float]]
    families: dict[str, list[str]]
    """Tasks of each family; none if all columns count."""
    dropped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def drop(self, tasks: Sequence[str], reason: str) -> None:
        """Leave tasks out."""
        for task in tasks:
            del self.averages[task]
            self.dropped[task] = reason
        self.families = {f: [task for task in names if task not in tasks] for f, names in self.families.items()}


def read_scores(
    table: Table,
    runs: Sequence[str],
    families: Mapping[str, Sequence[str]],
    filtering: Filtering,
    aggregate: bool,
    path: Path,
) -> Scores:
    """Scores of some runs, and the weights of the objective.

    families: metrics by family, none for all columns of the table; aggregate: one task per family, the weighted mean of
    its metrics; path: of the configuration, for messages. Raises InputError for cells that are no numbers, for unknown
    names in `obj_weights`, and if no task or no run is left.
    """
    choice = _choose_metrics(table, families, filtering.drop_metrics, path)
    absent = [name for names in families.values() for name in names if name not in table.columns]
    known = {*choice.averages, *choice.families, *absent}
    known |= {name for name in table.columns if not any(name in mean for mean in choice.averages.values())}
    _drop_named(table, choice, filtering.drop_metrics, aggregate, path)
    kept, values, dropped_runs = _drop_missing(table, runs, choice)
    tasks = sorted(choice.averages)
    _check_weighted(table, filtering.obj_weights, known, choice, aggregate, path)
    weights = np.array([filtering.obj_weights.get(task, 1.0) for task in tasks])
    if aggregate or choice.families.keys() & filtering.obj_weights.keys():
        # Weights of metrics count within their family, those of families between them.
        of = np.array([[task in names for task in tasks] for names in choice.families.values()])
        total = of @ weights
        if (total == 0).any():
            family = list(choice.families)[int(np.argmin(total))]
            raise InputError(
                f"{path}: filtering.obj_weights: all metrics of family {family} weigh 0; give the family 0 instead"
            )
        within = of * weights / total[:, None]
        between = np.array([filtering.obj_weights.get(family, 1.0) for family in choice.families])
        if aggregate:
            tasks, values, weights = list(choice.families), values @ within.T, between
        else:
            weights = between @ within
    if not weights.sum() > 0:
        raise InputError(f"{path}: filtering.obj_weights: found 0 for all; allowed: at least one above 0")
    return Scores(kept, tasks, values, weights / weights.sum(), choice.dropped, dropped_runs, choice.notes)


def _choose_metrics(table: Table, families: Mapping[str, Sequence[str]], dropped: Sequence[str], path: Path) -> _Choice:
    """All metrics that the configuration and the table have, MMLU subjects averaged into their groups."""
    members = {f: [name for name in names if name in table.columns] for f, names in families.items()}
    notes = []
    absent = [name for names in families.values() for name in names if name not in table.columns]
    if empty := [family for family, names in members.items() if not names]:
        first = families[empty[0]][0]
        raise InputError(
            f"{path}: eval.tasks: {table.path} has no column for any metric of family {empty[0]}, such as {first!r}"
            f"{did_you_mean(first, table.columns)}; allowed: {listed(table.columns)}"
        )
    if odd := [name for name in absent if name not in dropped]:
        notes.append(f"{path}: eval.tasks: {table.path} has no column for {listed(odd)}: they do not count")
    chosen = [name for names in members.values() for name in names] or list(table.columns)
    averages = {name: {name: 1.0} for name in chosen}
    for group, weights in group_subjects(chosen).items():
        homes = [family for family, names in members.items() if not weights.keys().isdisjoint(names)]
        if len(homes) > 1:
            notes.append(f"{table.path}: {group} is not averaged: eval.tasks has its subjects in {listed(homes)}")
            continue
        averages = {name: mean for name, mean in averages.items() if name not in weights} | {group: weights}
        for family in homes:
            members[family] = [name for name in members[family] if name not in weights] + [group]
    subjects = [name for name in averages if is_subject(name)]
    if subjects:
        notes.append(f"{table.path}: {len(subjects)} MMLU subjects are not averaged, each counts: {listed(subjects)}")
    return _Choice(averages, dict(sorted(members.items())), notes=notes)


def _drop_named(table: Table, choice: _Choice, names: Sequence[str], aggregate: bool, path: Path) -> None:
    """Leave out what `drop_metrics` names: tasks, or whole families where they are fitted."""
    unknown = []
    for name in dict.fromkeys(names):
        group = next((task for task, mean in choice.averages.items() if name in mean), None)
        if name in choice.averages:
            choice.drop([name], "filtering.drop_metrics")
        elif aggregate and name in choice.families:
            choice.drop(choice.families[name], f"filtering.drop_metrics: {name}")
        elif group:
            choice.notes.append(
                f"filtering.drop_metrics: {name} is averaged into {group}, which stays; drop {group} instead"
            )
        else:
            unknown.append(name)
    if unknown:
        guesses = [name + did_you_mean(name, table.columns).replace("; ", ", ") for name in unknown]
        choice.notes.append(f"filtering.drop_metrics: {table.path} has no column {listed(guesses)}")
    if not choice.averages:
        raise InputError(f"{path}: filtering.drop_metrics: found all metrics of {table.path}; allowed: all but one")
    choice.families = {family: members for family, members in choice.families.items() if members}


def _drop_missing(table: Table, runs: Sequence[str], choice: _Choice) -> tuple[list[str], Array, dict[str, str]]:
    """Runs that have all tasks, scores (K, n) by task name, and the runs that are left out; see MOST_MISSING."""
    tasks = sorted(choice.averages)
    try:
        columns = [
            table.numbers(runs, list(choice.averages[task])) @ [*choice.averages[task].values()] for task in tasks
        ]
    except InputError as error:
        raise InputError(f"{error}; a column that is no metric can be named in filtering.drop_metrics") from None
    values = np.column_stack(columns)
    missing = np.isnan(values)
    many = missing.mean(axis=0) > MOST_MISSING
    for task, count in zip(np.array(tasks)[many], missing.sum(axis=0)[many], strict=True):
        choice.drop([str(task)], f"missing in {count} of {len(runs)} runs, more than {MOST_MISSING:.0%}")
    if many.all():
        raise InputError(f"{table.path}: every metric is missing in more than {MOST_MISSING:.0%} of the runs")
    if empty := [family for family, members in choice.families.items() if not members]:
        raise InputError(
            f"{table.path}: every metric of family {empty[0]} is missing in more than {MOST_MISSING:.0%} of the runs"
        )
    lacking = missing & ~many
    dropped = {
        run: f"lacks {listed([task for task, lacks in zip(tasks, row, strict=True) if lacks], 3)}"
        for run, row in zip(runs, lacking, strict=True)
        if row.any()
    }
    if len(dropped) == len(runs):
        raise InputError(f"{table.path}: every run lacks a metric; drop metrics by filtering.drop_metrics")
    complete = ~lacking.any(axis=1)
    return [run for run in runs if run not in dropped], values[complete][:, ~many], dropped


def _check_weighted(
    table: Table, weights: Mapping[str, float], known: set[str], choice: _Choice, aggregate: bool, path: Path
) -> None:
    """Names in `obj_weights`: unknown ones are errors, dropped ones and those left out are noted."""
    for name in weights:
        if name not in known:
            group = next((task for task, mean in choice.averages.items() if name in mean), None)
            hint = f"; it is averaged into {group}, which can have a weight" if group else did_you_mean(name, known)
            raise InputError(
                f"{path}: filtering.obj_weights: found {name!r}, which is neither a metric of {table.path} nor a family"
                f"{hint}; allowed: {listed(sorted(known))}"
            )
    if not weights:
        return
    given = choice.families.keys() & weights.keys()
    units = sorted(choice.families) if given or aggregate else sorted(choice.averages)
    if gone := sorted(weights.keys() - choice.averages.keys() - choice.families.keys()):
        choice.notes.append(f"filtering.obj_weights: {listed(gone)} does not count, so that its weight has no effect")
    if rest := [unit for unit in units if unit not in weights]:
        what = "families" if given or aggregate else "metrics"
        choice.notes.append(
            f"filtering.obj_weights: {len(rest)} of {len(units)} {what} are not named and count 1: {listed(rest)}"
        )
