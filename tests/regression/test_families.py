"""What holds for every family of laws."""

import functools
import json

import numpy as np
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.regression.auto import Auto
from olmix.regression.base import Family
from olmix.regression.crossval import assign_folds, cross_validated
from olmix.regression.families import FAMILIES, make_family, read_family
from tests.regression.test_log_linear import sparse_mixtures

DOMAINS, TASKS = list("abcdef"), ["x", "y", "z"]
READABLE = [name for name in FAMILIES if name != "auto"]
CONVEX = [name for name in READABLE if FAMILIES[name].convex]
ROUGH = ["lightgbm", "search"]
SHARED = ["kernel", "blend"]  # one kernel for all tasks

EVERY = pytest.mark.parametrize("name", READABLE)
EACH_CONVEX = pytest.mark.parametrize("name", CONVEX)


@functools.cache
def swarm(runs=40):
    """Runs of a law that all families can follow: one domain helps, one harms, the third task is noise."""
    rng = np.random.default_rng(runs)
    P = sparse_mixtures(rng, runs, 6)
    P[7] = P[3]  # two runs of one mixture
    Y = 1.5 + np.exp(-2 * P[:, [0]]) + P[:, [1]] * [0.5, 0, 0] - P[:, [2]] * [0, 0.4, 0]
    Y[:, 2] = 1
    return P, Y + 0.02 * rng.normal(size=Y.shape)


@functools.cache
def fitted(name) -> Family:
    return FAMILIES[name]().fit(*swarm())


def weighted(law, mixtures, weights):
    return law.predict(mixtures) @ weights


def test_the_registry_knows_every_name_of_the_params_by_the_name_of_its_class():
    assert all(family.name == name for name, family in FAMILIES.items())
    assert set(FAMILIES) == set(RegressionParams.model_fields["family"].annotation.__args__)


def test_a_family_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="found 'rigde'; allowed: log_linear, kernel"):
        make_family("rigde", 1e-6, 0.05)


@EVERY
def test_fit_returns_itself_and_sets_only_what_ends_in_an_underscore(name):
    family = FAMILIES[name]()
    before = dict(vars(family))
    assert family.fit(*swarm(20)) is family
    assert {key: vars(family)[key] for key in before} == before
    assert all(key in before or key.endswith("_") for key in vars(family))
    assert clone(family).get_params() == family.get_params()


@EVERY
def test_what_mixtures_do_is_learnt(name):
    P, Y = swarm(200)
    error = np.sqrt(((fitted(name).predict(P) - Y) ** 2).mean(axis=0)) / Y.std(axis=0)
    if name == "search":
        assert np.isinf(error).all()
    else:
        assert error[:2].max() < (1.05 if name == "natural" else 0.7)
        assert error[2] < 1.1  # noise is not taken for an effect


@EVERY
def test_the_order_of_rows_changes_no_bit(name):
    P, Y = swarm()
    order = np.random.default_rng(1).permutation(len(P))
    again = FAMILIES[name]().fit(P[order], Y[order])
    assert np.array_equal(fitted(name).predict(P), again.predict(P))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("search", "lightgbm")])  # no BLAS in these
def test_the_number_of_threads_changes_no_bit(name):
    """Matrices large enough that BLAS would share them out, and so sum in another order."""
    P = np.random.default_rng(0).dirichlet(np.full(12, 0.5), 150)
    Y = 2 - 0.5 * np.sqrt(P) @ np.random.default_rng(1).uniform(0, 1, (12, 2))

    def fit(threads):
        with threadpool_limits(threads, user_api="blas"):
            return FAMILIES[name]().fit(P, Y)

    assert np.array_equal(fit(1).predict(P), fit(2).predict(P))


@EVERY
def test_the_order_of_domains_does_not_matter(name):
    P, Y = swarm()
    order = [3, 1, 5, 0, 2, 4]
    again = FAMILIES[name]().fit(P[:, order], Y)
    fresh = P if name == "search" else swarm(50)[0]
    np.testing.assert_allclose(again.predict(fresh[:, order]), fitted(name).predict(fresh), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in READABLE if name not in SHARED])
