"""What a study leaves: a page, a table and a JSON document, as views of a project or in a folder of one's own."""

import csv
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from olmix.errors import InputError
from olmix.params import Params, RegressionParams, SolverParams, StudyParams, TargetParams
from olmix.plan.plan import Plan
from olmix.report.stamp import publish_view
from olmix.schema import parse
from olmix.store import Store, write_atomically
from olmix.study.advice import Choice
from olmix.study.page import render
from olmix.study.spec import VIEW, study_key
from olmix.study.study import Study, run_study
from olmix.study.table import read_plan_table, read_table_files

Say = Callable[[str], None]


def write_plan_study(plan: Plan, params: Params, store: Store, root: Path, threads: int, say: Say) -> list[str]:
    """The views results/study.html, results/study.csv and results/study.json of a plan whose laws are fitted.

    Returns the recommendation, in lines. Raises InputError for a plan without laws and for too few runs.
    """
    in_force = {
        "family": params.regression.family,
        "granularity": params.regression.granularity,
        "kl": params.solver.kl,
        "runs_per_parameter": params.swarm.runs_per_parameter,
    }
    table = read_plan_table(plan, params, store)
    name = root.resolve().name
    study = run_study(name, table, params.study, params.regression, params.solver.kl, threads, say, in_force)
    publish_view(VIEW, study_key(plan.results_key, params.study), root, files(study))
    return [*_lines(study), "Figures: results/study.html"]


def write_table_study(
    ratios: Path,
    metrics: Path,
    families_of_tasks: Path | None,
    tokens: Path | None,
    target_tokens: str | None,
    options: Mapping[str, Any],
    folder: Path,
    threads: int | None,
    say: Say,
) -> list[str]:
    """The same files in a folder, from tables (`read_table_files`); no project is needed.

    options: fields of StudyParams, None where the default holds; threads: None is all cores. Raises InputError for
    mistakes in the tables and options.
    """
    params = parse({name: value for name, value in options.items() if value is not None}, StudyParams, "olmix study")
    if target_tokens and not tokens:
        raise InputError("--target-tokens: caps need the tokens of the domains too; give them by --tokens")
    target = parse({"tokens": target_tokens}, TargetParams, "--target-tokens") if target_tokens else None
    table, notes = read_table_files(ratios, metrics, families_of_tasks, tokens, target)
    for note in notes:
        say(f"note: {note}")
    name = ratios.resolve().parent.name
    study = run_study(
        name, table, params, RegressionParams(), SolverParams().kl, threads or os.cpu_count() or 1, say, notes=notes
    )
    for file, text in files(study).items():
        try:
            write_atomically(folder / file, text)
        except OSError as error:
            raise InputError(f"--output-dir {folder}: cannot be written: {error.strerror}") from None
    return [*_lines(study), f"Figures: {folder / 'study.html'}"]


def _lines(study: Study) -> list[str]:
    return [f"{subject}: {sentence}" for subject, sentence in study.sentences.items()]


def files(study: Study) -> dict[str, str]:
    """The files of a study, name → text; the same for the same runs, whenever and wherever they are made."""
    return {
        "study.html": render(study),
        "study.csv": to_csv(study),
        "study.json": json.dumps(to_json(study), indent=1, allow_nan=False) + "\n",
    }


COLUMNS = (
    "family", "granularity", "runs", "runs_per_parameter", "repeat", "heldout",
    "error", "correlation", "mean_error", "mean_pearson", "mean_spearman",
)  # fmt: skip


def to_csv(study: Study) -> str:
    """A row per family, granularity, number of runs and repeat."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for fit in study.fits:
        values = {**vars(fit), "runs_per_parameter": fit.runs / study.table.parameters}
        writer.writerow([f"{value:.6g}" if isinstance(value := values[name], float) else value for name in COLUMNS])
    return stream.getvalue()


def to_json(study: Study) -> dict[str, Any]:
    """The recommendation, and the means that it rests on."""
    advice = study.advice
    return {
        "recommendation": {
            "family": advice.family.chosen,
            "family_at_half": advice.family_at_half.chosen,
            "runs": advice.runs.chosen,
            "granularity": advice.granularity.chosen,
            "kl": advice.kl.chosen if advice.kl else None,
            "sentences": study.sentences,
        },
        "in_force": study.in_force,
        "swarm": {
            "runs": len(study.table.P),
            "domains": len(study.table.domains),
            "tasks": len(study.table.tasks),
            "fitted_runs": list(study.grid.runs),
            "half": study.grid.half,
            "repeats": study.grid.repeats,
        },
        "family": _choice(advice.family),
        "family_at_half": _choice(advice.family_at_half),
        "runs": _choice(advice.runs) | {"by_family": advice.runs_by_family},
        "granularity": _choice(advice.granularity),
        "mixtures": {
            "laws": advice.kl_family,
            "judge": study.judge,
            "prior": study.table.prior_is,
            "solved": [{name: _number(value) for name, value in vars(one).items()} for one in study.judged],
        },
        "notes": list(study.notes),
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "chosen": choice.chosen,
        "mean": {str(name): _number(value) for name, value in choice.means.items()},
        "standard_error": {str(name): _number(value) for name, value in choice.standard_errors.items()},
        "as_good_as_the_best": list(choice.as_good),
    }


def _number(value: float) -> float | None:
    """Six digits; JSON knows neither infinity (no cap) nor NaN (no mixture)."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
