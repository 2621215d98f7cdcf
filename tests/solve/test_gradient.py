"""Laws with several minima, and the counterfactual, solved from many starts."""

from dataclasses import replace

import numpy as np
import pytest

from olmix.errors import InputError, WorkError
from olmix.regression.kernel import Kernel
from olmix.solve import gradient
from olmix.solve.certificate import certify
from olmix.solve.gradient import solve
from olmix.solve.problem import Problem
from tests.solve.laws import Steps, waves
from tests.solve.problems import make_problem


def wavy(domains, kl=0.0, seed=0, caps=None, **changes):
    return Problem(
        laws=waves(domains, seed=seed),
        task_weights=np.ones(3),
        prior=np.random.default_rng(seed).dirichlet(np.full(domains, 3.0)),
        caps=np.full(domains, np.inf) if caps is None else np.asarray(caps),
        kl=kl,
        names=tuple(f"leaf{j}" for j in range(domains)),
        **changes,
    )


def lattice(domains, steps):
    """All mixtures (K, m) in multiples of 1 / steps."""
    axes = np.meshgrid(*[np.arange(steps + 1)] * (domains - 1), indexing="ij")
    some = np.stack([axis.ravel() for axis in axes], axis=1)
    some = some[some.sum(axis=1) <= steps]
    return np.column_stack([some, steps - some.sum(axis=1)]) / steps


def best_on(problem, grid):
    grid = grid[((grid <= problem.upper) & (grid >= problem.lower)).all(axis=1)]
    return problem.objectives(grid, problem.laws.predict(grid)).min()


@pytest.mark.parametrize("kl", [0, 0.05, 1])
@pytest.mark.parametrize(("domains", "steps"), [(2, 5000), (3, 300)])
def test_the_best_of_many_minima_is_found(domains, steps, kl):
    grid = lattice(domains, steps)
    for seed in range(4):
        for bounds in ({}, {"caps": [0.6, 0.7, 0.8][:domains], "lower": np.array([0.1, 0.0, 0.05])[:domains]}):
            problem = wavy(domains, kl, seed, **bounds)
            solution = solve(problem)
            assert solution.certificate.ok
            assert solution.certificate.stationarity <= 1e-8
            best = best_on(problem, grid)
            assert solution.certificate.objective <= best + 1e-12
            assert solution.certificate.objective == pytest.approx(best, abs=30 / steps)


def test_the_certificate_says_local_and_how_many_starts_agreed():
    problem = wavy(3, kl=0.05)
    certificate = solve(problem).certificate
    agreed, starts = certificate.starts
    assert 1 <= agreed <= starts
    document = certificate.to_json()
    assert document["proves"] == "locally optimal"
    assert (document["starts_agreed"], document["starts"]) == (agreed, starts)
    assert "gap" not in document  # it bounds nothing where laws are not convex
    assert document["agreement"] >= -1e-6


def test_another_local_minimum_is_refused_by_the_second_solver():
    problem = replace(make_problem(3, kl=0), worst=True)
    vertices = sorted(np.eye(3), key=problem.objective)
    assert certify(problem, vertices[0]).ok
    failures = certify(problem, vertices[1]).failures
    assert any("second solver" in failure for failure in failures)


@pytest.mark.parametrize("kl", [0, 0.05])
def test_a_mixture_next_to_the_minimum_is_refused(kl):
    problem = wavy(3, kl, seed=1, caps=[0.6, 0.7, 0.8])
    p = solve(problem).weights
    inside = np.flatnonzero((p > 0.01) & (p < problem.upper - 0.01))[:2]
    assert len(inside) == 2
    p[inside] += [1e-4, -1e-4]
    assert any("stationarity" in failure for failure in certify(problem, p).failures)


@pytest.mark.parametrize("domains", [2, 3, 8, 24])
def test_without_caps_and_kl_the_worst_mixture_is_the_worst_leaf(domains):
    """The mean of convex laws is largest at a vertex."""
    for seed in range(3):
        problem = replace(make_problem(domains, kl=0, seed=seed), worst=True)
        vertices = problem.laws.predict(np.eye(domains)) @ problem.task_weights
        solution = solve(problem)
        np.testing.assert_array_equal(solution.weights, np.eye(domains)[vertices.argmax()])
        assert solution.certificate.law == pytest.approx(vertices.max())
        assert solution.certificate.objective == pytest.approx(-vertices.max())


