"""Accepted mixtures: `mixtures/NNNN-name.yaml`, the git-tracked history of the domain set, and the parent rule."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from olmix.digest import digest
from olmix.errors import InputError
from olmix.schema import Section, read_yaml

FOLDER = "mixtures"

_FILE = re.compile(r"([0-9]{4,})-([A-Za-z0-9][A-Za-z0-9_.+-]*)\.ya?ml")
_SUM = 1e-9
_MOST_TOKENS = 2**53


class AcceptedLeaf(Section):
    """A leaf of an accepted domain set."""

    content: str
    """Content digest; the leaf is recognised by it, whatever its name."""
    tokens: int = Field(ge=0)
    """N, available tokens."""
    prior: float = Field(ge=0, le=1)
    """Share of the prior."""
    cap: float = Field(ge=0, le=1)
    """Largest weight allowed, k N / R."""
    epochs: float = Field(ge=0)
    """Times that the target run reads the leaf."""
    files: str = ""
    """Short digests of its files, by which a later partition or merge is recognised."""


class Spent(Section):
    """Cost of a swarm. Seconds are core-seconds."""

    runs: int = Field(ge=0)
    """Proxy runs."""
    tokens: float = Field(ge=0)
    """Tokens trained on."""
    flops: float = Field(ge=0)
    """Floating-point operations, 0 where the trainer does not tell."""
    seconds: float = Field(ge=0)
    """Core-seconds of training."""


class Ledger(Section):
    """What a generation cost, and what full recomputation would have cost."""

    spent: Spent
    """Swarm runs that no earlier generation had paid for."""
    full_recomputation: Spent
    """c (m + 1) runs over all leaves at the mean cost of a run."""
    saved: Spent
    """The difference, at least 0."""


class AcceptedMixture(Section):
    """One file of `mixtures/`: a proposal that was adopted, and what it rests on. Written by `olmix accept`."""

    parent: str | None
    """Generation that this one was planned from; none for a full swarm."""
    accepted: str
    """When; for people, changes nothing."""
    plan: str
    """Key of the plan."""
    law: str | None
    """Key of the laws; none where the mixture was carried over."""
    proposal: str
    """Key of the proposal."""
    params: str
    """Digest of the params."""
    suite: str
    """Content digest of the suite."""
    target: dict[str, Any]
    """The target section of params.yaml."""
    objective: float | None
    """What the solver minimised."""
    gain_percent: dict[str, float] = {}
    """Predicted and measured gain over the prior."""
    strategy: str
    """Reuse strategy of the plan."""
    update: dict[str, list[str]]
    """What had happened to the domain set since the parent."""
    virtual: dict[str, dict[str, float]] = {}
    """Frozen ratios of each virtual domain."""
    weights: dict[str, float] = Field(min_length=1)
    """The mixture, a weight per leaf."""
    leaves: dict[str, AcceptedLeaf]
    """The domain set."""
    ledger: Ledger
    """Cost."""
    runs: str
    """Evidence as a CSV table: run key, seed, tokens per leaf content."""

    _name: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "AcceptedMixture":
        if set(self.weights) != set(self.leaves):
            odd = sorted(set(self.weights) ^ set(self.leaves))
            raise ValueError(f"weights and leaves name different leaves: {', '.join(odd)}")
        if bad := [name for name, weight in self.weights.items() if not 0 <= weight <= 1]:
            raise ValueError(f"weights.{bad[0]} is {self.weights[bad[0]]}; allowed: 0 to 1")
        if abs(sum(self.weights.values()) - 1) > _SUM:
            raise ValueError(f"weights sum to {sum(self.weights.values()):.12g}; allowed: 1")
        frozen = [name for ratios in self.virtual.values() for name in ratios]
        if len(set(frozen)) < len(frozen) or not set(frozen) <= set(self.leaves):
            raise ValueError("virtual: a leaf is frozen twice, or is no leaf of this domain set")
        for name, ratios in self.virtual.items():
            if abs(math.fsum(ratios.values()) - 1) > _SUM:
                raise ValueError(f"virtual.{name}: ratios sum to {math.fsum(ratios.values()):.12g}; allowed: 1")
        contents = [leaf.content for leaf in self.leaves.values()]
        if len(set(contents)) < len(contents):
            raise ValueError("leaves: two leaves have the same content digest")
        return self

    @property
    def name(self) -> str:
        """Name of the generation: the file's name without its suffix."""
        return self._name

    @cached_property
    def contents(self) -> frozenset[str]:
        """The domain set as content digests."""
        return frozenset(leaf.content for leaf in self.leaves.values())

    @cached_property
    def weight_of(self) -> dict[str, float]:
        """Weight by content digest."""
        return {leaf.content: self.weights[name] for name, leaf in self.leaves.items()}

    def evidence(self) -> list[tuple[str, int, dict[str, int]]]:
        """Swarm runs as (key, seed, tokens per leaf content). Raises InputError for a damaged table."""
        where = f"{FOLDER}/{self.name}.yaml: runs"
        rows = iter(line.split(",") for line in self.runs.splitlines())
        header = next(rows, None)
        if header is None or header[:2] != ["key", "seed"]:
            raise InputError(f"{where}: found the header {header}; it begins with key,seed")
        if twice := [content for i, content in enumerate(header) if content in header[:i]]:
            raise InputError(f"{where}: column {twice[0]!r} is given twice; allowed: once")
        found = []
        for number, row in enumerate(rows, start=1):
            try:
                counts = {leaf: int(n) for leaf, n in zip(header[2:], row[2:], strict=True) if n != "0"}
                seed = int(row[1])
            except (ValueError, IndexError):
                raise InputError(f"{where}: row {number}: found {row}; a key and whole numbers are allowed") from None
            if not counts or not all(0 < n < _MOST_TOKENS for n in counts.values()):
                raise InputError(
                    f"{where}: row {number}: found {row[2:]}; tokens of a leaf are at least 0, not all are 0"
                )
            found.append((row[0], seed, counts))
        return found

    @property
    def number(self) -> int:
        """Position in the history."""
        return int(self.name.split("-")[0])

    def identity(self) -> dict[str, str]:
        """What a plan that descends from this generation depends on, and what its report says of it."""
        return {"name": self.name, "document": digest(self.model_dump(mode="json", exclude={"accepted"}))}


