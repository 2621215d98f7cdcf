import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from olmix.plan.apportion import apportion

WEIGHTS = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1)).filter(lambda w: w.sum() > 1e-3)


@given(WEIGHTS, st.integers(0, 100_000))
def test_counts_are_within_one_of_the_quota_and_sum_to_the_total(weights, total):
    weights = weights / weights.sum()
    counts = apportion(weights, total, [f"{i:02d}" for i in range(len(weights))])
    assert counts.sum() == total
    assert np.abs(counts - weights * total).max() < 1 + 1e-6
    assert (counts[weights == 0] == 0).all()


@given(WEIGHTS, st.integers(1, 1000), st.randoms(use_true_random=False))
def test_the_order_of_leaves_does_not_matter(weights, total, random):
    weights = weights / weights.sum()
    ids = [f"{i:02d}" for i in range(len(weights))]
    order = list(range(len(ids)))
    random.shuffle(order)
    shuffled = apportion(weights[order], total, [ids[i] for i in order])
    assert shuffled.tolist() == apportion(weights, total, ids)[order].tolist()


def test_ties_go_to_the_smaller_id():
    assert apportion(np.array([0.5, 0.5]), 3, ["b", "a"]).tolist() == [1, 2]


@pytest.mark.parametrize(("total", "expected"), [(10, [5, 3, 2]), (7, [4, 2, 1]), (1, [1, 0, 0])])
def test_largest_remainder(total, expected):
    assert apportion(np.array([0.5, 0.3, 0.2]), total, ["a", "b", "c"]).tolist() == expected
