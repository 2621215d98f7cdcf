"""Mixture reuse on the page: what changed, what was reused, and what all generations cost."""

import html
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from olmix.report import generations as figures
from olmix.report.ancestry import Generation, Reuse, Spending
from olmix.report.data import ReportData
from olmix.report.page import picture, render
from tests.report.test_report_browser import MEASURE
from tests.report.test_report_page import MALICIOUS, Text

NAN = math.nan
FREE = 3
OPERATIONS = ("added", "revised", "partitioned", "removed")


def spending(runs: float) -> Spending:
    return Spending(runs, 2.5e6 * runs, 1.2e13 * runs, 45.0 * runs)


def history(data: ReportData, count: int, today: bool = True) -> tuple[Generation, ...]:
    """`count` generations that end in the report's mixture: in each the last leaves are free, the others frozen."""
    rng = np.random.default_rng(3)
    names = [leaf.name for leaf in data.leaves]
    found: list[Generation] = []
    for index in range(count):
        operation = OPERATIONS[(index - 1) % 4] if index else "added"
        known = names[: len(names) - (count - 1 - index)] if len(names) > count + FREE else names
        free = known[-FREE:] if index and operation != "removed" else []
        weights = rng.dirichlet([leaf.prior * 40 for leaf in data.leaves[: len(known)]])
        shown = dict(zip(known, weights.tolist(), strict=True))
        if index == 0:
            shown["old_source"] = 0.1
        if index == count - 1:
            shown = {leaf.name: leaf.weight for leaf in data.leaves}
        total = sum(shown.values())
        changed = ["old_source"] if operation == "removed" else free
        found.append(
            Generation(
                name=f"{index + 1:04d}-{operation}{'-data' * (index % 3)}",
                parent=found[-1].name if found else None,
                strategy="full" if index else "none",
                update={operation: changed} if index else {"added": known},
                weights={name: weight / total for name, weight in shown.items()},
                spent=spending(0 if index and not free else 3 * (len(free) + 2) if index else 3 * (len(known) + 1)),
                full=spending(3 * (len(known) + 1)),
                gain=NAN if index % 3 == 2 else 4.0 - 0.3 * index,
                virtual={} if index == 0 else {"existing": _ratios(shown, [n for n in shown if n not in free])},
                today=today and index == count - 1,
            )
        )
    if today:
        found[-1] = replace(found[-1], name="today")
    return tuple(found)


def _ratios(weights: dict[str, float], names: list[str]) -> dict[str, float]:
    total = sum(weights[name] for name in names) or 1.0
    return {name: weights[name] / total for name in names}


def reusing(data: ReportData, count: int = 4) -> ReportData:
    """The report of an update by which the last three leaves came and all others were frozen."""
    free = tuple(leaf.name for leaf in data.leaves[-FREE:])
    leaves = tuple(replace(leaf, virtual=None if leaf.name in free else "existing") for leaf in data.leaves)
    weights = {leaf.name: leaf.weight for leaf in leaves}
    ratios = _ratios(weights, [leaf.name for leaf in leaves if leaf.virtual])
    keep = slice(len(leaves) - FREE - 1, len(leaves))  # one column stands for the virtual domain
    tasks = tuple(replace(task, effect=task.effect[keep]) for task in data.tasks)
    return replace(
        data,
        leaves=leaves,
        tasks=tasks,
        coordinates=("existing", *free),
        generations=history(data, count),
        reuse=Reuse(
            strategy="full",
            parent="0003-revised-data-data",
            update={"added": free[:1], "partitioned": free[1:], "removed": ["old_source"]},
            lineage={name: ["merged_source"] for name in free[1:]},
            virtual={"existing": ratios},
            free=free,
            kappa=0.873,
            recomputed_weight=sum(weights[name] for name in free),
            gap=0.00213,
            coupled=((leaves[0].name, 0.62), (leaves[1].name, 0.11)),
            suggestion=(leaves[0].name,),
            suggestion_runs=18,
            notes=("finemath was over its cap after renormalising and was projected",),
        ),
    )


