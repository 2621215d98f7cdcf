"""What is recommended from given figures."""

import math
from itertools import product

import numpy as np
import pytest

from olmix.params import RegressionParams
from olmix.study.advice import advise, sentences
from olmix.study.grid import Fit, Grid
from olmix.study.mixtures import Judged
from tests.study.swarms_of_known_laws import log_linear, mixtures, table

RUNS = (5, 10, 20)
PARTS = np.array([0.08, -0.08, 0.05, -0.05, 0.0])  # how much harder the runs of a part are than others


def fits_of(by_family, mean_errors=None):
    """Figures of a study: errors per family, one per number of runs, the same parts hard for all."""
    found = []
    for (family, figures), (repeat, hard) in product(by_family.items(), enumerate(PARTS)):
        for runs, error in zip(RUNS, figures, strict=True):
            found.append(Fit(family, "task", runs, repeat, 4, error + hard, 0.5, 0.3 + hard, 0.9, 0.9))
        for granularity, error in (mean_errors or {}).items():
            found.append(Fit(family, granularity, RUNS[-1], repeat, 4, 0.5, 0.5, error + hard, 0.9, 0.9))
    return found


def advice_of(by_family, mean_errors=None, judged=()):
    grid = Grid(tuple(by_family), RUNS, 10, len(PARTS), RegressionParams())
    fits = fits_of(by_family, mean_errors)
    advice = advise(grid, fits, judged, "kernel", math.inf)
    P = mixtures(30)
    return advice, sentences(advice, grid, fits, table(P, log_linear(P)), "blend")


def test_the_family_with_the_least_error_at_all_runs_and_at_half():
    advice, words = advice_of({"log_linear": (0.9, 0.6, 0.3), "kernel": (0.6, 0.5, 0.4)})
    assert (advice.family.chosen, advice.family_at_half.chosen) == ("log_linear", "kernel")
    assert "log_linear predicts held-out runs best: with 20 runs" in words["Family"]
    assert "0.300 ± 0.030" in words["Family"]
    assert "(kernel 0.400)" in words["Family"]
    assert "With 10 runs it is kernel: 0.500" in words["Family"]


def test_differences_are_taken_repeat_by_repeat():
    """0.02 is less than the spread over parts, but it is there in each of them."""
    advice, words = advice_of({"log_linear": (0.9, 0.6, 0.32), "kernel": (0.6, 0.5, 0.3)})
    assert advice.family.as_good == ("kernel",)
    assert "as good" not in words["Family"]


def test_families_that_differ_by_nothing_that_counts_are_named():
    advice, words = advice_of({"log_linear": (0.9, 0.6, 0.305), "kernel": (0.6, 0.5, 0.3)})
    assert advice.family.as_good == ("kernel", "log_linear")
    assert "log_linear is as good" in words["Family"]


@pytest.mark.parametrize(
    ("figures", "enough"),
    [((0.9, 0.305, 0.3), 10), ((0.305, 0.304, 0.3), 5), ((0.9, 0.4, 0.3), 20), ((0.3, 0.4, 0.3), 20)],
)
def test_the_runs_that_suffice_are_those_from_which_on_nothing_is_gained(figures, enough):
    advice, words = advice_of({"kernel": figures})
    assert advice.runs.chosen == advice.runs_by_family["kernel"] == enough
    expected = f"{enough} runs suffice (c = {enough / 5:.2g}" if enough < 20 else "More runs would help: from 10 to 20"
    assert words["Runs"].startswith(expected)


def test_the_granularity_that_predicts_the_mean_score_best():
    advice, words = advice_of({"kernel": (0.9, 0.6, 0.3)}, {"family": 0.2, "aggregate": 0.305})
    assert advice.granularity.chosen == "family"
    assert words["Granularity"].startswith("one law per family of tasks predicts the mean score best")
    assert "one law per task 0.300" in words["Granularity"]


def test_a_table_that_says_nothing_is_called_so():
    _, words = advice_of({"kernel": (1.0, 1.01, 1.0)})
    assert "A constant does as well" in words["Family"]


def judged(gains):
    return [
        Judged(kl, math.inf, half, 2 * gain, gain + hard, 1.0, 0)
        for kl, gain in gains.items()
        for half, hard in enumerate(PARTS)
    ]


def test_the_largest_kl_weight_that_gives_nothing_up():
    figures = {"kernel": (0.9, 0.6, 0.3)}
    advice, words = advice_of(figures, judged=judged({0.0: 0.2, 0.05: 0.1985, 0.1: 0.19}))
    assert advice.kl.chosen == 0.05
    assert advice.kl.best == 0
    assert "0.05 is the largest weight as good as the best" in words["KL weight"]
    assert "0.1985" in words["KL weight"]
    assert "0.2000 at weight 0" in words["KL weight"]
    assert "a model's judgement, not a measurement" in words["KL weight"]


def test_no_gain_is_not_called_one():
    _, words = advice_of({"kernel": (0.9, 0.6, 0.3)}, judged=judged({0.0: -0.01, 0.05: -0.02}))
    assert words["KL weight"].startswith("No weight promises a gain")


def test_caps_that_no_mixture_meets_do_not_count():
    cannot = [Judged(0.5, math.inf, half, math.nan, math.nan, math.nan, 0) for half in range(5)]
    advice, _ = advice_of({"kernel": (0.9, 0.6, 0.3)}, judged=[*judged({0.0: 0.2}), *cannot])
    assert advice.kl.chosen == 0