@pytest.mark.parametrize("kl", [0, 0.05, 0.5])
def test_the_worst_mixture_of_three_leaves_agrees_with_a_lattice(kl):
    grid = lattice(3, 400)
    for seed in range(3):
        problem = replace(make_problem(3, kl=kl, seed=seed, caps=[0.5, 0.9, 0.4]), worst=True)
        solution = solve(problem)
        assert solution.certificate.ok
        assert problem.objective(solution.weights) <= best_on(problem, grid) + 1e-12
        assert problem.objective(solution.weights) == pytest.approx(best_on(problem, grid), abs=1e-2)


def test_the_worst_mixture_is_worse_than_every_other_and_the_best_is_better():
    problem = make_problem(12, kl=0, caps=np.full(12, 0.3))
    best, worst = solve(problem).weights, solve(replace(problem, worst=True)).weights
    mixtures = np.random.default_rng(0).dirichlet(np.ones(12), 500)
    laws = [problem.law(p) for p in mixtures if (p <= 0.3).all()]
    assert problem.law(best) < min(laws) < max(laws) < problem.law(worst)


def test_the_kl_term_still_pulls_the_worst_mixture_to_the_prior():
    problem = replace(make_problem(5), worst=True)
    distances = [np.abs(solve(replace(problem, kl=kl)).weights - problem.prior).sum() for kl in (0.01, 1, 100, 1e4)]
    assert (np.diff(distances) < 0).all()
    assert distances[-1] < 1e-3


def test_a_given_mixture_is_a_start():
    problem = wavy(6, kl=0.02, seed=5)
    without = solve(problem).certificate
    given = solve(problem, np.random.default_rng(1).dirichlet(np.ones(6), 100)).certificate
    assert given.starts[1] == without.starts[1] + gradient.ROWS
    assert given.objective <= without.objective + 1e-12


def test_convex_laws_may_be_solved_by_descents_too_and_are_then_proved_optimal():
    problem = make_problem(8, caps=np.full(8, 0.2))
    certificate = solve(problem).certificate
    assert certificate.proves == "optimal"
    assert certificate.gap <= 1e-8


def test_the_same_answer_each_time():
    problem = wavy(8, kl=0.05)
    np.testing.assert_array_equal(solve(problem).weights, solve(problem).weights)


def test_a_single_feasible_mixture_is_the_answer():
    np.testing.assert_allclose(solve(wavy(3, caps=[0.2, 0.3, 0.5])).weights, [0.2, 0.3, 0.5])
    np.testing.assert_allclose(solve(wavy(1)).weights, [1])


def test_infeasible_bounds_are_told():
    with pytest.raises(InputError, match=r"caps sum to 0\.9"):
        solve(wavy(3, caps=[0.2, 0.3, 0.4]))


def test_laws_without_a_gradient_are_refused():
    problem = replace(wavy(3), laws=Steps(np.full(3, 1 / 3)), task_weights=np.ones(1))
    with pytest.raises(InputError, match="no gradient"):
        solve(problem)


def test_what_cannot_be_proved_is_never_returned(monkeypatch):
    monkeypatch.setattr(gradient, "DRAWS", (1, 2))
    monkeypatch.setattr(gradient, "settle", lambda problem, p: np.full(len(p), 1 / len(p)))
    with pytest.raises(WorkError, match="no mixture could be proved locally optimal: stationarity"):
        solve(wavy(3))


@pytest.mark.parametrize("seed", range(4))
def test_laws_of_large_terms_that_cancel_are_solved_to_the_last_digits(seed):
    """Close to the minimum the objective falls by less than its rounding, so only its gradient can tell."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(4), 20)
    scores = np.exp(-np.log(P + 0.2) @ [0.1, 0.05, 0.02, 0.1] + 1e-5 * rng.normal(size=20))
    laws = Kernel().fit(P, scores[:, None])
    assert np.abs(laws.coefficients_).sum() > 100
    problem = Problem(laws, np.ones(1), np.full(4, 0.25), np.full(4, np.inf), kl=0.4, names=tuple("abcd"))
    certificate = solve(problem).certificate
    assert certificate.ok
    assert certificate.stationarity < 1e-10