def carried(data: ReportData, count: int = 3) -> ReportData:
    """The report of a removal: no swarm, no laws, everything frozen."""
    empty = np.empty(0)
    unknown = np.full(1, NAN)
    leaves = tuple(replace(leaf, virtual="existing", binding=False, shadow_price=None) for leaf in data.leaves)
    tasks = tuple(
        replace(
            task, observed=empty, heldout=empty, effect=unknown, c=NAN, penalty=NAN,
            prior_predicted=NAN, proposal_predicted=NAN, noise_sd=task.noise_sd if task.gain.seeds > 1 else NAN,
        )
        for task in data.tasks
    )  # fmt: skip
    weights = {leaf.name: leaf.weight for leaf in leaves}
    return replace(
        data,
        leaves=leaves,
        tasks=tasks,
        swarm=replace(data.swarm, runs=(), mixtures=np.empty((0, len(leaves))), seeds=(), tokens=(), seconds=()),
        coordinates=("existing",),
        laws=None,
        bounds=(),
        noise_sd=data.noise_sd if data.headline.seeds > 1 else NAN,
        certificate={"ok": True, "sum_violation": 1e-16, "bound_violation": 0.0, "moved": 0.0, "shadow_prices": {}},
        generations=history(data, count),
        reuse=Reuse(
            strategy="full",
            parent="0002-added-data",
            update={"removed": ["old_source"]},
            lineage={},
            virtual={"existing": _ratios(weights, list(weights))},
            free=(),
            unknown="nothing is free",
        ),
    )


def visible(data: ReportData) -> str:
    """Text of the page in one line."""
    return re.sub(r"\s+", " ", Text(render(data)).text)


def no_nan(page: str) -> bool:
    parsed = Text(page)
    values = [value for name, value in parsed.attributes if name not in ("d", "style")]
    return not any(re.search(r"\b(nan|inf|infinity)\b", value, re.I) for value in (parsed.text, *values)) and not any(
        "nan" in value for name, value in parsed.attributes if name in ("d", "x", "y", "width", "height")
    )


def table(page: str, name: str) -> list[list[str]]:
    body = re.search(rf'<table[^>]* id="{name}">.*?</table>', page, re.S)[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.S)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)] for row in rows]


@pytest.fixture(scope="module")
def updated(typical) -> ReportData:
    return reusing(typical)


def test_costs_add_up_over_the_generations(updated):
    runs = [generation.spent.runs for generation in updated.generations]
    full = [generation.full.runs for generation in updated.generations]
    assert [total.runs for total in updated.cumulative_spent] == np.cumsum(runs).tolist()
    assert [total.runs for total in updated.cumulative_full] == np.cumsum(full).tolist()
    assert updated.cumulative_spent[-1].tokens == pytest.approx(2.5e6 * sum(runs))
    assert updated.saved.runs == pytest.approx(1 - sum(runs) / sum(full))


def test_an_unknown_cost_makes_the_sum_unknown_and_nothing_else(updated):
    first = updated.generations[0]
    lost = replace(first, spent=replace(first.spent, flops=NAN, runs=NAN))
    data = replace(updated, generations=(lost, *updated.generations[1:]))
    assert math.isnan(data.cumulative_spent[-1].flops)
    assert math.isnan(data.saved.runs)
    assert data.saved.tokens == pytest.approx(updated.saved.tokens)
    assert no_nan(render(data))


def test_the_page_shows_the_sums_and_the_saving(updated):
    rows = table(render(updated), "history")
    assert [row[4] for row in rows[1:-1]] == [f"{generation.spent.runs:g}" for generation in updated.generations]
    assert [row[5] for row in rows[1:-1]] == [f"{generation.full.runs:g}" for generation in updated.generations]
    assert rows[1][:4] == [
        updated.generations[0].name,
        "",
        "none",
        f"first, {len(updated.generations[0].weights)} leaves",
    ]
    assert rows[2][3] == "3 added"
    assert rows[2][-1] == "+3.7 %"
    assert rows[3][-1] == "–"
    spent, full = updated.cumulative_spent[-1].runs, updated.cumulative_full[-1].runs
    saving = f"{100 * (1 - spent / full):.0f} % saved"
    assert rows[-1][3:6] == [saving, f"{spent:g}", f"{full:g}"]
    drawing = str(figures.cost(updated))
    for label in (saving, f"{spent:g} runs, spent", f"{full:g} runs, full recomputation", "FLOPs"):
        assert label in drawing


def test_more_than_full_recomputation_is_said_to_be_more():
    assert figures.saved(-0.25) == "25 % more"
    assert figures.saved(0.0) == "0 % saved"
    assert figures.saved(NAN) == ""


