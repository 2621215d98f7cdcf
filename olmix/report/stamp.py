"""Files in `results/`: small views on the store for today's plan, with names in place of content digests.

A view has fixed names, so it says which plan it shows by a stamp, a file whose name holds the plan's key; a missing
stamp is what makes Snakemake write the view again.
"""

from pathlib import Path

from olmix.store import write_atomically

FOLDER = Path("results")


def stamp(view: str, plan_key: str) -> Path:
    """The stamp of a view that shows a plan."""
    return FOLDER / "keys" / view / plan_key


def publish_view(view: str, plan_key: str, root: Path, files: dict[str, str]) -> None:
    """Write the files of a view (name → text), then its stamp; stamps of other plans go first."""
    current = root / stamp(view, plan_key)
    if current.parent.is_dir():
        for old in current.parent.iterdir():
            old.unlink()
    for name, text in files.items():
        write_atomically(root / FOLDER / name, text)
    write_atomically(current, f"plan {plan_key}\n")
