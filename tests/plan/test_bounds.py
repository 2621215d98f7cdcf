"""Least and largest weights per leaf: part of the problem, through virtual domains too."""

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.plan.space import Space
from tests.plan.generations import accepted, leaf, plan
from tests.solve.test_reuse import LEAVES, NEW, run_generation

NAMES = [x.name for x in LEAVES]


def test_a_proposal_keeps_its_bounds(tmp_path):
    bounds = {"code": [0.0, 0.15], "web:games": [0.2, 1.0]}
    _, free, _ = run_generation(tmp_path, LEAVES)
    assert free["code"] > 0.15
    assert free["web:games"] < 0.2
    _, weights, _ = run_generation(tmp_path, LEAVES, solver={"bounds": bounds})
    assert weights["code"] == pytest.approx(0.15)
    assert weights["web:games"] == pytest.approx(0.2)
    assert sum(weights.values()) == pytest.approx(1)


def test_bounds_of_frozen_leaves_bind_their_virtual_domain(tmp_path):
    old = accepted("0001-a", LEAVES, dict(zip(NAMES, [0.4, 0.3, 0.1, 0.1, 0.1], strict=True)))
    _, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [old], solver={"bounds": {"books": [0.2, 1]}})
    assert weights["books"] >= 0.2
    assert weights["books"] == pytest.approx(0.2)
    assert weights["code"] == pytest.approx(0.15)


def test_a_carried_over_mixture_keeps_its_bounds(tmp_path):
    gone = leaf("gone")
    old = accepted("0001-a", [*LEAVES, gone])
    _, weights, _ = run_generation(tmp_path, LEAVES, [old], solver={"bounds": {"books": [0.4, 1]}})
    assert weights["books"] == pytest.approx(0.4)
    assert [weights[name] for name in NAMES[1:]] == pytest.approx([0.15] * 4)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"boks": [0, 1]}, "'boks' is no leaf"),
        ({name: [0.3, 1] for name in NAMES}, r"least weights sum to 1\.5"),
        ({name: [0, 0.1] for name in NAMES}, r"largest weights sum to 0\.5"),
        ({"books": [0.5, 1]}, r"books must have at least 0\.5, but its cap .* is 0\.4"),
        ({"books": [0.5, 0.2]}, "0 <= least <= largest <= 1"),
    ],
)
def test_bounds_that_cannot_be_met_are_refused(bounds, message):
    with pytest.raises(InputError, match=message):
        plan(LEAVES, solver={"bounds": bounds})


def test_bounds_that_frozen_ratios_cannot_meet_are_refused():
    old = accepted("0001-a", LEAVES, dict(zip(NAMES, [0.8, 0.05, 0.05, 0.05, 0.05], strict=True)))
    bounds = {"books": [0, 0.2], "code": [0.1, 1]}
    with pytest.raises(InputError, match=r"needs a weight of at least 2 .* at most 0\.25"):
        plan([*LEAVES, NEW], [old], tokens=1_000_000, solver={"bounds": bounds})


def test_the_floor_of_a_virtual_domain_gives_every_leaf_its_own():
    space = Space.of_ratios([{"a": 0.3, "b": 0.7}, {"c": 1.0}], ["a", "b", "c"])
    floors = np.array([0.1, 0.07, 0.0])
    assert space.floors(floors).tolist() == pytest.approx([1 / 3, 0])
    assert (space.expand(space.floors(floors)) >= floors).all()
