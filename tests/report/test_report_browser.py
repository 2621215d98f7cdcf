"""The page in a real browser: every mark is drawn where it belongs, nothing collides, nothing fails."""

from dataclasses import replace
from typing import Any

import pytest

from olmix.report.page import render
from olmix.report.svg import text_width, wrap
from tests.report.conftest import uncertain

MEASURE = """
document.querySelectorAll("details").forEach(fold => { fold.open = true; });
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const box = mark => mark.getBoundingClientRect();
const moves = path => (path.getAttribute("d").match(/M/g) || []).length;
const sum = list => list.reduce((total, value) => total + value, 0);

const outside = [], collisions = [];
for (const figure of all("svg.figure")) {
  const frame = box(figure), texts = all("text", figure).filter(text => text.textContent.trim());
  const level = texts.filter(text => !(text.getAttribute("transform") || "").includes("rotate"));
  for (const text of texts) {
    const { left, right, top, bottom } = box(text);
    if (left < frame.left - 1 || right > frame.right + 1 || top < frame.top - 1 || bottom > frame.bottom + 1)
      outside.push(text.textContent);
  }
  const boxes = level.map(box);
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const across = Math.min(boxes[i].right, boxes[j].right) - Math.max(boxes[i].left, boxes[j].left);
    const up = Math.min(boxes[i].bottom, boxes[j].bottom) - Math.max(boxes[i].top, boxes[j].top);
    if (across > 1 && up > 3) collisions.push(level[i].textContent + " | " + level[j].textContent);
  }
}

const hover = (mark, x = 0.5, y = 0.5) => {
  mark.scrollIntoView({ block: "center" });
  const { left, top, width, height } = box(mark);
  const at = { clientX: left + x * width, clientY: top + y * height, bubbles: true };
  mark.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip");
  return tip.hidden ? "" : tip.textContent;
};
const column = name => all(`#leaves tbody tr`).map(row => row.cells[name].textContent);
const grids = all(".grid"), panels = all(".scatter");
const sorted = {};
if (all("#leaves th").length) {
  const heads = all("#leaves th");
  heads[4].click(); sorted.descending = all("#leaves tbody tr").map(row => +row.cells[4].dataset.value);
  heads[4].click(); sorted.ascending = all("#leaves tbody tr").map(row => +row.cells[4].dataset.value);
  heads[0].click(); sorted.names = column(0);
}
return {
  bars: all("#mixture .row .bar").map(bar => box(bar).width),
  priors: all("#mixture .row .prior").map(bar => box(bar).width),
  caps: all("#mixture .row .cap").length,
  capped: all("#mixture text.capped").length,
  names: all("#mixture .row").map(row => row.dataset.tip.split("\\n")[0]),
  points: all(".scatter .points").map(moves),
  extents: all(".scatter .points").map(path => box(path).width),
  effects: sum(all("#effects .cells path").map(moves)),
  shares: sum(all("#swarm .cells path").map(moves)),
  runs: sum(all("#swarm .points").map(moves)),
  gains: { dots: all("#gain .row circle").length, predicted: all("#gain .row .predicted").length },
  errors: all("#gain .row .error").length,
  noise: all("#noise .row circle").length,
  seeds: all("header .row circle").length,
  outside, collisions, sorted,
  flat: all("svg.figure").filter(figure => box(figure).width < 100 || box(figure).height < 40).length,
  overflow: document.documentElement.scrollWidth - innerWidth,
  resources: performance.getEntriesByType("resource").map(entry => entry.name),
  tips: {
    leaf: hover(all("#mixture .row")[0]),
    effect: grids.length > 1 ? hover(grids[0], 0.01, 0.01) : "",
    share: grids.length > 1 ? hover(grids[grids.length - 1], 0.001, 0.01) : "",
    point: panels.length ? hover(panels[0].querySelector(".hit"), 0.5, 0.5) : "",
    nothing: hover(document.querySelector("h1")),
  },
};
"""


@pytest.fixture(scope="module")
def probe(browser, typical) -> dict[str, Any]:
    page = browser.open(render(typical), MEASURE)
    assert page.console == []
    return page.probe


