"""The `olmix` command, also as `python -m olmix`.

Jobs whose artefact an earlier job has staged are answered here: they only move a folder, and loading the rest of the
package would take them twenty times as long.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from olmix.store import Store

_STAGED = ("proxy", "evaluation")


def main() -> None:
    """Entry point: 0 done, 1 the work failed, 2 bad input."""
    if not _publish_staged(sys.argv[1:]):
        from olmix.cli import main as run

        run()


def _publish_staged(arguments: Sequence[str]) -> bool:
    """Whether the command was `make … KIND KEY …` and a staged artefact is now in place for it."""
    if arguments[:1] != ["make"]:
        return False
    pairs = pairwise(arguments)
    return any(kind in _STAGED and Store(Path("store")).publish_staged(kind, key) for kind, key in pairs)


if __name__ == "__main__":
    main()
