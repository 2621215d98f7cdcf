"""A prediction is shown with its interval, and says nothing that the interval does not bear out."""

import math
import re
from dataclasses import replace

import pytest

from olmix.console import print_results
from olmix.report.gain import Gain
from olmix.report.page import picture, render
from olmix.report.write import metrics
from tests.report.conftest import uncertain
from tests.report.test_report_generations import carried, no_nan, reusing, table, visible


def predicted(low: float, high: float, proposal: float = 0.96) -> Gain:
    """A prior of 1.2 BPB, and an interval of the gain in BPB."""
    return Gain(1.2, proposal, predicted_interval=(low, high))


def test_the_interval_is_in_percent_of_the_predicted_prior():
    gain = predicted(0.18, 0.3)
    assert (gain.predicted_low, gain.predicted, gain.predicted_high) == pytest.approx((15.0, 20.0, 25.0))
    assert gain.interval == "[15.0, 25.0]"


SAME = "proposal is not distinguishable from the prior by prediction"


@pytest.mark.parametrize(
    ("low", "high", "proposal", "found"),
    [
        (0.012, 0.3, 0.96, "proposal is predicted to be better by 20.0 % [1.0, 25.0]"),
        (0.0, 0.3, 0.96, f"{SAME}: better by 20.0 % [0.0, 25.0]"),
        (-0.012, 0.06, 1.188, f"{SAME}: better by 1.0 % [−1.0, 5.0]"),
        (-0.06, 0.012, 1.224, f"{SAME}: worse by 2.0 % [−1.0, 5.0]"),
        (-0.06, -0.012, 1.224, "proposal is predicted to be worse by 2.0 % [1.0, 5.0]"),
        (math.nan, math.nan, 0.96, "proposal is predicted to be better by 20.0 %"),
    ],
)  # fmt: skip
def test_without_seeds_the_verdict_is_that_of_the_interval(low, high, proposal, found):
    assert predicted(low, high, proposal).verdict == f"{found}; not measured, validation is off"


def test_a_measurement_keeps_its_own_verdict():
    seeds = (1.00, 1.01, 1.02), (0.955, 0.970, 0.975)
    measured = Gain(1.01, 0.97, *seeds)
    doubtful = Gain(1.01, 0.97, *seeds, predicted_interval=(-0.01, 0.09))
    assert doubtful.prediction == "indistinguishable"
    assert (doubtful.verdict, doubtful.status) == (measured.verdict, measured.status)


def test_the_header_says_the_interval_and_what_it_does_not_tell(report):
    data = uncertain(report(m=5, n=3))
    header = visible(data).split("The mixture")[0]
    assert f"+{data.headline.predicted:.1f} % {data.headline.interval}" in header
    assert "90 % interval" in header.replace("\u00a0", " ")
    assert "not distinguishable from the prior; mean BPB" not in header
    doubtful = visible(uncertain(report(m=5, n=3), gain=(-0.1, 2.0))).split("The mixture")[0]
    assert "not distinguishable from the prior; mean BPB" in doubtful


def test_the_table_of_leaves_has_the_intervals(report):
    data = uncertain(report(m=5, n=3))
    page = render(data)
    for leaf, row in zip(data.ranked_leaves, table(page, "leaves")[1:], strict=True):
        assert row[6] == f"{100 * leaf.low:.2f}–{100 * leaf.high:.2f} %"
    head = re.search(r'id="leaves">.*?</thead>', page, re.S)[0]
    assert head.index("weight") < head.index("90 % interval") < head.index("of prior")


def test_the_regret_is_said_in_words_and_as_a_share_of_the_gain(report):
    data = uncertain(report(m=5, n=3))
    text = visible(data)
    assert "The laws were refitted 100 times" in text
    assert f"better than this one by {data.uncertainty.regret:.3g} BPB" in text
    assert "the expected regret: 2.0 % of the predicted gain." in text


