import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmix.digest import canonical, digest, file_md5

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), PLAIN, min_size=2))
def test_order_of_keys_does_not_matter(value):
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_order_of_lists_matters():
    assert digest([1, 2]) != digest([2, 1])


def test_swapped_values_are_seen():
    assert digest({"lr": 0.1, "wd": 0.01}) != digest({"lr": 0.01, "wd": 0.1})


def test_numbers_are_compared_by_value():
    assert canonical({"a": 1.0, "b": 1e-1}) == canonical({"a": 1, "b": 0.10})


def test_true_is_not_one():
    assert digest(True) != digest(1)


@pytest.mark.parametrize("value", [{1, 2}, object(), len, b"bytes", {1: "a"}, complex(1)])
def test_values_without_a_canonical_form_raise(value):
    with pytest.raises(TypeError, match=r"\$\.x"):
        digest({"x": value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_raise(value):
    with pytest.raises(ValueError, match=r"\$\[0\]"):
        digest([value])


def test_golden_key():
    assert digest({"b": [1, 2.5, None], "a": "ä"}) == "324d0f98e8e7b390bd24"


def test_md5_is_the_one_that_dvc_uses(tmp_path):
    from dvc_data.hashfile.hash import file_md5 as dvc_md5
    from dvc_objects.fs.local import LocalFileSystem

    path = tmp_path / "text"
    path.write_bytes(b"line\r\n" * 1000)
    assert file_md5(path) == dvc_md5(str(path), LocalFileSystem())
