"""Reclaims what neither the accepted mixtures nor the present plan can reach."""

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from olmix.corpus.tokens import KIND as TOKENS
from olmix.corpus.tokens import tokens_key
from olmix.errors import WorkError
from olmix.evaluation.items import KIND as ITEMS
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import KIND as PLAN
from olmix.plan.plan import Plan, round_key
from olmix.project import Project
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.spec import KIND as LAW
from olmix.solve.spec import KIND as PROPOSAL
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store

Artefact = tuple[str, str]
"""Kind and key."""

AT_WORK = 3600.0
"""Seconds without a change after which something unfinished is left over: checkpoints are written every minute."""

_STAGED = re.compile(r"staged-([a-z]+)-([0-9a-f]+)")


@dataclass(frozen=True)
class Garbage:
    """Folders that nothing needs, with their sizes in bytes."""

    artefacts: dict[Path, int]
    unfinished: dict[Path, int]
    """What killed jobs left in `.partial`."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.artefacts.values()) + sum(self.unfinished.values())

    def lines(self) -> list[str]:
        """Number and size of what can go, by kind."""
        count = Counter(path.parent.name for path in self.artefacts)
        size: Counter[str] = Counter()
        for path, amount in self.artefacts.items():
            size[path.parent.name] += amount
        found = [f"{kind:12} {count[kind]:7,} {_megabytes(size[kind])}" for kind in sorted(count)]
        if self.unfinished:
            found.append(f"{'unfinished':12} {len(self.unfinished):7,} {_megabytes(sum(self.unfinished.values()))}")
        return found

    def remove(self) -> None:
        """Remove the folders, manifests first, so that no part of an artefact can be taken for one.

        Raises WorkError for one that cannot be removed.
        """
        for folder in (*self.artefacts, *self.unfinished):
            try:
                (folder / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(folder)
            except OSError as error:
                raise WorkError(f"{error.filename or folder}: cannot be removed: {error.strerror}") from None


def find_garbage(project: Project, others: Iterable[Project] = ()) -> Garbage:
    """What no project reaches; all are to share one store. Raises WorkError without a plan for today."""
    kept = {artefact for each in (project, *others) for artefact in reachable(each)}
    store = project.store
    artefacts = {
        store.path(kind, key): _size(store.path(kind, key))
        for kind, key in store.artefacts()
        if (kind, key) not in kept
    }
    keys = {key for _, key in kept}
    partial = (path for path in sorted((store.root / ".partial").glob("*")) if not _is_needed(path, kept, keys, store))
    return Garbage(artefacts, {path: _size(path) for path in partial})


def reachable(project: Project) -> Iterator[Artefact]:
    """Artefacts of today's plan, of what was asked for by name, and of all accepted mixtures."""
    plans = list(project.plans())
    if not plans:
        raise WorkError(
            f"{project.root}: no plan for today's domain set and params yet, so that what it needs is not known; "
            "`snakemake --cores all planned` makes it"
        )
    yield ITEMS, project.items_key
    yield from ((TOKENS, key) for key in project.tokens_keys)
    for plan in plans:
        yield from _of_plan(plan)
        yield from _of_plan(project.settled(plan))
    for _, runs in project.stages(iter(plans)):
        for run in runs:
            yield from ((PROXY, run.key), (EVALUATION, run.evaluation))
    if project.params.target.run:
        yield from ((VALIDATION, run.key) for run in project.target_runs(plans[-1]).proposal)
    for mixture in project.history:
        yield from _of_generation(mixture, project)


def _of_plan(plan: Plan) -> Iterator[Artefact]:
    yield PLAN, plan.key
    yield from ((TOKENS, leaf.tokens_key) for leaf in plan.leaves)
    for run in (*plan.swarm, *plan.evidence, *plan.prior_runs):
        yield from ((PROXY, run.key), (EVALUATION, run.evaluation))
    yield from ((EVALUATION, key) for key in plan.noise)
    if plan.law:
        yield LAW, plan.law
    yield PROPOSAL, plan.proposal
    yield from ((VALIDATION, run.key) for run in plan.validation)


def _of_generation(mixture: AcceptedMixture, project: Project) -> Iterator[Artefact]:
    """All that an accepted mixture rests on, by its plan where that is in the store."""
    store = project.store
    yield PROPOSAL, mixture.proposal
    if mixture.law:
        yield LAW, mixture.law
    digest = project.params.tokenizer.digest
    yield from ((TOKENS, tokens_key(leaf.content, digest)) for leaf in mixture.leaves.values())
    runs = {key for key, _, _ in mixture.evidence()}
    yield from ((PROXY, key) for key in runs)
    if store.has(PLAN, mixture.plan):
        plan = project.read_plan(mixture.plan)
        rounds = [key for n in range(1, plan.rounds) if store.has(PLAN, key := round_key(plan.key, n))]
        for each in (plan, *map(project.read_plan, rounds)):
            yield from _of_plan(each)
    else:
        evaluations = (key for kind, key in store.artefacts() if kind == EVALUATION)
        yield from (
            (EVALUATION, key) for key in evaluations if store.manifest(EVALUATION, key)["inputs"]["run"] in runs
        )


def _is_needed(path: Path, kept: set[Artefact], keys: set[str], store: Store) -> bool:
    """Whether something unfinished is at work, or worth going on from."""
    newest = max((each.lstat().st_mtime for each in (path, *path.rglob("*"))), default=0.0)
    if time.time() - newest < AT_WORK:
        return True
    if staged := _STAGED.fullmatch(path.name):
        return (staged[1], staged[2]) in kept and not store.has(staged[1], staged[2])
    return path.name in keys  # checkpoints of a run, and why it failed


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:10,.1f} MB"
