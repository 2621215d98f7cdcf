"""Random search: for laws that only have values."""

import json
from dataclasses import replace

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.solve import exact
from olmix.solve.problem import Problem
from olmix.solve.simulation import SMALLEST, solve
from tests.solve.laws import Steps
from tests.solve.problems import make_problem

FAST = {"draws": 5000, "rounds": 6}
BEST = np.array([0.5, 0.2, 0.2, 0.1])


def stepwise(caps=(1, 1, 1, 1), kl=0.0, lower=(0, 0, 0, 0)):
    return Problem(Steps(BEST), np.ones(1), np.full(4, 0.25), np.array(caps), kl, tuple("abcd"), np.array(lower, float))


def test_a_law_without_a_gradient_is_minimised():
    solution = solve(stepwise(), **FAST)
    assert np.abs(solution.weights - BEST).sum() <= 0.1
    assert solution.certificate.objective <= 0.1


def test_a_smooth_law_is_minimised_nearly_as_well_as_exactly():
    for kl in (0.05, 1):
        problem = make_problem(5, kl=kl, caps=np.full(5, 0.5))
        lowest = exact.solve(problem).certificate.objective
        assert lowest - 1e-12 <= solve(problem, **FAST).certificate.objective <= lowest + 1e-3


def test_the_certificate_proves_no_more_than_it_can():
    certificate = solve(stepwise(), **FAST).certificate
    assert certificate.ok
    document = json.loads(json.dumps(certificate.to_json(), allow_nan=False))
    assert document["proves"] == "feasible"
    assert not {"stationarity", "gap", "second_solver", "agreement", "starts"} & set(document)
    assert document["shadow_prices"] == {}


@pytest.mark.parametrize("kl", [0, 0.05])
def test_bounds_hold_exactly_even_if_no_draw_meets_them(kl):
    # Hardly any Dirichlet mixture has all four weights within 1e-4 of the caps.
    problem = stepwise(caps=[0.25 + 1e-4, 0.3 - 1e-4, 0.2 + 1e-4, 0.25 + 1e-4], kl=kl)
    solution = solve(problem, **FAST)
    assert (solution.weights <= problem.caps).all()
    assert abs(solution.weights.sum() - 1) <= 1e-12
    assert solution.certificate.ok
    lower = stepwise(lower=[0, 0, 0, 0.4])
    assert solve(lower, **FAST).weights[3] == 0.4


def test_a_single_feasible_mixture_is_the_answer():
    np.testing.assert_allclose(solve(stepwise(caps=[0.1, 0.2, 0.3, 0.4]), **FAST).weights, [0.1, 0.2, 0.3, 0.4])


def test_small_weights_become_zero():
    problem = make_problem(6, kl=0, prior=[0.5, 0.49, 1e-3, 1e-3, 4e-3, 4e-3])
    weights = solve(problem, **FAST).weights
    assert ((weights == 0) | (weights >= SMALLEST * 0.99)).all()


def test_the_worst_mixture_is_searched_for_too():
    solution = solve(replace(stepwise(), worst=True), **FAST)
    assert solution.certificate.law > 1.5
    assert solution.weights[3] > 0.9


def test_the_seed_alone_decides():
    first, again, other = (solve(stepwise(), seed=seed, **FAST).weights for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_infeasible_caps_are_told():
    with pytest.raises(InputError, match=r"caps sum to 0\.8"):
        solve(stepwise(caps=[0.2, 0.2, 0.2, 0.2]), **FAST)
