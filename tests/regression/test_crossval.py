import numpy as np
import pytest

from olmix.errors import InputError
from olmix.regression.crossval import assign_folds, cross_validated
from olmix.regression.log_linear import LogLinear


@pytest.fixture
def swarm():
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.full(5, 0.7), 33)
    return P, 1 + np.exp(P @ rng.normal(-1, 0.5, (5, 4))) + 0.01 * rng.normal(size=(33, 4))


def test_folds_follow_the_mixture_and_not_its_position(swarm):
    P, _ = swarm
    folds = assign_folds(P)
    order = np.random.default_rng(1).permutation(len(P))
    assert np.array_equal(assign_folds(P[order]), folds[order])
    assert np.array_equal(assign_folds(P[:, [4, 2, 0, 1, 3]]), folds)
    assert np.array_equal(assign_folds(P + 1e-15), folds)


def test_folds_are_balanced_and_not_in_the_order_of_rows(swarm):
    folds = assign_folds(swarm[0])
    assert sorted(np.bincount(folds)) == [6, 6, 7, 7, 7]
    assert len(np.unique(np.diff(folds))) > 2


def test_runs_of_one_mixture_share_a_fold(swarm):
    P, _ = swarm
    P = np.concatenate([P, P[[3, 3, 8]]])
    folds = assign_folds(P)
    assert folds[33] == folds[34] == folds[3]
    assert folds[35] == folds[8]


def test_fewer_mixtures_than_folds_are_left_out_one_by_one(swarm):
    assert sorted(assign_folds(swarm[0][:3])) == [0, 1, 2]


def test_one_mixture_cannot_be_split(swarm):
    with pytest.raises(InputError, match="33 runs of one mixture"):
        assign_folds(np.tile(swarm[0][0], (33, 1)))


@pytest.mark.parametrize("penalty", [1e-6, "auto"])
def test_a_score_has_no_influence_on_its_own_prediction(swarm, penalty):
    P, Y = swarm
    predicted = cross_validated(P, Y, LogLinear(penalty))
    changed = Y.copy()
    changed[10] += 0.3
    again = cross_validated(P, changed, LogLinear(penalty))
    fold = assign_folds(P)
    same = fold == fold[10]
    assert np.array_equal(again[same], predicted[same])
    assert not np.isclose(again[~same], predicted[~same], atol=1e-6).all()


def test_out_of_fold_predictions_do_not_depend_on_the_order_of_runs(swarm):
    P, Y = swarm
    order = np.random.default_rng(2).permutation(len(P))
    np.testing.assert_allclose(
        cross_validated(P[order], Y[order], LogLinear()), cross_validated(P, Y, LogLinear())[order], atol=1e-12
    )


def test_a_domain_in_a_single_run_is_predicted_although_its_fold_lacks_it(swarm):
    P, Y = swarm
    P[:, 4] = 0
    P[6, 4] = 0.5
    P /= P.sum(axis=1, keepdims=True)
    assert np.abs(cross_validated(P, Y, LogLinear()) - Y).max() < 2


def test_bad_scores_are_refused(swarm):
    P, Y = swarm
    Y[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2, column 1"):
        cross_validated(P, Y, LogLinear())
