import warnings

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from threadpoolctl import threadpool_limits

from olmix.regression.gaussian_process import GaussianProcess
from tests.regression.test_log_linear import sparse_mixtures


def smooth(runs=40, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    P = sparse_mixtures(rng, runs, 5)
    truth = np.column_stack([1 + P[:, 0] * P[:, 1], 2 - np.sqrt(P[:, 2]), np.ones(runs)])
    return P, truth + noise * rng.normal(size=(runs, 3))


@pytest.mark.parametrize("noise", [0.003, 0.1])
def test_no_local_search_finds_a_likelier_kernel(noise):
    """The authors' estimator, with restarts from random points: the same kernel within the same bounds."""
    P, Y = smooth(25, noise)
    law = GaussianProcess().fit(P, Y)
    for i in range(3):
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(1.0, (1e-2, 1e2)) + WhiteKernel(0.1, (1e-5, 10))
        theirs = GaussianProcessRegressor(kernel, n_restarts_optimizer=3, normalize_y=True, random_state=0)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # it stops at bounds
            theirs.fit(P, Y[:, i])
        assert law.evidence_[i] > theirs.log_marginal_likelihood_value_ - 0.25


def test_predictions_are_the_posterior_mean_under_the_kernel_found():
    P, Y = smooth()
    law = GaussianProcess().fit(P, Y)
    fresh = smooth(20, seed=1)[0]
    for i in range(3):
        kernel = ConstantKernel(law.constant_[i], "fixed") * RBF(law.length_[i], "fixed")
        kernel += WhiteKernel(law.noise_[i], "fixed")
        theirs = GaussianProcessRegressor(kernel, normalize_y=True).fit(P, Y[:, i])
        assert law.evidence_[i] == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-6)
        expected = Y[:, i].mean() + law.share_[i] * (theirs.predict(fresh) - Y[:, i].mean())
        np.testing.assert_allclose(law.predict(fresh)[:, i], expected, rtol=0, atol=1e-7)


def test_an_interaction_is_learnt_and_noise_is_not():
    P, Y = smooth(noise=0.02)
    law = GaussianProcess().fit(P, Y)
    fresh, truth = smooth(200, noise=0, seed=1)
    error = np.sqrt(((law.predict(fresh) - truth) ** 2).mean(axis=0))
    assert law.share_[2] == 0
    assert (error[:2] < 0.5 * truth[:, :2].std(axis=0)).all()
    assert error[2] < 0.01