@pytest.mark.parametrize("tasks", [[1], [2, 0]])
def test_other_tasks_and_their_order_change_no_bit(name, tasks):
    P, Y = swarm()
    laws = fitted(name).to_json(DOMAINS, TASKS)["tasks"]
    names = [TASKS[i] for i in tasks]
    alone = FAMILIES[name]().fit(P, Y[:, tasks]).to_json(DOMAINS, names)["tasks"]
    assert alone == {task: laws[task] for task in names}


@EVERY
def test_laws_survive_json_to_the_bit(name):
    law, (P, _) = fitted(name), swarm()
    document = law.to_json(DOMAINS, TASKS)
    assert document["regression"] == name
    assert (document["domains"], list(document["tasks"])) == (DOMAINS, TASKS)
    again = read_family(json.loads(json.dumps(document, allow_nan=False)))
    assert type(again) is type(law)
    assert np.array_equal(again.predict(P), law.predict(P))
    assert again.to_json(DOMAINS, TASKS) == document
    for domains, tasks in ((list("aacdef"), TASKS), (DOMAINS, ["x", "x", "z"]), (DOMAINS[1:], TASKS)):
        with pytest.raises(ValueError, match="different names"):
            law.to_json(domains, tasks)


@pytest.mark.parametrize("name", [name for name in READABLE if name != "natural"])  # which has no domains
def test_laws_read_from_json_refuse_mixtures_of_other_domains(name):
    law = read_family(fitted(name).to_json(DOMAINS, TASKS))
    with pytest.raises(InputError, match="5 domains"):
        law.predict(np.full((1, 5), 0.2))


@pytest.mark.parametrize("document", [{}, {"regression": None}, {"regression": ["ridge"]}, {"regression": "auto"}])
def test_a_document_of_no_family_is_refused_with_what_is_allowed(document):
    with pytest.raises(InputError, match=r"allowed: log_linear, .*ridge, .*search$"):
        read_family(document)


@EVERY
def test_malformed_documents_are_refused(name):
    good = fitted(name).to_json(DOMAINS, TASKS)
    for value in ["one", {"a": 1}, None, [1.0], [[1.0] * 6], float("nan")]:
        bad = json.loads(json.dumps(good))
        laws = bad["members"][0]["tasks"] if name == "blend" else bad["tasks"]
        laws["y"][next(iter(laws["y"]))] = value
        with pytest.raises(InputError):
            read_family(bad)
    for missing in ("domains", "tasks"):
        with pytest.raises(InputError):
            read_family({key: value for key, value in good.items() if key != missing})
    with pytest.raises(InputError):
        read_family({**good, "tasks": {"x": 3}})
    other = next(family for family in READABLE if family != name)
    with pytest.raises(InputError, match="regression"):
        FAMILIES[name].from_json({**good, "regression": other})


@EVERY
def test_gradients_are_those_of_the_predictions(name):
    law, weights, p = fitted(name), np.array([0.5, 0.0, 2.0]), np.array([0.3, 0.25, 0.2, 0.15, 0.06, 0.04])
    if name in ROUGH:
        assert not law.smooth
        with pytest.raises(TypeError, match=name):
            law.gradient(p, weights)
        return
    moves = 1e-6 * (np.eye(6)[:5] - np.eye(6)[5])  # along the simplex
    slopes = (weighted(law, p + moves, weights) - weighted(law, p - moves, weights)) / 2e-6
    gradient = law.gradient(p, weights)
    np.testing.assert_allclose(gradient[:5] - gradient[5], slopes, rtol=1e-5, atol=1e-7)


@EVERY
def test_second_derivatives_are_those_of_the_gradients(name):
    law, weights, p = fitted(name), np.array([0.5, 0.0, 2.0]), np.array([0.3, 0.25, 0.2, 0.15, 0.06, 0.04])
    if name in ROUGH:
        with pytest.raises(TypeError, match=name):
            law.hessian(p, weights)
        return
    moves = 1e-6 * np.eye(6)
    rows = [(law.gradient(p + move, weights) - law.gradient(p - move, weights)) / 2e-6 for move in moves]
    hessian = law.hessian(p, weights)
    np.testing.assert_allclose(hessian, rows, rtol=1e-4, atol=1e-6)
    assert not law.convex or np.linalg.eigvalsh(hessian).min() > -1e-9


