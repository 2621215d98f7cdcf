"""Task suites: families of tasks, each a file of (context, continuation) items. Independent of the domain set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from olmix.corpus.readers import read_rows, text_of
from olmix.digest import digest
from olmix.domains.fingerprint import File, StatCache, identify
from olmix.domains.schema import Files, Reader
from olmix.errors import InputError
from olmix.schema import Section, read_yaml

_LONGEST_NAME = 60


class Task(Section):
    """One task: items in any file that `datasets` reads."""

    files: Files = Field(min_length=1)
    """Globs of local files, relative to the project folder, or fsspec URLs such as hf://datasets/name/test.parquet."""
    format: Literal["jsonl", "parquet", "csv"] | None = None
    """jsonl, parquet or csv; by file name if left out."""
    context: str = "context"
    """Field with the text that the model is given; may be empty in single items."""
    continuation: str = "continuation"
    """Field with the text that is scored."""


class Family(Section):
    """Tasks that count together."""

    weight: float = Field(1.0, ge=0)
    """Weight of the family in the objective; its tasks share it equally."""
    tasks: dict[str, Task] = Field(min_length=1)
    """Tasks by name; names are unique in the whole suite."""


class SuiteFile(Section):
    """A suite file."""

    families: dict[str, Family] = Field(min_length=1)
    """Families by name."""


def _is_name(name: str) -> bool:
    """Whether a name can be that of a file and of a column."""
    plain = name.isprintable() and name == name.strip() and "/" not in name and not name.startswith(".")
    return plain and 0 < len(name) <= _LONGEST_NAME


@dataclass(frozen=True)
class Item:
    """One scored item."""

    context: str
    continuation: str


@dataclass(frozen=True)
class SuiteTask:
    """A task with the digest of its items' files and its share of the objective."""

    name: str
    family: str
    weight: float
    files: tuple[File, ...]
    task: Task
    where: str

    @property
    def content(self) -> str:
        """Digest of the items: files' bytes and the fields read."""
        fields = [self.task.context, self.task.continuation]
        return digest({"files": [[f.identity, f.format] for f in self.files], "fields": fields})


@dataclass(frozen=True)
class Suite:
    """All tasks, sorted by name; weights sum to 1."""

    tasks: tuple[SuiteTask, ...]

    @property
    def content(self) -> str:
        """Key of what is scored: weights and families are not part of it, they only matter after scoring."""
        return digest({task.name: task.content for task in self.tasks})


def read_suite(path: Path, root: Path, cache: StatCache) -> Suite:
    """Read a suite file and identify its items. Raises InputError naming file and field."""
    suite = read_yaml(path, SuiteFile)
    total = sum(family.weight for family in suite.families.values())
    if not total > 0:
        raise InputError(f"{path}: families: all weights are 0; at least one family must count")
    tasks: dict[str, SuiteTask] = {}
    for name in (*suite.families, *(task for family in suite.families.values() for task in family.tasks)):
        if not _is_name(name):
            raise InputError(
                f"{path}: families: found the name {name!r}; allowed: up to {_LONGEST_NAME} characters without /, not "
                "beginning with a dot, no line ends, no spaces around"
            )
    for family_name, family in suite.families.items():
        for name, task in family.tasks.items():
            where = f"{path}: families.{family_name}.tasks.{name}"
            if name in tasks:
                raise InputError(f"{where}: task {name!r} is also in family {tasks[name].family!r}")
            weight = family.weight / total / len(family.tasks)
            files = identify(task.files, Reader(format=task.format), root, cache, f"{where}.files")
            tasks[name] = SuiteTask(name, family_name, weight, files, task, where)
    return Suite(tuple(tasks[name] for name in sorted(tasks)))


def read_items(task: SuiteTask) -> list[Item]:
    """Items of a task. Raises InputError naming file, row and field."""
    items = []
    for file in task.files:
        for number, row in enumerate(read_rows(file), start=1):
            texts = {}
            for field in (task.task.context, task.task.continuation):
                texts[field] = text_of(row, field, f"{file.path}: row {number}")
            if not texts[task.task.continuation]:
                raise InputError(f"{file.path}: row {number}: field {task.task.continuation!r} is empty")
            items.append(Item(texts[task.task.context], texts[task.task.continuation]))
    if not items:
        raise InputError(f"{task.where}: {task.name} has no item")
    return items
