"""Which solver takes which laws."""

from dataclasses import replace

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.solve import exact
from olmix.solve.solver import solve
from tests.solve.laws import Steps, waves
from tests.solve.problems import make_problem


def test_laws_decide_how_much_is_proved():
    convex = make_problem(3)
    smooth = replace(convex, laws=waves(3), task_weights=np.ones(3))
    steps = replace(convex, laws=Steps(np.full(3, 1 / 3)), task_weights=np.ones(1))
    assert solve(convex).certificate.proves == "optimal"
    assert solve(smooth).certificate.proves == "locally optimal"
    assert solve(replace(convex, worst=True)).certificate.proves == "locally optimal"
    assert solve(steps).certificate.proves == "feasible"


def test_auto_is_exact_for_convex_laws():
    problem = make_problem(5, caps=np.full(5, 0.3))
    assert np.array_equal(solve(problem).weights, exact.solve(problem).weights)


def test_each_solver_can_be_asked_for():
    problem = make_problem(4)
    mixtures = np.random.default_rng(0).dirichlet(np.ones(4), 30)
    swarm = mixtures, problem.laws.predict(mixtures)
    objective = {
        method: solve(problem, method, swarm).certificate.objective
        for method in ("exact", "gradient", "simulation", "search")
    }
    assert objective["gradient"] == pytest.approx(objective["exact"], abs=1e-12)
    assert objective["exact"] < objective["simulation"] < objective["search"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"worst": True}, "the worst mixture is no convex problem"), ({"laws": waves(3, tasks=5)}, "not convex")],
)
def test_exact_refuses_what_is_not_convex(changes, message):
    with pytest.raises(InputError, match=message):
        solve(replace(make_problem(3), **changes), "exact")


def test_search_needs_the_swarm():
    with pytest.raises(InputError, match="none were given"):
        solve(make_problem(3), "search")
