import json

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.regression.auto import Auto
from olmix.regression.blend import Blend
from olmix.regression.kernel import Kernel, _Evidence
from olmix.regression.log_linear import LogLinear
from tests.regression.test_log_linear import sparse_mixtures, synthetic

FAMILIES = pytest.mark.parametrize("family", [Kernel, Blend])


def bent(runs, seed=0, noise=0.01):
    """Diminishing returns that exp(t·p) cannot follow: each domain helps by the root of its weight."""
    rng = np.random.default_rng(seed)
    P = sparse_mixtures(rng, runs, 6)
    effect = np.random.default_rng(7).uniform(0, 1, (6, 4))
    return P, 2 - 0.5 * np.sqrt(P) @ effect + noise * rng.normal(size=(runs, 4))


def errors(law, P, Y):
    return np.sqrt(((law.predict(P) - Y) ** 2).mean(axis=0)) / Y.std(axis=0)


def test_what_a_log_linear_law_cannot_follow_is_learnt():
    P, Y = bent(60)
    fresh, truth = bent(200, seed=1, noise=0)
    kernel, straight = (errors(family().fit(P, Y), fresh, truth) for family in (Kernel, LogLinear))
    assert (kernel < 0.35 * straight).all()
    assert kernel.max() < 0.15


def test_the_gradient_of_the_evidence_is_right():
    P, Y = bent(20)
    evidence = _Evidence(P, Y / Y.std(axis=0))
    theta = np.concatenate([[0.3, -4.0, -3.0], np.random.default_rng(0).normal(0, 0.5, 6)])
    numeric = [(evidence(theta + e)[0] - evidence(theta - e)[0]) / 2e-5 for e in 1e-5 * np.eye(9)]
    np.testing.assert_allclose(evidence(theta)[1], numeric, rtol=1e-5, atol=1e-8)


@FAMILIES
def test_the_gradient_of_the_laws_is_right(family):
    P, Y = bent(40)
    law = family().fit(P, Y)
    weights, p = np.array([0.5, 0.0, 2.0, 1.0]), np.array([0.3, 0.25, 0.2, 0.15, 0.06, 0.04])
    step = 1e-6
    for i in range(5):  # along the simplex
        move = step * (np.eye(6)[i] - np.eye(6)[5])
        slope = weights @ (law.predict([p + move]) - law.predict([p - move]))[0] / (2 * step)
        gradient = law.gradient(p, weights)
        assert gradient[i] - gradient[5] == pytest.approx(slope, rel=1e-5)


def test_a_task_that_mixtures_do_not_move_is_predicted_by_its_mean():
    P, Y = bent(60)
    Y[:, 2] = 1 + 0.05 * np.random.default_rng(3).normal(size=60)
    fresh, _ = bent(100, seed=1)
    law = Kernel().fit(P, Y)
    assert np.abs(law.predict(fresh)[:, 2] - Y[:, 2].mean()).max() < 0.02
    assert law.noise_[2] > 100 * law.noise_[[0, 1, 3]].max()


def test_the_domain_with_the_effect_is_the_relevant_one():
    P, _ = bent(80)
    Y = 2 - np.sqrt(P[:, :1]) * [0.3, 0.5] + 0.003 * np.random.default_rng(0).normal(size=(80, 2))
    relevance = Kernel().fit(P, Y).relevance_
    assert relevance[0] > 3 * relevance[1:].max()


def test_the_posterior_variance_grows_away_from_the_runs():
    P, Y = bent(40)
    law = Kernel().fit(P, Y)
    noise = float(np.median(law.noise_))
    runs, corners = (np.diag(law.posterior(mixtures, noise)) for mixtures in (P, np.eye(6)))
    assert np.sqrt(np.median(runs)) < 0.7 * np.sqrt(np.median(corners))
    assert ((corners > 0) & (corners <= 1)).all()


@FAMILIES
def test_rows_in_another_order_give_the_same_bits(family):
    P, Y = bent(30)
    P[7] = P[3]
    order = np.random.default_rng(1).permutation(30)
    first, second = family().fit(P, Y), family().fit(P[order], Y[order])
    assert first.to_json("abcdef", "wxyz") == second.to_json("abcdef", "wxyz")


@FAMILIES
def test_columns_in_another_order_give_the_same_predictions(family):
    P, Y = bent(30)
    order, tasks = [3, 1, 5, 0, 2, 4], [2, 0, 3, 1]
    fresh, _ = bent(20, seed=1)
    first, second = family().fit(P, Y), family().fit(P[:, order], Y[:, tasks])
    np.testing.assert_allclose(second.predict(fresh[:, order]), first.predict(fresh)[:, tasks], rtol=0, atol=1e-9)


