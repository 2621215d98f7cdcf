"""The page is complete, self-contained and safe at every size."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from olmix.report.data import Bound
from olmix.report.gain import Gain
from olmix.report.laws import Laws, Noise, TaskNoise
from olmix.report.page import PICTURE_ROWS, picture, render

MALICIOUS = """<script>alert("x")</script>'"&amp;</style>]]>"""


class Text(HTMLParser):
    """Visible text and the names of all elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] not in ("script", "style"):
            self.text += data + "\n"


def test_the_headline_comes_first(typical):
    page = render(typical)
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page)[1].replace("\u00a0", " ")
    assert heading.lower() == typical.headline.verdict
    assert page.index("<h1") < page.index("<svg") < page.index("<h2")


@pytest.mark.parametrize(("tilt", "status"), [(5.0, "better"), (-5.0, "worse"), (0.0, "indistinguishable")])
def test_the_page_takes_the_side_of_the_measurement(report, tilt, status):
    data = report(m=6, n=4, tilt=tilt)
    assert data.headline.status == status
    assert f'<h1 class="{status}">' in render(data)


def test_nothing_is_loaded_from_elsewhere(typical):
    page = render(typical)
    attributes = Text(page).attributes
    assert [value for name, value in attributes if name in ("src", "srcset", "data", "action")] == []
    assert all(value.startswith("#") for name, value in attributes if name in ("href", "xlink:href"))
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_names_are_text_wherever_they_appear(report):
    data = report(m=5, n=3)
    leaves = tuple(replace(leaf, name=f"{MALICIOUS}{i}", source=MALICIOUS) for i, leaf in enumerate(data.leaves))
    tasks = tuple(replace(task, name=f"{MALICIOUS}{i}", family=MALICIOUS) for i, task in enumerate(data.tasks))
    bad = replace(
        data,
        project=MALICIOUS,
        created=MALICIOUS,
        plan_key=MALICIOUS,
        leaves=leaves,
        tasks=tasks,
        coordinates=tuple(leaf.name for leaf in leaves),
        swarm=replace(
            data.swarm, runs=tuple(f"{MALICIOUS}{run}" for run in data.swarm.runs), rounds=2, stopped=MALICIOUS
        ),
        certificate={"proves": MALICIOUS, MALICIOUS: {MALICIOUS: MALICIOUS}},
        bounds=(Bound(MALICIOUS, "cap", 0.5, 0.1, held_by=(MALICIOUS,)), Bound(MALICIOUS, "floor", 0.1, 0.1)),
        laws=Laws(MALICIOUS, errors={MALICIOUS: 0.5}),
        noise=Noise((TaskNoise(MALICIOUS, MALICIOUS, 0.1, 0.1, 1.0, "dropped"),), 2.0),
        costs=(replace(data.costs[0], phase=MALICIOUS),),
        provenance=((MALICIOUS, MALICIOUS),),
        notes=(MALICIOUS,),
    )
    page = render(bad)
    assert "<script>alert" not in page
    assert Text(page).elements.count("script") == 1
    assert MALICIOUS in Text(page).text
    assert not any(name.startswith("on") for name, _ in Text(page).attributes)
    ElementTree.fromstring(picture(bad))


def test_unknown_numbers_are_dashes(report):
    data = report(m=4, n=3, seeds=0)
    unknown = np.full(len(data.swarm.runs), math.nan)
    tasks = (
        replace(data.tasks[0], heldout=unknown, noise_sd=math.nan, prior_predicted=math.nan, c=math.nan),
        replace(data.tasks[1], effect=np.full(4, math.nan), observed=unknown, penalty=math.nan),
        data.tasks[2],
    )
    swarm = replace(data.swarm, seconds=tuple(unknown))
    leaves = (replace(data.leaves[0], cap=math.inf, shadow_price=None, tokens=0), *data.leaves[1:])
    page = render(replace(data, tasks=tasks, swarm=swarm, leaves=leaves, noise_sd=math.nan))
    assert not re.search(r"\b(nan|inf|infinity|none)\b", Text(page).text.replace("none\n", ""), re.I)
    assert not any(re.search(r"\b(nan|inf)\b", value, re.I) for _, value in Text(page).attributes)
    assert "–" in Text(page).text


def test_a_lost_measurement_is_a_dash(report):
    data = report(m=3, n=2)
    lost = replace(data.tasks[0], prior_measured=(math.nan,) * 3)
    page = Text(render(replace(data, tasks=(lost, data.tasks[1]))))
    assert not re.search(r"\bnan\b", page.text, re.I)
    assert not any(re.search(r"\bnan\b", value, re.I) for _, value in page.attributes)


def test_leaves_at_zero_weight_are_shown(report):
    data = report(m=60, n=2)
    leaves = tuple(replace(leaf, weight=1.0 if index == 0 else 0.0) for index, leaf in enumerate(data.leaves))
    page = render(replace(data, leaves=leaves))
    assert page.count('class="bar"') - 1 == 60  # one more in the legend
    body = re.search(r'<table class="sortable" id="leaves">.*?</table>', page, re.S)[0]
    assert body.count("<tr>") - 1 == 60
    assert all(f">{leaf.name}</td>" in body for leaf in leaves)


def test_zero_weight_everywhere_still_draws(report):
    data = report(m=3, n=2)
    leaves = tuple(replace(leaf, weight=0.0, prior=0.0) for leaf in data.leaves)
    assert render(replace(data, leaves=leaves)).count('class="bar"') == 4


@pytest.mark.parametrize("missing", ["runs", "laws", "costs"])
def test_an_update_without_new_evidence_still_has_a_report(report, missing):
    data = report(m=5, n=3, runs=0 if missing == "runs" else None, seeds=0)
    if missing == "laws":
        tasks = tuple(
            replace(t, effect=np.empty(0), prior_predicted=math.nan, proposal_predicted=math.nan) for t in data.tasks
        )
        data = replace(data, tasks=tasks, coordinates=(), laws=None)
    if missing == "costs":
        data = replace(data, costs=(), certificate={}, provenance=())
    text = Text(render(data)).text
    expected = {"runs": "No proxy run was needed", "laws": "No law was needed", "costs": "was not solved for"}
    assert expected[missing] in text


def test_a_runaway_prediction_is_counted_and_does_not_set_the_scale(report):
    data = report(m=4, n=1)
    heldout = data.tasks[0].heldout.copy()
    heldout[0] = 1e12
    page = render(replace(data, tasks=(replace(data.tasks[0], heldout=heldout),)))
    assert page.count("predicted, 1 off the frame") == 2  # the mean and the family
    assert max(float(high) for high in re.findall(r'data-high="([^"]+)"', page)) < 10


def test_every_task_and_run_has_its_row(typical):
    page = render(typical)
    for table, rows in (("tasks", 19), ("runs", 75), ("leaves", 24), ("costs", 6)):
        body = re.search(rf'id="{table}">.*?</table>', page, re.S)[0]
        assert body.count("<tr") - 1 == rows


def test_the_same_data_gives_the_same_page(typical, report):
    assert render(typical) == render(report())


def test_the_largest_case_is_small(report):
    data = report(m=240, n=60)
    page = render(data)
    assert len(page.encode()) < 15e6
    assert page.count('class="bar"') - 1 == 240


@pytest.mark.parametrize(("m", "shown"), [(2, 2), (24, PICTURE_ROWS), (240, PICTURE_ROWS)])
def test_the_picture_is_a_standalone_svg(report, m, shown):
    data = report(m=m, n=2)
    drawing = picture(data)
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "<script" not in drawing
    assert "var(" not in drawing
    assert drawing.count('class="bar"') - 1 == shown
    assert data.headline.verdict[1:] in drawing
    assert ("more leaves with" in drawing) == (m > shown)


def test_a_long_verdict_fits_the_picture(report):
    data = report(m=3, n=1, tilt=0.0)
    assert len(data.headline.verdict) > 85
    assert 'class="headline long"' in picture(data)
    assert Gain(1, 0.9).verdict[0] == "p"
