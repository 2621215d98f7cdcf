import numpy as np

from olmix.regression.penalty import choose_cautiously, choose_shares
from olmix.regression.ridge import PENALTIES, Ridge
from tests.regression.test_log_linear import sparse_mixtures


def linear(runs=30, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    P = sparse_mixtures(rng, runs, 6)
    return P, 1.5 + P @ np.random.default_rng(9).normal(0, 0.5, (6, 4)) + noise * rng.normal(size=(runs, 4))


def test_a_linear_law_is_recovered():
    P, Y = linear(noise=0)
    fresh, truth = linear(seed=1, noise=0)
    np.testing.assert_allclose(Ridge(penalty=0).fit(P, Y).predict(fresh), truth, atol=1e-10)


def test_the_gradient_of_the_objective_vanishes_at_the_fit():
    P, Y = linear()
    law = Ridge(penalty=0.03).fit(P, Y)
    residual = law.predict(P) - Y
    np.testing.assert_allclose(residual.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((P.T @ residual / len(P)).T + 0.03 * law.t_, 0, atol=1e-12)


def test_a_domain_in_no_run_is_as_good_as_the_mean_mixture():
    P, Y = linear()
    P[:, 2] = 0
    P /= P.sum(axis=1, keepdims=True)
    law = Ridge().fit(P, Y)
    without = law.predict(0.5 * np.eye(6)[[2]] + 0.5 * np.eye(6)[[3]])
    np.testing.assert_allclose(law.t_[:, 2], 0, atol=1e-12)
    np.testing.assert_allclose(without, law.c_ + 0.5 * law.t_[None, :, 3], atol=1e-12)


def test_noise_gets_a_larger_penalty_than_an_effect():
    P, Y = linear()
    Y[:, 3] = 1 + 0.1 * np.random.default_rng(5).normal(size=30)
    penalty = Ridge().fit(P, Y).penalty_
    assert penalty[3] >= 1 > 100 * penalty[:3].max()
    assert (np.diff(PENALTIES) < 0).all()  # the most cautious first


def test_the_most_cautious_of_those_that_chance_could_reorder_is_chosen():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (3, 50))
    noise -= noise.mean(axis=1, keepdims=True)
    clear = np.array([2.0, 1.0, 0.5])[:, None] + noise
    by_chance = np.array([1.01, 1.005, 1.0])[:, None] + noise  # standard errors are about 0.02
    assert choose_cautiously(np.stack([clear, by_chance], axis=2)).tolist() == [2, 0]


def test_an_effect_is_kept_and_noise_is_not():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 1))
    Y = np.hstack([truth, rng.normal(size=(60, 1)), truth])
    held_out = np.hstack([truth, rng.normal(size=(60, 1)), 2 * truth])  # right, unrelated, twice too much
    assert choose_shares(held_out, np.zeros((60, 3)), Y).tolist() == [1, 0, 0.5]
