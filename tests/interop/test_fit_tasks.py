"""Which metrics count in a fit, how they are averaged, and what happens where a value is missing."""

import numpy as np
import pytest

from olmix.errors import InputError
from olmix.interop.mmlu import QUESTIONS
from olmix.interop.schema import read_fit_config
from olmix.interop.swarm import read_swarm
from olmix.regression.families import FAMILIES
from tests.interop.small_swarm import RUNS, TASKS, build, mixtures, scores

SUBJECTS = [subject for group in QUESTIONS.values() for subject in group]


@pytest.fixture
def files(tmp_path):
    return build(tmp_path)


def read(files):
    path = files.write()
    return read_swarm(read_fit_config(path, FAMILIES), path)


def weights(swarm):
    return dict(zip(swarm.tasks, swarm.weights, strict=True))


def add_columns(files, names, values):
    files.metrics[0] += names
    for row, cells in zip(files.metrics[1:], values, strict=True):
        row += list(cells)


def add_mmlu(files, names=SUBJECTS, way=":rc::olmes"):
    values = np.random.default_rng(0).uniform(1, 2, (RUNS, len(names)))
    add_columns(files, [name + way for name in names], values)
    return {name: values[:, j] for j, name in enumerate(names)}


def test_all_columns_but_labels_count_alike_without_eval(files):
    swarm = read(files)
    assert swarm.tasks == TASKS
    assert swarm.weights == pytest.approx(np.full(3, 1 / 3))
    np.testing.assert_allclose(swarm.Y, scores(mixtures()))


def test_questions_of_mmlu():
    assert {group: (len(s), sum(s.values())) for group, s in QUESTIONS.items()} == {
        "mmlu_stem": (18, 3018),
        "mmlu_other": (14, 3242),
        "mmlu_social_sciences": (12, 3077),
        "mmlu_humanities": (13, 4705),
    }


def test_mmlu_subjects_are_averaged_into_four_groups_by_questions(files):
    values = add_mmlu(files)
    swarm = read(files)
    assert swarm.tasks == sorted([*TASKS, *QUESTIONS])
    for group, questions in QUESTIONS.items():
        expected = sum(values[subject] * count for subject, count in questions.items()) / sum(questions.values())
        assert swarm.Y[:, swarm.tasks.index(group)] == pytest.approx(expected, rel=1e-12)


def test_mmlu_groups_of_the_table_stay_as_they_are(files):
    add_mmlu(files, [*QUESTIONS, *list(QUESTIONS["mmlu_other"])])
    swarm = read(files)
    assert len(swarm.tasks) == 3 + 4 + 14


def test_subjects_of_an_incomplete_group_count_one_by_one(files):
    add_mmlu(files, [subject for subject in SUBJECTS if subject != "mmlu_virology"])
    swarm = read(files)
    assert "mmlu_stem" in swarm.tasks
    assert "mmlu_other" not in swarm.tasks
    assert "mmlu_anatomy:rc::olmes" in swarm.tasks
    assert any("13 MMLU subjects are not averaged" in note for note in swarm.notes)


def test_a_family_that_lists_subjects_has_their_groups(files):
    add_mmlu(files)
    qa = ["reading", *(subject + ":rc::olmes" for subject in SUBJECTS)]
    files.change(eval={"tasks": {"qa": qa, "code": ["coding"]}}, regression={"aggregate_task_families": True})
    apart = read(files.change(regression={"aggregate_task_families": False}))
    swarm = read(files.change(regression={"aggregate_task_families": True}))
    assert apart.tasks == sorted(["coding", "reading", *QUESTIONS])  # `facts` is not listed
    assert swarm.tasks == ["code", "qa"]
    members = [apart.tasks.index(name) for name in ("reading", *QUESTIONS)]
    assert swarm.Y[:, 1] == pytest.approx(apart.Y[:, members].mean(axis=1))


def test_inloop_families_map_task_ids_to_metrics(files):
    files.change(eval={"type": "inloop", "tasks": {"code": {"humaneval": "coding"}, "qa": {"squad": "reading"}}})
    assert read(files).tasks == ["coding", "reading"]


def test_metrics_that_the_table_lacks_are_noted(files):
    swarm = read(files.change(eval={"tasks": {"qa": ["reading", "squad"]}}))
    assert swarm.tasks == ["reading"]
    assert any("has no column for squad" in note for note in swarm.notes)


def test_dropped_metrics_do_not_count_and_unknown_ones_are_noted(files):
    swarm = read(files.change(filtering={"drop_metrics": ["facts", "ultrachat_masked_ppl"]}))
    assert swarm.tasks == ["coding", "reading"]
    assert swarm.dropped_tasks == {"facts": "filtering.drop_metrics"}
    assert any("no column ultrachat_masked_ppl" in note for note in swarm.notes)


def test_metrics_are_dropped_before_families_are_averaged(files):
    files.change(
        eval={"tasks": {"qa": ["reading", "facts"], "code": ["coding"]}},
        regression={"aggregate_task_families": True},
        filtering={"drop_metrics": ["facts"]},
    )
    swarm = read(files)
    assert swarm.Y[:, swarm.tasks.index("qa")] == pytest.approx(scores(mixtures())[:, 2])


def test_a_subject_that_is_averaged_cannot_be_dropped_alone(files):
    add_mmlu(files)
    swarm = read(files.change(filtering={"drop_metrics": ["mmlu_anatomy:rc::olmes", "mmlu_stem"]}))
    assert "mmlu_other" in swarm.tasks
    assert "mmlu_stem" not in swarm.tasks
    assert any("averaged into mmlu_other, which stays" in note for note in swarm.notes)


