"""Figures of mixture reuse: the sequence of mixtures, and what it cost against full recomputation."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from olmix.report import format as show
from olmix.report.ancestry import Generation, Spending
from olmix.report.data import ReportData
from olmix.report.svg import (
    Scale,
    drawing,
    element,
    gutter,
    key,
    label_height,
    line,
    rect,
    row,
    row_label,
    shorten,
    text,
    text_width,
    tick_text,
)

WIDTH = 920
LEAVES = 10
"""Leaves that the sequence shows one by one, if there are more than a few more."""
ROW, TALL_ROW = 24.0, 32.0
NARROW = 110
"""Width of a column below which the number stands over its bar and not behind it."""
OPERATORS = ("added", "removed", "revised", "partitioned")
TODAY = "today"


@dataclass(frozen=True)
class _Row:
    """A leaf, or all smaller leaves together."""

    label: str
    members: tuple[str, ...]


def sequence(data: ReportData) -> Markup:
    """One column per generation with a bar per leaf: solid where it was recomputed, outlined where it was frozen."""
    generations = data.generations
    rows = _rows(generations)
    left = gutter(text_width(entry.label) for entry in rows)
    column = min((WIDTH - left - 8) / len(generations), 210)
    top = 78
    leaves = [entry.label for entry in rows if len(entry.members) == 1]
    largest = max(generation.weights.get(leaf, 0.0) for generation in generations for leaf in leaves)
    narrow = column < NARROW
    least = TALL_ROW if narrow else ROW
    height = label_height([entry.label for entry in rows], left - 14, least)
    unit = (column - 12 if narrow else column - 48) / (largest or 1.0)
    parts = [key(left, 16, [(_solid(-8, -5, 16), "recomputed"), (_outlined(-8, -5, 16), "ratio frozen, reused")])]
    for index, generation in enumerate(generations):
        x = left + index * column
        parts.append(_heading(generation, x, top - 10, column - 10, upwards=True))
        for position, entry in enumerate(rows):
            y = top + position * height
            cell = _cell(generation, entry, x, y + (height - least) / 2, unit, narrow)
            parts.append(row(_cell_tip(generation, entry), x - 4, y, column, height, *cell))
    for position, entry in enumerate(rows):
        parts.append(row_label(entry.label, left - 12, top + (position + 0.5) * height, left - 14))
    bottom = top + height * len(rows)
    parts.append(line(0, bottom + 5, left + column * len(generations), bottom + 5, "zero"))
    parts.append(text(left - 12, bottom + 22, "frozen in all", "group", "end"))
    for index, generation in enumerate(generations):
        share = f"{100 * generation.frozen_weight:.1f} %" if generation.virtual else show.DASH
        parts.append(text(left + index * column, bottom + 22, share, "value strong"))
    return drawing(WIDTH, bottom + 34, "Weights of the leaves in every generation, in percent", *parts)


def _rows(generations: Sequence[Generation]) -> list[_Row]:
    """Leaves by their largest weight in any generation; beyond a dozen, the smaller ones are one row."""
    names = {name: None for generation in reversed(generations) for name in generation.weights}
    ranked = sorted(names, key=lambda name: -max(generation.weights.get(name, 0.0) for generation in generations))
    shown = ranked if len(ranked) <= LEAVES + 2 else ranked[:LEAVES]
    rows = [_Row(name, (name,)) for name in shown]
    if rest := tuple(ranked[len(shown) :]):
        rows.append(_Row(f"{len(rest)} other leaves", rest))
    return rows


def _split(generation: Generation, names: Sequence[str]) -> tuple[float, float]:
    """Weight of some leaves that was recomputed, and weight that was frozen."""
    frozen = generation.frozen
    parts = [0.0, 0.0]
    for name in names:
        parts[name in frozen] += generation.weights.get(name, 0.0)
    return parts[0], parts[1]


def _cell(generation: Generation, entry: _Row, x: float, y: float, unit: float, narrow: bool) -> list[Markup]:
    if not any(name in generation.weights for name in entry.members):
        gone = set(entry.members) & set(generation.update.get("removed", ()))
        return [text(x, y + (13 if narrow else 16), "removed", "tick")] if gone else []
    free, frozen = (unit * share for share in _split(generation, entry.members))
    weight = sum(_split(generation, entry.members))
    bar, end = (y + 17, x) if narrow else (y + 7, x + free + frozen + 5)
    if len(entry.members) > 1:  # a bar for the rest would squeeze those of the leaves
        return [text(x, y + (20 if narrow else 16), _percent(weight), "value soft")]
    content = []
    if free:
        content.append(_solid(x, bar, free))
    if frozen:
        content.append(_outlined(x + free, bar, frozen))
    content.append(text(end, y + (13 if narrow else 16), _percent(weight), "value"))
    return content


def _solid(x: float, y: float, width: float) -> Markup:
    return rect(x, y, width, 10, "bar", 1)


def _outlined(x: float, y: float, width: float) -> Markup:
    return rect(x + 0.75, y + 0.75, max(width - 1.5, 0.5), 8.5, "bar frozen", 0.5)


def _percent(weight: float) -> str:
    return "0" if weight == 0 else "<0.1" if weight < 5e-4 else f"{100 * weight:.1f}"


def _cell_tip(generation: Generation, entry: _Row) -> str:
    lines = [entry.label, generation.name]
    present = [name for name in entry.members if name in generation.weights]
    free, frozen = _split(generation, entry.members)
    if not present:
        return "\n".join([*lines, "not in the domain set"])
    if len(entry.members) == 1:
        state = "ratio frozen" if entry.label in generation.frozen else "recomputed"
        happened = [operator for operator in OPERATORS if entry.label in generation.update.get(operator, ())]
        lines.append(f"{show.weight(free + frozen)}, {', '.join([state, *happened])}")
    else:
        lines.append(f"{show.weight(free + frozen)} in {show.counted(len(present), 'leaf', 'leaves')}")
        lines.append(f"{show.weight(free)} recomputed, {show.weight(frozen)} frozen")
    return "\n".join(lines)


def _heading(generation: Generation, x: float, y: float, width: float, upwards: bool = False) -> Markup:
    """Name of a generation from a first or up from a last baseline; a number like 0003 in front has its own line."""
    number, name = _name_parts(generation.name)
    small = max(width, 44) / 0.92  # headings are a little smaller than text
    first = number or (TODAY if generation.today and name != TODAY else "")
    lines = [first, name] if first else [name]
    if upwards:
        y -= 14 * (len(lines) - 1)
    shown = [text(x, y + 14 * index, shorten(part, small), "head") for index, part in enumerate(lines)]
    return Markup("").join(shown)


def _name_parts(name: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\d{4})-(.+)", name)
    return (found[1], found[2]) if found else ("", name)


def cost(data: ReportData) -> Markup:
    """Proxy runs of all generations together, as spent and as full recomputation would have cost, in two steps."""
    spent, full = data.cumulative_spent, data.cumulative_full
    left, right, top, bottom = 52.0, WIDTH - 218.0, 20.0, 210.0
    known = [total.runs for total in (*spent, *full) if math.isfinite(total.runs)]
    scale = Scale(0, max([*known, 1.0]) * 1.05, bottom, top)
    ticks = scale.ticks(5)
    parts = []
    for tick in ticks:
        parts.append(line(left, scale(tick), right, scale(tick), "zero" if tick == 0 else "gridline"))
        parts.append(text(left - 8, scale(tick) + 4, tick_text(tick, ticks[1] - ticks[0]), "tick", "end"))
    column = (right - left) / len(data.generations)
    parts.append(_steps([total.runs for total in full], scale, left, column, "steps reference"))
    parts.append(_steps([total.runs for total in spent], scale, left, column, "steps"))
    for index, generation in enumerate(data.generations):
        x = left + index * column
        heading = _heading(generation, x + 4, bottom + 16, column - 8)
        tip = _cost_tip(generation, spent[index], full[index])
        parts.append(row(tip, x, top, column, bottom - top + 34, heading))
    parts += _ends(data, scale, right + 10)
    return drawing(WIDTH, bottom + 42, "Cumulative cost in proxy runs against full recomputation", *parts)


def _steps(totals: Sequence[float], scale: Scale, left: float, column: float, kind: str) -> Markup:
    """Rises where a generation starts; ends where a total is unknown."""
    path = f"M{left:.1f} {scale(0):.1f}"
    for index, total in enumerate(totals):
        if not math.isfinite(total):
            break
        path += f"V{scale(total):.1f}H{left + (index + 1) * column:.1f}"
    return element("path", d=path, class_=kind)


def _ends(data: ReportData, scale: Scale, x: float) -> list[Markup]:
    """Labels of the two lines, kept apart, and the saving between or below them."""
    spent, full = data.cumulative_spent[-1].runs, data.cumulative_full[-1].runs
    ends = []
    if math.isfinite(full):
        ends.append((scale(full), f"{_runs(full)}, full recomputation", "soft"))
    if math.isfinite(spent):
        ends.append((scale(spent), f"{_runs(spent)}, spent", "end"))
    ends.sort()
    heights = [y + 4 for y, *_ in ends]
    saving = saved(data.saved.runs)
    if len(ends) == 2:
        # The saving stands between the lines if it fits, otherwise all three are one block.
        if heights[1] - heights[0] < 36:
            middle = min(max(sum(heights) / 2, scale.end + 18), scale.start - 18)
            heights = [middle - 18, middle + 18]
        if saving:
            ends.append((0.0, saving, "end strong"))
            heights.append(sum(heights) / 2)
    return [text(x, y, label, f"value {kind}") for y, (_, label, kind) in zip(heights, ends, strict=True)]


def _runs(value: float) -> str:
    return f"{show.count(value)} {'run' if value == 1 else 'runs'}"


def saved(share: float) -> str:
    """The saving in words, whatever its sign; empty where it is unknown."""
    if not math.isfinite(share):
        return ""
    return f"{100 * abs(share):.0f} % {'more' if round(share, 2) < 0 else 'saved'}"


def _cost_tip(generation: Generation, spent: Spending, full: Spending) -> str:
    lines = [generation.name + (f" ({TODAY})" if generation.today and generation.name != TODAY else "")]
    pairs = (
        ("", generation.spent, generation.full),
        ("so far ", spent, full),
    )
    for prefix, own, other in pairs:
        lines.append(f"{prefix}spent {_spending(own)}")
        lines.append(f"{prefix}full recomputation {_spending(other)}")
    return "\n".join(lines)


def _spending(spending: Spending) -> str:
    entries = [_runs(spending.runs)]
    if math.isfinite(spending.flops):
        entries.append(f"{show.power(spending.flops)} FLOPs")
    return ", ".join(entries)


def update_in_short(generation: Generation) -> str:
    """The update in a few words."""
    if generation.parent is None:
        return f"first, {show.counted(len(generation.weights), 'leaf', 'leaves')}"
    return changes(generation.update) or "nothing"


def changes(update: Mapping[str, Sequence[str]]) -> str:
    """Number of leaves per operator."""
    return ", ".join(f"{len(update[name])} {name}" for name in OPERATORS if update.get(name))
