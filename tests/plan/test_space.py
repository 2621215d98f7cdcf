import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmix.plan.space import Space, frozen_ratios

PAPER = Space.of_ratios([{"a": 0.25, "b": 0.25, "c": 0.5}, {"d": 1.0}], ["a", "b", "c", "d"])


def test_the_papers_example():
    """Section 4.2: p̃ = [.25, .25, .5], r = [.4, .6]."""
    assert PAPER.expand([0.4, 0.6]).tolist() == [0.1, 0.1, 0.2, 0.6]
    assert PAPER.collapse([0.1, 0.1, 0.2, 0.6]).tolist() == [0.4, 0.6]


@st.composite
def spaces(draw):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    ratios, names = [], []
    for size in sizes:
        weights = np.array(draw(st.lists(st.floats(1e-6, 1), min_size=size, max_size=size)))
        own = [f"leaf{len(names) + i}" for i in range(size)]
        ratios.append(dict(zip(own, frozen_ratios(weights).tolist(), strict=True)))
        names += own
    r = np.array(draw(st.lists(st.floats(1e-6, 1), min_size=len(sizes), max_size=len(sizes))))
    return ratios, names, r / r.sum()


@given(spaces())
def test_expansion_sums_to_one_and_comes_back(case):
    ratios, names, r = case
    space = Space.of_ratios(ratios, names)
    q = space.expand(r)
    assert abs(q.sum() - 1) < 1e-12
    assert space.collapse(q) == pytest.approx(r, abs=1e-12)
    assert space.contains(q, 1e-12)


@given(spaces(), st.randoms(use_true_random=False))
def test_the_order_of_leaves_changes_no_bit(case, random):
    ratios, names, r = case
    shuffled = random.sample(names, len(names))
    one, two = Space.of_ratios(ratios, names), Space.of_ratios(ratios, shuffled)
    q = dict(zip(names, one.expand(r), strict=True))
    assert q == dict(zip(shuffled, two.expand(r), strict=True))
    assert one.collapse([q[n] for n in names]).tolist() == two.collapse([q[n] for n in shuffled]).tolist()


@given(spaces(), st.lists(st.floats(1e-3, 2), min_size=30, max_size=30))
def test_a_coordinate_at_its_cap_keeps_every_leaf_under_its_own(case, caps):
    ratios, names, _ = case
    space = Space.of_ratios(ratios, names)
    leaf_caps = np.array(caps[: len(names)])
    limits = space.caps(leaf_caps)
    assert (space.expand(limits) <= leaf_caps).all()
    assert (space.expand(limits * (1 + 1e-9)) > leaf_caps).any()


def test_a_leaf_without_weight_does_not_limit_its_virtual_domain():
    space = Space.of_ratios([{"a": 1.0, "b": 0.0}], ["a", "b"])
    assert space.caps(np.array([0.8, 0.0])).tolist() == [0.8]


def test_other_ratios_are_not_in_the_space():
    assert PAPER.contains(np.array([25.0, 25, 50, 7]), 0.5)
    assert not PAPER.contains(np.array([30.0, 20, 50, 7]), 0.5)
    assert PAPER.contains(np.array([0.0, 0, 0, 7]), 0.5)


def test_freezing_a_whole_mixture_keeps_every_bit():
    weights = [0.1, 0.2, 0.7 - 1e-16]
    assert frozen_ratios(weights).tolist() == weights
    assert frozen_ratios([0.1, 0.3]).tolist() == [0.25, pytest.approx(0.75)]
