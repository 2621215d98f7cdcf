from dataclasses import replace

import numpy as np
import pytest

from olmix.errors import InputError, WorkError
from olmix.params import TargetParams
from olmix.regression.log_linear import LogLinear
from olmix.solve import exact
from olmix.solve.exact import solve
from olmix.solve.problem import DUST
from olmix.solve.projection import flattest
from tests.solve.laws import Powers
from tests.solve.problems import make_problem, with_t


def check(problem):
    solution = solve(problem)
    p, certificate = solution.weights, solution.certificate
    assert abs(p.sum() - 1) < 1e-12
    assert (p >= 0).all()
    assert (p <= problem.caps).all()
    assert certificate.ok
    assert certificate.stationarity < 1e-8
    assert ((p == 0) | (p >= DUST)).all()
    return p


@pytest.mark.parametrize("kl", [0, 1e-3, 0.05, 1])
@pytest.mark.parametrize("domains", [2, 5, 24])
@pytest.mark.parametrize("room", [1.3, 4, np.inf])
def test_random_problems_are_solved_and_proved(kl, domains, room):
    for seed in range(2):
        problem = make_problem(domains, kl=kl, seed=seed)
        check(replace(problem, caps=room * problem.prior))


def test_sixty_four_domains_and_fifty_two_tasks():
    problem = make_problem(64, tasks=52, scale=2.0)
    p = check(replace(problem, caps=5 * problem.prior + 0.001))
    assert (p == 5 * problem.prior + 0.001).any()


@pytest.mark.parametrize("scale", [5, 20])
def test_steep_laws_that_clarabel_finds_hard_are_solved(scale):
    for seed in range(3):
        check(make_problem(12, scale=scale, seed=seed, caps=np.full(12, 0.4)))


@pytest.mark.parametrize("kl", [0, 0.05])
@pytest.mark.parametrize("caps", [None, [0.35, 1]])
def test_two_domains_agree_with_a_fine_grid(kl, caps):
    for seed in range(3):
        problem = make_problem(2, kl=kl, caps=caps, seed=seed)
        p = check(problem)
        first = np.linspace(0, min(1, problem.caps[0]), 20001)
        grid = min(problem.objective(np.array([x, 1 - x])) for x in first)
        assert problem.objective(p) <= grid + 1e-15
        assert problem.objective(p) == pytest.approx(grid, abs=1e-7)


def test_a_large_kl_weight_gives_the_prior():
    problem = make_problem(8, kl=1e6)
    np.testing.assert_allclose(check(problem), problem.prior, atol=1e-6)


def test_a_large_kl_weight_gives_the_prior_scaled_below_its_caps():
    problem = make_problem(4, kl=1e7, prior=[0.5, 0.3, 0.15, 0.05], caps=[0.2, 1, 1, 0.05])
    # The first and last leaf are full; the others share 0.75 in their prior ratio.
    np.testing.assert_allclose(check(problem), [0.2, 0.5, 0.25, 0.05], atol=1e-6)


def test_domains_that_are_alike_get_the_same_weight():
    problem = make_problem(3)
    problem = with_t(problem, np.repeat(problem.laws.t_[:, :1], 3, axis=1), prior=np.ones(3))
    np.testing.assert_allclose(check(problem), 1 / 3, atol=1e-12)


def test_one_linear_task_fills_the_best_leaves_up_to_their_caps():
    problem = make_problem(4, tasks=1, kl=0, caps=[0.1, 0.5, 0.6, 1])
    problem = with_t(problem, np.array([[-2.0, -1.0, -1.5, 0.0]]))
    np.testing.assert_array_equal(check(problem), [0.1, 1 - 0.1 - 0.6, 0.6, 0])


def test_without_kl_and_caps_a_leaf_that_is_always_better_gets_everything():
    problem = make_problem(3, kl=0)
    problem = with_t(problem, np.column_stack([np.full(5, -1.0), np.full(5, 1.0), np.full(5, 0.5)]))
    np.testing.assert_array_equal(check(problem), [1, 0, 0])


def test_the_solution_is_the_same_each_time_and_for_each_order_of_tasks():
    problem = make_problem(24, tasks=8, caps=np.full(24, 0.1))
    p = check(problem)
    assert np.array_equal(p, solve(problem).weights)
    order = np.random.default_rng(0).permutation(8)
    laws = LogLinear.of(problem.laws.c_[order], problem.laws.t_[order])
    shuffled = replace(problem, laws=laws, task_weights=problem.task_weights[order])
    np.testing.assert_allclose(solve(shuffled).weights, p, atol=1e-10)


def test_the_scale_of_task_weights_and_prior_does_not_matter():
    problem = make_problem()
    scaled = replace(problem, task_weights=100 * problem.task_weights, prior=7 * problem.prior)
    np.testing.assert_allclose(solve(scaled).weights, check(problem), atol=1e-12)


def test_a_leaf_without_tokens_stays_empty():
    problem = make_problem(4, caps=[0, 0.5, 0.5, 0.5])
    assert check(problem)[0] == 0


def test_a_leaf_without_prior_stays_empty_only_under_a_kl_term():
    problem = make_problem(3, prior=[0, 0.5, 0.5])
    problem = with_t(problem, problem.laws.t_ - np.array([5.0, 0, 0]))
    assert check(problem)[0] == 0
    assert check(replace(problem, kl=0))[0] > 0.5