@FAMILIES
def test_laws_come_back_from_json_with_the_same_bits(family):
    P, Y = bent(30)
    law = family().fit(P, Y)
    document = json.loads(json.dumps(law.to_json("abcdef", "wxyz")))
    assert (document["regression"], list(document["tasks"])) == (family.name, list("wxyz"))
    again = family.from_json(document)
    assert np.array_equal(again.predict(P), law.predict(P))
    weights = np.arange(4.0)
    assert np.array_equal(again.gradient(P[0], weights), law.gradient(P[0], weights))


@FAMILIES
@pytest.mark.parametrize("missing", ["tasks", "domains", "regression", "kernel", "members"])
def test_a_malformed_document_is_refused(family, missing):
    P, Y = bent(30)
    document = family().fit(P, Y).to_json("abcdef", "wxyz")
    if missing not in document:
        return
    del document[missing]
    with pytest.raises(InputError):
        family.from_json(document)


def test_scores_that_are_not_positive_are_modelled_as_they_are():
    P, Y = bent(40)
    law = Kernel().fit(P, np.column_stack([Y[:, 0] - 2, Y[:, 1]]))
    assert law.logarithmic_.tolist() == [False, True]
    fresh, truth = bent(100, seed=1, noise=0)
    assert errors(law, fresh, np.column_stack([truth[:, 0] - 2, truth[:, 1]])).max() < 0.2


def test_a_constant_task_stays_constant():
    P, Y = bent(30)
    Y[:, 0] = 1.5
    law = Kernel().fit(P, Y)
    np.testing.assert_allclose(law.predict(P)[:, 0], 1.5, rtol=1e-9)


def test_a_blend_is_the_mean_of_its_members():
    P, Y = bent(30)
    mean = (LogLinear().fit(P, Y).predict(P) + Kernel().fit(P, Y).predict(P)) / 2
    np.testing.assert_allclose(Blend().fit(P, Y).predict(P), mean, rtol=1e-14)


def test_auto_takes_the_log_linear_law_where_it_is_true_and_not_where_it_is_not():
    P, Y, *_ = synthetic(60)
    straight = Auto().fit(P, Y)
    assert straight.best_.name == "log_linear"
    assert min(straight.errors_, key=straight.errors_.get) == "log_linear"
    P, Y = bent(60)
    law = Auto().fit(P, Y)
    assert law.best_.name == "kernel"
    assert law.to_json("abcdef", "wxyz")["regression"] == "kernel"
    assert np.array_equal(law.predict(P), Kernel().fit(P, Y).predict(P))


def test_the_errors_of_auto_are_those_of_runs_held_out():
    P, Y = bent(40)
    law = Auto().fit(P, Y)
    error = np.sqrt(((law.heldout_ - Y) ** 2).mean(axis=0)) / Y.std(axis=0)
    assert law.errors_[law.best_.name] == pytest.approx(error.mean())
    assert np.abs(law.predict(P) - Y).mean() < np.abs(law.heldout_ - Y).mean()


def test_auto_does_without_the_log_linear_law_on_few_runs():
    P, Y = bent(7)
    assert list(Auto().fit(P, Y).errors_) == ["kernel"]


@FAMILIES
def test_the_second_derivatives_of_the_laws_are_right(family):
    P, Y = bent(40)
    law = family().fit(P, np.column_stack([Y[:, :2], Y[:, 2] - 3]))
    weights, p = np.array([0.5, 0.0, 2.0]), np.array([0.3, 0.25, 0.2, 0.15, 0.06, 0.04])
    numeric = [(law.gradient(p + e, weights) - law.gradient(p - e, weights)) / 2e-6 for e in 1e-6 * np.eye(6)]
    np.testing.assert_allclose(law.hessian(p, weights), numeric, rtol=1e-4, atol=1e-4)


@FAMILIES
def test_a_refit_on_the_same_scores_changes_little_and_on_others_follows_them(family):
    P, Y = bent(40)
    law = family().fit(P, Y)
    np.testing.assert_allclose(law.refit(P, Y).predict(P), law.predict(P), atol=2e-4)
    assert np.abs(law.refit(P, Y + 0.1).predict(P) - law.predict(P) - 0.1).max() < 0.02


def test_scores_without_noise_do_not_make_laws_of_huge_terms_that_cancel():
    P = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    law = Kernel().fit(P, np.exp(-np.log(P + 0.2) @ [[0.1], [0.05], [0.02], [0.1]]))
    assert law.noise_.min() >= 1e-6
    assert np.abs(law.coefficients_).sum() < 1e4
