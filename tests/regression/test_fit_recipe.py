import numpy as np

from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import RECIPE

GOLDEN = {  # c, penalty and t of two tasks, by recipe version
    1: [
        [1.2731484612658743, 1e-08, 0.33804726040573874, -0.2626145531063669, -1.5542232231308382],
        [1.2491602801773265, 1e-05, -4.374773715996165, -2.59422420745604, -2.668622391030501],
    ]
}


def test_golden_law():
    """Guards the recipe version: if this changes, raise `olmix.regression.spec.RECIPE`, or old laws stay in use."""
    k, j, i = np.arange(12)[:, None], np.arange(3), np.arange(2)[:, None]
    P = 1.1 + np.sin(1.7 * k + 2.3 * j * (k + 1))
    P /= P.sum(axis=1, keepdims=True)
    Y = 1 + np.exp(P @ (np.cos(3 * i + j) - 0.5).T) + 0.01 * np.sin(5 * k + np.arange(2))
    law = LogLinear().fit(P, Y)
    np.testing.assert_allclose(np.column_stack([law.c_, law.penalty_, law.t_]), GOLDEN[RECIPE], rtol=1e-4)
