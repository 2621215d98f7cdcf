"""BiMix and AutoScale: the fit that they share, and what is their own."""

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.regression.autoscale import AutoScale
from olmix.regression.bimix import BiMix
from olmix.regression.least_squares import minimise
from olmix.regression.power_law import _Problems
from tests.regression.test_log_linear import sparse_mixtures

LAWS = pytest.mark.parametrize("family", [BiMix, AutoScale])


def known_law(family, runs=60, noise=0.0, seed=0):
    """Mixtures (K, 4) and scores (K, 2) of laws in the form of the family, written out from the paper."""
    rng = np.random.default_rng(seed)
    P = sparse_mixtures(rng, runs, 4)
    if family is BiMix:
        A = np.array([[0.5, 0.3, 0.1, 0.4], [0.2, 0.2, 0.6, 0.0]])
        alpha = np.array([[0.3, 0.0, 0.6, 0.1], [0.1, 1.0, 0.2, 0.0]])
        Y = (A * (P[:, None] + 0.03) ** -alpha).sum(axis=2)
    else:
        A = np.array([[0.1, 0.3, 0.2, 1.0], [0.5, 0.05, 0.2, 0.1]])
        alpha = np.array([[0.5, 2.0, 1.0, 0.6], [0.4, 1.0, 3.0, 0.8]])
        Y = np.array([0.7, 1.2]) + ((100 * (A + P[:, None])) ** -alpha).sum(axis=2)
    return P, Y + noise * rng.normal(size=Y.shape)


@LAWS
def test_a_law_of_its_own_form_is_recovered(family):
    P, Y = known_law(family)
    law = family(penalty=0).fit(P, Y)
    fresh, truth = known_law(family, runs=200, seed=1)
    assert (np.abs(law.predict(fresh) - truth).max(axis=0) < 0.01 * np.ptp(Y, axis=0)).all()


@LAWS
def test_predictions_are_the_form_of_the_paper(family):
    P, Y = known_law(family, noise=0.05)
    law = family().fit(P, Y)
    for i in range(2):
        base = P + 0.03 if family is BiMix else 100 * (law.A_[i] + P)
        factor = law.A_[i] if family is BiMix else 1
        expected = law.c_[i] + (factor * base ** -law.alpha_[i]).sum(axis=1)
        np.testing.assert_allclose(law.predict(P)[:, i], expected, rtol=1e-12)
    assert family is AutoScale or not law.c_.any()


@LAWS
def test_parameters_are_in_their_bounds(family):
    P, Y = known_law(family, noise=0.3)
    law = family(penalty=1e-6).fit(P, Y)
    assert min(law.A_.min(), law.alpha_.min(), law.c_.min()) >= 0
    assert family is BiMix or law.A_.max() <= 1


@LAWS
def test_derivatives_of_the_objective_are_right(family):
    P, Y = known_law(family, runs=9, noise=0.1)
    law = family()
    law.floor_, law.tokens_ = 0.03, 100.0
    halves = [np.arange(9) < 6, np.arange(9) > 1]
    problems = _Problems.of(law, P, Y, halves, np.array([0.1, 1.0, 0.0, 0.3]))
    which = np.array([0, 1, 3])
    params = law._start(Y.mean() * np.ones(3), 4) + np.random.default_rng(0).uniform(0, 0.3, (3, 9))
    gradient, matrix = problems.derivatives(params, which)
    steps = 1e-6 * np.eye(9)
    numeric = [(problems.value(params + e, which) - problems.value(params - e, which)) / 2e-6 for e in steps]
    np.testing.assert_allclose(gradient, np.transpose(numeric), rtol=1e-6, atol=1e-8)
    # Without residuals the Gauss-Newton matrix is the second derivative: move the scores to where the law is.
    terms, _ = problems._terms(params)
    exact = _Problems.of(law, P, Y, halves, np.zeros(4))
    exact.Y[which] = params[:, :1] + terms.value.sum(axis=2)
    rows = [(exact.derivatives(params + e, which)[0] - exact.derivatives(params - e, which)[0]) / 2e-6 for e in steps]
    np.testing.assert_allclose(exact.derivatives(params, which)[1], np.swapaxes(rows, 0, 1), rtol=1e-5, atol=1e-6)
    assert (np.linalg.eigvalsh(matrix) > -1e-9).all()


