"""`olmix accept`: adopt the mixture in results/ as the next generation in mixtures/."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from olmix.digest import digest
from olmix.errors import InputError
from olmix.plan.history import FOLDER, AcceptedMixture, evidence_table, next_number, short_digest
from olmix.plan.ledger import make_ledger
from olmix.plan.plan import Plan
from olmix.project import Project
from olmix.proxy.spec import KIND as PROXY
from olmix.record import record_in_dvc
from olmix.schema import parse
from olmix.store import write_atomically
from olmix.summary import read_results

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_LONGEST_NAME = 60


def accept(project: Project, name: str | None, report: Callable[[str], None]) -> Path:
    """Write `mixtures/NNNN-name.yaml` for the mixture in results/; returns its path.

    By default the name says what the update was. Accepting a proposal twice in a row changes nothing. Raises
    InputError for a bad name, WorkError if results/ does not show today's plan.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise InputError(f"--name: found {name!r}; up to 100 letters, digits and _ . + - are allowed")
    mixture, metrics = read_results(project)
    plan = project.plan()
    newest = project.history[-1] if project.history else None
    if newest and (newest.plan, newest.proposal) == (plan.key, plan.proposal):
        report(f"olmix: already accepted as {FOLDER}/{newest.name}.yaml")
        return project.root / FOLDER / f"{newest.name}.yaml"
    document = _document(project, plan, mixture, metrics)
    again = newest is not None and newest.contents == {leaf.content for leaf in plan.leaves}
    stem = f"{next_number(project.history):04d}-{name or ('again' if again else _default_name(plan))}"
    parse(document, AcceptedMixture, f"{FOLDER}/{stem}.yaml")
    path = project.root / FOLDER / f"{stem}.yaml"
    write_atomically(path, yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1_000_000))
    report(f"olmix: accepted as {path.relative_to(project.root)}; commit it to git")
    if (project.root / "dvc.lock").is_file():  # the plan depends on mixtures/, and what was accepted is today's plan
        record_in_dvc(project.root, report)
    return path


def _document(project: Project, plan: Plan, mixture: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    """The file's content: results/mixture.yaml with parent, files, ledger and evidence."""
    files = {leaf.name: " ".join(sorted(short_digest(f.identity) for f in leaf.files)) for leaf in project.leaves}
    contents = {leaf.tokens_key: leaf.content for leaf in plan.leaves}
    costs = {run.key: project.store.manifest(PROXY, run.key)["cost"] for run in plan.fitted_swarm}
    ledger = make_ledger(costs, plan.full_runs, project.request.ancestors)
    runs = [(r.key, r.spec.seed, {contents[k]: n for k, n in r.spec.counts.items()}) for r in plan.fitted]
    kept = ("plan", "law", "proposal", "strategy", "update", "objective", "target", "virtual", "weights")
    return {
        "parent": plan.parent,
        "accepted": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **{field: mixture[field] for field in kept},
        "params": digest(project.params.model_dump(mode="json")),
        "suite": plan.suite,
        "gain_percent": metrics["gain_percent"],
        "leaves": {name: leaf | {"files": files[name]} for name, leaf in mixture["leaves"].items()},
        "ledger": ledger.model_dump(),
        "runs": evidence_table(runs),
    }


def _default_name(plan: Plan) -> str:
    """The update in a few words, such as add-medicine."""
    if plan.parent is None:
        return "initial"
    verbs = {"added": "add", "removed": "remove", "revised": "revise", "partitioned": "partition"}
    parts = []
    for operator, verb in verbs.items():
        names = plan.update[operator]
        if names:
            sources = sorted({name.split(":")[0] for name in names})
            parts.append("-".join([verb, *(names if len(names) == 1 else sources)]).replace(":", "-"))
    name = "-".join(parts)
    return name if len(name) <= _LONGEST_NAME else "-".join(verbs[o] for o in verbs if plan.update[o])


class _Dumper(yaml.SafeDumper):
    """Tables as literal blocks."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)
