import json
from dataclasses import replace

import numpy as np
import pytest

from olmix.params import TargetParams
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


def test_json_names_the_shadow_prices(problem, solution):
    document = json.loads(json.dumps(solution.certificate.to_json()))
    (bound,) = solution.certificate.binding
    assert document["ok"] is True
    assert list(document["shadow_prices"]) == [f"leaf{bound}"]
    assert list(solution.certificate.to_json([f"digest{j}" for j in range(8)])["shadow_prices"]) == [f"digest{bound}"]


def test_a_lower_bound_that_binds_has_a_price_too():
    problem = make_problem(6, kl=0.05, seed=2)
    free = solve(problem).weights
    low = int(free.argmin())
    problem = replace(problem, lower=np.where(np.arange(6) == low, free[low] + 0.1, 0.0))
    certificate = solve(problem).certificate
    assert certificate.floors == (low,)
    more = replace(problem, lower=problem.lower + np.where(np.arange(6) == low, 1e-5, 0.0))
    rise = solve(more).certificate.objective - certificate.objective
    assert rise / 1e-5 == pytest.approx(certificate.floor_multipliers[low], rel=1e-2)
    assert certificate.to_json()["floor_prices"] == {f"leaf{low}": certificate.floor_multipliers[low]}
    p = solve(problem).weights
    p[low] += 1e-4
    p[(low + 1) % 6] -= 1e-4
    assert any("stationarity" in failure for failure in certify(problem, p).failures)
    p[low] -= 2e-4
    p[(low + 1) % 6] += 2e-4
    assert any("bound violation" in failure for failure in certify(problem, p).failures)


def test_a_leaf_with_equal_bounds_may_have_any_slope():
    problem = make_problem(6, kl=0.05, seed=2)
    bounds = np.where(np.arange(6) < 2, [0.3, 0.1, 0, 0, 0, 0], 0.0)
    problem = replace(problem, lower=bounds, caps=np.where(bounds > 0, bounds, 1.0))
    solution = solve(problem)
    assert solution.weights[:2].tolist() == [0.3, 0.1]
    assert solution.certificate.ok


def test_what_a_billion_tokens_more_are_worth(problem, solution):
    """k N / R: a billion tokens more of a leaf raise its cap by k 1e9 / R."""
    target = TargetParams(tokens=10**12, repetition=4)
    certificate = certify(replace(problem, target=target), solution.weights)
    (bound,) = certificate.binding
    price = certificate.to_json()["per_billion_tokens"][f"leaf{bound}"]
    assert price == pytest.approx(certificate.multipliers[bound] * 4 / 1e12 * 1e9)
    more = problem.caps.copy()
    more[bound] += 4 * 1e7 / 1e12  # a hundredth of that
    gain = certificate.objective - solve(replace(problem, caps=more)).certificate.objective
    assert gain * 100 == pytest.approx(price, rel=1e-2)
    assert "per_billion_tokens" not in solution.certificate.to_json()


def test_each_check_can_fail_alone(solution):
    """Nothing is reported that is not also demanded."""
    certificate = solution.certificate
    broken = {
        "sum violation": {"sum_violation": 2e-12},
        "bound violation": {"bound_violation": 1e-18},
        "stationarity": {"stationarity": 2e-8},
        "sign of multipliers": {"sign_violation": 2e-8},
        "complementary slackness": {"complementarity": 2e-8},
        "duality gap": {"gap": 2 * certificate.gap_allowed},
        "gain of the second solver": {"second_solver": certificate.objective - 1e-5},
    }
    for name, change in broken.items():
        (failure,) = replace(certificate, **change).failures
        assert failure.startswith(name)
    (field,) = replace(certificate, gap=np.nan).failures
    assert field.startswith("duality gap")


def test_a_gap_is_checked_without_the_gradient_conditions(problem, solution):
    """A mixture far from the optimum is refused by the gap too, and one at rounding distance has none."""
    far = project(np.zeros(8), problem.lower, problem.upper)
    assert any("duality gap" in failure for failure in certify(problem, far).failures)
    assert certify(problem, far).gap >= problem.objective(far) - solution.certificate.objective


@pytest.mark.parametrize("kl", [0, 0.05, 1])
def test_the_gap_is_the_distance_to_the_minimum_of_the_linearised_problem(kl):
    """Of which a lattice of mixtures shows every value."""
    axis = np.linspace(0, 1, 201)
    lattice = np.array([(x, y, 1 - x - y) for x in axis for y in axis if x + y <= 1]).clip(0)
    for seed in range(5):
        problem = make_problem(3, kl=kl, seed=seed, caps=[0.5, 0.8, 0.7])
        mixtures = lattice[(lattice <= problem.caps).all(axis=1)]
        p = mixtures[len(mixtures) // 3]
        linear = problem.law(p) + (mixtures - p) @ problem.slope(p)
        lowest = min(linear + [kl * problem.divergence(x) for x in mixtures])
        assert problem.objective(p) - problem.gap(p) <= lowest + 1e-12
        assert problem.objective(p) - problem.gap(p) == pytest.approx(lowest, abs=2e-3)


def test_the_second_solver_agrees_where_it_has_time():
    for seed in range(10):
        for kl in (0, 0.05, 1):
            problem = make_problem(12, kl=kl, seed=seed, caps=np.full(12, 0.3))
            certificate = solve(problem).certificate
            assert abs(certificate.agreement) <= 1e-7
            assert certificate.to_json()["agreement"] == certificate.agreement


def test_json_has_no_infinity():
    problem = with_t(make_problem(3, kl=0, prior=[0, 0.5, 0.5]), np.array([[-3.0, 0, 0]] * 5))
    json.dumps(solve(problem).certificate.to_json(), allow_nan=False)
