"""Which finished runs still hold: earlier generations' and imported ones that are mixtures of today's space."""

from collections.abc import Sequence

import numpy as np

from olmix.params import ProxyParams
from olmix.plan.history import AcceptedMixture
from olmix.plan.imports import Import
from olmix.plan.plan import PlannedImport, PlannedRun
from olmix.plan.runs import Runs
from olmix.plan.space import Space

_TOLERANCE = 1e-3  # imported mixtures are often rounded to three decimals


def earlier_runs(
    ancestors: Sequence[AcceptedMixture],
    contents: Sequence[str],
    space: Space,
    proxy: ProxyParams,
    runs: Runs,
) -> list[PlannedRun]:
    """Swarm runs of earlier generations that would have the same key today, newest generation first.

    contents: today's leaves (m,); runs: plans them anew. A run is left out if it
    trained on a leaf that is gone, if its settings, seed or budget are not today's (the laws would mix what cannot be
    compared), or if its mixture does not have the frozen ratios.
    """
    position = {content: j for j, content in enumerate(contents)}
    found: dict[str, PlannedRun] = {}
    for mixture in ancestors:
        for number, (key, seed, counts) in enumerate(mixture.evidence()):
            if key in found or not counts.keys() <= position.keys():
                continue
            row = np.zeros(len(contents))
            for content, n in counts.items():
                row[position[content]] = n
            if seed != proxy.seed or row.sum() != runs.tokens:
                continue
            run = runs.repeat(f"{mixture.name}/{number:03d}", row, seed)
            if run.key == key and space.contains(row, proxy.sequence_length):  # counts are whole sequences
                found[key] = run
    return list(found.values())


def imported_runs(
    imports: Sequence[Import], contents: Sequence[str], space: Space
) -> tuple[list[PlannedImport], list[tuple[str, str]]]:
    """Imported runs that are mixtures of today's space, and those that are not with the reason."""
    usable, unusable = [], [pair for imported in imports for pair in imported.unusable]
    for imported in imports:
        for run in imported.runs:
            weights = np.array([run.mixture.get(content, 0.0) for content in contents])
            if space.contains(weights, _TOLERANCE):
                usable.append(PlannedImport(name=run.name, key=run.key, mixture=run.mixture, scores=run.scores))
            else:
                unusable.append((run.name, "its mixture does not have the ratios that are frozen today"))
    return usable, unusable
