"""The content-addressed store: `store/<kind>/<key>/manifest.json` + payload, immutable once there.

A job writes into a private folder below `store/.partial/` and publishes it by one rename, manifest written last.
Half-written artefacts are never visible, and two writers of one key cannot hurt each other: the first rename wins.
"""

import fcntl
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from olmix.digest import digest, file_sha256
from olmix.errors import WorkError

STORE = "store"
MANIFEST = "manifest.json"
_SYSTEM_ERROR = re.compile(r"I/O error: .*\(os error (\d+)\)")  # how safetensors says it
_FIELDS = {"kind", "key", "inputs", "facts", "cost", "files", "provenance"}


@dataclass
class Draft:
    """An artefact being written: put payload files below `path`, fill `inputs`, `facts` and `cost`."""

    path: Path
    inputs: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """Artefacts below one folder."""

    root: Path

    def path(self, kind: str, key: str) -> Path:
        """Folder of an artefact, existing or not."""
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is complete."""
        return self.root.joinpath(kind, key, MANIFEST).is_file()

    def manifest(self, kind: str, key: str) -> dict[str, Any]:
        """The manifest of a complete artefact. Raises WorkError if it is missing or is not its own."""
        path = self.path(kind, key) / MANIFEST
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise WorkError(f"{path}: no such artefact; `snakemake --cores all` makes it") from None
        except (OSError, ValueError, RecursionError) as error:
            raise WorkError(f"{path}: damaged manifest ({error}); {self._remedy(kind, key)}") from None
        if not isinstance(manifest, dict):
            raise WorkError(f"{path}: damaged manifest (no mapping of fields); {self._remedy(kind, key)}")
        if manifest.get("kind") != kind or manifest.get("key") != key:
            found = f"{manifest.get('kind')}/{manifest.get('key')}"
            raise WorkError(f"{path}: is the manifest of {found}; {self._remedy(kind, key)}")
        if not _is_as_written(manifest):
            raise WorkError(f"{path}: damaged manifest (its fields do not have its digest); {self._remedy(kind, key)}")
        return manifest

    def file(self, kind: str, key: str, name: str) -> Path:
        """A payload file, verified against size and sha256 of the manifest. Raises WorkError on a mismatch."""
        recorded = self.manifest(kind, key)["files"].get(name)
        path = self.path(kind, key) / name
        if recorded is None:
            raise WorkError(f"{path}: not part of this artefact; {self._remedy(kind, key)}")
        if not path.is_file() or path.stat().st_size != recorded["size"] or file_sha256(path) != recorded["sha256"]:
            raise WorkError(f"{path}: differs from its manifest; {self._remedy(kind, key)}")
        return path

    def artefacts(self) -> Iterator[tuple[str, str]]:
        """Kind and key of every artefact, complete or not."""
        for folder in sorted(self.root.glob("[!.]*/*")):
            yield folder.parent.name, folder.name

    def problem(self, kind: str, key: str) -> str:
        """What is wrong with an artefact, read in full; empty if nothing is."""
        folder = self.path(kind, key)
        try:
            manifest = self.manifest(kind, key)
            if (folder / MANIFEST).read_text(encoding="utf-8") != _text(manifest):
                return f"{folder / MANIFEST}: is not as it was written"
            for name in manifest["files"]:
                self.file(kind, key, name)
        except WorkError as error:
            return str(error).rpartition("; ")[0]
        except OSError as error:
            return f"{error.filename}: cannot be read: {error.strerror}"
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        strange = sorted(found - manifest["files"].keys() - {MANIFEST})
        return f"{folder / strange[0]}: no part of the artefact" if strange else ""

    def read_json(self, kind: str, key: str, name: str) -> Any:
        """A verified JSON payload file."""
        return json.loads(self.file(kind, key, name).read_text())

    @contextmanager
    def publish(self, kind: str, key: str) -> Iterator[Draft]:
        """Write an artefact: the body fills the draft, leaving it without an error publishes it."""
        with self._draft(kind, key) as draft:
            yield draft
            self._seal(draft, kind, key)
            self._move_into_place(draft.path, self.path(kind, key))

    @contextmanager
    def stage(self, kind: str, key: str) -> Iterator[Draft]:
        """Write an artefact that `publish_staged` of a later job puts in place, by which time this one has its inputs.

        A build tool deletes the outputs of a job before it runs, so a job must not publish what another one is to make.
        """
        with self._draft(kind, key) as draft:
            yield draft
            self._seal(draft, kind, key)
            self._move_into_place(draft.path, self.staged(kind, key))

    def is_staged(self, kind: str, key: str) -> bool:
        """Whether the artefact is complete and waits to be put in place."""
        return (self.staged(kind, key) / MANIFEST).is_file()

    def publish_staged(self, kind: str, key: str) -> bool:
        """Put a staged artefact in place; false if there is none."""
        if not self.is_staged(kind, key):
            return False
        self._move_into_place(self.staged(kind, key), self.path(kind, key))
        return True

    @contextmanager
    def in_progress(self, key: str, progress: Callable[[str], None]) -> Iterator[Path]:
        """Folder of the checkpoints of a run, `.partial/<key>/`, for one process at a time.

        What is in it outlives an interruption and an error; once the body has ended without one, it is removed.
        """
        folder = self.root / ".partial" / key
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waits for another process that makes the same run")
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder.mkdir(exist_ok=True)  # the other process may have removed it
            try:
                with _naming(folder):
                    yield folder
            except BaseException:
                if [path.name for path in folder.iterdir()] == ["lock"]:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(folder, ignore_errors=True)

    def note_failure(self, key: str, problem: str) -> None:
        """Remember why a run failed, until it is made."""
        write_atomically(self._failure(key), f"{problem}\n")

    def failure(self, key: str) -> str:
        """Why a run failed when it was last tried; empty if it did not."""
        try:
            return self._failure(key).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def _failure(self, key: str) -> Path:
        return self.root / ".partial" / key / "failed.txt"

    def staged(self, kind: str, key: str) -> Path:
        """Folder of a staged artefact, existing or not."""
        return self.root / ".partial" / f"staged-{kind}-{key}"

    @contextmanager
    def _draft(self, kind: str, key: str) -> Iterator[Draft]:
        private = self.root / ".partial" / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
        private.mkdir(parents=True)
        try:
            with _naming(private):
                yield Draft(private)
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def _seal(self, draft: Draft, kind: str, key: str) -> None:
        """Write the manifest, last."""
        files = {
            file.relative_to(draft.path).as_posix(): {"size": file.stat().st_size, "sha256": file_sha256(file)}
            for file in sorted(draft.path.rglob("*"))
            if file.is_file()
        }
        manifest = {
            "kind": kind,
            "key": key,
            "inputs": draft.inputs,
            "facts": draft.facts,
            "cost": draft.cost,
            "files": files,
            "provenance": provenance(),
        }
        write_atomically(draft.path / MANIFEST, _text(manifest | {"digest": digest(manifest)}))

    def _move_into_place(self, private: Path, final: Path) -> None:
        """Rename a sealed folder; if another writer of the same key was first, its artefact stands."""
        final.parent.mkdir(parents=True, exist_ok=True)
        while not (final / MANIFEST).exists():
            try:
                private.rename(final)  # also replaces an empty folder, which Snakemake makes before a job
                return
            except OSError:
                if (final / MANIFEST).exists():
                    return
                shutil.rmtree(final, ignore_errors=True)  # remains without a manifest are not an artefact

    def _remedy(self, kind: str, key: str) -> str:
        return "`olmix audit --repair` restores it, or makes `snakemake --cores all` make it again"


def _is_as_written(manifest: dict[str, Any]) -> bool:
    """Whether a manifest has its fields and its digest, which those of earlier versions lack."""
    fields = manifest.keys() - {"digest"}
    sections = [manifest.get(name) for name in _FIELDS - {"kind", "key"}]
    if fields != _FIELDS or not all(isinstance(section, dict) for section in sections):
        return False
    if not all(isinstance(file, dict) and file.keys() == {"size", "sha256"} for file in manifest["files"].values()):
        return False
    try:
        made = digest({name: manifest[name] for name in fields})
    except ValueError:  # NaN, which JSON does not have but Python reads
        return False
    return bool(manifest.get("digest", made) == made)


def _text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False) + "\n"


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the folder of an error of the file system that names none: those of writing to an open file.

    Raises WorkError in its place. numpy and safetensors keep just the words of such an error.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise WorkError(f"{folder}: cannot be written: {error.strerror or error}") from error
    except Exception as error:
        if found := _SYSTEM_ERROR.search(str(error)):
            raise WorkError(f"{folder}: cannot be written: {os.strerror(int(found[1]))}") from error
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that readers see the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def provenance() -> dict[str, str]:
    """Versions and machine that made an artefact: recorded, shown, never part of a key."""
    from importlib.metadata import version  # as long as all the rest of a job that only puts an artefact in place

    packages = ("olmix-graph", "torch", "transformers", "tokenizers", "datasets", "numpy", "scipy", "cvxpy")
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    return machine | {package: version(package) for package in packages}
