import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from olmix.proxy.order import sequence_order

A, B, C = "a" * 20, "b" * 20, "c" * 20
LENGTH = 8


def starts_of(order, leaf):
    return order.starts[order.leaves == leaf].tolist()


def test_every_leaf_gets_exactly_its_sequences():
    order = sequence_order([A, B, C], [5, 0, 11], [100, 100, 100], LENGTH, seed=0)
    assert np.bincount(order.leaves, minlength=3).tolist() == [5, 0, 11]


def test_no_window_is_read_twice_before_all_were_read_once():
    order = sequence_order([A], [25], [10], LENGTH, seed=0)
    windows = [start // LENGTH for start in starts_of(order, 0)]
    assert sorted(windows[:10]) == sorted(windows[10:20]) == list(range(10))
    assert windows[:10] != windows[10:20]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40), st.integers(0, 3))
def test_runs_that_share_a_leaf_read_the_same_prefix_of_it(few, more, other, seed):
    one = sequence_order([A, B], [few, other], [50, 50], LENGTH, seed)
    two = sequence_order([C, A], [other, few + more], [50, 50], LENGTH, seed)
    assert starts_of(two, 1)[:few] == starts_of(one, 0)


def test_the_order_of_leaves_does_not_matter():
    one = sequence_order([A, B], [5, 7], [50, 60], LENGTH, seed=3)
    two = sequence_order([B, A], [7, 5], [60, 50], LENGTH, seed=3)
    assert one.starts.tolist() == two.starts.tolist()
    assert one.leaves.tolist() == (1 - two.leaves).tolist()


def test_another_seed_is_another_order():
    one, two = (sequence_order([A], [20], [50], LENGTH, seed) for seed in (0, 1))
    assert one.starts.tolist() != two.starts.tolist()


def test_every_stretch_of_a_run_holds_the_mixture():
    order = sequence_order([A, B, C], [50, 30, 20], [100, 100, 100], LENGTH, seed=0)
    for first in range(0, 100, 10):
        counts = np.bincount(order.leaves[first : first + 10], minlength=3)
        assert np.abs(counts - [5, 3, 2]).max() <= 1


def test_golden_order():
    """Guards the recipe version: if this changes, raise `olmix.proxy.spec.RECIPE`."""
    order = sequence_order([A, B], [3, 2], [9, 7], 1, seed=0)
    assert order.leaves.tolist() == [0, 1, 0, 1, 0]
    assert order.starts.tolist() == [3, 6, 5, 5, 8]
