"""One proxy run, by the built-in trainer or by a command of the user's."""

from collections.abc import Callable, Mapping

from olmix.proxy.command import run_command_into
from olmix.proxy.spec import KIND, RunSpec
from olmix.store import Draft, Store


def run_proxy(
    spec: RunSpec, names: Mapping[str, str], items: str, store: Store, threads: int, progress: Callable[[str], None]
) -> str:
    """Make one proxy run and publish it; returns the run key."""
    key = spec.key
    if not store.has(KIND, key):
        with store.publish(KIND, key) as draft:
            run_proxy_into(draft, spec, names, items, store, threads, progress)
    return key


def run_proxy_into(
    draft: Draft,
    spec: RunSpec,
    names: Mapping[str, str],
    items: str,
    store: Store,
    threads: int,
    progress: Callable[[str], None],
) -> None:
    """Make one proxy run in a draft.

    names: leaf name per tokens key; items: key of the suite's tokens. Both are for commands only.
    """
    if spec.trainer:
        run_command_into(draft, spec, names, items, store, threads, progress)
        return
    from olmix.proxy.train import train_into  # torch takes seconds

    train_into(draft, spec, store, threads, progress)