def test_the_steps_are_as_high_as_the_sums(updated):
    drawing = str(figures.cost(updated))
    full, spent = (
        [float(y) for y in re.findall(r"V([\d.]+)", re.search(rf'<path d="([^"]+)" class="{kind}"', drawing)[1])]
        for kind in ("steps reference", "steps")
    )
    zero = float(re.search(r'<path d="M[\d.]+ ([\d.]+)', drawing)[1])
    unit = (zero - full[-1]) / updated.cumulative_full[-1].runs
    assert [zero - y for y in full] == pytest.approx([unit * t.runs for t in updated.cumulative_full], abs=0.2)
    assert [zero - y for y in spent] == pytest.approx([unit * t.runs for t in updated.cumulative_spent], abs=0.2)


def test_everything_that_was_given_is_said(updated):
    text, reuse = visible(updated), updated.reuse
    for name in (*reuse.free, "old_source", "merged_source", reuse.parent, *reuse.virtual["existing"]):
        assert name in text
    frozen = 100 * (1 - reuse.recomputed_weight)
    assert f"21 leaves with {frozen:.2f} % of the mixture" in text
    assert "Coupling κ 0.873" in text
    assert f"Recomputed weight 1 − ρ {100 * reuse.recomputed_weight:.2f} %" in text
    assert "Reuse gap 0.0021 BPB" in text
    leaf = updated.leaves[0].name
    assert f"Recompute {leaf} too: reuse.strategy: partial , reuse.recompute: [{leaf}] , 18 runs." in text
    assert f"{leaf} 62 %" in text
    assert reuse.notes[0] in text
    assert "Reuse is safe" not in text


def test_reuse_is_called_safe_only_if_the_gap_is_known(updated):
    safe = replace(updated, reuse=replace(updated.reuse, suggestion=()))
    assert "Reuse is safe here" in visible(safe)
    unknown = replace(
        updated.reuse, suggestion=(), kappa=NAN, gap=NAN, recomputed_weight=NAN, coupled=(), unknown="no laws of leaves"
    )
    text = visible(replace(updated, reuse=unknown))
    assert "Reuse is safe" not in text
    assert "was not computed: no laws of leaves." in text
    assert "Coupling" not in text


@pytest.mark.parametrize("strategy", ["full", "partial", "swarm", "none"])
def test_every_strategy_has_its_words(updated, strategy):
    reuse = replace(updated.reuse, strategy=strategy)
    data = updated
    if strategy in ("swarm", "none"):
        reuse = replace(reuse, virtual={}, free=tuple(leaf.name for leaf in updated.leaves), coupled=(), suggestion=())
        data = replace(updated, leaves=tuple(replace(leaf, virtual=None) for leaf in updated.leaves), reuse=reuse)
    text = visible(replace(data, reuse=reuse))
    words = {
        "full": "one virtual domain, and only its weight",
        "partial": "some unaffected leaves recomputed too",
        "swarm": "No ratio is frozen; earlier proxy runs count",
        "none": "every leaf was recomputed",
    }
    assert [name for name in words if words[name] in text] == (
        ["full", "partial"] if strategy == "partial" else [strategy]
    )


def test_a_renamed_leaf_is_no_partition(updated):
    reuse = replace(updated.reuse, lineage={updated.leaves[0].name: ["old_name"]}, update={})
    rows = dict(row[:2] for row in table(render(replace(updated, reuse=reuse)), "update") if len(row) > 1)
    assert rows["renamed"] == f"{updated.leaves[0].name} (from old_name)"
    assert "partitioned" not in rows


def test_long_lists_are_folded_and_complete(report):
    data = reusing(report(m=64, n=3))
    names = [leaf.name for leaf in data.leaves]
    data = replace(data, reuse=replace(data.reuse, update={"added": names}))
    body = re.search(r'id="update">.*?</table>', render(data), re.S)[0]
    assert "and 56 more" in body
    assert all(name in body for name in names)


@pytest.mark.parametrize("today", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 12])
@pytest.mark.parametrize("m", [5, 64])
def test_any_number_of_generations(report, count, today, m):
    data = reusing(report(m=m, n=3))
    data = replace(data, generations=history(data, count, today) if count else ())
    page = render(data)
    assert ('<section id="generations">' in page) == (count > 1) == ('href="#generations"' in page)
    assert no_nan(page)
    for generation in data.generations if count > 1 else ():
        assert page.count(generation.name) >= 3
    assert page.count("the mixture of this report") == (today and count > 1)
    ElementTree.fromstring(picture(data))


