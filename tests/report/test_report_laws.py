"""Laws of any family, of tasks or of means of tasks; the noise of all tasks; a swarm that grew."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from olmix.report.data import ReportData
from olmix.report.laws import Laws, Noise, TaskNoise
from olmix.report.page import render, subtitle
from olmix.report.tasks import weak_task_notes
from olmix.report.write import metrics
from tests.report.test_report_generations import no_nan, table, visible


def headings(page: str, name: str) -> list[str]:
    return re.findall(r"<th(?: [^>]*)?>(.*?)</th>", re.search(rf'id="{name}">.*?</thead>', page, re.S)[0])


def of_families(data: ReportData, granularity: str = "family") -> ReportData:
    """The report of laws that are fitted to the means of families, or to that of all tasks."""
    groups = data.families if granularity == "family" else {"mean": list(data.tasks)}
    tasks = []
    for name, members in groups.items():
        mean = {field: np.mean([getattr(task, field) for task in members], axis=0) for field in
                ("observed", "heldout", "effect", "prior_measured", "proposal_measured")}  # fmt: skip
        measured = {field: tuple(mean.pop(field).tolist()) for field in ("prior_measured", "proposal_measured")}
        family = name if granularity == "family" else "all"
        tasks.append(replace(members[0], name=name, family=family, weight=len(members), **mean, **measured))
    return replace(data, tasks=tuple(tasks), laws=Laws("log_linear", granularity))


@pytest.mark.parametrize("family", ["log_linear", "kernel", "blend", "ridge", "lightgbm", "something_new"])
def test_only_log_linear_laws_have_a_constant_and_a_penalty(report, family):
    data = replace(report(m=5, n=3), laws=Laws(family))
    page, text = render(data), visible(data)
    assert f"Laws of the family {family} " in text
    assert ("f(p) = c + exp(t'p)" in text) == (family == "log_linear")
    assert ({"c", "penalty"} <= set(headings(page, "tasks"))) == (family == "log_linear")
    assert len(table(page, "tasks")[1]) == len(headings(page, "tasks"))


def test_what_auto_chose_from_is_a_table_with_the_best_first(report):
    data = replace(report(m=5, n=3), laws=Laws("kernel", errors={"log_linear": 0.412, "kernel": 0.35, "blend": 0.361}))
    assert table(render(data), "errors")[1:] == [["kernel", "0.350"], ["blend", "0.361"], ["log_linear", "0.412"]]
    assert "chosen for their cross-validated error" in visible(data)
    assert "1 is what a constant achieves" in visible(data)
    assert 'id="errors"' not in render(report(m=5, n=3))


def test_the_error_is_that_of_a_constant_at_1(report):
    data = report(m=5, n=3)
    means = tuple(replace(t, heldout=np.full_like(t.observed, t.observed.mean())) for t in data.tasks)
    assert replace(data, tasks=means).heldout_error == pytest.approx(1)
    assert metrics(data)["law"]["heldout_error"] == data.heldout_error < 0.6
    assert f"cross-validated error is {data.heldout_error:.2f}" in visible(data)


def test_laws_without_a_gradient_have_no_effects_and_say_so(report):
    data = report(m=5, n=3)
    tasks = tuple(replace(task, effect=np.full(5, math.nan)) for task in data.tasks)
    flat = replace(data, tasks=tasks, laws=Laws("lightgbm"))
    page = render(flat)
    assert no_nan(page)
    assert 'id="effects"' not in page
    assert 'href="#effects"' not in page
    assert "have no gradient" in visible(flat)
    assert page.count('class="scatter"') == 1 + len(data.families)
    assert "have no gradient" not in visible(data)


def test_effects_without_laws_are_a_contradiction(report):
    with pytest.raises(ValueError, match="effects are given, and not of what family"):
        replace(report(m=5, n=3), laws=None)


def test_rows_are_families_where_laws_are(report):
    data = of_families(report(m=5, n=8))
    page, text = render(data), visible(data)
    assert no_nan(page)
    assert "so that rows are families" in text
    assert f"Table of {len(data.tasks)} families" in text
    assert "Which leaf helps which family of tasks" in text
    assert [row[0] for row in table(page, "tasks")[1:]] == list(data.families)
    assert headings(page, "tasks")[:2] == ["family", "share"]
    assert 'class="group"' not in page  # a family is not written over itself
    assert page.count('class="scatter"') == 1 + len(data.families)


def test_laws_of_the_mean_have_no_rows_of_tasks(report):
    data = of_families(report(m=5, n=8), "aggregate")
    page, text = render(data), visible(data)
    assert no_nan(page)
    assert "there are no rows of single tasks" in text
    assert page.count('class="scatter"') == 1
    gain = page[page.index('<section id="gain">') : page.index('<section id="laws">')]
    assert gain.count('class="row"') == 1


def test_the_suite_is_counted_and_not_the_laws(report):
    data = of_families(report(m=5, n=8))
    assert len(data.tasks) == 3
    assert "5 leaves, 8 tasks" in visible(data)
    assert subtitle(data).startswith("5 leaves, 8 tasks")


NOISE = Noise(
    (
        TaskNoise("good", "a", 0.3, 0.05, 6.5),
        TaskNoise("poor", "a", 0.1, 0.05, 1.8, "dropped"),
        TaskNoise("fair", "b", 0.2, 0.05, 3.0, "downweighted"),
    ),
    4.0,
)


def test_every_task_of_the_suite_is_in_the_table_of_noise(report):
    data = replace(report(m=5, n=1), noise=NOISE)
    rows = table(render(data), "ratios")
    assert rows[1:] == [
        ["good", "a", "0.3000", "0.0500", "×6.00", "×6.50", "fully"],
        ["poor", "a", "0.1000", "0.0500", "×2.00", "×1.80", "dropped"],
        ["fair", "b", "0.2000", "0.0500", "×4.00", "×3.00", "×0.56"],
    ]
    assert "at least 4 is demanded" in visible(data)


def test_without_a_least_ratio_nothing_counts_less(report):
    data = report(m=5, n=3)
    page = render(data)
    assert headings(page, "ratios") == ["task", "family", "swarm sd", "seed sd", "signal / noise"]
    task = data.tasks[0]
    assert table(page, "ratios")[1][2:] == [
        f"{task.swarm_sd:.4f}", f"{task.noise_sd:.4f}", f"×{task.swarm_sd / task.noise_sd:.2f}",
    ]  # fmt: skip
    assert "demanded" not in visible(data)


def test_weak_tasks_are_named_with_the_threshold():
    dropped, weak = weak_task_notes(NOISE)
    assert "below 4 (regression.min_signal_to_noise) was dropped: poor. The mean is over the 2 tasks kept." in dropped
    assert "counts less: fair (×0.56)" in weak
    assert weak_task_notes(Noise(NOISE.tasks[:1], 4.0)) == []


def test_a_mean_without_dropped_tasks_is_not_called_that_of_all(report):
    data = report(m=5, n=3)
    assert "mean of all tasks" in render(data)
    dropped = render(replace(data, noise=NOISE))
    assert "mean of all tasks" not in dropped
    assert dropped.count("mean of kept tasks") >= 3


def test_agreeing_seeds_have_no_ratio_and_an_infinite_one_at_the_prior(report):
    data = replace(report(m=5, n=1), noise=Noise((TaskNoise("same", "a", 0.3, 0.0, math.inf),), 2.0))
    assert table(render(data), "ratios")[1][3:6] == ["0.0000", "–", "∞"]


def test_a_swarm_of_one_round_has_no_word_of_rounds(typical):
    assert "round" not in visible(typical)


def test_rounds_are_counted_and_runs_have_theirs(report):
    data = report(m=3, n=1, runs=12)
    grown = replace(data, swarm=replace(data.swarm, added=(6, 3, 2), rounds=3))
    assert "The swarm was grown in 3 rounds, with 6, 3 and 2 runs" in visible(grown)
    assert "not grown further" not in visible(grown)
    rows = table(render(grown), "runs")[1:]
    assert [row[1] for row in rows] == ["1"] * 6 + ["2"] * 3 + ["3"] * 2 + ["–"]  # the last one is of earlier


def test_the_reason_to_stop_is_said(report):
    data = report(m=3, n=1, runs=12)
    swarm = replace(data.swarm, added=(7, 5), rounds=4, stopped="after 12 runs the regret is small")
    text = visible(replace(data, swarm=swarm))
    assert "grown in 2 of at most 4 rounds, with 7 and 5 runs" in text
    assert "It was not grown further: after 12 runs the regret is small." in text
    unknown = visible(replace(data, swarm=replace(swarm, added=())))
    assert "grown in at most 4 rounds:" in unknown


def test_more_runs_in_rounds_than_there_are_is_a_contradiction(report):
    data = report(m=3, n=1, runs=12)
    with pytest.raises(ValueError, match="rounds added 13 runs, there are 12"):
        replace(data, swarm=replace(data.swarm, added=(6, 7), rounds=2))
