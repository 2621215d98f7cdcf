import json
import time

import numpy as np
import pytest
from sklearn.base import clone

from olmix.errors import InputError
from olmix.regression.levenberg import MIN_C, Problems, huber, minimise
from olmix.regression.log_linear import PENALTIES, LogLinear

PENALTY = pytest.mark.parametrize("penalty", [0, 1e-6, "auto"])


def sparse_mixtures(rng, runs, domains):
    P = np.maximum(rng.dirichlet(np.full(domains, 0.3), runs) - 0.03, 0)
    return P / P.sum(axis=1, keepdims=True)


def synthetic(runs=40, domains=6, tasks=5, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.5, 1.5, tasks)
    t = rng.normal(-0.5, 0.8, (tasks, domains))
    P = sparse_mixtures(rng, runs, domains)
    return P, c + np.exp(P @ t.T) + noise * rng.normal(size=(runs, tasks)), c, t


def test_a_law_without_noise_is_recovered():
    P, Y, c, t = synthetic(noise=0)
    law = LogLinear(penalty=0).fit(P, Y)
    np.testing.assert_allclose(law.c_, c, atol=1e-4)
    np.testing.assert_allclose(law.t_, t, atol=1e-3)
    assert law.loss_.max() < 1e-9


def test_fit_only_sets_attributes_that_end_in_an_underscore():
    P, Y, *_ = synthetic()
    law = LogLinear(penalty=1e-5, huber_delta=0.05)
    assert law.fit(P, Y) is law
    assert law.get_params() == {"penalty": 1e-5, "huber_delta": 0.05}
    assert clone(law).get_params() == law.get_params()
    assert (law.c_.shape, law.t_.shape, law.penalty_.tolist()) == ((5,), (5, 6), [1e-5] * 5)


def test_the_gradient_vanishes_at_the_fit():
    P, Y, *_ = synthetic(noise=0.05)
    law = LogLinear(penalty=1e-4).fit(P, Y)
    K, m = P.shape
    mean, spread, doubt = P.mean(axis=0), Y.std(axis=0), 1 / (P**2).mean(axis=0)
    doubt /= np.exp(np.log(doubt).mean())

    def objective(i, c, t):
        level = mean @ t
        penalty = (doubt * (t - level) ** 2).sum() + 10 * m * (level - np.log(spread[i])) ** 2
        return huber(c + np.exp(P @ t) - Y[:, i], 0.02).sum() + K * 1e-4 * penalty

    for i in range(Y.shape[1]):
        here = np.append(law.c_[i], law.t_[i])
        for step in np.eye(m + 1) * 1e-5:
            up, down = here + step, here - step
            slope = (objective(i, up[0], up[1:]) - objective(i, down[0], down[1:])) / 2e-5
            assert abs(slope) < 1e-4


@PENALTY
def test_the_order_of_rows_changes_no_bit(penalty):
    P, Y, *_ = synthetic()
    P[7] = P[3]  # two runs of one mixture
    law = LogLinear(penalty).fit(P, Y)
    order = np.random.default_rng(1).permutation(len(P))
    again = LogLinear(penalty).fit(P[order], Y[order])
    assert np.array_equal(law.t_, again.t_)
    assert np.array_equal(law.c_, again.c_)
    assert np.array_equal(law.penalty_, again.penalty_)


@PENALTY
@pytest.mark.parametrize("tasks", [[2], [4, 0, 2]])
def test_other_tasks_and_their_order_change_no_bit(penalty, tasks):
    P, Y, *_ = synthetic()
    law = LogLinear(penalty).fit(P, Y)
    alone = LogLinear(penalty).fit(P, Y[:, tasks])
    assert np.array_equal(law.t_[tasks], alone.t_)
    assert np.array_equal(law.c_[tasks], alone.c_)