@pytest.mark.parametrize("make", [lambda data: data, carried, reusing])
def test_without_resampled_laws_there_is_no_word_of_them(report, make):
    data = make(report(m=6, n=4))
    page = render(data)
    assert not re.search(r"interval|refitted|regret", visible(data).replace("Student interval", ""))
    assert 'class="interval' not in page
    assert 'class="interval' not in picture(data)
    assert "predicted_low" not in metrics(data)["gain_percent"]
    assert "uncertainty" not in metrics(data)


def test_frozen_ratios_have_an_interval_over_another_prior(report):
    """It is no interval of the gain that the page predicts, so that it is not put beside it."""
    data = uncertain(reusing(report(m=8, n=4)))
    low, high = data.uncertainty.gain
    assert data.headline.interval == ""
    assert f"Over the prior with the same frozen ratios they promise {low:.4f} to {high:.4f} BPB" in visible(data)
    assert "predicted_low" not in metrics(data)["gain_percent"]
    assert render(data).count('class="interval"') == len(data.leaves) + 1  # one in the legend


def test_metrics_hold_the_interval_and_the_regret(report):
    data = uncertain(report(m=5, n=3))
    found = metrics(data)
    gain, (low, high) = found["gain_percent"], data.uncertainty.gain
    prior = found["prior_bpb"]["predicted"]
    assert (gain["predicted_low"], gain["predicted_high"]) == pytest.approx((100 * low / prior, 100 * high / prior))
    assert gain["predicted_low"] < gain["predicted"] < gain["predicted_high"]
    assert found["uncertainty"] == {"regret_bpb": data.uncertainty.regret}


def test_an_unknown_interval_of_a_weight_is_a_dash(report):
    data = uncertain(report(m=5, n=3))
    first = replace(data.leaves[0], low=math.nan, high=math.nan)
    page = render(replace(data, leaves=(first, *data.leaves[1:])))
    assert no_nan(page)
    assert {row[0]: row[6] for row in table(page, "leaves")[1:]}[first.name] == "–"


MIXTURE = {
    "weights": {"web": 1.0},
    "leaves": {"web": {"prior": 1.0, "cap": 1.0, "epochs": 0.5}},
    "parent": None,
    "virtual": {},
}


def shown(capsys, gain, **laws):
    known = {"family": "kernel", "chosen": False, "granularity": "task", "least_signal_to_noise": 0.0}
    laws = known | {"dropped": [], "downweighted": []} | laws if laws else {}
    print_results(MIXTURE, {"gain_percent": gain, "laws": laws})
    return " ".join(capsys.readouterr().out.split())


def test_show_prints_the_interval_beside_the_prediction(capsys):
    gain = {"predicted": 4.1, "predicted_low": 2.9, "predicted_high": 5.0, "measured": 3.9, "standard_error": 0.2}
    assert "predicted 4.1 % [2.9, 5.0], measured 3.9 % ± 0.2" in shown(capsys, gain)
    without = {"predicted": 4.1, "measured": 3.9}
    assert "predicted 4.1 %, measured 3.9 %" in shown(capsys, without)
    assert "Laws" not in shown(capsys, without)


def test_show_says_when_the_prediction_does_not_tell(capsys):
    words = "by prediction not distinguishable from the prior"
    assert f"[-0.1, 5.0], {words}," in shown(capsys, {"predicted": 4.1, "predicted_low": -0.1, "predicted_high": 5.0})
    assert words not in shown(capsys, {"predicted": 4.1, "predicted_low": 0.1, "predicted_high": 5.0})


def test_show_names_the_laws_and_the_tasks_that_count_less(capsys):
    gain = {"predicted": 4.1}
    assert "Laws: kernel Mixture:" in shown(capsys, gain, family="kernel")
    assert "Laws: blend, chosen by cross-validation Mixture:" in shown(capsys, gain, family="blend", chosen=True)
    family = shown(capsys, gain, granularity="family", least_signal_to_noise=3.0, dropped=["arc", "mbpp"])
    assert "Laws: kernel, one per family of tasks" in family
    assert "Tasks with a signal-to-noise ratio below 3, dropped: arc, mbpp" in family
