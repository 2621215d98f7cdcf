import numpy as np
import pytest

from olmix.regression.log_linear import LogLinear
from tests.regression.swarms import fitted_rows, needs_data, read_dclm, read_regmix

pytestmark = needs_data

# Summed Huber loss on the 64 rows, from an independent fit in float64 (L-BFGS-B, many starts).
GOLDEN_LOSS = {
    "arc_challenge:rc::olmes": 0.012564,
    "codex_humaneval:3shot::none": 0.059277,
    "hellaswag:rc::olmes": 0.003420,
    "medqa_en:rc::none": 0.030634,
    "mt_mbpp_v2fix:cpp": 0.079277,
}


def held_out(law, P, Y):
    predicted = law.predict(P)
    pearson = [np.corrcoef(a, b)[0, 1] for a, b in zip(predicted.T, Y.T, strict=True)]
    return np.abs(predicted - Y).mean(), np.median(pearson)


@pytest.fixture(scope="module")
def dclm():
    return read_dclm()


def test_the_loss_reaches_the_best_known_minimum(dclm):
    rows, _ = fitted_rows(len(dclm.P))
    law = LogLinear(penalty=0).fit_fold(dclm.P[rows], dclm.Y[rows])
    for task, golden in GOLDEN_LOSS.items():
        assert law.loss_[dclm.tasks.index(task)] <= golden * 1.0005


def test_the_64_rows_lack_a_topic_which_is_named(dclm):
    rows, _ = fitted_rows(len(dclm.P))
    law = LogLinear(1e-7).fit(dclm.P[rows], dclm.Y[rows])
    assert [dclm.domains.domain[j] for j in law.unidentified_] == ["fashion_and_beauty"]


def test_a_penalty_chosen_by_cross_validation_predicts_better_than_none(dclm):
    rows, others = fitted_rows(len(dclm.P))
    free = LogLinear(penalty=0).fit_fold(dclm.P[rows], dclm.Y[rows])
    auto = LogLinear().fit_fold(dclm.P[rows], dclm.Y[rows])
    error, correlation = held_out(auto, dclm.P[others], dclm.Y[others])
    assert error < 0.083 < held_out(free, dclm.P[others], dclm.Y[others])[0]
    assert correlation > 0.95


def test_held_out_error_does_not_explode_on_fewer_runs_than_advised(dclm):
    """30 runs for 24 topics; without a penalty errors of 1e10 and more occur."""
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(dclm.P))
        rows, others = order[:30], order[30:]
        tasks = order[:20] % dclm.Y.shape[1]
        law = LogLinear().fit_fold(dclm.P[rows], dclm.Y[np.ix_(rows, tasks)])
        truth = dclm.Y[np.ix_(others, tasks)]
        assert (np.abs(law.predict(dclm.P[others]) - truth).mean(axis=0) < 2.5 * truth.std(axis=0)).all()


def test_regmix_is_predicted():
    P, Y, fresh, truth = read_regmix()
    error, correlation = held_out(LogLinear().fit(P, Y), fresh, truth)
    assert error < 0.155
    assert correlation > 0.955
