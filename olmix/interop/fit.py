"""`olmix fit`: from a fit configuration and its tables to laws and a mixture. Nothing is trained."""

import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.stats import pearsonr, spearmanr

from olmix.digest import file_sha256
from olmix.errors import InputError
from olmix.interop.domains import bounds
from olmix.interop.schema import FitConfig, read_fit_config
from olmix.interop.swarm import Swarm, read_swarm
from olmix.interop.tables import listed
from olmix.params import SolverParams
from olmix.regression.base import Array, Family, Mask, unidentified
from olmix.regression.families import FAMILIES, make_family
from olmix.regression.levenberg import huber
from olmix.solve.problem import Problem
from olmix.solve.solver import Method, solve
from olmix.store import provenance, write_atomically

HUBER_DELTA = 0.02
"""Threshold of the reported Huber loss, that of the log-linear law (method section 5)."""


def fit_swarm(config_path: Path, output: Path, say: Callable[[str], None]) -> str:
    """Fit the laws, solve for the mixture, and write law/law.json, mixture.json and fit.json to the output folder.

    Returns a line on what came out; notes go to `say`. Nothing is written before everything is done. Raises InputError
    for mistakes in the configuration and its tables.
    """
    started = time.perf_counter()
    config = read_fit_config(config_path, FAMILIES)
    swarm = read_swarm(config, config_path)
    names, proposes = swarm.domains.names, not config.proposer.fit_only
    if proposes:  # mistakes come out before the fit
        bounds(swarm.domains, config, config_path, held=np.zeros(len(names), dtype=bool))
    _check_scores(config, swarm)
    _check_output(output)
    notes: list[str] = []

    def note(lines: list[str]) -> None:
        for line in lines:
            notes.append(line)
            say(f"note: {line}")

    note([*swarm.notes, *_describe_dropped(swarm)])
    if proposes and config.proposer.kl_reg is None and _kl(config):
        note([f"proposer.kl_reg is not given: {_kl(config):g} is used"])
    say(f"fitting {len(swarm.tasks)} {config.regression.type} laws on {len(swarm.train)} runs, {len(names)} domains")
    fitted = _fit_laws(config, swarm)
    law = cast(Family, getattr(fitted, "best_", fitted))  # what `auto` chose
    if law is not fitted:
        shape = "" if law.convex else ", which are not convex: the proposer is what suits them"
        note([f"regression.type {fitted.name} chose {law.name} laws{shape}"])
    held = _held(config, swarm, law)
    note(_describe_held(config, swarm, held))
    mixture = _propose(config, config_path, swarm, law, held) if proposes else None
    record = {
        "tasks": _figures(swarm, law),
        "seconds": round(time.perf_counter() - started, 3),
        "regression": _settings(fitted, law),
        "runs": {"train": [swarm.runs[i] for i in swarm.train], "heldout": [swarm.runs[i] for i in swarm.heldout]},
        "objective_weights": dict(zip(swarm.tasks, swarm.weights.tolist(), strict=True)),
        "dropped_runs": dict(sorted(swarm.dropped_runs.items())),
        "dropped_tasks": dict(sorted(swarm.dropped_tasks.items())),
        "unidentified": [name for name, is_held in zip(names, held, strict=True) if is_held],
        "notes": notes,
        "config": config.model_dump(mode="json"),
        "inputs": {name: {"path": str(path), "sha256": file_sha256(path)} for name, path in swarm.files.items()},
        "provenance": provenance(),
    }
    _write(output / "law" / "law.json", law.to_json(names, swarm.tasks))
    if mixture:
        _write(output / "mixture.json", mixture)
    else:
        (output / "mixture.json").unlink(missing_ok=True)  # of an earlier fit
    _write(output / "fit.json", record)
    found = f"mixture.json: objective {mixture['objective']:.6g}" if mixture else "no mixture asked for"
    return f"{output}: {len(swarm.tasks)} laws on {len(swarm.train)} runs, {len(swarm.heldout)} held out; {found}"


def _fit_laws(config: FitConfig, swarm: Swarm) -> Family:
    """One law per task on the training runs, by the family that is asked for."""
    regression = config.regression
    law = make_family(regression.type, regression.penalty, HUBER_DELTA)
    try:
        return law.fit(swarm.P[swarm.train], swarm.Y[swarm.train], domain_names=swarm.domains.names)
    except InputError as error:
        raise InputError(f"{swarm.files['ratios']}: {error}") from None


def _check_scores(config: FitConfig, swarm: Swarm) -> None:
    """Log-linear laws are of scores that are not negative."""
    if config.regression.type == "log_linear" and (swarm.Y < 0).any():
        k, i = np.argwhere(swarm.Y < 0)[0]
        raise InputError(
            f"{swarm.files['metrics']}: run {swarm.runs[k]!r}, column {swarm.tasks[i]!r}: found {swarm.Y[k, i]:g}; "
            "allowed for log-linear laws: at least 0, such as bits per byte; drop the metric, add a constant to it, "
            "or choose another regression.type"
        )


