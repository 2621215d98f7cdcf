import numpy as np
import pytest

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.plan.plan import PlannedTask
from olmix.regression.targets import Targets, choose_targets, signal_to_noise

TASKS = [
    PlannedTask(name="add", family="maths", weight=0.1),
    PlannedTask(name="prove", family="maths", weight=0.3),
    PlannedTask(name="chat", family="talk", weight=0.6),
]
NAMES = [task.name for task in TASKS]
SCORES = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 0.5]])


def targets(ratios=None, **settings):
    return choose_targets(TASKS, RegressionParams(**settings), ratios)


@pytest.mark.parametrize("granularity", ["task", "family", "aggregate"])
def test_the_objective_is_the_same_at_every_granularity(granularity):
    found = targets(granularity=granularity)
    assert found.scores(SCORES, NAMES) @ found.weights == pytest.approx(SCORES @ [0.1, 0.3, 0.6])
    assert found.weights.sum() == pytest.approx(1)


def test_a_law_of_a_family_is_fitted_to_the_weighted_mean_of_its_tasks():
    found = targets(granularity="family")
    assert found.names == ["maths", "talk"]
    assert found.scores(SCORES, NAMES).tolist() == pytest.approx(np.array([[1.75, 3.0], [1.25, 0.5]]))
    assert targets(granularity="aggregate").names == ["mean"]
    assert targets().names == ["add", "chat", "prove"]
    assert targets().scores(SCORES, NAMES).tolist() == SCORES[:, [0, 2, 1]].tolist()


def test_columns_are_found_by_name():
    order = [2, 0, 1]
    found = targets(granularity="family")
    shuffled = found.scores(SCORES[:, order], [NAMES[i] for i in order])
    assert shuffled.tolist() == pytest.approx(found.scores(SCORES, NAMES))


def test_weak_tasks_are_dropped_and_named():
    found = targets({"add": 5, "prove": 1.9, "chat": 3}, min_signal_to_noise=2)
    assert found.names == ["add", "chat"]
    assert found.weights.tolist() == pytest.approx([1 / 7, 6 / 7])
    assert (found.dropped, found.downweighted) == (("prove",), ())


def test_weak_tasks_lose_weight_by_the_square_of_the_ratio():
    found = targets({"add": 5, "prove": 1, "chat": 3}, min_signal_to_noise=2, weak_tasks="downweight")
    weights = dict(zip(found.names, found.weights.tolist(), strict=True))
    assert weights == pytest.approx({"add": 0.1 / 0.775, "prove": 0.075 / 0.775, "chat": 0.6 / 0.775})
    assert (found.dropped, found.downweighted) == ((), ("prove",))


def test_a_threshold_that_leaves_no_task_is_refused():
    with pytest.raises(InputError, match=r"min_signal_to_noise: 9 leaves no task; the highest ratio is 5 \(add\)"):
        targets({"add": 5, "prove": 1, "chat": 3}, min_signal_to_noise=9)


def test_signal_to_noise_is_the_ratio_of_standard_deviations():
    rng = np.random.default_rng(0)
    swarm, repeats = rng.normal(0, [1, 0.1], (4000, 2)), rng.normal(0, [0.1, 0.1], (4000, 2))
    assert signal_to_noise(swarm, repeats) == pytest.approx([10, 1], rel=0.05)
    assert signal_to_noise(swarm, np.ones((2, 2))).tolist() == [np.inf, np.inf]
    with pytest.raises(InputError, match="noise needs at least 2"):
        signal_to_noise(swarm, repeats[:1])


def test_targets_come_back_from_json():
    found = targets({"add": 5, "prove": 1, "chat": 3}, granularity="family", min_signal_to_noise=2)
    assert Targets.from_json(found.to_json()) == found


def test_laws_come_in_the_order_in_which_documents_list_them():
    """Documents sort names: weights in another order would be those of other laws."""
    tasks = [TASKS[2], *TASKS[:2]]
    for granularity in ("task", "family"):
        names = choose_targets(tasks, RegressionParams(granularity=granularity)).names
        assert names == sorted(names)
