"""Natural and Search: what laws are compared with."""

import numpy as np
import pytest

from olmix.regression.natural import Natural
from olmix.regression.search import Search
from tests.regression.swarms import fitted_rows, needs_data, read_dclm


@pytest.fixture
def swarm():
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.full(5, 0.7), 20)
    P[3] = P[8]
    return P, rng.uniform(1, 2, (20, 3))


def test_natural_predicts_the_mean_score_whatever_the_mixture(swarm):
    P, Y = swarm
    np.testing.assert_allclose(Natural().fit(P, Y).predict(np.eye(5)), np.tile(Y.mean(axis=0), (5, 1)), rtol=1e-14)


@needs_data
def test_the_error_of_natural_is_the_spread_and_the_difference_of_means():
    dclm = read_dclm()
    rows, others = fitted_rows(len(dclm.P))
    law, truth = Natural().fit(dclm.P[rows], dclm.Y[rows]), dclm.Y[others]
    square = ((law.predict(dclm.P[others]) - truth) ** 2).mean(axis=0)
    difference = truth.mean(axis=0) - dclm.Y[rows].mean(axis=0)
    np.testing.assert_allclose(square, truth.var(axis=0) + difference**2, rtol=1e-12)


def test_search_knows_the_runs_and_nothing_else(swarm):
    P, Y = swarm
    law = Search().fit(P, Y)
    known = np.delete(np.arange(20), [3, 8])
    np.testing.assert_array_equal(law.predict(P[known]), Y[known])
    np.testing.assert_allclose(law.predict(P[[3, 8]]), np.tile(Y[[3, 8]].mean(axis=0), (2, 1)), rtol=1e-15)
    assert np.isposinf(law.predict(np.eye(5))).all()


def test_search_recognises_a_mixture_that_was_rounded_on_its_way(swarm):
    P, Y = swarm
    law = Search().fit(P, Y)
    np.testing.assert_array_equal(law.predict(P.round(12)), law.predict(P))
    assert np.isposinf(law.predict(P[:, [1, 0, 2, 3, 4]])).all()