def _held(config: FitConfig, swarm: Swarm, law: Family) -> Mask:
    """Domains (m,) whose effect the training runs leave open (trap 12); those of fixed weight need none.

    For laws without parameters of their own for a domain, these are the domains in no run.
    """
    P = swarm.P[swarm.train]
    free = np.array([name not in config.filtering.fixed_weight for name in swarm.domains.names])
    held = np.zeros(len(free), dtype=bool)
    if law.parametric:
        held[np.flatnonzero(free)[unidentified(P[:, free])]] = True
    return held | (free & (P.max(axis=0) <= 0))


def _propose(config: FitConfig, path: Path, swarm: Swarm, law: Family, held: Mask) -> dict[str, Any]:
    """The mixture with its certificate, and what the laws expect of it."""
    proposer, names = config.proposer, swarm.domains.names
    if _method(config) == "search":  # which proposes a run, whatever is known of its domains
        held = np.zeros_like(held)
    lower, caps = bounds(swarm.domains, config, path, held)
    prior = swarm.domains.reference
    if proposer.temperature is not None:  # simulation draws around the prior and has no KL penalty
        prior = prior**proposer.temperature
    problem = Problem(
        laws=law,
        task_weights=swarm.weights,
        prior=prior,
        caps=caps,
        kl=_kl(config),
        names=tuple(names),
        lower=lower,
        worst=proposer.make_worst_mix,
    )
    solution = solve(problem, _method(config), (swarm.P[swarm.train], swarm.Y[swarm.train]))
    certificate = solution.certificate.to_json()
    scores = law.predict(solution.weights[None])[0]
    return {
        "weights": dict(zip(names, solution.weights.tolist(), strict=True)),
        "objective": certificate["objective"],
        "tasks": {task: float(y) if math.isfinite(y) else None for task, y in zip(swarm.tasks, scores, strict=True)},
        "certificate": certificate,
    }


def _method(config: FitConfig) -> Method:
    """The solver: as asked for, but what suits the laws where their family is chosen by its error."""
    if config.regression.type == "search":
        return "search"
    if config.regression.type == "auto" and config.proposer.type == "exact":
        return "auto"
    return config.proposer.type


def _kl(config: FitConfig) -> float:
    """Weight of the KL penalty; as in the released code, simulation and search have none."""
    if _method(config) in ("simulation", "search"):
        return 0.0
    return SolverParams().kl if config.proposer.kl_reg is None else config.proposer.kl_reg


def _figures(swarm: Swarm, law: Family) -> dict[str, Any]:
    """Per task: the summed Huber loss on the training runs, and how well laws and scores agree on both parts."""
    train, heldout = swarm.train, swarm.heldout
    predicted = law.predict(swarm.P)
    return {
        task: {
            "huber": float(huber(found[train] - scores[train], HUBER_DELTA).sum()),
            "train": _agreement(found[train], scores[train]),
            "heldout": _agreement(found[heldout], scores[heldout]) if len(heldout) else None,
        }
        for task, found, scores in zip(swarm.tasks, predicted.T, swarm.Y.T, strict=True)
    }


def _agreement(predicted: Array, measured: Array) -> dict[str, float | None]:
    """Mean absolute error, and correlations; None where they are not defined."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of constant input
        enough = len(measured) > 1 and np.isfinite(predicted).all()
        figures = {
            "mae": float(np.abs(predicted - measured).mean()),
            "pearson": float(pearsonr(predicted, measured).statistic) if enough else math.nan,
            "spearman": float(spearmanr(predicted, measured).statistic) if enough else math.nan,
        }
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _settings(fitted: Family, law: Family) -> dict[str, Any]:
    """The family, what it was asked to do, and what it chose."""
    settings = {"family": fitted.name, "chosen": law.name, "params": fitted.get_params()}
    if hasattr(fitted, "errors_"):
        settings["crossvalidated_errors"] = fitted.errors_
    if (penalty := getattr(law, "penalty_", None)) is not None:
        settings["penalty"] = np.asarray(penalty).tolist()
    return settings


def _describe_dropped(swarm: Swarm) -> list[str]:
    """A line per reason for what was left out."""
    lines = []
    for what, dropped in {"metrics": swarm.dropped_tasks, "runs": swarm.dropped_runs}.items():
        for reason in dict.fromkeys(dropped.values()):
            names = [name for name, why in dropped.items() if why == reason]
            lines.append(f"{len(names)} {what} left out, {reason}: {listed(names)}")
    return lines


def _describe_held(config: FitConfig, swarm: Swarm, held: Mask) -> list[str]:
    """What the training runs do not tell, and what becomes of it."""
    P = swarm.P[swarm.train]
    unseen = held & (P.max(axis=0) <= 0)
    outcome = "" if config.proposer.fit_only or _method(config) == "search" else "; held at their prior shares"
    why = {
        "in no training run, so that their effect is unknown": unseen,
        "in fixed proportions in all training runs, so that their effects cannot be told apart": held & ~unseen,
    }
    return [
        f"{listed([name for name, hit in zip(swarm.domains.names, which, strict=True) if hit])}: {reason}{outcome}"
        for reason, which in why.items()
        if which.any()
    ]


def _check_output(folder: Path) -> None:
    """Fail before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output-dir {folder}: cannot be made: {error.strerror}; allowed: a folder") from None


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        write_atomically(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
