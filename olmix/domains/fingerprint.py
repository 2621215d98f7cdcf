"""Content digests of leaves: bytes of the files and reader options, nothing else.

A file's identity is the MD5 of its bytes, as in DVC, so that a file has the same identity whether it lies in the work
tree, is known to DVC but not pulled, or sits in an object store that reports MD5 (ETag). A stat cache makes
unchanged files cost one `stat`.
"""

import glob
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olmix.digest import digest, file_md5
from olmix.domains.schema import Format, LeafSpec, Reader, file_format
from olmix.errors import InputError
from olmix.store import write_atomically

CACHE = Path(".cache/olmix/files.json")


@dataclass(frozen=True)
class File:
    """One file of a leaf: where it is, its identity and its format."""

    path: str
    identity: str
    format: Format


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
    """MD5 of local files by path, size, mtime and inode. Reading never writes; `save` does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._entries: dict[str, list[Any]] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._entries = {}  # a cache: without it files are read again
        self._changed = False

    def identity(self, path: Path) -> str:
        """Identity of a local file, read only if it changed since it was last seen."""
        stat = path.stat()
        seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        entry = self._entries.get(str(path))
        if entry is None or entry[:3] != seen:
            entry = [*seen, f"md5:{file_md5(path)}"]
            self._entries[str(path)] = entry
            self._changed = True
        return str(entry[3])

    def save(self) -> None:
        """Write what was learnt; files that changed in the last moments are left out (their mtime may not tell)."""
        if self._changed:
            write_atomically(self.path, json.dumps(self._entries, indent=0, sort_keys=True) + "\n")
            self._changed = False


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
        here = "://" not in local
        matches = (_local(local, root, cache) or _tracked(local, root)) if here else _remote(local, where)
        if not matches:
            raise InputError(f"{where}: {pattern!r} matches no file")
        for path, identity in matches.items():
            found[path] = File(path, identity, file_format(reader, path, where))
    return tuple(sorted(found.values(), key=lambda file: (file.identity, file.format)))


def _local(pattern: str, root: Path, cache: StatCache) -> dict[str, str]:
    base = glob.escape(str(root))
    paths = (Path(match) for match in glob.iglob(os.path.join(base, pattern), recursive=True))  # noqa: PTH118,PTH207
    return {str(path): cache.identity(path) for path in paths if path.is_file()}


def _tracked(pattern: str, root: Path) -> dict[str, str]:
    """Files that DVC tracks but that are not in the work tree: identified by what DVC recorded."""
    if not (root / ".dvc").is_dir():
        return {}
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    try:
        fs = DVCFileSystem(str(root))
        matches = fs.glob(f"/{pattern}", detail=True)
        return {
            str(root / path.lstrip("/")): f"md5:{info['dvc_info']['md5']}"
            for path, info in matches.items()
            if info["type"] == "file" and info.get("dvc_info", {}).get("md5")
        }
    except DvcException as error:
        raise InputError(f"{pattern}: not in the work tree, and DVC cannot tell its digest: {error}") from None


def _remote(pattern: str, where: str) -> dict[str, str]:
    """Files behind an fsspec URL, identified by what the store says about them, without a download."""
    import fsspec

    try:
        fs, path = fsspec.url_to_fs(pattern)
        matches = fs.glob(path, detail=True) if glob.has_magic(path) else {path: fs.info(path)}
    except FileNotFoundError:
        return {}
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"{where}: {pattern}: {' '.join(str(error).split())}") from None
    files = {name: info for name, info in matches.items() if info["type"] == "file"}
    return {fs.unstrip_protocol(name): _remote_identity(fs, name, info) for name, info in files.items()}


def _remote_identity(fs: Any, name: str, info: dict[str, Any]) -> str:
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    if len(etag) == 32 and all(c in "0123456789abcdef" for c in etag):
        return f"md5:{etag}"  # S3 and compatible stores: the MD5 of a file uploaded in one part
    if blob := info.get("blob_id"):  # the Hugging Face hub: digest of the content in git
        return f"git:{blob}"
    if md5 := info.get("md5Hash") or info.get("content_settings", {}).get("content_md5"):
        return f"md5:{_hex(md5)}"
    if etag:
        return f"etag:{etag}"
    return f"{fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]}:{fs.checksum(name)}"


def _hex(md5: str | bytes) -> str:
    import base64

    return (md5 if isinstance(md5, bytes) else base64.b64decode(md5)).hex()