def test_an_error_of_a_page_is_seen(browser, typical):
    page = render(typical)
    assert browser.open(page).console == []
    thrown = browser.open(
        page.replace("</body>", "<script>setTimeout(() => { throw new Error('boom'); }, 50)</script></body>")
    )
    assert any("boom" in line for line in thrown.console)
    logged = browser.open(page.replace("</body>", "<script>console.error('logged')</script></body>"))
    assert any("logged" in line for line in logged.console)


def test_a_request_to_the_network_is_refused_and_seen(browser, typical):
    loading = render(typical).replace("</body>", '<img src="http://example.invalid/x.png"></body>')
    assert any("Content Security Policy" in line for line in browser.open(loading).console)


def test_bars_are_as_long_as_the_weights(probe, typical):
    ranked = typical.ranked_leaves
    assert probe["names"] == [leaf.name for leaf in ranked]
    unit = probe["bars"][0] / ranked[0].weight
    assert probe["bars"] == pytest.approx([unit * leaf.weight for leaf in ranked], abs=0.1)
    assert probe["priors"] == pytest.approx([unit * leaf.prior for leaf in ranked], abs=0.1)


def test_caps_on_the_scale_are_marked_and_binding_ones_are_named(probe, typical):
    largest = 1.04 * max(max(leaf.weight, leaf.prior) for leaf in typical.leaves)
    assert probe["caps"] == sum(leaf.cap <= largest for leaf in typical.leaves) > 5
    assert probe["capped"] == sum(leaf.binding for leaf in typical.leaves) >= 1


def test_every_prediction_is_a_point(probe, typical):
    K, n = len(typical.swarm.runs), len(typical.tasks)
    assert probe["points"] == [K] * (n + 1)  # each task, and the mean of all tasks
    assert all(width > 40 for width in probe["extents"])


def test_every_effect_and_every_share_is_a_cell(probe, typical):
    assert probe["effects"] == len(typical.tasks) * len(typical.coordinates)
    assert probe["shares"] == (typical.swarm.mixtures > 0).sum()
    assert probe["runs"] == len(typical.swarm.runs)


def test_every_task_has_its_gain_and_its_noise(probe, typical):
    rows = len(typical.tasks) + 1
    assert probe["gains"] == {"dots": rows, "predicted": rows}
    assert probe["errors"] == rows
    assert probe["noise"] == 2 * rows
    assert probe["seeds"] == 2 * typical.headline.seeds


def test_tooltips_name_what_is_under_the_pointer(probe, typical):
    leaf, task = typical.ranked_leaves[0], typical.tasks[0]
    assert probe["tips"]["leaf"].startswith(leaf.name)
    assert probe["tips"]["effect"].split("\n")[:2] == [task.name, leaf.name]
    best = typical.swarm.runs[typical.scores.argmin()]
    assert probe["tips"]["share"].startswith(best)
    assert probe["tips"]["share"].split("\n")[1] == leaf.name
    assert probe["tips"]["nothing"] == ""


def test_tables_sort_by_value(probe, typical):
    priors = sorted(leaf.prior for leaf in typical.leaves)
    assert probe["sorted"]["ascending"] == pytest.approx(priors)
    assert probe["sorted"]["descending"] == pytest.approx(priors[::-1])
    assert probe["sorted"]["names"] == sorted((leaf.name for leaf in typical.leaves), key=str.lower)