def test_a_mixture_of_the_sequence_adds_up(report):
    data = reusing(report(m=64, n=2), count=5)
    drawing = str(figures.sequence(data))
    cells = re.findall(r'data-tip="([^"]*)"', drawing)
    for generation in data.generations:
        shares = [re.search(r"([\d.]+) %", tip) for tip in cells if f"\n{generation.name}\n" in html.unescape(tip)]
        assert sum(float(share[1]) for share in shares if share) == pytest.approx(100, abs=0.2)
        if generation.virtual:
            assert f"{100 * generation.frozen_weight:.1f} %</text>" in drawing
    assert "other leaves" in drawing


def test_a_frozen_leaf_is_outlined_and_named_everywhere(updated):
    page = render(updated)
    mixture = page[page.index('<section id="mixture">') : page.index('<section id="reuse">')]
    assert mixture.count('class="bar frozen"') - 1 == sum(leaf.virtual is not None for leaf in updated.leaves)
    assert "ratio frozen in existing" in mixture
    assert [row[-1] for row in table(page, "leaves")[1:]] == [leaf.virtual or "" for leaf in updated.ranked_leaves]
    assert "existing (21 leaves)" in page[page.index('<section id="effects">') :]
    assert "frozen ratio" in picture(updated)


def test_without_reuse_the_page_has_no_word_of_it(typical):
    page = render(typical)
    assert not re.search(r"reuse|frozen in|generation", Text(page).text, re.I)
    assert '<a href="#laws">' in page
    assert '<a href="#swarm">' in page


@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_a_carried_mixture_needs_no_swarm_and_no_laws(report, seeds):
    data = carried(report(m=10, n=5, seeds=seeds))
    page, text = render(data), visible(data)
    assert no_nan(page)
    assert "by dropping 1 leaf and renormalising the rest" in text
    assert f"Carried over from {data.reuse.parent}" in text
    assert "No proxy run was needed" in text
    for section in ("laws", "effects", "swarm", "noise"):
        assert f'id="{section}"' not in page
        assert f'href="#{section}"' not in page
    assert "predicted by the law" not in page
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page)[1]
    assert ("is carried over from" in heading) == (seeds == 0)
    if seeds:
        assert heading.replace("\u00a0", " ").lower() == data.headline.verdict
        assert page.count("measured ") >= len(data.tasks)
    else:
        assert "Neither predicted nor measured" in text
    assert len(table(page, "tasks")) == len(data.tasks) + 1
    drawing = picture(data)
    ElementTree.fromstring(drawing)
    assert "nan" not in drawing.lower()
    assert "no proxy run needed, carried over from" in drawing


@pytest.mark.parametrize("seeds", [0, 3])
def test_a_prior_that_the_laws_cannot_tell_reads_well(report, seeds):
    data = reusing(report(m=10, n=5, seeds=seeds))
    data = replace(data, tasks=tuple(replace(task, prior_predicted=NAN) for task in data.tasks))
    page, text = render(data), visible(data)
    assert no_nan(page)
    assert "the prior mixes the frozen leaves in other ratios than the laws know" in text
    assert "No law was needed" not in text
    assert ("Gain is not known: the prior was neither predicted nor measured" in text) == (seeds == 0)
    assert 'id="effects"' in page
    assert "predicted by the law" not in page
    ElementTree.fromstring(picture(data))


def test_hostile_names_are_text(updated):
    def bad(name: str) -> str:
        return MALICIOUS + name

    generations = tuple(
        replace(
            generation,
            name=bad(generation.name),
            parent=bad("parent"),
            strategy=MALICIOUS,
            update={operator: [bad(name) for name in names] for operator, names in generation.update.items()},
            weights={bad(name): weight for name, weight in generation.weights.items()},
            virtual={MALICIOUS: {bad(name): 1.0 for name in generation.frozen}},
        )
        for generation in updated.generations
    )
    reuse = updated.reuse
    hostile = Reuse(
        strategy=MALICIOUS,
        parent=MALICIOUS,
        update={"added": [MALICIOUS], "partitioned": [MALICIOUS]},
        lineage={MALICIOUS: [MALICIOUS], "other": [MALICIOUS]},
        virtual={MALICIOUS: {bad(name): ratio for name, ratio in reuse.virtual["existing"].items()}},
        free=tuple(bad(name) for name in reuse.free),
        coupled=((MALICIOUS, 0.5),),
        suggestion=(MALICIOUS,),
        unknown=MALICIOUS,
        notes=(MALICIOUS,),
    )
    leaves = tuple(
        replace(leaf, name=bad(leaf.name), virtual=MALICIOUS if leaf.virtual else None) for leaf in updated.leaves
    )
    coordinates = (MALICIOUS, *hostile.free)
    data = replace(updated, leaves=leaves, coordinates=coordinates, generations=generations, reuse=hostile)
    for page in (
        render(data),
        render(
            replace(
                data,
                reuse=replace(carried(data).reuse, parent=MALICIOUS),
                leaves=tuple(replace(leaf, virtual="existing") for leaf in leaves),
            )
        ),
    ):
        assert "<script>alert" not in page
        assert Text(page).elements.count("script") == 1
        assert not any(name.startswith("on") for name, _ in Text(page).attributes)
    ElementTree.fromstring(picture(data))


