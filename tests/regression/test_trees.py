import numpy as np
import pytest

from olmix.errors import InputError
from olmix.regression.ridge import Ridge
from olmix.regression.trees import LightGBM
from tests.regression.swarms import fitted_rows, needs_data, read_dclm
from tests.regression.test_log_linear import sparse_mixtures


def threshold(runs=80, noise=0.03, seed=0):
    """The first task falls once a domain exceeds a fifth, the second is noise."""
    rng = np.random.default_rng(seed)
    P = sparse_mixtures(rng, runs, 5)
    truth = np.column_stack([1 - 0.5 * (P[:, 2] > 0.2), np.ones(runs)])
    return P, truth + noise * rng.normal(size=(runs, 2))


@pytest.fixture(scope="module")
def law():
    return LightGBM().fit(*threshold())


def test_a_threshold_is_learnt(law):
    fresh, truth = threshold(300, noise=0, seed=1)
    assert np.abs(law.predict(fresh) - truth)[:, 0].mean() < 0.06
    assert np.abs(law.predict(fresh) - truth)[:, 1].mean() < 0.015


def test_boosting_stops_where_held_out_runs_say_so(law):
    """On the runs themselves every further tree helps: noise would be boosted as long as an effect."""
    assert law.rounds_[1] < 60 < 150 < law.rounds_[0]
    assert law.share_[0] == 1


def test_the_seed_changes_nothing(law):
    P, Y = threshold()
    assert np.array_equal(LightGBM(seed=7).fit(P, Y).predict(P), law.predict(P))


def test_shuffled_domains_give_the_same_trees(law):
    P, Y = threshold()
    order = [3, 1, 4, 0, 2]
    again = LightGBM().fit(P[:, order], Y)
    assert np.array_equal(np.array(order)[again.columns_], law.columns_)
    assert [task["trees"] for task in again.to_json(list("abcde"), ["x", "y"])["tasks"].values()] == [
        task["trees"] for task in law.to_json(list("abcde"), ["x", "y"])["tasks"].values()
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": [0, 1, 2, 3, 3]}, "an order of 0 to 4"),
        ({"columns": [0, 1, 2]}, "columns"),
        ({"domains": list("abcd"), "columns": [0, 1, 2, 3]}, "another number of domains"),
    ],
)
def test_trees_for_other_domains_are_refused(law, change, message):
    with pytest.raises(InputError, match=message):
        LightGBM.from_json({**law.to_json(list("abcde"), ["x", "y"]), **change})


@pytest.mark.parametrize("text", ["tree\nversion=v4\nnum_class=1", "", 3, None])
def test_text_that_is_no_trees_is_refused(law, text):
    document = law.to_json(list("abcde"), ["x", "y"])
    document["tasks"]["y"] = {**document["tasks"]["y"], "trees": text}
    with pytest.raises(InputError):
        LightGBM.from_json(document)


@needs_data
def test_trees_predict_the_dclm_swarm_better_than_straight_lines():
    dclm = read_dclm()
    rows, others = fitted_rows(len(dclm.P))
    tasks = [dclm.tasks.index(name) for name in ("hellaswag:rc::olmes", "codex_humaneval:3shot::none", "mmlu_stem")]
    P, Y, truth = dclm.P[rows], dclm.Y[np.ix_(rows, tasks)], dclm.Y[np.ix_(others, tasks)]
    trees, lines = (
        np.abs(family().fit_fold(P, Y).predict(dclm.P[others]) - truth).mean(axis=0) for family in (LightGBM, Ridge)
    )
    assert (trees < lines).all()
    assert trees.sum() < 0.6 * lines.sum()
