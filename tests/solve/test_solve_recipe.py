import numpy as np

from olmix.regression.log_linear import LogLinear
from olmix.solve.exact import solve
from olmix.solve.problem import Problem
from olmix.solve.spec import RECIPE

GOLDEN = {1: [0.07839776128625632, 0.5659518398626292, 0.35, 0.005650398851114533]}  # weights, by recipe version


def test_golden_mixture():
    """Guards the recipe version: if this changes, raise `olmix.solve.spec.RECIPE`, or old proposals stay in use."""
    t = np.array([[0.3, -0.3, -1.6, 0.1], [-1.4, -0.6, -0.7, 0.2]])
    prior, caps = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1, 1, 0.35, 1])
    weights = solve(Problem(LogLinear.of(np.ones(2), t), np.array([2, 1]), prior, caps, 0.05, tuple("abcd"))).weights
    np.testing.assert_allclose(weights, GOLDEN[RECIPE], rtol=1e-8)