def test_objective_weights_are_normalised_and_default_to_one(files):
    swarm = read(files.change(filtering={"obj_weights": {"coding": "6/2.0", "facts": 0}}))
    assert weights(swarm) == pytest.approx({"coding": 0.75, "facts": 0, "reading": 0.25})
    assert any("1 of 3 metrics are not named and count 1: reading" in note for note in swarm.notes)


def test_weights_of_families_count_between_them_and_those_of_metrics_within(files):
    families = {"qa": ["reading", "facts"], "code": ["coding"]}
    files.change(eval={"tasks": families}, filtering={"obj_weights": {"qa": "26/52", "code": 1.5, "facts": 3}})
    swarm = read(files)
    assert weights(swarm) == pytest.approx({"coding": 0.75, "facts": 0.25 * 0.75, "reading": 0.25 * 0.25})
    together = read(files.change(regression={"aggregate_task_families": True}))
    assert weights(together) == pytest.approx({"code": 0.75, "qa": 0.25})
    assert together.Y @ together.weights == pytest.approx(swarm.Y @ swarm.weights)


def test_the_weight_of_a_dropped_metric_is_noted(files):
    files.change(filtering={"obj_weights": {"facts": 2, "coding": 1, "reading": 1}, "drop_metrics": ["facts"]})
    assert any("facts does not count, so that its weight has no effect" in note for note in read(files).notes)


def test_a_run_that_lacks_a_task_is_left_out_and_listed(files):
    files.metrics[4][3] = ""
    files.metrics[9][5] = "NaN"
    swarm = read(files)
    assert swarm.dropped_runs == {"run_3": "lacks coding", "run_8": "lacks reading"}
    assert len(swarm.runs) == RUNS - 2
    kept = [k for k in range(RUNS) if k not in (3, 8)]
    np.testing.assert_allclose(swarm.Y, scores(mixtures())[kept])


@pytest.mark.parametrize(("missing", "dropped"), [(3, False), (4, True)])
def test_a_task_that_more_than_a_tenth_of_the_runs_lack_is_left_out(files, missing, dropped):
    for row in files.metrics[1 : 1 + missing]:
        row[3] = ""
    swarm = read(files)
    assert ("coding" not in swarm.tasks) == dropped
    assert len(swarm.runs) == (RUNS if dropped else RUNS - missing)
    if dropped:
        assert swarm.dropped_tasks == {"coding": "missing in 4 of 30 runs, more than 10%"}


def test_what_a_metric_lacks_does_not_matter_if_it_does_not_count(files):
    for row in files.metrics[1:10]:
        row[3] = "crashed"
    swarm = read(files.change(filtering={"drop_metrics": ["coding"]}))
    assert len(swarm.runs) == RUNS


def test_a_group_lacks_what_a_subject_lacks(files):
    add_mmlu(files)
    files.metrics[1][files.metrics[0].index("mmlu_virology:rc::olmes")] = ""
    assert read(files).dropped_runs == {"run_0": "lacks mmlu_other"}


def test_runs_of_one_table_only_are_left_out_and_listed(files):
    files.ratios.append(["extra", "", 99, 0.2, 0.3, 0.5])
    lost = files.ratios.pop(5)
    swarm = read(files)
    assert swarm.dropped_runs == {
        "extra": f"not in {files.folder / 'metrics.csv'}",
        lost[0]: f"not in {files.folder / 'ratios.csv'}",
    }
    assert len(swarm.runs) == RUNS - 1


def test_ids_may_be_in_run_or_run_id(files):
    files.metrics[0][0] = "run_id"
    assert len(read(files).runs) == RUNS


def test_rounded_mixtures_are_renormalised_with_a_note(files):
    for row in files.ratios[1:]:
        row[3:] = [round(value, 3) for value in row[3:]]
    files.ratios[1][3:] = [0.2, 0.3, 0.49]
    swarm = read(files)
    assert swarm.P.sum(axis=1) == pytest.approx(np.ones(RUNS), abs=1e-15)
    assert swarm.P[0, 0] == pytest.approx(0.2 / 0.99)
    assert any("sum to 0.99 to 1" in note and note.endswith("renormalised") for note in swarm.notes)


def test_the_last_digits_of_a_sum_need_no_note(files):
    files.ratios[1][3:] = [0.2, 0.3, 0.5000005]
    assert not any("renormalised" in note for note in read(files).notes)


def test_sizes_that_do_not_sum_to_one_are_renormalised_loudly(files):
    files.config["priors"] = {"relative_sizes": {"web": 0.5, "code": 0.23, "books": 0.2}}
    swarm = read(files)
    assert swarm.domains.shares == pytest.approx(np.array([0.2, 0.23, 0.5]) / 0.93)
    assert any("WARNING: priors.relative_sizes sum to 0.93" in note for note in swarm.notes)


def test_tokens_alone_give_the_prior(files):
    files.config["priors"] = {"token_counts": {"web": "6B", "code": 1_500_000_000, "books": 2.5e9}}
    assert read(files).domains.shares == pytest.approx([0.25, 0.15, 0.6])


def test_all_metrics_of_a_family_missing_is_an_error(files):
    for row in files.metrics[1:]:
        row[3] = ""
    files.change(eval={"tasks": {"code": ["coding"], "qa": ["reading"]}})
    with pytest.raises(InputError, match="every metric of family code is missing in more than 10% of the runs"):
        read(files)
