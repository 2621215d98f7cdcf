"""Keys: canonical JSON → sha256 → hex prefix.

A key is computed from plain values only. Anything that has no single deterministic form (callables, sets,
NaN, arbitrary objects) raises instead of being turned into a string.
"""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

KEY_LENGTH = 20
_CHUNK = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def canonical(value: Any) -> str:
    """Canonical JSON of plain values: sorted keys, no spaces, floats by shortest repr, 1.0 and 1 alike.

    Raises TypeError for values that JSON cannot hold deterministically and ValueError for NaN or infinity.
    """
    return json.dumps(_plain(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Key of a plain value: the first 20 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:KEY_LENGTH]


def file_sha256(path: Path) -> str:
    """Full sha256 of a file's bytes, as recorded for payload files in manifests."""
    return _hash_file(path, hashlib.sha256)


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes: DVC's identity of a file, so that tracking a file with DVC changes no key."""
    return _hash_file(path, lambda: hashlib.md5(usedforsecurity=False))


def _hash_file(path: Path, new: Callable[[], _Hash]) -> str:
    state = new()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


_AS_THEY_ARE = (str, int, bool, type(None))


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} has no canonical form")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list | tuple):
        # Runs have hundreds of counts, leaves many files: names for errors that never come would take most of the time.
        return [x if type(x) in _AS_THEY_ARE else _plain(x, f"{where}[{i}]") for i, x in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: key {key!r} is {type(key).__name__}, only strings have a canonical form")
        return {k: item if type(item) in _AS_THEY_ARE else _plain(item, f"{where}.{k}") for k, item in value.items()}
    raise TypeError(f"{where}: {type(value).__name__} has no canonical form")
