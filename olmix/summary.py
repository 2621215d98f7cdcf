"""What `olmix plan`, `olmix status` and `olmix show` say, as values; the store is only looked at."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from olmix.corpus.tokens import KIND as TOKENS
from olmix.errors import WorkError
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.plan.history import Spent
from olmix.plan.ledger import mean_run, spending
from olmix.plan.plan import Plan
from olmix.project import Project
from olmix.proxy.ladder import Budget
from olmix.proxy.model import multiplied_parameters, resolve
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.spec import KIND as LAW
from olmix.report.stamp import stamp
from olmix.solve.document import mixture_document
from olmix.solve.spec import VALIDATION_KIND as VALIDATION


@dataclass(frozen=True)
class Work:
    """Jobs of one kind: all that the plan asks for, and how many are in the store."""

    name: str
    total: int
    done: int


def summarise_plan(project: Project) -> dict[str, Any]:
    """The object that `olmix plan --json` prints.

    While a leaf is not tokenised, the mixtures of the swarm are not known: `exact` is then false and all of its runs
    count as to run. `accepted` is the newest generation with today's domain set. Tokens and times include the proof;
    times are of training on all cores of this machine, null before any run has been timed.
    """
    request, store = project.request, project.store
    untokenised = [
        leaf.name for leaf, key in zip(project.leaves, project.tokens_keys, strict=True) if not store.has(TOKENS, key)
    ]
    plan = None if untokenised else project.latest_plan()
    if plan is None:
        total, cached = request.runs, 0
        missing = request.runs
        unproved = project.params.validation.seeds
        proofs = project.params.validation.seeds
        missing += unproved
        earlier, imported = 0, sum(len(i.runs) for i in request.imports)
        unusable = [list(pair) for i in request.imports for pair in i.unusable]
    else:
        counted = plan.fitted if plan.strategy == "swarm" else plan.swarm
        known = len(plan.imports) if plan.strategy == "swarm" else 0
        later = 0 if plan.round == plan.rounds else max(0, request.runs - request.runs_by(plan.round))
        total = len(counted) + known + later
        cached = sum(store.has(PROXY, run.key) for run in counted) + known
        missing = len({run.key for run in plan.runs if not store.has(PROXY, run.key)}) + later
        unproved = sum(not store.has(PROXY, run.key) for run in plan.prior_runs)
        proofs = sum(not store.has(VALIDATION, run.key) for run in plan.validation)
        earlier, imported = len(plan.evidence), len(plan.imports)
        unusable = [list(pair) for pair in plan.unusable]
    today = {leaf.content for leaf in project.leaves}
    accepted = [mixture.name for mixture in project.history if mixture.contents == today]
    run = mean_run(spending(_costs(project, plan)), request.ancestors)
    proxy, vocabulary = project.params.proxy, plan.vocabulary if plan else project.tokenizer().vocabulary
    budget = Budget.of(proxy, vocabulary)
    tokens = budget.tokens * (missing + proofs)
    full = budget.tokens * (request.full_runs + 2 * project.params.validation.seeds)
    return {
        "update": request.update.by_operator,
        "lineage": request.update.lineage,
        "parent": request.parent.name if request.parent else None,
        "accepted": accepted[-1] if accepted else None,
        "strategy": request.strategy,
        "virtual": {c.name: c.ratios for c in request.coordinates if c.virtual},
        "free": [c.name for c in request.coordinates if not c.virtual],
        "proxy": {
            "model": proxy.model if isinstance(proxy.model, str) else "of your own",
            "parameters": multiplied_parameters(resolve(proxy.model), vocabulary),
            **asdict(budget),
        },
        "runs": {"total": total, "cached": cached, "to_run": total - cached},
        "rounds": {
            "total": request.rounds,
            "planned": plan.round if plan else 0,
            "stopped": plan.stopped if plan else "",
        },
        "evidence": {"earlier": earlier, "imported": imported, "unusable": unusable},
        "validation_runs": 2 * project.params.validation.seeds,
        "validation_to_run": unproved + proofs,
        "full_recomputation_runs": request.full_runs,
        "tokens_to_train": tokens,
        "seconds_to_train": _seconds(tokens, run),
        "full_recomputation_tokens": full,
        "full_recomputation_seconds": _seconds(full, run),
        "untokenised": untokenised,
        "exact": plan is not None,
    }


def _costs(project: Project, plan: Plan | None) -> list[dict[str, Any]]:
    """Cost of the plan's runs that are done."""
    done = [run.key for run in plan.runs if project.store.has(PROXY, run.key)] if plan else []
    return [project.store.manifest(PROXY, key)["cost"] for key in done]


