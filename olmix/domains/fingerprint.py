"""Content digests of leaves: bytes of the files and reader options, nothing else.

A file's identity is the MD5 of its bytes, as in DVC, so that a file has the same identity whether it lies in the work
tree, is known to DVC but not pulled, or lies behind a URL. A cache makes unchanged local files cost one `stat`, and
unchanged remote files a line of a listing.
"""

import errno
import glob
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from olmix.digest import digest, file_md5
from olmix.domains.remote import RemoteFile, find_remote, identify_remote, shown
from olmix.domains.schema import Format, LeafSpec, Reader, file_format
from olmix.errors import InputError, WorkError
from olmix.store import write_atomically

CACHE = Path(".cache/olmix/files.json")
_SETTLED = 2.0
"""Seconds after which another write gives a file another time on any file system."""


Seen = tuple[int, int, int, int]
"""Size, times of the last change of bytes and of anything, in ns, and inode: what tells an unchanged local file."""


@dataclass(frozen=True)
class File:
    """One file of a leaf: where it is, its identity and its format."""

    path: str
    identity: str
    format: Format
    remote: RemoteFile | None = None
    seen: Seen | None = None
    """How a local file looked when it was identified."""

    @contextmanager
    def local(self) -> Iterator[str]:
        """Path to read it from; of a remote file, that of a verified copy which goes away afterwards.

        Raises WorkError for a file that does not hold what it was identified by, at the latest when it has been read.
        """
        if self.remote is None:
            yield self.path
            if self.seen and looks(self.path) != self.seen:
                raise changed(self.path)
        else:
            with self.remote.fetched(self.identity) as copy:
                yield copy


@dataclass(frozen=True)
class Leaf:
    """A leaf with its content digest; `files` are sorted by identity, so that names and order never matter."""

    spec: LeafSpec
    files: tuple[File, ...]
    content: str

    @property
    def name(self) -> str:
        """The leaf's name."""
        return self.spec.name


class StatCache:
    """MD5 of files by what tells an unchanged one: how it looks, or what a server says of it. Only `save` writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = self._read()
        self._learnt: dict[str, list[Any]] = {}

    def identity(self, path: str) -> tuple[str, Seen] | None:
        """Identity of a local file and how it looks, None if it is none; read only if it changed since last seen.

        Raises WorkError for a file that changes meanwhile.
        """
        seen = looks(path)
        if seen is None:
            return None
        identity = self.recall(path, [*seen])
        if identity is None:
            identity = f"md5:{file_md5(Path(path))}"
            if looks(path) != seen:
                raise changed(path)
            self.learn(path, [*seen], identity)
            # It may change once more within a tick of its clock, or the clock went back.
            if time.time() - seen[1] / 1e9 < _SETTLED:
                del self._learnt[path]
        return identity, seen

    def recall(self, name: str, seen: list[Any]) -> str | None:
        """Identity of a file that still looks as it did when it was read; None if it has to be read."""
        entry = self._entries.get(name)
        return str(entry[-1]) if entry and entry[:-1] == seen else None

    def learn(self, name: str, seen: list[Any], identity: str) -> None:
        """Keep the identity of a file that has been read."""
        self._entries[name] = self._learnt[name] = [*seen, identity]

    def save(self) -> None:
        """Add what was learnt to the file."""
        if self._learnt:
            write_atomically(self.path, json.dumps(self._read() | self._learnt, indent=0, sort_keys=True) + "\n")
            self._learnt = {}

    def _read(self) -> dict[str, list[Any]]:
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}  # a cache: without it files are read again
        return entries if isinstance(entries, dict) else {}


def fingerprint(specs: Iterable[LeafSpec], root: Path, cache: StatCache) -> list[Leaf]:
    """Leaves with content digests, in the order given.

    Raises InputError for a missing file, a leaf without files, or two leaves with the same content.
    """
    leaves: list[Leaf] = []
    by_content: dict[str, str] = {}
    for spec in specs:
        files = identify(spec.files, spec.reader, root, cache, spec.where)
        content = digest({"files": [[f.identity, f.format] for f in files], "reader": _identity_of(spec, files)})
        if content in by_content:
            raise InputError(f"{spec.where}: {spec.name} holds exactly the content of {by_content[content]}")
        by_content[content] = spec.name
        leaves.append(Leaf(spec, files, content))
    return leaves


def _identity_of(spec: LeafSpec, files: tuple[File, ...]) -> dict[str, Any]:
    """Reader options that change the documents of these formats; others must not change the digest."""
    formats = {file.format for file in files}
    options: dict[str, Any] = {"filters": spec.reader.filters.model_dump()}
    if formats - {"text"}:
        options["text"] = spec.reader.text
    if "text" in formats:
        options["sample_by"] = spec.reader.sample_by
    return options


def identify(patterns: Iterable[str], reader: Reader, root: Path, cache: StatCache, where: str) -> tuple[File, ...]:
    """Files behind globs and URLs, sorted by identity. Raises InputError for a pattern without a file."""
    found: dict[str, File] = {}
    for pattern in patterns:
        local = pattern.removeprefix("file://")
        if "://" in local:
            matches = _remote(pattern, reader, cache, where)
        else:
            paths = _local(local, root, cache) or _tracked(local, root)
            matches = {
                path: File(path, identity, file_format(reader, path, where), seen=seen)
                for path, (identity, seen) in paths.items()
            }
        if not matches:
            raise InputError(f"{where}: '{shown(pattern)}' matches no file")
        found |= matches
    return tuple(sorted(found.values(), key=lambda file: (file.identity, file.format)))


def _remote(pattern: str, reader: Reader, cache: StatCache, where: str) -> dict[str, File]:
    files = find_remote(pattern, where)
    formats = [file_format(reader, file.url.removesuffix("?…"), where) for file in files]
    found = zip(files, identify_remote(files, cache), formats, strict=True)
    return {file.key: File(file.url, identity, format_, file) for file, identity, format_ in found}


def looks(path: str) -> Seen | None:
    """How a local file looks now; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  a hundred thousand Paths take a second
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def changed(path: str) -> WorkError:
    """What to say of a file that somebody writes to."""
    return WorkError(f"{path}: changed while it was read; once nothing writes to it, the same command again")


def _local(pattern: str, root: Path, cache: StatCache) -> dict[str, tuple[str, Seen | None]]:
    folder = "" if root == Path() else str(root)
    matches = glob.iglob(str(PurePath(pattern)), root_dir=folder or None, recursive=True)  # noqa: PTH207
    found = ((path, cache.identity(path)) for path in (os.path.join(folder, match) for match in matches))  # noqa: PTH118
    return {path: identity for path, identity in found if identity}


def _tracked(pattern: str, root: Path) -> dict[str, tuple[str, Seen | None]]:
    """Files that DVC tracks but that are not in the work tree: identified by what DVC recorded."""
    if not (root / ".dvc").is_dir():
        return {}
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    try:
        fs = DVCFileSystem(str(root))
        matches = fs.glob(f"/{pattern}", detail=True)
        return {
            str(root / path.lstrip("/")): (f"md5:{info['dvc_info']['md5']}", None)
            for path, info in matches.items()
            if info["type"] == "file" and info.get("dvc_info", {}).get("md5")
        }
    except DvcException as error:
        raise InputError(f"{pattern}: not in the work tree, and DVC cannot tell its digest: {error}") from None
