"""One proxy run, by the built-in trainer or by a command of the user's."""

from collections.abc import Callable, Mapping
from pathlib import Path

from olmix.proxy.command import run_command_into
from olmix.proxy.spec import KIND, Execution, RunSpec
from olmix.store import Draft, Store


def run_proxy(
    spec: RunSpec,
    names: Mapping[str, str],
    items: str,
    store: Store,
    execution: Execution,
    progress: Callable[[str], None],
    staged: bool = False,
) -> Path | None:
    """Make one proxy run and publish it, or stage it for its own job to publish.

    names: leaf name per tokens key; items: key of the suite's tokens. Both are for commands only. Returns the folder of
    the run, or None if it has been made before.
    """
    key = spec.key
    if _is_made(store, key):
        return None
    with store.in_progress(key, progress) as state:
        if _is_made(store, key):  # by another process meanwhile
            return None
        with (store.stage if staged else store.publish)(KIND, key) as draft:
            run_proxy_into(draft, spec, names, items, store, state, execution, progress)
    return store.staged(KIND, key) if staged else store.path(KIND, key)


def _is_made(store: Store, key: str) -> bool:
    return store.has(KIND, key) or store.is_staged(KIND, key)


def run_proxy_into(
    draft: Draft,
    spec: RunSpec,
    names: Mapping[str, str],
    items: str,
    store: Store,
    state: Path,
    execution: Execution,
    progress: Callable[[str], None],
) -> None:
    """Make one proxy run in a draft, from what an interruption left in the folder `state`."""
    if spec.trainer:
        run_command_into(draft, spec, names, items, store, state, execution.threads, progress)
        return
    from olmix.proxy.train import train_into  # torch takes seconds

    train_into(draft, spec, store, state, execution, progress)
