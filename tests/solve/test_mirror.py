"""Mirror descent by itself."""

from dataclasses import replace

import numpy as np
import pytest

from olmix.solve.exact import solve
from olmix.solve.mirror import descend
from olmix.solve.projection import flattest
from tests.solve.problems import make_problem


@pytest.mark.parametrize("worst", [False, True])
@pytest.mark.parametrize("kl", [0, 0.05, 1])
def test_every_step_lowers_the_objective_and_stays_within_the_bounds(kl, worst):
    problem = replace(make_problem(8, kl=kl, caps=np.full(8, 0.3)), worst=worst, lower=0.02)
    p = flattest(problem.lower, problem.upper)
    values = [problem.objective(p)]
    for _ in range(30):
        p = descend(problem, p, 1, 0.0)
        values.append(problem.objective(p))
        assert ((p >= problem.lower) & (p <= problem.upper)).all()
        assert abs(p.sum() - 1) <= 1e-12
    assert (np.diff(values) <= 1e-12).all()
    assert values[-1] < values[0] - 1e-3


@pytest.mark.parametrize("kl", [0, 0.001, 0.05, 1])
def test_the_minimum_of_a_convex_problem_is_reached_from_anywhere(kl):
    rng = np.random.default_rng(0)
    for seed in range(5):
        problem = make_problem(12, kl=kl, seed=seed, caps=np.full(12, 0.25))
        lowest = solve(problem).certificate.objective
        for start in rng.dirichlet(np.ones(12) * 20, 2):
            start = np.clip(start, 0, 0.25)
            p = descend(problem, start / start.sum(), 2000, 1e-9)
            assert lowest - 1e-12 <= problem.objective(p) <= lowest + 1e-8


def test_it_ends_where_the_gap_says_so():
    problem = make_problem(12, kl=0.05)
    rough, fine = (descend(problem, problem.prior, 1000, tolerance) for tolerance in (1e-2, 1e-8))
    assert 1e-8 < problem.gap(rough) <= 1e-2 * max(1, problem.objective(rough))
    assert problem.gap(fine) <= 1e-8 * max(1, problem.objective(fine))
