"""The two heat maps: effect of each leaf on each task, and the mixtures of the swarm.

Cells of one shade are one path in cell units, so that a map of tens of thousands of cells stays small and sharp.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from olmix.report import format as show
from olmix.report.data import Array, ReportData, Task
from olmix.report.svg import (
    GROUP,
    LINE,
    Scale,
    drawing,
    element,
    gutter,
    label_height,
    line,
    lines_of_text,
    pieces,
    rect,
    row_label,
    text,
    text_width,
    tick_text,
    wrap,
)

WIDTH = 920
SHADES = 10


def effects(data: ReportData, coordinates: Sequence[int]) -> Markup:
    """Effect of moving one percent of the mixture to a coordinate (row) on each task (column, by family)."""
    families = data.families
    tasks = [task for family in families.values() for task in family]
    values = effect_table(tasks)[coordinates]
    limit = effect_limit(data)
    labels = coordinate_labels(data)
    names = [labels[index] for index in coordinates]
    left = gutter(map(text_width, labels))
    longest = max(text_width(task.name) for task in tasks)
    spill = 0.7 * longest  # of the slanted label of the last column
    cell = min(max((WIDTH - left - spill) / len(tasks), 10.5), 56)
    upright = cell < 16 or longest > 200  # slanted labels would run into each other, or far out
    if upright:
        cell, spill = min(max((WIDTH - left - 10) / len(tasks), 10.5), 56), 10
    height, top = label_height(labels, left - 10, 22), 22 + longest * (0.9 if upright else 0.75)
    parts = [row_label(name, left - 8, top + (i + 0.5) * height, left - 10) for i, name in enumerate(names)]
    for j, task in enumerate(tasks):
        turned = f"translate({left + (j + 0.5) * cell + 3:g} {top - 7:g}) rotate({-90 if upright else -48})"
        kind = "tick small" if upright else "tick"
        parts.append(element("text", escape(task.name), transform=turned, class_=kind))
    parts.append(rect(left, top, cell * len(tasks), height * len(names), "empty"))
    shades = np.nan_to_num(np.clip(values / limit, -1, 1))
    parts += [cells(shades, left, top, cell, height, "helps", -1), cells(shades, left, top, cell, height, "hurts", 1)]
    if cell >= 28:
        for (i, j), value in np.ndenumerate(values):
            x, y = left + (j + 0.5) * cell, top + (i + 0.5) * height + 4
            parts.append(text(x, y, show.number(float(value), 1), _ink(float(shades[i, j])), "middle"))
    bottom = top + height * len(names)
    area = (left, top, cell * len(tasks), bottom - top)
    parts.append(_grid(area, names, [task.name for task in tasks], values, 2, " mBPB per 1 % of the mixture"))
    if data.row_name == "task":
        below = _family_labels({name: len(members) for name, members in families.items()}, left, top, bottom, cell)
        parts += below[0]
        bottom = below[1]
    width = max(left + cell * len(tasks) + spill, 420)
    return drawing(width, bottom + 12, "Effect of each leaf on each task", *parts)


def _family_labels(
    sizes: dict[str, int], left: float, top: float, bottom: float, cell: float
) -> tuple[list[Markup], float]:
    """Families under their columns, and where the labels end: level and wrapped, or upright if they are too wide."""
    parts, edge, end = [], 0, bottom
    for name, count in sizes.items():
        x, room = left + edge * cell, (count * cell - 6) / GROUP
        if edge:
            parts.append(line(x, top, x, bottom, "division"))
        lines = wrap(name, room)
        if len(lines) <= 4 and all(text_width(piece.rstrip()) <= room for piece in pieces(name)):
            parts.append(lines_of_text(x, bottom + 15, lines, "group"))
            end = max(end, bottom + 1 + LINE * len(lines))
        else:
            turned = f"translate({x + count * cell / 2 + 4:g} {bottom + 7:g}) rotate(-90)"
            parts.append(element("text", escape(name), transform=turned, class_="group", text_anchor="end"))
            end = max(end, bottom + 7 + GROUP * text_width(name))
        edge += count
    return parts, end


def coordinate_labels(data: ReportData) -> list[str]:
    """Names of the law's coordinates; a virtual domain says how many leaves it holds."""
    sizes = Counter(leaf.virtual for leaf in data.leaves)
    return [
        f"{name} ({show.counted(sizes[name], 'leaf', 'leaves')})" if sizes[name] else name for name in data.coordinates
    ]


def effect_table(tasks: Sequence[Task]) -> Array:
    """(d, n) effects in thousandths of BPB per percent of the mixture."""
    return 10 * np.array([task.effect for task in tasks]).T


def effect_limit(data: ReportData) -> float:
    """Value of the strongest shade: the 98th percentile, so that a few extremes do not bleach the rest."""
    values = np.abs(effect_table(data.tasks))
    values = values[np.isfinite(values)]
    return float(max(np.quantile(values, 0.98), 1e-9)) if values.size else 1.0


def _ink(shade: float) -> str:
    return "number light" if abs(shade) > 0.65 else "number"


