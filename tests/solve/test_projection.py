"""The closed-form problems over bounded mixtures."""

import numpy as np
import pytest
from scipy.optimize import linprog

from olmix.solve.projection import cheapest, flattest, project


def random_bounds(seed, domains=8):
    rng = np.random.default_rng(seed)
    upper = np.minimum(rng.uniform(0, 1, domains) * rng.choice([0.4, 1, 3]), 1)
    upper *= max(1.0, rng.choice([1, 1.001, 1.5]) / upper.sum())
    lower = upper * rng.uniform(0, 1, domains) * (rng.random(domains) < 0.5)
    return rng, lower / max(1.0, 1.1 * lower.sum()), upper


def test_leaves_are_filled_up_to_their_caps():
    x = project(np.log([0.5, 0.3, 0.15, 0.05]), np.zeros(4), np.array([0.2, 1.0, 1.0, 0.05]))
    np.testing.assert_allclose(x, [0.2, 0.5, 0.25, 0.05])


def test_lower_bounds_take_from_the_others_in_their_ratio():
    x = project(np.log([0.5, 0.3, 0.15, 0.05]), np.array([0, 0, 0, 0.24]), np.ones(4))
    np.testing.assert_allclose(x, [0.4, 0.24, 0.12, 0.24])


def test_the_order_of_weights_counts_however_small_they_are():
    """In plain numbers, e^-4000 and e^-5000 are both 0."""
    x = project(np.array([-5000.0, -4000.0, 0.0]), np.zeros(3), np.array([1.0, 1.0, 0.25]))
    np.testing.assert_array_equal(x, [0, 0.75, 0.25])


@pytest.mark.parametrize("spread", [1, 30, 1000])
def test_projections_meet_the_conditions_of_the_closest_mixture(spread):
    for seed in range(200):
        rng, lower, upper = random_bounds(seed)
        logs = spread * rng.normal(size=8)
        x = project(logs, lower, upper)
        assert abs(x.sum() - 1) <= 1e-12
        assert ((x >= lower) & (x <= upper)).all()
        pull = np.log(np.maximum(x, 1e-300)) - logs  # the slope of the divergence, equal for all leaves in between
        giving, taking = pull[(x > lower) & (x > 1e-200)], pull[x < upper]
        if len(giving) and len(taking):
            assert giving.max() <= taking.min() + 1e-9 * max(1, spread)


def test_the_cheapest_mixture_agrees_with_linear_programming():
    for seed in range(50):
        rng, lower, upper = random_bounds(seed)
        prices = rng.normal(size=8)
        x = cheapest(prices, lower, upper)
        other = linprog(prices, A_eq=np.ones((1, 8)), b_eq=[1], bounds=np.stack([lower, upper], axis=1))
        assert abs(x.sum() - 1) <= 1e-12
        assert ((x >= lower) & (x <= upper)).all()
        assert prices @ x == pytest.approx(other.fun, abs=1e-9)


def test_the_flattest_mixture_is_uniform_if_it_may_be():
    np.testing.assert_allclose(flattest(np.zeros(4), np.ones(4)), 0.25)
    np.testing.assert_allclose(flattest(np.zeros(4), np.array([0.1, 1, 1, 1])), [0.1, 0.3, 0.3, 0.3])