def test_dust_becomes_exactly_zero():
    problem = make_problem(3, tasks=1, kl=0.01)
    p = check(with_t(problem, np.array([[1.0, 0.0, 0.0]])))
    assert p[0] == 0
    np.testing.assert_allclose(p[1:], problem.prior[1:] / problem.prior[1:].sum(), atol=1e-12)


def test_caps_that_sum_to_one_leave_one_mixture():
    caps = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(check(make_problem(4, caps=caps)), caps)


def test_caps_that_sum_to_hardly_more_than_one_are_no_obstacle():
    caps = np.array([0.1, 0.2, 0.3, 0.4 + 1e-7])
    np.testing.assert_allclose(check(make_problem(4, caps=caps)), caps, atol=2e-7)


def test_a_single_leaf_with_tokens_gets_everything():
    np.testing.assert_array_equal(check(make_problem(3, caps=[0, 1.5, 0])), [0, 1, 0])


def test_lower_bounds_hold_and_the_rest_is_optimal():
    problem = make_problem(8, seed=1)
    free = check(problem)
    lower = np.where(free < np.median(free), 0.05, 0.0)
    bounded = replace(problem, lower=lower)
    p = check(bounded)
    assert (p >= lower).all()
    assert (p[lower > 0] == 0.05).any()
    assert problem.objective(p) > problem.objective(free)


def test_a_lower_bound_for_all_may_be_a_number():
    p = check(replace(make_problem(5, kl=0, seed=3), lower=0.1))
    assert p.min() == 0.1


def test_lower_bounds_that_sum_to_one_leave_one_mixture():
    lower = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(check(replace(make_problem(4), lower=lower)), lower)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower": [0.5, 0.4, 0.3]}, r"lower bounds sum to 1\.2, at most 1 is possible; largest: leaf0 0\.5"),
        ({"lower": [0, 0.4, 0], "caps": [1, 0.3, 1]}, r"the lower bound of leaf1 is 0\.4, but its cap 0\.3"),
        ({"lower": [0, 0, 0.1], "caps": [1, 1, 0]}, r"the lower bound of leaf2 is 0\.1, but its cap 0"),
        ({"lower": [0.1, 0, 0], "prior": [0, 1, 1]}, r"the lower bound of leaf0 is 0\.1, but its prior is 0"),
    ],
)
def test_lower_bounds_that_cannot_be_met_are_refused(changes, message):
    problem = replace(make_problem(3), **{name: np.array(values, float) for name, values in changes.items()})
    with pytest.raises(InputError, match=message):
        solve(problem)


@pytest.mark.parametrize("kl", [0, 1e-3, 0.05])
def test_convex_laws_with_infinite_slopes_at_zero_are_solved(kl):
    """Power laws, as BiMix: almost useless leaves keep almost nothing, but something."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        a = 10.0 ** rng.uniform(-9, 0, (3, 8)) / 8
        problem = replace(make_problem(8, tasks=3, kl=kl), laws=Powers(a, rng.uniform(0.01, 2, (3, 8))))
        check(problem)


def test_infeasible_caps_are_refused_with_the_numbers():
    problem = make_problem(7, caps=[0.1, 0.2, 0.05, 0.1, 0.15, 0.02, 0.03])
    with pytest.raises(InputError) as error:
        solve(replace(problem, target=TargetParams(tokens=1_000_000, repetition=4)))
    message = str(error.value)
    assert "caps sum to 0.65, at least 1 is needed" in message
    assert "(a cap is repetition 4 x tokens of the leaf / 1,000,000 target tokens)" in message
    assert "35.00% of the target's tokens are short, 350,000 of 1,000,000" in message
    assert "that takes 87,500 more tokens of data" in message
    assert "leaf1 0.2, leaf4 0.15" in message
    assert "and 2 smaller" in message


def test_a_leaf_without_prior_does_not_count_towards_feasibility():
    problem = make_problem(3, prior=[0, 0.5, 0.5], caps=[1, 0.3, 0.3])
    with pytest.raises(InputError, match=r"caps sum to 0.6.*leaf0 1 but prior 0"):
        solve(problem)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kl": -0.1}, "kl"),
        ({"caps": np.array([1, 1, -0.5])}, "cap of leaf2 is -0.5"),
        ({"prior": np.zeros(3)}, "prior"),
        ({"task_weights": np.array([1, 1, 1, 1, np.nan])}, "task_weights"),
        ({"task_weights": np.ones(4)}, r"task_weights: shape \(4,\), \(5,\) is needed"),
        ({"lower": np.array([0, 0.1, -0.2])}, "lower bound of leaf2 is -0.2"),
        ({"names": ("a", "b")}, "2 names"),
    ],
)
def test_values_out_of_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(make_problem(3), **change)


def test_one_leaf_gets_everything_if_it_may():
    np.testing.assert_array_equal(check(make_problem(1)), [1])
    with pytest.raises(InputError, match=r"caps sum to 0\.5"):
        solve(make_problem(1, caps=[0.5]))


def test_a_mixture_that_cannot_be_proved_is_never_returned(monkeypatch):
    monkeypatch.setattr(exact, "settle", lambda problem, p: flattest(problem.lower, problem.upper))
    with pytest.raises(WorkError, match=r"no mixture could be proved optimal: .*stationarity"):
        solve(make_problem(5, caps=np.full(5, 0.9)))


def test_a_solver_that_fails_does_not_matter(monkeypatch):
    problem = make_problem(24, caps=np.full(24, 0.1))
    p = check(problem)
    monkeypatch.setattr(exact, "_ask_clarabel", lambda problem: problem.prior)
    np.testing.assert_allclose(check(problem), p, atol=1e-10)