@PENALTY
def test_the_order_of_domains_does_not_matter(penalty):
    P, Y, *_ = synthetic()
    order = [3, 1, 5, 0, 2, 4]
    law = LogLinear(penalty).fit(P, Y)
    again = LogLinear(penalty).fit(P[:, order], Y)
    np.testing.assert_allclose(again.t_, law.t_[:, order], atol=1e-6)


@PENALTY
def test_the_stack_that_a_law_is_solved_in_changes_no_bit(penalty, monkeypatch):
    P, Y, *_ = synthetic()
    law = LogLinear(penalty).fit(P, Y)
    monkeypatch.setattr("olmix.regression.levenberg._STACK", 3 * P.size)
    assert np.array_equal(law.t_, LogLinear(penalty).fit(P, Y).t_)


def test_held_out_runs_do_not_touch_a_fit():
    P, Y, *_ = synthetic()
    used = np.arange(len(P)) % 3 > 0
    start = np.column_stack([np.full(5, 0.5), np.zeros((5, 6))])
    penalty = np.full(5, 1e-5)
    masked, _ = minimise(Problems(P, Y.T, np.tile(used, (5, 1)), penalty, 0.02), start, 1e-12, 500)
    alone = Problems(P[used], Y[used].T, np.full((5, used.sum()), True), penalty, 0.02)
    np.testing.assert_allclose(masked, minimise(alone, start, 1e-12, 500)[0], atol=1e-4)


def test_c_stays_positive_for_a_law_that_would_want_it_negative():
    P, *_ = synthetic()
    Y = (1 - P @ np.linspace(0, 0.9, 6))[:, None]  # concave along exp: a negative c would fit better
    law = LogLinear(penalty=1e-9).fit(P, Y)
    assert law.c_[0] >= MIN_C


@pytest.mark.parametrize(("runs", "domains"), [(3, 2), (8, 7), (9, 3)])
def test_auto_works_from_the_smallest_swarm(runs, domains):
    rng = np.random.default_rng(runs)
    P = rng.dirichlet(np.ones(domains), runs)
    Y = 1 + P @ rng.normal(0, 0.1, (domains, 3))
    law = LogLinear().fit(P, Y)
    assert np.isfinite(law.predict(np.eye(domains))).all()


def test_pure_noise_is_not_taken_for_an_effect():
    rng = np.random.default_rng(0)
    P = sparse_mixtures(rng, 60, 12)
    Y = 1 + 0.01 * rng.normal(size=(60, 20))
    fresh = sparse_mixtures(rng, 500, 12)
    free, auto = (np.abs(LogLinear(penalty).fit(P, Y).predict(fresh) - 1).mean(axis=0) for penalty in (0, "auto"))
    assert free.max() > 1  # explodes
    assert auto.max() < 0.01
    assert np.median(auto) < 0.5 * np.median(free)


def test_no_mixture_is_predicted_far_beyond_the_runs():
    """A domain that runs contain at 5 % only must not be extrapolated to scores of a thousand."""
    rng = np.random.default_rng(3)
    P = sparse_mixtures(rng, 30, 12)
    P[:, 11] = 0
    P[4, 11] = 0.05
    P /= P.sum(axis=1, keepdims=True)
    Y = 1.5 + P @ rng.normal(0, 0.3, (12, 10))
    Y[4] += 0.4
    law = LogLinear().fit(P, Y)
    assert (law.predict(np.eye(12)) <= Y.max(axis=0) + 11 * np.ptp(Y, axis=0)).all()


def test_scores_that_do_not_vary_give_a_constant_law():
    P, *_ = synthetic()
    law = LogLinear().fit(P, np.full((40, 1), 2.0))
    np.testing.assert_allclose(law.predict(np.eye(6)), 2.0, atol=1e-6)


