"""Held-out predictions against scores: the mean of all tasks, then one panel per task family."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from olmix.report import format as show
from olmix.report.data import Array, ReportData, Task, correlation
from olmix.report.svg import BOLD, Scale, drawing, element, line, rect, shorten, text, tick_text

SIDE = 164
LEFT, TOP = 44, 58


def panels(data: ReportData) -> list[Markup]:
    """All panels. Tasks without a full set of held-out predictions are left out."""
    if not len(data.swarm.runs):
        return []
    drawn = []
    if np.isfinite([data.scores, data.heldout_scores]).all():
        summary = f"r = {show.number(correlation(data.heldout_scores, data.scores), 2)}", f"{len(data.scores)} runs"
        drawn.append(_panel("mean of all tasks", summary, [("mean", data.heldout_scores, data.scores)], "BPB"))
    for family, tasks in data.families.items():
        known = [task for task in tasks if complete(task)]
        if known:
            # Levels of tasks differ: pooled without centring, even a useless law would correlate.
            points = [
                (task.name, task.heldout - task.observed.mean(), task.observed - task.observed.mean()) for task in known
            ]
            drawn.append(_panel(family, _summary(known), points, "BPB, difference to the mean of the task"))
    return drawn


def complete(task: Task) -> bool:
    """Whether every run has a score and a held-out prediction."""
    return bool(np.isfinite([task.observed, task.heldout]).all())


def _summary(tasks: Sequence[Task]) -> tuple[str, str]:
    r = [task.correlation for task in tasks if math.isfinite(task.correlation)]
    if len(r) < 2:
        return f"r = {show.number(r[0] if r else None, 2)}", tasks[0].name if len(tasks) == 1 else ""
    low, high = show.number(min(r), 2), show.number(max(r), 2)
    return f"r = {show.number(float(np.median(r)), 2)}", f"median of {len(r)} tasks, {low} to {high}"


def _panel(name: str, summary: tuple[str, str], points: list[tuple[str, Array, Array]], unit: str) -> Markup:
    observed = np.concatenate([y for _, _, y in points])
    predicted = np.concatenate([x for _, x, _ in points])
    # The frame follows the scores: one runaway prediction must not squeeze everything else into a corner.
    margin = 0.06 * max(float(np.ptp(observed)), 1e-6)
    reach = 0.5 * float(np.ptp(observed))
    low = max(min(observed.min(), predicted.min()), observed.min() - reach) - margin
    high = min(max(observed.max(), predicted.max()), observed.max() + reach) + margin
    x, y = Scale(low, high, LEFT, LEFT + SIDE), Scale(low, high, TOP + SIDE, TOP)
    ticks = x.ticks(5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    parts = [text(LEFT, 15, shorten(name, SIDE / BOLD), "name")]
    parts += [text(LEFT, 32, summary[0], "label"), text(LEFT, 48, shorten(summary[1], SIDE + 40), "tick")]
    for tick in ticks:
        parts += [
            line(x(tick), TOP, x(tick), TOP + SIDE, "gridline"),
            line(LEFT, y(tick), LEFT + SIDE, y(tick), "gridline"),
            text(x(tick), TOP + SIDE + 15, tick_text(tick, step), "tick", "middle"),
            text(LEFT - 6, y(tick) + 4, tick_text(tick, step), "tick", "end"),
        ]
    parts.append(line(LEFT, TOP + SIDE, LEFT + SIDE, TOP, "diagonal"))
    density = "dense" if len(observed) > 400 else None
    for label, across, up in points:
        # A point is a line of no length with round ends: the whole task is one small path.
        path = "".join(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in zip(across, up, strict=True))
        parts.append(element("path", d=path, class_=f"points {density or ''}".strip(), data_name=label))
    outside = int(np.sum((predicted < low) | (predicted > high)))
    parts += [
        text(
            LEFT + SIDE / 2,
            TOP + SIDE + 33,
            f"predicted, {outside} off the frame" if outside else "predicted, held out",
            "title",
            "middle",
        ),
        element(
            "text",
            "observed",
            transform=f"translate(11 {TOP + SIDE / 2}) rotate(-90)",
            class_="title",
            text_anchor="middle",
        ),
        rect(LEFT, TOP, SIDE, SIDE, "hit"),
    ]
    frame = {"data_low": f"{low:.6g}", "data_high": f"{high:.6g}", "data_unit": unit}
    panel = element("g", *parts, class_="scatter", **frame)
    return drawing(LEFT + SIDE + 8, TOP + SIDE + 42, f"Predicted against observed, {name}", panel)