@EACH_CONVEX
def test_expressions_are_convex_and_differ_from_predictions_by_a_constant(name):
    cp = pytest.importorskip("cvxpy")
    law, weights, variable = fitted(name), np.array([0.5, 0.0, 2.0]), cp.Variable(6)
    expression = law.expression(variable, weights)
    assert expression.is_dcp()
    assert expression.is_convex()
    mixtures = swarm(50)[0] * 0.999 + 0.001 / 6
    values = []
    for mixture in mixtures:
        variable.value = mixture
        values.append(float(expression.value))
    assert np.ptp(weighted(law, mixtures, weights) - values) < 1e-9


@EACH_CONVEX
def test_solvers_find_a_mixture_that_no_other_beats(name):
    cp = pytest.importorskip("cvxpy")
    law, weights, variable = fitted(name), np.array([0.5, 0.3, 0.2]), cp.Variable(6)
    problem = cp.Problem(cp.Minimize(law.expression(variable, weights)), [variable >= 0, cp.sum(variable) == 1])
    problem.solve(solver=cp.CLARABEL)
    best = np.maximum(variable.value, 0) / np.maximum(variable.value, 0).sum()
    others = np.vstack([swarm(200)[0], np.eye(6)])
    assert weighted(law, best[None], weights)[0] <= weighted(law, others, weights).min() + 1e-6


@EVERY
def test_scores_that_do_not_vary_give_a_constant_law(name):
    P, _ = swarm()
    law = FAMILIES[name]().fit(P, np.full((40, 1), 2.0))
    np.testing.assert_allclose(law.predict(P if name == "search" else np.eye(6)), 2.0, atol=1e-6)


@EVERY
def test_a_run_alone_with_a_domain_is_predicted_although_its_fold_lacks_it(name):
    P, Y = swarm()
    P = P.copy()
    P[:, 4] = 0
    P[6, 4] = 0.5
    P /= P.sum(axis=1, keepdims=True)
    predicted = cross_validated(P, Y, FAMILIES[name]())
    fold = assign_folds(P)
    assert fold[7] == fold[3]
    assert np.isinf(predicted).all() if name == "search" else np.abs(predicted - Y).max() < 2


@EVERY
def test_a_small_swarm_is_refused_by_laws_with_parameters_for_every_domain(name):
    P, Y = (part[:6] for part in swarm())
    family = FAMILIES[name]()
    if family.parametric:
        with pytest.raises(InputError, match="6 runs for 6 domains"):
            family.fit(P, Y)
    else:
        assert np.isfinite(family.fit(P, Y).predict(P)).all()


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_score_is_named_and_never_filled(name, value):
    P, Y = swarm()
    Y = Y.copy()
    Y[3, 2] = value
    with pytest.raises(InputError, match="scores: row 3, column 2"):
        FAMILIES[name]().fit(P, Y)


@pytest.mark.parametrize("name", ["log_linear", "ridge", "bimix", "autoscale"])
@pytest.mark.parametrize("penalty", [-1, "none", np.nan])
def test_penalties_out_of_range_are_refused(name, penalty):
    with pytest.raises(InputError, match="penalty"):
        FAMILIES[name](penalty=penalty).fit(*swarm())


@pytest.mark.parametrize("name", ["ridge", "bimix", "autoscale"])
def test_a_large_penalty_is_the_mean_and_a_chosen_one_can_be_given_by_hand(name):
    P, Y = swarm()
    constant = FAMILIES[name](penalty=1e6).fit(P, Y).predict(P)
    np.testing.assert_allclose(constant, np.tile(Y.mean(axis=0), (40, 1)), atol=0.01)
    chosen = fitted(name)
    for i, penalty in enumerate(chosen.penalty_):
        by_hand = FAMILIES[name](penalty=float(penalty)).fit(P, Y[:, [i]])
        np.testing.assert_allclose(by_hand.predict(P)[:, 0], chosen.predict(P)[:, i], atol=1e-3)


def test_auto_writes_the_family_that_it_chose():
    law = Auto().fit(*swarm())
    assert type(read_family(law.to_json(DOMAINS, TASKS))) is type(law.best_)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_gets_the_settings_that_it_has(name):
    made = make_family(name, 0.5, 0.3).get_params()
    assert {field: made[field] for field in ("penalty", "huber_delta") if field in made} == {
        field: value for field, value in (("penalty", 0.5), ("huber_delta", 0.3)) if field in made
    }
    assert ("penalty" in made) == (name in ("log_linear", "blend", "auto", "ridge", "bimix", "autoscale"))
