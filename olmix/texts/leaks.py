"""Leak check: which 48-byte windows of evaluation text occur anywhere in the training text."""

import numpy as np

WINDOW = 48
_CHUNK = 1 << 21
_TABLE_BITS = 22
_BASE = 0x9E3779B97F4A7C15  # odd, so that no bit of a byte is lost


def window_hashes(data: bytes) -> np.ndarray:
    """64-bit polynomial hash of every 48-byte window of `data`: shape (len(data) - 47,), empty if shorter."""
    if len(data) < WINDOW:
        return np.empty(0, np.uint64)
    hashes = {1: np.frombuffer(data, np.uint8).astype(np.uint64) + np.uint64(1)}
    for size in (1, 2, 4, 8, 16):  # hash of 2n bytes from two hashes of n bytes
        hashes[2 * size] = _join(hashes[size], hashes[size], size, size)
    return _join(hashes[32], hashes[16], 32, 16)


def occurring(windows: set[bytes], text: bytes) -> set[bytes]:
    """Those of the 48-byte windows that are substrings of the text (up to 64-bit hash collisions)."""
    if not windows:
        return set()
    ordered = sorted(windows)
    by_hash = dict(zip(window_hashes(b"".join(ordered))[::WINDOW].tolist(), ordered, strict=True))
    wanted = np.array(sorted(by_hash), np.uint64)
    # A small table of top bits discards nearly all positions before the exact comparison.
    shift = np.uint64(64 - _TABLE_BITS)
    table = np.zeros(1 << _TABLE_BITS, bool)
    table[wanted >> shift] = True
    found: set[bytes] = set()
    for start in range(0, len(text), _CHUNK):
        hashes = window_hashes(text[start : start + _CHUNK + WINDOW - 1])
        likely = hashes[table[hashes >> shift]]
        found.update(by_hash[int(value)] for value in np.unique(likely[np.isin(likely, wanted)]))
    return found


def _join(left: np.ndarray, right: np.ndarray, left_size: int, right_size: int) -> np.ndarray:
    """Hashes of the windows `left + right`, from those of both parts, sizes in bytes."""
    right = right[left_size:]
    return left[: len(right)] * np.uint64(pow(_BASE, right_size, 1 << 64)) + right