def cells(shades: Array, left: float, top: float, width: float, height: float, kind: str, sign: int = 1) -> Markup:
    """Cells whose shade in [-1, 1] has the given sign, one path per level of opacity; zeros are not drawn."""
    levels = np.ceil(np.maximum(sign * shades, 0) * SHADES).astype(int)
    paths = []
    for level in range(1, SHADES + 1):
        path = "".join(f"M{j} {i}h1v1h-1z" for i, j in np.argwhere(levels == level))
        if path:
            paths.append(element("path", d=path, fill_opacity=level / SHADES))
    move = f"translate({left:g} {top:g}) scale({width:.4f} {height:.4f})"
    return element("g", *paths, class_=f"cells {kind}", transform=move)


def _grid(
    area: tuple[float, float, float, float], rows: list[str], columns: list[str], values: Array, digits: int, unit: str
) -> Markup:
    """Invisible rectangle over the cells that carries the names and numbers of the tooltips."""
    numbers = [[round(value, digits) if math.isfinite(value) else None for value in line] for line in values.tolist()]
    table = json.dumps({"rows": rows, "columns": columns, "values": numbers, "unit": unit}, separators=(",", ":"))
    x, y, width, height = area
    return element("rect", x=x, y=y, width=float(width), height=float(height), class_="hit grid", data_grid=table)


def swarm(data: ReportData, rows: int) -> Markup:
    """Mixtures of the runs, best mean BPB first, below the mean BPB itself; leaves beyond `rows` are summed."""
    order = np.argsort(data.scores)
    scores = data.scores[order]
    names, weights = _leading_leaves(data, rows)
    weights = weights[order].T
    left = gutter(text_width(leaf.name) for leaf in data.leaves)
    top, height = 120.0, label_height(names, left - 10, 16) - 4
    width = min((WIDTH - 20 - left) / len(order), 28)
    right = left + width * len(order)
    parts = [_score_strip(data, scores, left, right)]
    for index, name in enumerate(names):
        parts.append(row_label(name, left - 8, top + (index + 0.5) * height, left - 10))
    parts.append(rect(left, top, right - left, height * len(names), "empty"))
    parts.append(cells(np.sqrt(weights), left, top, width, height, "share"))
    bottom = top + height * len(names)
    parts += [text(left, bottom + 16, "best run", "tick"), text(right, bottom + 16, "worst run", "tick", "end")]
    columns = [f"{data.swarm.runs[index]}, mean {show.number(data.scores[index], 4)} BPB" for index in order]
    parts.append(_grid((left, top, right - left, height * len(names)), names, columns, 100 * weights, 2, " %"))
    return drawing(WIDTH, bottom + 26, "Mixtures of the swarm, sorted by mean BPB", *parts)


def _leading_leaves(data: ReportData, rows: int) -> tuple[list[str], Array]:
    ranked = data.ranked_leaves
    position = {leaf.name: index for index, leaf in enumerate(data.leaves)}
    weights = data.swarm.mixtures[:, [position[leaf.name] for leaf in ranked]]
    if len(ranked) <= rows:
        return [leaf.name for leaf in ranked], weights
    rest = weights[:, rows - 1 :].sum(axis=1, keepdims=True)
    names = [leaf.name for leaf in ranked[: rows - 1]] + [f"{len(ranked) - rows + 1} other leaves"]
    return names, np.hstack([weights[:, : rows - 1], rest])


def _score_strip(data: ReportData, scores: Array, left: float, right: float) -> Markup:
    gain = data.headline
    measured = bool(gain.seeds)
    levels = {
        "prior": float(np.mean(gain.prior_measured)) if measured else gain.prior_predicted,
        "proposal": float(np.mean(gain.proposal_measured)) if measured else gain.proposal_predicted,
    }
    levels = {name: level for name, level in levels.items() if math.isfinite(level)}
    known = [*scores[np.isfinite(scores)].tolist(), *levels.values()]
    margin = max(max(known) - min(known), 1e-6) * 0.08
    scale = Scale(min(known) - margin, max(known) + margin, 108, 22)
    ticks = scale.ticks(3)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else scale.high - scale.low
    parts = [
        text(
            left,
            12,
            f"mean BPB of the run, with prior and proposal ({'measured' if measured else 'predicted'})",
            "tick",
        )
    ]
    for tick in ticks:
        parts.append(line(left, scale(tick), right, scale(tick), "gridline"))
        parts.append(text(left - 8, scale(tick) + 4, tick_text(tick, step), "tick", "end"))
    above = -math.inf
    for height, name in sorted((scale(level), name) for name, level in levels.items()):
        # Labels stand above their lines; of two lines that are close, the lower one has its label below.
        parts.append(line(left, height, right, height, f"level {name}"))
        parts.append(text(right, height + (11 if height - above < LINE else -4), name, f"tick {name}", "end"))
        above = height
    width = (right - left) / len(scores)
    path = "".join(
        f"M{left + (index + 0.5) * width:.1f} {scale(score):.1f}h0"
        for index, score in enumerate(scores)
        if math.isfinite(score)
    )
    parts.append(element("path", d=path, class_="points runs"))
    return element("g", *parts)
