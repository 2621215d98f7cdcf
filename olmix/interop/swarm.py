"""The swarm that a fit configuration describes: both tables joined by run id, filtered and split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from olmix.errors import InputError
from olmix.interop.domains import Domains, read_domains, select_domains
from olmix.interop.schema import Filtering, FitConfig, Regression
from olmix.interop.tables import Table, canonical_order, listed, mixtures, read_table
from olmix.interop.tasks import read_scores
from olmix.regression.base import Array

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Swarm:
    """Arrays in the order of `runs`, `domains.names` and `tasks`, which depends on their names alone."""

    runs: list[str]
    domains: Domains
    tasks: list[str]
    weights: Array
    """(n,) of the tasks in the objective, sum 1."""
    P: Array
    """(K, m) mixtures."""
    Y: Array
    """(K, n) scores."""
    train: Rows
    heldout: Rows
    """All rows that are not trained on."""
    dropped_runs: dict[str, str]
    dropped_tasks: dict[str, str]
    notes: list[str]
    files: dict[str, Path]
    """What was read."""


def read_swarm(config: FitConfig, path: Path) -> Swarm:
    """Read and check everything that a configuration at `path` names. Raises InputError for the first mistake."""
    filtering, regression = config.filtering, config.regression
    ratios = read_table(locate(path, "swarm.ratios", config.swarm.ratios))
    metrics = read_table(locate(path, "swarm.metrics", config.swarm.metrics))
    domains = read_domains(config, path, ratios)
    runs, dropped = _join(ratios, metrics)
    P, notes = mixtures(ratios, runs, domains.names)
    runs, domains, P, unfit = _select(filtering, path, runs, domains, P)
    families = config.eval.families if config.eval else {}
    scores = read_scores(metrics, runs, families, filtering, regression.aggregate_task_families, path)
    kept = [runs.index(run) for run in scores.runs]
    train, heldout = split(len(kept), regression, path)
    if len(train) < 3 * (len(domains.names) + 1):
        notes.append(
            f"{len(train)} training runs for {len(domains.names)} domains; 3 (m + 1) = {3 * (len(domains.names) + 1)} "
            "are advised"
        )
    return Swarm(
        runs=scores.runs,
        domains=domains,
        tasks=scores.tasks,
        weights=scores.weights,
        P=P[kept],
        Y=scores.values,
        train=train,
        heldout=heldout,
        dropped_runs=dropped | unfit | scores.dropped_runs,
        dropped_tasks=scores.dropped_tasks,
        notes=[*domains.notes, *notes, *scores.notes],
        files={"ratios": ratios.path, "metrics": metrics.path},
    )


def locate(config: Path, field: str, name: str) -> Path:
    """A file named in a configuration: beside it, or else in the working directory."""
    for path in (config.parent / name, Path(name)):
        if path.exists():
            return path
    places = [str(config.parent / name)] + ([name] if config.parent != Path() and not Path(name).is_absolute() else [])
    raise InputError(f"{config}: {field}: found {name!r}, which does not exist; looked for {' and '.join(places)}")


def split(runs: int, regression: Regression, path: Path) -> tuple[Rows, Rows]:
    """Rows to train on and held-out rows, as in the released code: `n_test` first, then `train_split` of what is left.

    Raises InputError for more rows than there are.
    """
    rows = np.arange(runs)
    if regression.n_test:
        if regression.n_test >= runs:
            raise InputError(f"{path}: regression.n_test: found {regression.n_test} for {runs} runs; allowed: fewer")
        rows, _ = train_test_split(rows, test_size=regression.n_test, random_state=regression.seed)
    size = regression.train_split
    if size > len(rows):
        raise InputError(
            f"{path}: regression.train_split: found {size:g} for {len(rows)} runs; "
            "allowed: at most that many, or a fraction"
        )
    if size not in (1, len(rows)):
        train_size = int(size) if size > 1 else size
        if int(size * len(rows)) < 1:
            raise InputError(f"{path}: regression.train_split: found {size:g} of {len(rows)} runs, which is none")
        rows, _ = train_test_split(rows, train_size=train_size, random_state=regression.seed)
    train = np.sort(rows)
    return train, np.setdiff1d(np.arange(runs), train)


def _join(ratios: Table, metrics: Table) -> tuple[list[str], dict[str, str]]:
    """Runs of both tables, in canonical order, and those of one with the reason why they are left out."""
    runs = [run for run in ratios.rows if run in metrics.rows]
    if not runs:
        first = [f"{next(iter(t.rows))!r} in column {t.id_column!r} of {t.path}" for t in (ratios, metrics)]
        raise InputError(f"the tables have no run in common: found {first[0]}, {first[1]}; allowed: the same run ids")
    dropped = {
        run: f"not in {other.path}"
        for table, other in ((ratios, metrics), (metrics, ratios))
        for run in table.rows
        if run not in other.rows
    }
    return canonical_order(ratios, runs), dropped


def _select(
    filtering: Filtering, path: Path, runs: Sequence[str], domains: Domains, P: Array
) -> tuple[list[str], Domains, Array, dict[str, str]]:
    """What `keep_sources` or `support_domains` leave: runs, domains, mixtures, and the runs left out."""
    field = "keep_sources" if filtering.keep_sources else "support_domains"
    chosen = filtering.keep_sources or filtering.support_domains
    if not chosen:
        return list(runs), domains, P, {}
    selected, places = select_domains(domains, f"{path}: filtering.{field}", chosen)
    inside = P[:, places]
    fits = np.abs(inside.sum(axis=1) - 1) <= 1e-9
    if filtering.keep_sources:
        fits &= (inside > 0).all(axis=1)
    kept = [run for run, fit in zip(runs, fits, strict=True) if fit]
    if not kept:
        mixed = "all of" if filtering.keep_sources else "only"
        raise InputError(
            f"{path}: filtering.{field}: found no run that mixes {mixed} {listed(chosen)} and nothing else; "
            "allowed: domains that some run mixes"
        )
    unfit = {run: f"filtering.{field}" for run, fit in zip(runs, fits, strict=True) if not fit}
    P = inside[fits]
    return kept, selected, P / P.sum(axis=1, keepdims=True), unfit
