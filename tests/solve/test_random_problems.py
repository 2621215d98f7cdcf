"""Properties of 600 random problems with every corner case, by formulas of their own and not by the certificate."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from olmix.errors import InputError
from olmix.solve.exact import solve
from olmix.solve.problem import DUST
from tests.solve.problems import CORNERS, random_problem

SEEDS = 600


@pytest.fixture(scope="module")
def solved():
    """Problem, corner case and mixture per seed; None where the solver says that the caps leave none."""
    found = []
    for seed in range(SEEDS):
        problem, corner = random_problem(seed)
        try:
            p = solve(problem).weights
        except InputError as error:
            if "caps sum to" not in str(error):
                raise
            p = None
        found.append((problem, corner, p))
    return found


def of(solved, *corners):
    return [(problem, p) for problem, corner, p in solved if corner in corners and p is not None]


def objective(problem, p):
    """Without the code under test: weighted mean of c + exp(t·p), plus KL."""
    law, w = problem.laws, problem.task_weights
    value = w @ (law.c_ + np.exp(law.t_ @ p))
    used = p > 0
    return value + (problem.kl * (p[used] @ np.log(p[used] / problem.prior[used])) if problem.kl else 0.0)


def residual(problem, p):
    """First-order conditions in one number: the largest gain, relative to the slopes, of weight moved between leaves.

    From any leaf above its lower bound to any below its cap. The slope of KL at 0, -infinity, is taken at dust.
    """
    law, w = problem.laws, problem.task_weights
    slope = (w * np.exp(law.t_ @ p)) @ law.t_
    can_have = (problem.caps > DUST) & ((problem.prior > 0) | (problem.kl == 0))
    if problem.kl:
        at = np.where(p > 0, p, 2 * DUST)[can_have]
        slope[can_have] += problem.kl * (np.log(at / problem.prior[can_have]) + 1)
    giving = slope[can_have & (p > problem.lower)]
    taking = slope[can_have & (p < np.minimum(problem.caps, 1))]
    gain = giving.max(initial=-np.inf) - taking.min(initial=np.inf)
    return max(0.0, gain) / max(1.0, np.abs(slope[can_have]).max())


def test_every_corner_case_is_there(solved):
    for corner in CORNERS:
        assert sum(found == corner for _, found, _ in solved) == SEEDS // len(CORNERS)


def test_infeasible_problems_are_told_and_only_they(solved):
    for problem, corner, p in solved:
        can_have = (problem.prior > 0) | (problem.kl == 0)
        feasible = np.minimum(problem.caps, 1)[can_have].sum() >= 1 - 1e-12
        assert (p is not None) == feasible == (corner != "infeasible")


def test_every_mixture_is_within_its_bounds(solved):
    for problem, _, p in solved:
        if p is not None:
            assert abs(p.sum() - 1) <= 1e-12
            assert (p >= problem.lower).all()
            assert (p <= problem.caps).all()
            assert (p[(problem.prior == 0) & (problem.kl > 0)] == 0).all()
            assert ((p == 0) | (p >= DUST) | (problem.lower > 0)).all()


def test_the_first_order_conditions_hold_to_seven_digits(solved):
    assert max(residual(problem, p) for problem, _, p in solved if p is not None) <= 1e-7


def test_no_other_solver_finds_anything_better(solved):
    small = [(problem, p) for problem, _, p in solved if p is not None and len(p) <= 4 and problem.kl < 1e6]
    assert len(small) > 200
    differences = []
    for problem, p in small:
        upper = np.where((problem.prior > 0) | (problem.kl == 0), np.minimum(problem.caps, 1), 0)
        floor = np.minimum(np.maximum(problem.lower, 1e-12), upper)

        def clipped(x, problem=problem, floor=floor, upper=upper):
            return objective(problem, np.clip(x, floor, upper))

        found = minimize(
            clipped,
            np.clip(problem.prior, floor, upper),
            bounds=list(zip(floor, upper, strict=True)),
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 300},
        )
        other = np.clip(found.x, floor, upper)
        if abs(other.sum() - 1) < 1e-9:
            assert objective(problem, p) <= objective(problem, other) + 1e-7
            differences.append(objective(problem, other) - objective(problem, p))
    assert np.median(differences) < 1e-9  # so that it is not just a poor competitor


def test_a_large_kl_weight_gives_the_prior_projected_on_the_caps(solved):
    cases = of(solved, "kl large")
    assert len(cases) == SEEDS // len(CORNERS)
    for problem, p in cases:
        caps = np.minimum(problem.caps, 1)

        def excess(s, problem=problem, caps=caps):
            return np.minimum(s * problem.prior, caps).sum() - 1

        scale = brentq(excess, 0.5, 1e9, xtol=1e-15, rtol=1e-15) if excess(1) < 0 else 1.0
        np.testing.assert_allclose(p, np.minimum(scale * problem.prior, caps), atol=1e-6)


def test_one_leaf_gets_everything(solved):
    assert all(p.tolist() == [1.0] for _, p in of(solved, "one leaf"))


def test_caps_that_sum_to_one_are_the_answer(solved):
    for problem, p in of(solved, "caps sum to 1"):
        np.testing.assert_allclose(p, np.where(problem.caps < DUST, 0, problem.caps), atol=1e-12)


def test_a_leaf_without_tokens_gets_nothing(solved):
    assert all((p[problem.caps == 0] == 0).all() for problem, p in of(solved, "leaf without tokens"))
