"""The verdict follows the measurements, whatever their sign, and numbers derive from one source."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from olmix.report.data import correlation
from olmix.report.gain import Gain

PRIOR = (1.00, 1.01, 1.02)


def gain(*proposal: float) -> Gain:
    return Gain(1.01, 0.97, PRIOR[: len(proposal)], proposal)


def test_a_clear_improvement_is_better():
    result = gain(0.955, 0.970, 0.975)
    assert result.status == "better"
    assert result.verdict == "proposal is better by 4.3 % ± 0.2 % (3 seeds, 26.0 standard errors)"


def test_a_clear_decline_is_worse_and_shown_without_a_double_sign():
    result = gain(1.045, 1.050, 1.065)
    assert result.status == "worse"
    assert result.verdict == "proposal is worse by 4.3 % ± 0.2 % (3 seeds, 26.0 standard errors)"


@pytest.mark.parametrize("proposal", [(1.02, 0.99, 1.01), (0.99, 1.03, 1.02)])
def test_a_difference_within_the_noise_is_neither(proposal):
    result = gain(*proposal)
    assert result.status == "indistinguishable"
    assert result.verdict.startswith("proposal is not distinguishable from the prior: ")


def test_the_verdict_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    for _ in range(200):
        prior = 1 + rng.normal(0, 0.02, 4)
        proposal = prior - rng.normal(0.01, 0.01, 4)
        significant = stats.ttest_rel(prior, proposal).pvalue < 0.05
        status = Gain(1, 1, tuple(prior), tuple(proposal)).status
        assert (status in ("better", "worse")) == significant


def test_two_and_a_half_standard_errors_of_three_seeds_prove_nothing():
    result = Gain(1.0, 0.99, (1.0, 1.0, 1.0), (0.99, 0.97, 0.999))
    assert 1.5 < result.standard_errors < 4.3
    assert result.status == "indistinguishable"


def test_pairing_removes_what_a_seed_does_to_both_mixtures():
    shift = np.array([0.0, 0.2, -0.2])
    result = Gain(1.0, 0.98, tuple(1 + shift), tuple(0.98 + shift + [0.001, 0, -0.001]))
    assert result.standard_error < 0.1
    assert result.status == "better"


def test_one_seed_has_no_error_and_no_verdict():
    result = gain(0.95)
    assert math.isnan(result.standard_error)
    assert result.status == "unproven"
    assert result.verdict == "proposal is better by 5.0 % in one seed, which cannot tell a gain from noise"


def test_no_seed_leaves_the_prediction():
    assert gain().verdict == "proposal is predicted to be better by 4.0 %; not measured, validation is off"
    assert Gain(1.0, 1.02).verdict == "proposal is predicted to be worse by 2.0 %; not measured, validation is off"
    assert Gain(math.nan, math.nan).verdict == "proposal was neither predicted nor measured"
    assert Gain(math.nan, 1.0).verdict == "gain is not known: the prior was neither predicted nor measured"
    assert gain().status == "unproven"


def test_seeds_without_spread_divide_nothing_by_zero():
    assert Gain(1, 1, (1.0, 1.0), (0.9, 0.9)).verdict.endswith("(2 seeds, no spread between them)")
    assert Gain(1, 1, (1.0, 1.0), (1.0, 1.0)).status == "indistinguishable"


def test_unpaired_seeds_are_refused():
    with pytest.raises(ValueError, match="2 measurements of the prior, 1 of the proposal"):
        Gain(1, 1, (1.0, 1.0), (1.0,))


def test_the_headline_weighs_tasks_as_the_scores_do(typical):
    tasks = tuple(replace(task, weight=float(index + 1)) for index, task in enumerate(typical.tasks))
    data = replace(typical, tasks=tasks)
    shares = np.arange(1, len(tasks) + 1) / np.arange(1, len(tasks) + 1).sum()
    assert data.headline.prior_predicted == pytest.approx(shares @ [task.prior_predicted for task in tasks])
    assert data.headline.prior_measured[1] == pytest.approx(shares @ [task.prior_measured[1] for task in tasks])
    assert data.scores[3] == pytest.approx(shares @ [task.observed[3] for task in tasks])


def test_epochs_are_weight_times_budget_over_tokens(typical):
    leaf = replace(typical.leaves[0], tokens=1000)
    assert replace(typical, target_tokens=5000).epochs(leaf, 0.4) == pytest.approx(2.0)


def test_a_virtual_domain_ranks_by_the_weight_of_its_leaves(report):
    data = report(m=4, n=2)
    leaves = tuple(
        replace(leaf, weight=weight, virtual="frozen" if index < 3 else None)
        for index, (leaf, weight) in enumerate(zip(data.leaves, (0.2, 0.2, 0.2, 0.4), strict=True))
    )
    tasks = tuple(replace(task, effect=task.effect[:2]) for task in data.tasks)
    collapsed = replace(data, leaves=leaves, tasks=tasks, coordinates=(leaves[3].name, "frozen"))
    assert collapsed.ranked_coordinates == [1, 0]


def test_correlation_of_a_constant_or_of_a_missing_value_is_unknown():
    x = np.array([1.0, 2.0, 3.0])
    assert correlation(x, 2 * x) == pytest.approx(1.0)
    assert math.isnan(correlation(x, np.ones(3)))
    assert math.isnan(correlation(x, np.array([1.0, np.nan, 2.0])))


def test_arrays_of_another_shape_are_refused_by_name(typical):
    wrong = replace(typical.tasks[0], observed=typical.tasks[0].observed[:-1])
    with pytest.raises(ValueError, match=r"algebra.observed: shape \(74,\), expected \(75,\)"):
        replace(typical, tasks=(wrong, *typical.tasks[1:]))
    with pytest.raises(ValueError, match=r"swarm\.mixtures: shape"):
        replace(typical, swarm=replace(typical.swarm, mixtures=typical.swarm.mixtures[:, :-1]))
