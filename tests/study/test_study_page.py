"""The page of a study, in a real browser."""

from dataclasses import replace

import numpy as np
import pytest

from olmix.params import RegressionParams, StudyParams
from olmix.study.page import headline, render
from olmix.study.study import run_study
from olmix.study.table import Limits
from tests.study.swarms_of_known_laws import log_linear, mixtures, table

LABELS_OUTSIDE = """
    const outside = [];
    for (const svg of document.querySelectorAll("svg.figure")) {
        const frame = svg.getBoundingClientRect();
        for (const label of svg.querySelectorAll("text")) {
            const box = label.getBoundingClientRect();
            const across = box.left < frame.left - 1 || box.right > frame.right + 1;
            const up = box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
            if (across || up) outside.push(label.textContent);
        }
    }
    return {outside, figures: document.querySelectorAll("svg.figure").length};
"""
TOUCHING = """
    const touching = [];
    const found = [...document.querySelectorAll(".study-label")];
    const labels = found.map(label => [label.textContent, label.getBoundingClientRect()]);
    for (const [one, a] of labels) for (const [two, b] of labels) {
        if (one < two && Math.abs(a.left - b.left) < 60 && Math.abs(a.top - b.top) < 11) touching.push([one, two]);
    }
    return {touching, labels: labels.length};
"""


def study_of(limits=None, **changes):
    P = mixtures(24)
    params = StudyParams(families=["log_linear", "kernel", "blend"], repeats=2, kl=[0, 0.1], repetition=[1, 4])
    return run_study(
        "known laws", table(P, log_linear(P), limits), params, RegressionParams(), 0.05, 1, lambda line: None, **changes
    )


@pytest.fixture(scope="module")
def study():
    limits = Limits(np.zeros(4), np.ones(4), np.array([0.05, 0.03, 0.04, 0.3]), 3.0)
    in_force = {"family": "kernel", "granularity": "task", "kl": 0.05, "runs_per_parameter": 3.0}
    return study_of(limits, in_force=in_force, notes=["a <note>"])


def test_the_page_loads_alone_and_cuts_no_label(study, browser):
    page = browser.open(render(study), LABELS_OUTSIDE)
    assert page.console == []
    assert page.probe == {"outside": [], "figures": 3}
    assert browser.open(render(study), TOUCHING).probe == {"touching": [], "labels": 6}


def test_the_page_asks_for_nothing_from_elsewhere(study):
    page = render(study)
    assert "default-src 'none'" in page
    assert "src=" not in page
    assert "href=" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_the_page_says_what_to_change_and_that_a_judge_is_no_measurement(study):
    page = render(study)
    assert headline(study) in page
    assert f"family: {study.advice.family.chosen}, granularity:" in page
    assert "A judgement by a model, not a measurement" in page
    assert "a &lt;note&gt;" in page
    assert "no mixture" in page  # at k = 1


def test_nine_families_have_labels_apart(study, browser):
    from olmix.study.advice import Choice

    names = ("log_linear", "kernel", "blend", "ridge", "natural", "lightgbm", "gp", "bimix", "autoscale")
    fits = [replace(fit, family=name) for name in names for fit in study.fits if fit.family == "kernel"]
    means = dict.fromkeys(names, study.advice.family.means["kernel"])
    family = Choice("kernel", means, means, names)
    runs = replace(study.advice.runs, chosen=study.grid.runs[0])
    many = replace(
        study,
        fits=tuple(fits),
        grid=replace(study.grid, families=names),
        advice=replace(study.advice, family=family, family_at_half=family, runs=runs),
    )
    page = render(many)
    assert browser.open(page, TOUCHING).probe == {"touching": [], "labels": 18}
    assert browser.open(page, LABELS_OUTSIDE).probe["outside"] == []


def test_without_tokens_there_are_no_caps():
    page = render(study_of())
    assert "There are no caps" in page
    assert "limit k" not in page
    assert "In params.yaml now" not in page
