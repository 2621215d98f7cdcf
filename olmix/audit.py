"""Reads every artefact of a store in full, and repairs: from DVC's cache, or by making room for a new one."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from olmix.errors import WorkError
from olmix.store import Store


def audit(store: Store, report: Callable[[str], None]) -> list[tuple[str, str]]:
    """Kind and key of every artefact that is not as it was published; each is reported with what is wrong."""
    damaged = []
    for kind, key in store.artefacts():
        if problem := store.problem(kind, key):
            report(problem)
            damaged.append((kind, key))
    return damaged


def repair(store: Store, damaged: list[tuple[str, str]], root: Path, report: Callable[[str], None]) -> None:
    """Restore damaged artefacts from DVC's cache where it has them; the others are removed, to be made again.

    Raises WorkError for what cannot be removed.
    """
    for kind, key in damaged:
        folder = store.path(kind, key)
        try:
            shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()
        except OSError as error:
            raise WorkError(f"{folder}: cannot be removed: {error.strerror}") from None
        if (root / "dvc.lock").is_file():
            # This folder alone: what DVC does not know yet in the folder of the kind would be removed.
            command = [sys.executable, "-m", "dvc", "checkout", "--quiet", "--force"]
            subprocess.run(
                [*command, folder.relative_to(root).as_posix()], cwd=root, check=False, capture_output=True
            )  # what it lacks is found missing below
    restored = [(kind, key) for kind, key in damaged if store.has(kind, key) and not store.problem(kind, key)]
    for kind, key in damaged:
        found = "restored from DVC's cache" if (kind, key) in restored else "removed"
        report(f"{store.path(kind, key)}: {found}")
    if missing := len(damaged) - len(restored):
        report(f"olmix: {missing} to be made again; `snakemake --cores all` makes them alone")
