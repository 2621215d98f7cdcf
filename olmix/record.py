"""Hand what Snakemake made to DVC."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from olmix.errors import WorkError


def record_in_dvc(root: Path, report: Callable[[str], None]) -> None:
    """Write dvc.lock for the present state of all stages without running them, and fill DVC's cache.

    Outside a DVC project there is nothing to record. Raises WorkError if DVC refuses.
    """
    if not (root / ".dvc").is_dir():
        report("olmix: no .dvc folder here, so nothing is recorded; `dvc init` makes this a DVC project")
        return
    command = [sys.executable, "-m", "dvc", "commit", "--force"]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise WorkError(f"dvc commit failed: {reason[:500]}")
    report("olmix: recorded in dvc.lock; `dvc push` shares it")
