"""The best feasible mixture of the swarm, by what was observed."""

from dataclasses import replace

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.solve.search import solve
from tests.solve.problems import make_problem

MIXTURES = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1], [1 / 3, 1 / 3, 1 / 3]])
SCORES = np.array([[1.0, 3.0], [2.0, 1.5], [3.0, 0.4], [2.0, 2.0]])


def problem(**changes):
    three = make_problem(3, tasks=2, kl=0, prior=[0.2, 0.2, 0.6])
    return replace(three, task_weights=np.ones(2), **changes)


def test_the_mixture_with_the_lowest_observed_mean_wins_whatever_laws_say():
    solution = solve(problem(), MIXTURES, SCORES)
    np.testing.assert_array_equal(solution.weights, [0.1, 0.8, 0.1])
    assert solution.certificate.law == solution.certificate.objective == pytest.approx(1.7)


def test_task_weights_count():
    """Unlike in the released code (method section 11, trap 15)."""
    solution = solve(replace(problem(), task_weights=np.array([9, 1])), MIXTURES, SCORES)
    np.testing.assert_allclose(solution.weights, [0.6, 0.3, 0.1])


def test_only_feasible_mixtures_count():
    capped = problem(caps=np.array([1, 0.7, 1]))
    np.testing.assert_allclose(solve(capped, MIXTURES, SCORES).weights, [0.2, 0.2, 0.6])
    floored = problem(lower=np.array([0.25, 0, 0]))
    np.testing.assert_allclose(solve(floored, MIXTURES, SCORES).weights, [1 / 3] * 3)


def test_the_kl_penalty_counts():
    solution = solve(problem(kl=1.0), MIXTURES, SCORES)
    np.testing.assert_allclose(solution.weights, [0.2, 0.2, 0.6])
    assert solution.certificate.objective == pytest.approx(1.75)


def test_the_worst_mixture_is_the_one_with_the_highest_mean():
    solution = solve(problem(worst=True), MIXTURES, SCORES)
    assert solution.certificate.law == pytest.approx(2.0)


def test_runs_of_one_mixture_are_averaged():
    """A lucky seed is no better mixture."""
    mixtures, scores = np.vstack([MIXTURES, MIXTURES[:1]]), np.vstack([SCORES, [[0.0, 0.0]]])
    scores[0] = [4.0, 4.0]
    np.testing.assert_allclose(solve(problem(), mixtures, scores).weights, [0.1, 0.8, 0.1])


def test_rounded_mixtures_are_divided_by_their_sum():
    weights = solve(problem(), np.round(MIXTURES, 3) * 1.002, SCORES).weights
    assert abs(weights.sum() - 1) <= 1e-15
    np.testing.assert_allclose(weights, [0.1, 0.8, 0.1])


def test_the_certificate_says_feasible_and_no_more():
    certificate = solve(problem(), MIXTURES, SCORES).certificate
    assert certificate.ok
    assert certificate.proves == "feasible"
    assert certificate.gap is certificate.stationarity is certificate.second_solver is None


def test_a_swarm_without_a_feasible_mixture_is_told():
    """The released code returns zeros (method section 11, trap 16)."""
    capped = problem(caps=np.array([0.5, 0.5, 0.2]))
    with pytest.raises(
        InputError, match=r"none of the 4 mixtures.*the closest has 0\.6 of leaf0, 0 to 0\.5 is allowed"
    ):
        solve(capped, MIXTURES, SCORES)


def test_infeasible_caps_are_told_before():
    with pytest.raises(InputError, match=r"caps sum to 0\.6"):
        solve(problem(caps=np.full(3, 0.2)), MIXTURES, SCORES)


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="3 tasks, but 2 task weights"):
        solve(problem(), MIXTURES, np.ones((4, 3)))
    with pytest.raises(InputError, match="3 rows, but 4 mixtures"):
        solve(problem(), MIXTURES, SCORES[:3])
