import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmix.texts import leaks
from olmix.texts.leaks import WINDOW, occurring, window_hashes

# Few symbols, so that equal windows are likely and nearly equal ones more so.
strings = st.lists(st.sampled_from([b"a", b"b", b"ab" * 20, b"\xff" * 12]), max_size=20).map(b"".join)


@given(strings, st.lists(st.integers(0, 400), max_size=4), st.integers(0, 47))
def test_the_search_finds_what_a_plain_search_finds(text: bytes, starts: list[int], changed: int) -> None:
    windows = {text[start : start + WINDOW] for start in starts}
    windows |= {window[:changed] + b"c" + window[changed + 1 :] for window in windows}
    windows = {window for window in windows if len(window) == WINDOW}
    expected = {window for window in windows if window in text}
    for chunk in (7, 50, 1 << 21):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(leaks, "_CHUNK", chunk)
            assert occurring(windows, text) == expected


def test_every_window_has_a_hash_of_its_own() -> None:
    data = bytes(range(256)) * 2
    hashes = window_hashes(data)
    assert len(hashes) == len(data) - WINDOW + 1
    assert len(set(hashes.tolist())) == 256
    assert len(window_hashes(data[: WINDOW - 1])) == 0


def test_nothing_occurs_in_nothing() -> None:
    assert occurring(set(), b"x" * 100) == set()
    assert occurring({b"x" * 48}, b"x" * 47) == set()
    assert occurring({b"x" * 48}, b"x" * 48) == {b"x" * 48}
