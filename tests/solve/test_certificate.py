import json
from dataclasses import replace

import numpy as np
import pytest

from olmix.solve.certificate import certify
from olmix.solve.exact import solve
from olmix.solve.projection import project
from tests.solve.problems import make_problem, take, with_t


@pytest.fixture(scope="module")
def problem():
    """One cap binds, the others do not."""
    problem = make_problem(8, kl=0.05, seed=4)
    free = solve(problem).weights
    return replace(problem, caps=np.where(free == free.max(), 0.7 * free, 1.0))


@pytest.fixture(scope="module")
def solution(problem):
    return solve(problem)


def test_the_optimum_is_certified(problem, solution):
    certificate = certify(problem, solution.weights)
    assert certificate.ok
    assert certificate.failures == []
    assert certificate.objective == pytest.approx(certificate.law + 0.05 * certificate.divergence, abs=1e-15)
    assert abs(certificate.gap) < 1e-12
    assert certificate.second_solver == pytest.approx(certificate.objective, abs=1e-8)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6])
def test_a_perturbed_mixture_is_rejected(problem, solution, size):
    first, second = np.flatnonzero((solution.weights > 0.01) & (solution.weights < problem.caps))[:2]
    p = solution.weights.copy()
    p[first] += size
    p[second] -= size
    assert any("stationarity" in failure for failure in certify(problem, p).failures)


def test_weight_taken_from_a_binding_cap_is_rejected(problem, solution):
    (bound,) = solution.certificate.binding
    p = solution.weights.copy()
    p[bound] -= 1e-4
    p[(bound + 1) % 8] += 1e-4
    assert not certify(problem, p).ok


def test_a_mixture_above_a_cap_is_rejected(problem):
    unbounded = solve(replace(problem, caps=np.ones(8))).weights
    assert any("bound violation" in failure for failure in certify(problem, unbounded).failures)


@pytest.mark.parametrize("excess", [1e-15, 1e-9])
def test_caps_hold_exactly_or_not_at_all(problem, solution, excess):
    (bound,) = solution.certificate.binding
    p = solution.weights.copy()
    p[bound] += excess
    assert any("bound violation" in failure for failure in certify(problem, p).failures)


def test_a_mixture_that_does_not_sum_to_one_is_rejected(problem, solution):
    assert any("sum violation" in failure for failure in certify(problem, solution.weights * (1 - 1e-9)).failures)


def test_negative_weights_and_missing_values_are_rejected(problem, solution):
    negative = solution.weights.copy()
    negative[:2] += [-1.0, 1.0]
    assert not certify(problem, negative).ok
    assert not certify(problem, np.full(8, np.nan)).ok


def test_a_leaf_dropped_although_it_is_wanted_is_rejected(problem, solution):
    p = solution.weights.copy()
    dropped = np.flatnonzero(p > 0.01)[-1]
    part = np.flatnonzero(np.arange(8) != dropped)
    p[part], p[dropped] = solve(take(problem, part)).weights, 0.0
    assert any("stationarity" in failure for failure in certify(problem, p).failures)


@pytest.mark.parametrize("change", [1e-6, -1e-6, 0.1])
def test_a_wrong_multiplier_is_rejected(problem, solution, change):
    (bound,) = solution.certificate.binding
    right = solution.certificate.multipliers
    assert certify(problem, solution.weights, right).ok
    wrong = right.copy()
    wrong[bound] += change
    assert not certify(problem, solution.weights, wrong).ok


def test_a_price_on_a_cap_that_does_not_bind_is_rejected(problem, solution):
    wrong = solution.certificate.multipliers.copy()
    wrong[(solution.certificate.binding[0] + 1) % 8] = 0.01
    assert any("complementary" in failure for failure in certify(problem, solution.weights, wrong).failures)


def test_a_negative_price_is_rejected(problem, solution):
    wrong = -solution.certificate.multipliers
    assert any("sign" in failure for failure in certify(problem, solution.weights, wrong).failures)


def test_the_optimum_of_another_problem_is_rejected(problem, solution):
    assert not certify(replace(problem, kl=0.051), solution.weights).ok


def test_shadow_prices_predict_what_more_room_is_worth(problem, solution):
    (bound,) = solution.certificate.binding
    more = problem.caps.copy()
    more[bound] += 1e-5
    gain = solution.certificate.objective - solve(replace(problem, caps=more)).certificate.objective
    assert gain / 1e-5 == pytest.approx(solution.certificate.multipliers[bound], rel=1e-2)


def test_the_gap_bounds_the_distance_to_the_optimum(problem, solution):
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = project(np.log(rng.dirichlet(np.ones(8))), problem.lower, problem.upper)
        certificate = certify(problem, p)
        assert certificate.objective - certificate.gap <= solution.certificate.objective + 1e-12


def test_projection_fills_leaves_up_to_their_caps():
    x = project(np.log([0.5, 0.3, 0.15, 0.05]), np.zeros(4), np.array([0.2, 1.0, 1.0, 0.05]))
    np.testing.assert_allclose(x, [0.2, 0.5, 0.25, 0.05])
    np.testing.assert_allclose(project(np.array([-5000.0, 0.0]), np.zeros(2), np.array([1.0, 0.25])), [0.75, 0.25])


def test_json_names_the_shadow_prices(problem, solution):
    document = json.loads(json.dumps(solution.certificate.to_json()))
    (bound,) = solution.certificate.binding
    assert document["ok"] is True
    assert list(document["shadow_prices"]) == [f"leaf{bound}"]
    assert list(solution.certificate.to_json([f"digest{j}" for j in range(8)])["shadow_prices"]) == [f"digest{bound}"]


def test_json_has_no_infinity():
    problem = with_t(make_problem(3, kl=0, prior=[0, 0.5, 0.5]), np.array([[-3.0, 0, 0]] * 5))
    json.dumps(solve(problem).certificate.to_json(), allow_nan=False)