def test_contradictions_are_refused(updated):
    with pytest.raises(ValueError, match="reuse.virtual and the leaves do not agree on: " + updated.leaves[0].name):
        replace(updated, leaves=(replace(updated.leaves[0], virtual=None), *updated.leaves[1:]))
    early = replace(updated.generations[0], today=True)
    with pytest.raises(ValueError, match="only the last one"):
        replace(updated, generations=(early, *updated.generations[1:]))


BARS = """
return {
  ...(() => { MEASURE })(),
  bars: Object.fromEntries(all("#generations .row").filter(row => row.querySelector(".bar")).map(row =>
    [row.dataset.tip.split("\\n").slice(0, 2).join("|"), sum(all(".bar", row).map(bar => box(bar).width))])),
  tip: hover(all("#generations .row")[0]),
};
"""
HELPERS = """
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const box = mark => mark.getBoundingClientRect();
const sum = list => list.reduce((total, value) => total + value, 0);
const hover = mark => {
  mark.scrollIntoView({ block: "center" });
  const { left, top, width, height } = box(mark);
  mark.dispatchEvent(new PointerEvent("pointermove",
    { clientX: left + width / 2, clientY: top + height / 2, bubbles: true }));
  return document.getElementById("tip").textContent;
};
"""


@pytest.mark.parametrize(("m", "count"), [(5, 2), (24, 4), (64, 12)])
def test_the_figures_hold_in_a_browser(browser, report, m, count):
    data = reusing(report(m=m, n=4), count)
    page = browser.open(render(data), HELPERS + BARS.replace("MEASURE", MEASURE))
    assert page.console == []
    result = page.probe
    assert result["outside"] == []
    assert result["collisions"] == []
    assert result["overflow"] <= 0
    assert result["flat"] == 0
    largest = data.ranked_leaves[0]
    reference = next(g for g in data.generations if f"{largest.name}|{g.name}" in result["bars"])
    unit = result["bars"][f"{largest.name}|{reference.name}"] / reference.weights[largest.name]
    for generation in data.generations:
        if width := result["bars"].get(f"{largest.name}|{generation.name}"):
            assert width == pytest.approx(unit * generation.weights[largest.name], abs=3)
    assert result["tip"].split("\n")[1] == data.generations[0].name


@pytest.mark.parametrize("seeds", [0, 3])
def test_a_carried_mixture_holds_in_a_browser(browser, report, seeds):
    page = browser.open(render(carried(report(m=10, n=5, seeds=seeds))), MEASURE)
    assert page.console == []
    assert page.probe["outside"] == []
    assert page.probe["collisions"] == []
    assert page.probe["overflow"] <= 0


def test_long_names_are_not_spilled(browser, report):
    data = reusing(report(m=12, n=3), 6)
    long = "a_very_long_name_WITH_CAPITALS_" * 4
    leaves = tuple(replace(leaf, name=long + leaf.name, virtual=leaf.virtual and long) for leaf in data.leaves)
    ratios = {long + name: ratio for name, ratio in data.reuse.virtual["existing"].items()}
    free = tuple(long + name for name in data.reuse.free)
    generations = tuple(
        replace(g, name=f"{g.name}-{long}", weights={long + name: weight for name, weight in g.weights.items()})
        for g in data.generations
    )
    reuse = replace(
        data.reuse, parent=long, virtual={long: ratios}, free=free, coupled=((free[0], 1.0),), suggestion=free
    )
    data = replace(data, leaves=leaves, coordinates=(long, *free), generations=generations, reuse=reuse)
    result = browser.open(render(data), MEASURE).probe
    assert result["outside"] == []
    assert result["collisions"] == []
    assert result["overflow"] <= 0