@LAWS
def test_the_fit_is_a_minimum_within_the_bounds(family):
    P, Y = known_law(family, noise=0.05)
    law = family(penalty=0.01).fit(P, Y)
    problems = _Problems.of(law, P, Y, [np.full(60, True)], law.penalty_)
    params = np.hstack([law.c_[:, None], law.A_ if family is BiMix else np.log(law.A_), law.alpha_])
    value = problems.value(params, np.arange(2))
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        for move in rng.normal(0, size, (50, 9)):
            moved = np.clip(params + move, *law._bounds(4))
            assert (problems.value(moved, np.arange(2)) > value * (1 - 1e-4)).all()


def test_least_squares_within_bounds_agree_with_scipy():
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(5, 12, 4)), rng.normal(size=(5, 12))
    lower, upper = np.array([0.0, -np.inf, 0.3, -0.1]), np.array([np.inf, 0.1, 0.3, 0.1])

    class Linear:
        def value(self, params, which):
            return 0.5 * ((np.matmul(A[which], params[..., None])[..., 0] - b[which]) ** 2).sum(axis=1)

        def derivatives(self, params, which):
            residual = np.matmul(A[which], params[..., None])[..., 0] - b[which]
            transposed = A[which].swapaxes(1, 2)
            return np.matmul(transposed, residual[..., None])[..., 0], np.matmul(transposed, A[which])

    found = minimise(Linear(), np.zeros((5, 4)), lower, upper, 1e-14, 500, stack=2)
    for k in range(5):
        free = [0, 1, 3]
        bounds = (lower[free], upper[free])
        expected = lsq_linear(A[k][:, free], b[k] - 0.3 * A[k][:, 2], bounds=bounds, tol=1e-14).x
        np.testing.assert_allclose(found[k][free], expected, atol=1e-6)
        assert found[k][2] == 0.3


@LAWS
def test_the_stack_that_a_law_is_solved_in_changes_no_bit(family, monkeypatch):
    P, Y = known_law(family, noise=0.05)
    law = family().fit(P, Y)
    monkeypatch.setattr("olmix.regression.power_law._STACK", 3 * 60 * 9)
    again = family().fit(P, Y)
    assert np.array_equal(law.alpha_, again.alpha_)
    assert np.array_equal(law.A_, again.A_)


@LAWS
def test_an_absent_domain_does_not_make_scores_explode(family):
    """A domain that one run contains at 5 % says little about what a mixture of half of it scores."""
    P, Y = known_law(family, noise=0.02)
    P = np.column_stack([P, np.zeros(60)])
    P[4] = 0.95 * P[4] + 0.05 * np.eye(5)[4]
    Y[4] += 0.4
    law = family().fit(P, Y)
    reach = np.ptp(Y, axis=0)
    assert (np.abs(law.predict(np.eye(5)) - Y.mean(axis=0)) < 3 * reach).all()


@LAWS
def test_negative_scores_are_refused_with_the_place(family):
    P, Y = known_law(family)
    Y[3, 1] = -0.5
    with pytest.raises(InputError, match=f"scores: row 3, column 1 is -0.5; {family.name} laws"):
        family().fit(P, Y)


@pytest.mark.parametrize(
    ("law", "setting"),
    [(BiMix(floor=0), "floor"), (BiMix(floor=np.nan), "floor"), (AutoScale(tokens=1), "tokens")],
)
def test_settings_out_of_range_are_refused(law, setting):
    with pytest.raises(InputError, match=setting):
        law.fit(*known_law(type(law)))


@LAWS
def test_laws_that_are_not_of_the_form_are_refused(family):
    good = family(penalty=0.1).fit(*known_law(family)).to_json(list("abcd"), ["x", "y"])
    setting = "floor" if family is BiMix else "tokens"
    for value in (0.0, "high", None, [1.0]):
        with pytest.raises(InputError, match=setting):
            family.from_json({**good, setting: value})
    for field in ("A", "alpha"):
        law = good["tasks"]["y"]
        for value in ([-1.0, 0.1, 0.1, 0.1], [0.1] * 3, "A"):
            with pytest.raises(InputError, match=field):
                family.from_json({**good, "tasks": {**good["tasks"], "y": {**law, field: value}}})
