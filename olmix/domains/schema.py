"""Typed `domains/<source>.yaml`: one file per source, which has topics or is a single leaf itself."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from olmix.errors import InputError
from olmix.schema import Section, read_yaml

Format = Literal["jsonl", "parquet", "csv", "text"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
    ".txt": "text",
    ".md": "text",
}
_COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")

Files = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Filters(Section):
    """Which documents of a leaf are used."""

    min_chars: int = Field(1, ge=1)
    """Shorter documents are left out; empty ones always are."""
    max_chars: int | None = Field(None, ge=1)
    """Longer documents are left out."""
    drop_duplicates: bool = False
    """Keep only the first of documents with exactly the same text within the leaf."""

    @model_validator(mode="after")
    def _ordered(self) -> "Filters":
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ValueError(f"max_chars {self.max_chars} is below min_chars {self.min_chars}")
        return self


class Reader(Section):
    """How files become documents. Together with the files' bytes this is the identity of a leaf."""

    format: Format | None = None
    """jsonl, parquet, csv or text; by file name if left out. gz, zst, bz2 and xz are recognised."""
    text: str = "text"
    """Field or column that holds the document (not used for plain text)."""
    sample_by: Literal["document", "paragraph", "line"] = "document"
    """Plain text only: what one document is."""
    filters: Filters = Filters()


class Lineage(Section):
    """Where a leaf comes from, if its files do not tell. Only words of `olmix plan` depend on it."""

    partition_of: str = ""
    """Leaf of the last accepted domain set that this leaf is a part of."""
    merge_of: list[str] = []
    """Leaves of the last accepted domain set that this leaf joins."""


class Topic(Reader, Lineage):
    """A leaf below a source."""

    files: Files = Field(min_length=1)
    """Globs of local files, relative to the project folder, or fsspec URLs such as s3://bucket/*.parquet."""


class Source(Reader, Lineage):
    """One `domains/<source>.yaml`: `files` makes the source a single leaf, `topics` divides it."""

    description: str = ""
    """For people; changes nothing."""
    licence: str = ""
    """For people; changes nothing."""
    files: Files = []
    """As for a topic; excludes `topics`."""
    topics: dict[str, Topic] = {}
    """Leaves of this source. Reader fields and lineage of the source are their defaults."""

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: object) -> object:
        """Reader fields and lineage of the source apply to topics that do not set them."""
        if not isinstance(data, dict) or not isinstance(data.get("topics"), dict):
            return data
        inherited = [*Reader.model_fields, *Lineage.model_fields]
        shared = {name: data[name] for name in inherited if name in data}
        topics = {name: shared | topic if isinstance(topic, dict) else topic for name, topic in data["topics"].items()}
        return data | {"topics": topics}

    @model_validator(mode="after")
    def _files_or_topics(self) -> "Source":
        if bool(self.files) == bool(self.topics):
            raise ValueError("give either `files` (a single leaf) or `topics`, not both and not neither")
        if bad := [name for name in self.topics if not _NAME.fullmatch(name)]:
            raise ValueError(f"topic name {bad[0]!r} may hold letters, digits and _ . + - only")
        return self


@dataclass(frozen=True)
class LeafSpec:
    """A leaf as declared: named `source` or `source:topic`."""

    source: str
    topic: str | None
    reader: Reader
    files: tuple[str, ...]
    where: str
    """File and field that declare it, for messages."""
    lineage: Lineage = field(default_factory=Lineage)

    @property
    def name(self) -> str:
        """The leaf's name."""
        return self.source if self.topic is None else f"{self.source}:{self.topic}"


def read_domains(folder: Path) -> list[LeafSpec]:
    """All leaves declared in a folder, sorted by name. Raises InputError naming file and field."""
    if "\0" in str(folder) or not folder.is_dir():
        raise InputError(f"{folder}: no such folder; params.yaml: domains must name the folder of the domain set")
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml") and not p.name.startswith("."))
    if not paths:
        raise InputError(f"{folder}: holds no <source>.yaml; a domain set needs at least two leaves")
    leaves: list[LeafSpec] = []
    for path in paths:
        if not _NAME.fullmatch(path.stem):
            raise InputError(f"{path}: source name {path.stem!r} may hold letters, digits and _ . + - only")
        if any(leaf.source == path.stem for leaf in leaves):
            raise InputError(f"{path}: source {path.stem!r} is declared twice, as .yaml and as .yml")
        source = read_yaml(path, Source)
        if source.files:
            where = f"{path}: files"
            leaves.append(LeafSpec(path.stem, None, _reader(source), tuple(source.files), where, _lineage(source)))
        for name, topic in source.topics.items():
            where = f"{path}: topics.{name}.files"
            leaves.append(LeafSpec(path.stem, name, _reader(topic), tuple(topic.files), where, _lineage(topic)))
    return sorted(leaves, key=lambda leaf: leaf.name)


def compression_of(name: str) -> str:
    """The compression suffix of a file's name; empty if it has none."""
    return next((suffix for suffix in _COMPRESSIONS if name.lower().endswith(suffix)), "")


def file_format(reader: Reader, path: str, where: str) -> Format:
    """The format of a file, declared or by its name without a compression suffix."""
    if reader.format:
        return reader.format
    name = path.rsplit("/", 1)[-1].lower()
    name = name.removesuffix(compression_of(name))
    suffix = f".{name.rsplit('.', 1)[-1]}" if "." in name else ""
    if suffix not in _SUFFIXES:
        raise InputError(f"{where}: {path}: no known format for {suffix or name!r}; set `format` to one of {FORMATS}")
    return _SUFFIXES[suffix]


FORMATS = "jsonl, parquet, csv, text"


def _reader(section: Reader) -> Reader:
    return Reader(**{name: getattr(section, name) for name in Reader.model_fields})


def _lineage(section: Lineage) -> Lineage:
    return Lineage(partition_of=section.partition_of, merge_of=section.merge_of)