def test_a_fold_without_a_domain_makes_it_as_good_as_the_mean_mixture():
    P, Y, *_ = synthetic()
    P[:, 2] = 0
    P /= P.sum(axis=1, keepdims=True)
    law = LogLinear(penalty=1e-6).fit_fold(P, Y)
    np.testing.assert_allclose(law.t_[:, 2], law.t_ @ P.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda P, Y: (P[:6], Y[:6]), "6 runs for 6 domains"),
        (lambda P, Y: (P, Y[:-1]), "39 rows, but 40 mixtures"),
        (lambda P, Y: (-P, Y), "weights are at least 0"),
        (lambda P, Y: (2 * P, Y), r"row \d+ sums to 2"),
        (lambda P, Y: (P, Y[:, 0]), "a table of runs by columns is expected"),
        (lambda P, Y: (P, [["high"]] * len(P)), "not a table of numbers"),
    ],
)
def test_bad_tables_are_refused_with_the_place(change, message):
    P, Y, *_ = synthetic()
    P, Y = change(P, Y)
    with pytest.raises(InputError, match=message):
        LogLinear(penalty=1e-6).fit(P, Y)


def test_domains_whose_effect_the_runs_leave_open_are_listed():
    P, Y, *_ = synthetic()
    assert not len(LogLinear(1e-6).fit(P, Y).unidentified_)
    absent = np.insert(P, 1, 0.0, axis=1)
    assert LogLinear(1e-6).fit(absent, Y).unidentified_.tolist() == [1]
    in_step = np.column_stack([P[:, :5], 0.3 * P[:, 5], 0.7 * P[:, 5]])
    assert LogLinear(1e-6).fit(in_step, Y).unidentified_.tolist() == [5, 6]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_value_is_named_and_never_filled(value):
    P, Y, *_ = synthetic()
    Y[3, 2] = value
    with pytest.raises(InputError, match="scores: row 3, column 2"):
        LogLinear().fit(P, Y)
    P[5, 1] = value
    with pytest.raises(InputError, match=r"mixtures: row 5, b \(column 1\)"):
        LogLinear().fit(P, Y, domain_names=list("abcdef"))


@pytest.mark.parametrize("settings", [{"penalty": -1}, {"penalty": "none"}, {"penalty": np.nan}, {"huber_delta": 0}])
def test_settings_out_of_range_are_refused(settings):
    P, Y, *_ = synthetic()
    with pytest.raises(InputError, match=next(iter(settings))):
        LogLinear(**settings).fit(P, Y)


def test_laws_survive_json():
    P, Y, *_ = synthetic()
    law = LogLinear(penalty=1e-6).fit(P, Y)
    document = law.to_json(list("abcdef"), ["v", "w", "x", "y", "z"])
    assert list(document) == ["regression", "domains", "tasks"]
    again = LogLinear.from_json(json.loads(json.dumps(document)))
    assert np.array_equal(law.predict(P), again.predict(P))
    with pytest.raises(ValueError, match="different names"):
        law.to_json(list("aacdef"), ["v", "w", "x", "y", "z"])


@pytest.mark.parametrize(
    "document",
    [
        {"regression": "lightgbm"},
        {"regression": "log_linear", "domains": ["a"]},
        {"regression": "log_linear", "domains": ["a"], "tasks": {"x": {"c": 1, "t": [1, 2]}}},
        {
            "regression": "log_linear",
            "domains": ["a", "b"],
            "tasks": {"x": {"c": 1, "t": [1, 2]}, "y": {"c": 1, "t": [1]}},
        },
        {"regression": "log_linear", "domains": ["a"], "tasks": {"x": {"c": "one", "t": [1]}}},
    ],
)
def test_malformed_laws_are_refused(document):
    with pytest.raises(InputError):
        LogLinear.from_json(document)


def test_the_laws_of_a_laptop_swarm_take_less_than_two_seconds():
    P, Y, *_ = synthetic(runs=33, domains=10, tasks=14)
    started = time.perf_counter()
    LogLinear().fit(P, Y)
    assert time.perf_counter() - started < 2


def test_penalties_go_from_constant_to_free():
    assert (np.diff(PENALTIES) < 0).all()
