import numpy as np
import pytest

from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import RECIPE

GOLDEN = {  # predictions of two tasks for the corners of the simplex, by recipe version
    2: {
        LogLinear: [
            [2.6737280848356852, 1.240297860098468],
            [2.0420225118477475, 1.3161118112496455],
            [1.4787507993840456, 2.22519147069668],
        ],
        Kernel: [
            [2.6146427136944967, 1.2411530160511703],
            [2.0799340210242874, 1.3106696693831192],
            [1.7819430039456103, 1.5777175446226563],
        ],
    }
}


@pytest.mark.parametrize("family", [LogLinear, Kernel])
def test_golden_laws(family):
    """Guards the recipe version: if this changes, raise `olmix.regression.spec.RECIPE`, or old laws stay in use."""
    k, j, i = np.arange(12)[:, None], np.arange(3), np.arange(2)[:, None]
    P = 1.1 + np.sin(1.7 * k + 2.3 * j * (k + 1))
    P /= P.sum(axis=1, keepdims=True)
    Y = 1 + np.exp(P @ (np.cos(3 * i + j) - 0.5).T) + 0.01 * np.sin(5 * k + np.arange(2))
    np.testing.assert_allclose(family().fit(P, Y).predict(np.eye(3)), GOLDEN[RECIPE][family], rtol=1e-5)
