"""The baseline families on the published swarms."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.model_selection import train_test_split

from olmix.regression.families import FAMILIES
from tests.regression.swarms import DATA, needs_data, read_dclm, read_regmix

pytestmark = needs_data


@pytest.fixture(scope="module")
def dclm():
    return read_dclm()


def held_out(name, dclm, seed, tasks=slice(None)):
    """Predictions, truth and the RMSE of a constant (n,) on the 63 runs that 64 random ones leave."""
    rows, others = train_test_split(np.arange(len(dclm.P)), train_size=64, random_state=seed)
    Y, truth = dclm.Y[rows][:, tasks], dclm.Y[others][:, tasks]
    predicted = FAMILIES[name]().fit_fold(dclm.P[rows], Y).predict(dclm.P[others])
    return predicted, truth, np.sqrt(truth.var(axis=0) + (truth.mean(axis=0) - Y.mean(axis=0)) ** 2)


@pytest.mark.parametrize(
    ("name", "splits", "every"),
    [("ridge", 20, 1), ("gp", 8, 1), ("bimix", 2, 6), ("autoscale", 2, 6), ("lightgbm", 1, 12)],
)
def test_no_family_predicts_worse_than_a_constant(dclm, name, splits, every):
    """Of the 57 tasks five are noise to mixtures: there a law may only match what a constant achieves."""
    for seed in range(splits):
        predicted, truth, constant = held_out(name, dclm, seed, slice(None, None, every))
        error = np.sqrt(((predicted - truth) ** 2).mean(axis=0))
        assert (error < 1.06 * constant).all(), seed


@pytest.mark.parametrize(
    ("name", "every", "correlation"),
    [("ridge", 1, 0.78), ("gp", 1, 0.85), ("bimix", 4, 0.88), ("autoscale", 4, 0.88), ("lightgbm", 8, 0.9)],
)
def test_held_out_runs_of_the_dclm_swarm_are_predicted(dclm, name, every, correlation):
    predicted, truth, _ = held_out(name, dclm, 0, slice(None, None, every))
    pearson = [np.corrcoef(a, b)[0, 1] if np.ptp(a) > 1e-9 else 0 for a, b in zip(predicted.T, truth.T, strict=True)]
    assert np.median(pearson) > correlation


@pytest.mark.parametrize(("name", "pile_cc", "mean"), [("ridge", 0.90, 0.60), ("bimix", 0.96, 0.92)])
def test_regmix_mixtures_are_ranked(name, pile_cc, mean):
    """Of ridge the rank correlations are known: 0.902 on Pile-CC, 0.63 on the mean (method section 10.6)."""
    P, Y, fresh, truth = read_regmix()
    losses = pd.read_csv(DATA / "regmix" / "train_pile_loss_1m.csv", nrows=0).columns.drop("index")
    predicted, i = FAMILIES[name]().fit(P, Y).predict(fresh), list(losses).index("metric/the_pile_pile_cc_val_loss")
    assert spearmanr(predicted[:, i], truth[:, i])[0] > pile_cc
    assert spearmanr(predicted.mean(axis=1), truth.mean(axis=1))[0] > mean


@pytest.mark.parametrize("name", ["bimix", "autoscale"])
def test_effects_that_no_run_shows_together_are_not_added_up(dclm, name, monkeypatch):
    """Runs of a few topics each: a law of all effects that single runs suggest expects wonders of many topics."""
    task = [dclm.tasks.index("socialiqa:rc::olmes")]

    def error():
        predicted, truth, constant = held_out(name, dclm, 13, task)
        return (np.sqrt(((predicted - truth) ** 2).mean(axis=0)) / constant)[0]

    careful = error()
    monkeypatch.setattr("olmix.regression.power_law.MAX_PROMISE", np.inf)
    assert careful < 1.25 < error()
