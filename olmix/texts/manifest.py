"""The manifest of the built texts, and the files it vouches for: written by rename, verified by size and sha256."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDERS = ("data/texts", "data/heldout", "data/suite")
MANIFEST = "data/texts/manifest.json"


def write_file(path: Path, data: bytes) -> dict:
    """Write a file so that it appears whole or not at all; returns its {bytes, sha256}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def write_lines(path: Path, records: list[dict]) -> dict:
    """Write records as JSON lines, UTF-8; returns the file's {bytes, sha256}."""
    return write_file(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode())


def write_manifest(root: Path, manifest: dict) -> None:
    """Write the manifest; done last, so that it only exists beside complete texts."""
    write_file(root / MANIFEST, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())


def verified_manifest(root: Path, identity: dict) -> dict | None:
    """The manifest of an earlier build of the same identity (recipe, scale, packages) if every file is as it says."""
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        if any(manifest[name] != value for name, value in identity.items()):
            return None
        files: dict[str, dict] = manifest["files"]
        if any((root / name).stat().st_size != file["bytes"] for name, file in files.items()):
            return None
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing releases the interpreter lock
            hashes = list(pool.map(lambda name: _sha256(root / name), files))
    except (OSError, ValueError, KeyError):
        return None
    return manifest if hashes == [file["sha256"] for file in files.values()] else None


def remove_stale(root: Path, files: set[str]) -> None:
    """Remove what earlier or killed builds left in the output folders: all but `files` (relative to root)."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(root).as_posix() not in files:
                path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
