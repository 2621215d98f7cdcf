from dataclasses import replace

import numpy as np
import pytest

from olmix.regression.crossval import cross_validated
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear
from olmix.solve.problem import Problem
from olmix.solve.solver import solve
from olmix.solve.uncertainty import assess, resample

M, N = 5, 4
RNG = np.random.default_rng(0)
TRUTH = LogLinear.of(RNG.uniform(0.5, 1, N), RNG.normal(-0.5, 1, (N, M)))
PRIOR = np.array([0.3, 0.3, 0.2, 0.1, 0.1])
PROBLEM = Problem(TRUTH, np.ones(N), PRIOR, np.full(M, 0.6), 0.05, tuple("abcde"))


def swarm(seed, noise, runs=30):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(4 * PRIOR, runs)
    return P, TRUTH.predict(P) + noise * rng.normal(size=(runs, N))


def found(family=LogLinear, seed=1, noise=0.02, draws=60, **settings):
    P, Y = swarm(seed, noise)
    estimator = family(**settings)
    law = estimator.fit(P, Y)
    problem = replace(PROBLEM, laws=law)
    weights = solve(problem).weights
    return assess(problem, weights, PRIOR, resample(law, P, Y, cross_validated(P, Y, estimator), draws, 0)), weights


def test_the_true_gain_is_within_the_interval_as_often_as_it_says():
    inside = 0
    for seed in range(20):
        uncertainty, weights = found(seed=seed, penalty=1e-7)
        low, high = uncertainty.gain_interval
        inside += low <= PROBLEM.law(PRIOR) - PROBLEM.law(weights) <= high
    assert inside >= 15


def test_more_noise_means_wider_intervals():
    narrow, wide = (found(noise=noise, penalty=1e-7)[0] for noise in (0.003, 0.03))
    width = [np.diff(u.weight_interval, axis=0).sum() for u in (narrow, wide)]
    assert width[1] > 3 * width[0]
    assert wide.regret.mean() > 3 * narrow.regret.mean()


@pytest.mark.parametrize("family", [LogLinear, Kernel])
def test_the_proposal_is_within_its_own_intervals(family):
    uncertainty, weights = found(family)
    low, high = uncertainty.weight_interval
    assert ((weights >= low - 0.03) & (weights <= high + 0.03)).all()
    assert (uncertainty.regret >= 0).all()


def test_noise_alone_is_not_told_from_the_prior():
    P, _ = swarm(3, 0)
    Y = 1 + 0.05 * np.random.default_rng(5).normal(size=(len(P), N))
    law = LogLinear(1e-6).fit(P, Y)
    problem = replace(PROBLEM, laws=law, kl=0.001)
    heldout = cross_validated(P, Y, LogLinear(1e-6))
    uncertainty = assess(problem, solve(problem).weights, PRIOR, resample(law, P, Y, heldout, 60, 0))
    assert uncertainty.gain_interval[0] < 0


def test_without_errors_nothing_is_uncertain():
    P, Y = swarm(1, 0.02)
    law = LogLinear(1e-10).fit(P, Y)
    problem = replace(PROBLEM, laws=law)
    weights = solve(problem).weights
    uncertainty = assess(problem, weights, PRIOR, resample(law, P, law.predict(P), law.predict(P), 5, 0))
    assert np.abs(uncertainty.weights - weights).max() < 1e-3
    assert uncertainty.regret.max() < 1e-6


def test_rows_in_another_order_and_the_same_seed_give_the_same_bits():
    P, Y = swarm(1, 0.02)
    law = LogLinear(1e-7).fit(P, Y)
    heldout = cross_validated(P, Y, LogLinear(1e-7))
    order = np.random.default_rng(2).permutation(len(P))
    one = [law.t_ for law in resample(law, P, Y, heldout, 3, 7)]
    two = [law.t_ for law in resample(law, P[order], Y[order], heldout[order], 3, 7)]
    other = [law.t_ for law in resample(law, P, Y, heldout, 3, 8)]
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
