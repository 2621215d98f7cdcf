"""Law documents: what the `to_json` and `from_json` of all families have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from olmix.errors import InputError
from olmix.regression.base import Array


def write_laws(
    family: str,
    domains: Sequence[str],
    tasks: Sequence[str],
    laws: Sequence[Mapping[str, Any]],
    m: int,
    **shared: Any,
) -> dict[str, Any]:
    """Document of n laws, one per task, over m domains; `shared` is what they have in common.

    Raises ValueError if there are not n and m different names.
    """
    if (len(set(tasks)), len(set(domains))) != (len(laws), m):
        raise ValueError(f"{len(laws)} tasks and {m} domains need as many different names")
    return {
        "regression": family,
        "domains": list(domains),
        **shared,
        "tasks": {task: dict(law) for task, law in zip(tasks, laws, strict=True)},
    }


def read_laws(document: Mapping[str, Any], family: str) -> tuple[list[Mapping[str, Any]], int]:
    """Laws of the tasks, in the order of the document, and the number of domains. Raises InputError if malformed."""
    if document.get("regression") != family:
        raise InputError(f"regression: found {document.get('regression')!r}, {family!r} is expected")
    domains, tasks = document.get("domains"), document.get("tasks")
    if not isinstance(domains, list) or not domains:
        raise InputError(f"domains: found {domains!r}, a list of names is expected")
    if not isinstance(tasks, Mapping) or not tasks or not all(isinstance(law, Mapping) for law in tasks.values()):
        raise InputError("tasks: a law for every task is expected")
    return list(tasks.values()), len(domains)


def read_numbers(
    laws: Sequence[Mapping[str, Any]], field: str, shape: tuple[int, ...], least: float = -np.inf
) -> Array:
    """A field of n laws, as an array (n, *shape) of finite numbers, at least `least`. Raises InputError otherwise."""
    try:
        found = np.array([law[field] for law in laws])
    except (KeyError, ValueError) as error:
        raise InputError(f"tasks: {field} is missing or ragged: {error!r}") from None
    if found.dtype.kind not in "iuf" or found.shape != (len(laws), *shape):
        raise InputError(f"tasks: {field}: numbers of shape {shape or 'a single number'} are expected for every task")
    if not np.isfinite(found).all() or (found < least).any():
        bound = "" if np.isinf(least) else f" of at least {least:g}"
        raise InputError(f"tasks: {field}: finite numbers{bound} are expected for every task")
    return found.astype(np.float64)