def evidence_table(runs: Iterable[tuple[str, int, dict[str, int]]]) -> str:
    """The table that `AcceptedMixture.evidence` reads: runs sorted by key, contents sorted."""
    rows = sorted(runs)
    contents = sorted({content for _, _, counts in rows for content in counts})
    lines = [["key", "seed", *contents]]
    lines += [[key, str(seed), *(str(counts.get(content, 0)) for content in contents)] for key, seed, counts in rows]
    return "".join(",".join(line) + "\n" for line in lines)


def short_digest(identity: str) -> str:
    """A file's identity in a list of thousands."""
    return digest(identity)[:12]


def read_history(folder: Path) -> list[AcceptedMixture]:
    """All generations, oldest first. Raises InputError for a file that is no generation, and for an unknown parent."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; the folder of accepted mixtures is expected")
    history: list[AcceptedMixture] = []
    numbers: dict[int, str] = {}
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".yaml", ".yml") and not path.name.startswith("."):
            match = _FILE.fullmatch(path.name)
            if not match:
                raise InputError(f"{path}: an accepted mixture is named NNNN-name.yaml; `olmix accept` writes it")
            found.append((int(match[1]), path))
    for number, path in sorted(found):
        if number in numbers:
            raise InputError(f"{path}: number {number:04d} is taken by {numbers[number]}; renumber one of them")
        mixture = read_yaml(path, AcceptedMixture)
        mixture._name = path.stem
        if mixture.parent is not None and mixture.parent not in {earlier.name for earlier in history}:
            known = ", ".join(earlier.name for earlier in history) or "none, this is the first"
            raise InputError(f"{path}: parent: found {mixture.parent!r}; earlier generations: {known}")
        numbers[number] = path.name
        history.append(mixture)
    return history


def next_number(history: Sequence[AcceptedMixture]) -> int:
    """Number of the next generation."""
    return max((mixture.number for mixture in history), default=0) + 1


def lineage(history: Sequence[AcceptedMixture], contents: Iterable[str]) -> list[AcceptedMixture]:
    """Ancestors of today's plan, the parent first, for today's content digests.

    The parent is the newest generation whose domain set differs from today's; if today's domain set has itself been
    accepted, its recorded parent, so that accepting changes nothing.
    """
    by_name = {mixture.name: mixture for mixture in history}
    today = frozenset(contents)
    same = [mixture for mixture in history if mixture.contents == today]
    newest = history[-1].name if history else None
    parent = same[-1].parent if same else newest
    ancestors = []
    while parent is not None:
        ancestors.append(by_name[parent])
        parent = by_name[parent].parent
    return ancestors