def _seconds(tokens: int, run: Spent) -> float | None:
    """Time of training on tokens, at the cost of a known run."""
    return round(tokens * run.seconds / run.tokens / (os.cpu_count() or 1), 1) if run.tokens else None


def progress(project: Project) -> tuple[list[Work], float | None]:
    """Done and total jobs per phase, and the estimated seconds to the end of the training on this machine.

    The estimate is None before any run has been timed.
    """
    plan, store = project.latest_plan(), project.store
    swarm = [run for run in plan.fitted if not store.has(PROXY, run.key)]
    scores = [run for run in plan.runs if not store.has(EVALUATION, run.evaluation)]
    prior = [run for run in plan.prior_runs if not store.has(PROXY, run.key)]
    proposal = [run for run in plan.validation if not store.has(VALIDATION, run.key)]
    proofs = len(plan.prior_runs) + len(plan.validation)
    work = [
        Work("swarm runs", len(plan.fitted), len(plan.fitted) - len(swarm)),
        Work("evaluations", len(plan.runs), len(plan.runs) - len(scores)),
        Work("proof runs", proofs, proofs - len(prior) - len(proposal)),
    ]
    left = len(swarm) + len(prior) + len(proposal)
    if left == 0:
        return work, 0.0
    run = mean_run(spending(_costs(project, plan)), project.request.ancestors)
    return work, _seconds(left * Budget.of(project.params.proxy, plan.vocabulary).tokens, run)


def read_results(project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    """`results/mixture.yaml`, and `results/metrics.json` with `laws`: what they are, and which tasks count less.

    Raises WorkError if they do not show today's plan, or are not what was written for it.
    """
    again = "`snakemake --cores all` brings it up to date"
    plan = project.plan()
    for view, name in (("mixture", "mixture.yaml"), ("report", "metrics.json")):
        if not (project.root / stamp(view, plan.results_key)).is_file():
            raise WorkError(f"results/{name} is not there for today's domain set and params; {again}")
    folder = project.root / "results"
    try:
        mixture = yaml.safe_load((folder / "mixture.yaml").read_text(encoding="utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        gain = {name: float(value) for name, value in metrics["gain_percent"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise WorkError(f"results/ is damaged ({' '.join(str(error).split())}); remove it, {again}") from None
    if mixture != mixture_document(plan, project.params, project.store):
        raise WorkError(f"results/mixture.yaml: is not the proposal of today's plan; remove it, {again}")
    return mixture, metrics | {"gain_percent": gain, "laws": _laws(project, plan), "failed": plan.failures}


def _laws(project: Project, plan: Plan) -> dict[str, Any]:
    """Family of the plan's laws, whether `auto` chose it, and the tasks that noise drowns; empty if not at hand."""
    if plan.law is None or not project.store.has(LAW, plan.law):
        return {}
    facts = project.store.manifest(LAW, plan.law)["facts"]
    targets = project.store.read_json(LAW, plan.law, "targets.json")
    asked = project.params.regression
    return {
        "family": facts["family"],
        "chosen": asked.family == "auto",
        "granularity": asked.granularity,
        "least_signal_to_noise": asked.min_signal_to_noise,
        "dropped": targets["dropped"],
        "downweighted": targets["downweighted"],
    }
