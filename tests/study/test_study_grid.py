"""What is fitted on which runs, and how predictions are scored."""

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.regression.blend import Blend
from olmix.regression.kernel import Kernel
from olmix.study.grid import (
    LARGEST_ERROR,
    Grid,
    compare,
    fit_cell,
    hashed_order,
    pearson,
    predict_by_family,
    sizes,
    split,
)
from tests.study.swarms_of_known_laws import FAMILIES, bent, log_linear, mixtures, table

PARAMS = RegressionParams()


@pytest.fixture(scope="module")
def swarm():
    P = mixtures(31)
    return table(P, log_linear(P))


def grid_of(swarm, families=("kernel",), repeats=5):
    return Grid.of(swarm, families, repeats, PARAMS)


@pytest.mark.parametrize(
    ("largest", "parameters", "expected"),
    [
        (101, 25, (25, 38, 50, 75, 101)),  # 100 is as good as 101
        (24, 5, (5, 8, 10, 15, 20, 24)),
        (5, 5, (5,)),
        (409, 18, (18, 27, 36, 54, 72, 108, 144, 216, 288, 409)),
    ],
)
def test_numbers_of_runs_grow_by_half_and_by_a_third(largest, parameters, expected):
    assert sizes(largest, parameters) == expected


def test_every_run_is_held_out_once_and_never_fitted_on_then(swarm):
    grid = grid_of(swarm)
    seen = []
    for repeat in range(grid.repeats):
        before = set()
        for runs in grid.runs:
            train, heldout = split(swarm.P, grid, runs, repeat)
            assert len(set(train.tolist())) == runs
            assert not set(train.tolist()) & set(heldout.tolist())
            assert before <= set(train.tolist())  # those of fewer runs are among those of more
            before = set(train.tolist())
        seen += heldout.tolist()
    assert sorted(seen) == list(range(31))


def test_repeats_take_other_runs_first(swarm):
    orders = [hashed_order(swarm.P, repeat).tolist() for repeat in range(5)]
    assert len({tuple(order[:6]) for order in orders}) == 5


def test_the_order_of_runs_depends_on_their_content(swarm):
    shuffled = np.random.default_rng(3).permutation(31)
    found = swarm.P[shuffled][hashed_order(swarm.P[shuffled], 2)]
    assert (found == swarm.P[hashed_order(swarm.P, 2)]).all()


def test_a_blend_is_what_its_members_say_together(swarm):
    P, Y, others = swarm.P[:25], swarm.Y[:25], swarm.P[25:]
    found = predict_by_family(grid_of(swarm, ("blend", "log_linear", "kernel")), P, Y, others)
    alone = predict_by_family(grid_of(swarm, ("blend",)), P, Y, others)
    assert list(found) == ["blend", "log_linear", "kernel"]
    assert found["blend"] == pytest.approx(Blend().fit_fold(P, Y).predict(others), rel=1e-12)
    assert alone["blend"] == pytest.approx(found["blend"], rel=1e-12)


def test_figures_of_a_cell_are_those_of_the_definition(swarm):
    grid = grid_of(swarm)
    (fit, *coarser) = fit_cell(swarm, grid, grid.runs[-1], 1)
    train, heldout = split(swarm.P, grid, grid.runs[-1], 1)
    predicted = Kernel().fit_fold(swarm.P[train], swarm.Y[train]).predict(swarm.P[heldout])
    truth = swarm.Y[heldout]
    rmse = np.sqrt(((predicted - truth) ** 2).mean(axis=0))
    assert fit.error == pytest.approx((rmse / swarm.Y.std(axis=0)).mean())
    mean_error = np.sqrt(((predicted.mean(axis=1) - truth.mean(axis=1)) ** 2).mean())
    assert fit.mean_error == pytest.approx(mean_error / swarm.Y.mean(axis=1).std())
    assert fit.mean_pearson == pytest.approx(np.corrcoef(predicted.mean(axis=1), truth.mean(axis=1))[0, 1])
    assert [other.granularity for other in coarser] == ["family", "aggregate"]
    assert coarser[1].error == pytest.approx(coarser[1].mean_error)  # one law, on the mean score itself


def test_other_granularities_are_tried_at_half_the_runs_and_at_the_largest_number(swarm):
    grid = grid_of(swarm)
    assert grid.runs[0] < grid.half < grid.runs[-1]
    several = [len({fit.granularity for fit in fit_cell(swarm, grid, runs, 0)}) == 3 for runs in grid.runs]
    assert several == [runs in (grid.half, grid.runs[-1]) for runs in grid.runs]


def test_families_of_one_task_each_are_no_granularity(swarm):
    from dataclasses import replace

    alone = replace(swarm, tasks=tuple(task.model_copy(update={"family": task.name}) for task in swarm.tasks))
    assert alone.granularities == ("task", "aggregate")
    assert replace(swarm, tasks=swarm.tasks[:1], Y=swarm.Y[:, :1]).granularities == ("task",)


def test_a_constant_prediction_ranks_nothing():
    assert pearson(np.full(5, 0.3), np.arange(5.0)) == 0.0
    assert pearson(0.3 + 1e-16 * np.arange(5), np.arange(5.0), ranks=True) == 0.0
    assert pearson(np.exp(np.arange(5.0)), np.arange(5.0), ranks=True) == pytest.approx(1)
    assert pearson(np.array([1.0, np.inf, 2.0]), np.arange(3.0)) == 0.0
    assert pearson(np.arange(5.0), 2 - np.arange(5.0)) == pytest.approx(-1)


def test_a_law_that_explodes_has_finite_figures():
    truth = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    predicted = np.array([[1.0, np.inf], [2.0, 1.0], [3.0, 3.0]])
    error, correlation, mean_error, *ranks = compare(predicted, truth, truth.std(axis=0), np.full(2, 0.5), 0.5)
    assert error == LARGEST_ERROR / 2
    assert correlation == pytest.approx(0.5)
    assert mean_error == LARGEST_ERROR
    assert ranks[0] == 0


@pytest.mark.parametrize("name", ["auto", "search", "forest"])
def test_families_that_cannot_be_compared_are_refused(swarm, name):
    with pytest.raises(InputError, match=f"study.families: found '{name}'; allowed: log_linear, kernel"):
        grid_of(swarm, (name,))


def test_too_few_runs_are_refused_with_the_number_that_is_needed():
    P = mixtures(6)
    with pytest.raises(InputError, match=r"6 runs for 4 domains.*4 are left.*m \+ 1 = 5.*7 runs or more"):
        grid_of(table(P, log_linear(P)))


def test_fewer_mixtures_than_parts_are_refused():
    P = np.repeat(mixtures(4), 5, axis=0)
    with pytest.raises(InputError, match=r"4 different mixtures cannot be split into study\.repeats = 5 parts"):
        grid_of(table(P, log_linear(P)))


def test_log_linear_laws_refuse_negative_scores():
    P = mixtures(30)
    swarm = table(P, bent(P) - 3)
    assert grid_of(swarm)
    with pytest.raises(InputError, match="log-linear laws need scores of at least 0"):
        grid_of(swarm, FAMILIES)
