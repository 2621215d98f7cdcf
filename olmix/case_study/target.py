"""Trains models on given mixtures: the target model on the final ones, proxies of several sizes on those of a swarm.

Each is `snakemake target` in a copy of the project that made the last step of the reference.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from olmix.case_study.spec import GAIN, WORK, CaseStudy, TargetTable
from olmix.case_study.step import Say, prepare, read_record, run_pipeline
from olmix.errors import WorkError
from olmix.plan.plan import PRIOR
from olmix.store import write_atomically

Floats = NDArray[np.float64]

_GIVEN = "given"
_PROPOSAL = "proposal"
_SCORE = "bpb/"


def make_target(study: CaseStudy, key: str, cores: int, say: Say) -> None:
    """Train and evaluate the runs of a table, in `case_study/work`. Raises WorkError if the pipeline fails."""
    table = study.target(key)
    step = study.last_steps[0]
    folder = study.root / WORK / "projects" / f"target-{table.name}"
    given = _final_mixtures(study) if table.name == GAIN else _swarm_mixtures(study)
    files = [f"{_GIVEN}/{name}.yaml" for name in given]
    run = table.run.model_copy(update={"mixtures": files})
    target = step.params.target.model_copy(update={"run": run})
    prepare(study, step, folder, step.params.model_copy(update={"target": target}), [_GIVEN])
    for file, weights in zip(files, given.values(), strict=True):
        write_atomically(folder / file, yaml.safe_dump({"weights": weights}))
    run_pipeline(folder, ["target"], cores, f"target, {table.name}")
    write_atomically(study.root / table.path, (folder / "results/target.csv").read_text(encoding="utf-8"))
    say(f"target, {table.name}: {len(given) + 2} mixtures, {run.seeds} seeds each")


def _final_mixtures(study: CaseStudy) -> dict[str, dict[str, float]]:
    """The last mixture of each strategy and seed but for the first, which is the project's own proposal."""
    return {final_name(s.strategy, s.seed): read_record(study, s).mixture.weights for s in study.last_steps[1:]}


def final_name(strategy: str, seed: int) -> str:
    """Name of a final mixture in the table of the target model."""
    return f"{strategy}-seed-{seed}"


def _swarm_mixtures(study: CaseStudy) -> dict[str, dict[str, float]]:
    """The first mixtures of the swarm of the reference's last stage, as they were trained."""
    step = study.last_steps[0]
    path = study.root / WORK / "projects" / f"{step.strategy}-{step.seed}" / "results/swarm.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["origin"] == "swarm"][: study.spec.fidelity.mixtures]
    prefix = "weight/"
    return {
        row["run"]: {name.removeprefix(prefix): float(row[name]) for name in row if name.startswith(prefix)}
        for row in rows
    }


@dataclass(frozen=True)
class Scores:
    """Scores of a model on mixtures, in bits per byte."""

    tasks: tuple[str, ...]
    of: Mapping[str, Floats]
    """(seeds, tasks) by name of the mixture."""


def read_target(study: CaseStudy, table: TargetTable) -> Scores:
    """The scores of a table; the reference's mixture of the first seed goes by its final name, natural by `prior`.

    Raises WorkError if the table has not been made.
    """
    path = study.root / table.path
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise WorkError(f"{path}: {error.strerror}; `snakemake case_study` makes it") from None
    columns = [name for name in rows[0] if name.startswith(_SCORE) and name != f"{_SCORE}mean"]
    step = study.last_steps[0]
    names = {_PROPOSAL: final_name(step.strategy, step.seed)} if table.name == GAIN else {}
    found: dict[str, list[list[float]]] = {}
    for row in rows:
        scores = [float(row[name]) for name in columns]
        if not all(map(math.isfinite, scores)):
            raise WorkError(f"{path}: {row['mixture']}: a score is not finite")
        found.setdefault(names.get(row["mixture"], row["mixture"]), []).append(scores)
    tasks = tuple(name.removeprefix(_SCORE) for name in columns)
    return Scores(tasks, {name: np.array(scores) for name, scores in found.items()})


def natural(scores: Scores) -> Floats:
    """Scores (seeds, tasks) on the natural mixture."""
    return scores.of[PRIOR]