HELPERS = """
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const box = mark => mark.getBoundingClientRect();
"""
SIZES = [
    {"m": 2, "n": 1},
    {"m": 5, "n": 3, "runs": 0, "seeds": 0},
    {"m": 10, "n": 5, "seeds": 1, "tilt": -5.0},
    {},
    {"m": 240, "n": 60},
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_layout_holds_at_every_size(browser, report, size):
    data = report(**size)
    page = browser.open(render(data), MEASURE)
    assert page.console == []
    result = page.probe
    assert result["outside"] == []
    assert result["collisions"] == []
    assert result["flat"] == 0
    assert result["overflow"] <= 0
    assert result["resources"] == []
    assert len(result["bars"]) == len(data.leaves)
    assert sum(result["points"]) == len(data.swarm.runs) * (len(data.tasks) + 1)
    assert result["effects"] == len(data.tasks) * len(data.coordinates)


@pytest.mark.parametrize("apart", [0.0, 1e-3, -1e-3])
def test_labels_of_prior_and_proposal_do_not_collide_when_they_score_alike(browser, report, apart):
    data = report(m=6, n=4)
    measured = tuple(replace(t, proposal_measured=tuple(x - apart for x in t.prior_measured)) for t in data.tasks)
    result = browser.open(render(replace(data, tasks=measured)), MEASURE).probe
    assert result["collisions"] == []
    assert result["outside"] == []


LABELS = """
const text = mark => mark.textContent.replace(/\\s/g, "");
const drawn = all("svg.figure text").map(text);
return { ...(() => { MEASURE })(), cut: drawn.filter(label => label.includes("…")), drawn: [...new Set(drawn)] };
"""


def test_long_names_are_whole_and_not_spilled(browser, report):
    data = report(m=12, n=9)
    leaves = tuple(replace(leaf, name=f"{'a_very_long_source_name_' * 3}:{leaf.name}") for leaf in data.leaves)
    tasks = tuple(
        replace(task, name=f"minerva_math_{task.name}_" + "WIDE_" * 12, family=f"family {'of many words ' * 5}{index}")
        for index, task in enumerate(data.tasks)
    )
    long = replace(data, leaves=leaves, tasks=tasks, coordinates=tuple(leaf.name for leaf in leaves))
    result = browser.open(render(long), f"{HELPERS}{LABELS.replace('MEASURE', MEASURE)}").probe
    assert result["outside"] == []
    assert result["collisions"] == []
    assert result["overflow"] <= 0
    assert result["cut"] == []
    pieces = set(result["drawn"])
    for name in (*(leaf.name for leaf in leaves), *(t.name for t in tasks), *(t.family for t in tasks)):
        assert is_made_of("".join(name.split()), pieces), name


def is_made_of(name: str, pieces: set[str]) -> bool:
    """Whether a name is one of the labels, or several of them one after the other."""
    ends = {0}
    for end in range(1, len(name) + 1):
        if any(name[start:end] in pieces for start in ends):
            ends.add(end)
    return len(name) in ends


@pytest.mark.parametrize("name", ["web:science_math", "x" * 300, "日本語" * 40, "a b/c:d " * 20, "", ":", "source:"])
def test_a_wrapped_name_is_whole_and_fits(name):
    lines = wrap(name, 120)
    assert "".join(lines) == name
    assert all(text_width(line.rstrip()) <= 120 for line in lines)


def test_a_column_narrower_than_a_character_has_one_per_line():
    assert wrap("a", 2) == ["a"]
    assert wrap("ab", -5) == ["a", "b"]


def test_a_name_breaks_behind_its_source_or_into_even_lines():
    assert wrap("all_dressed_v2:science_math_and_technology", 180) == ["all_dressed_v2:", "science_math_and_technology"]
    assert wrap("one two three four five six", 130) == ["one two three ", "four five six"]


def test_whiskers_span_the_intervals_of_the_weights(browser, report):
    data = uncertain(report())
    probe = """
    const rows = all("#mixture .row");
    return { ends: rows.map(row => { const whisker = row.querySelector(".interval"), bar = row.querySelector(".bar");
      const left = box(bar).left; return [box(whisker).left - left, box(whisker).right - left, box(bar).width]; }),
      gain: all("#gain .row .interval").length, collisions: (() => { MEASURE })() };
    """
    page = browser.open(render(data), HELPERS + probe.replace("MEASURE", MEASURE))
    assert page.console == []
    unit = page.probe["ends"][0][2] / data.ranked_leaves[0].weight
    for leaf, (low, high, _) in zip(data.ranked_leaves, page.probe["ends"], strict=True):
        assert (low, high) == pytest.approx((unit * leaf.low, unit * leaf.high), abs=1.6)
    assert page.probe["gain"] == 1
    assert page.probe["collisions"]["collisions"] == []
    assert page.probe["collisions"]["outside"] == []
