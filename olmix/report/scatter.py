"""Held-out predictions against scores: the mean of all tasks, then one panel per task family."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from olmix.report import format as show
from olmix.report.data import Array, ReportData, Task, correlation
from olmix.report.svg import BOLD, LINE, Scale, drawing, element, line, rect, text, tick_text, wrap

SIDE = 164
LEFT = 44
PITCH = LINE + 2


@dataclass(frozen=True)
class _Panel:
    """One frame: points (label, predicted, observed) under a name and what is to be said of them."""

    name: str
    r: str
    remark: str
    points: list[tuple[str, Array, Array]]
    unit: str

    @property
    def heading(self) -> list[tuple[str, str]]:
        """Lines above the frame, each with its style; the name is bold and a little larger than text."""
        name = [(content, "name") for content in wrap(self.name, (SIDE + 12) / BOLD / 1.08)]
        return [*name, (self.r, "label"), *((content, "tick") for content in wrap(self.remark, SIDE + 40))]


def panels(data: ReportData) -> list[Markup]:
    """All panels. Tasks without a full set of held-out predictions are left out."""
    if not len(data.swarm.runs):
        return []
    drawn = []
    if np.isfinite([data.scores, data.heldout_scores]).all():
        r = f"r = {show.number(correlation(data.heldout_scores, data.scores), 2)}"
        points = [("mean", data.heldout_scores, data.scores)]
        drawn.append(_Panel(data.mean_name, r, f"{len(data.scores)} runs", points, "BPB"))
    for family, tasks in data.families.items() if data.row_name != "mean" else ():
        known = [task for task in tasks if complete(task)]
        if known:
            # Levels of tasks differ: pooled without centring, even a useless law would correlate.
            points = [
                (task.name, task.heldout - task.observed.mean(), task.observed - task.observed.mean()) for task in known
            ]
            drawn.append(_Panel(family, *_summary(known), points, "BPB, difference to the mean of the task"))
    top = 10 + PITCH * max((len(panel.heading) for panel in drawn), default=0)
    return [_draw(panel, top) for panel in drawn]


def complete(task: Task) -> bool:
    """Whether every run has a score and a held-out prediction."""
    return bool(np.isfinite([task.observed, task.heldout]).all())


def _summary(tasks: Sequence[Task]) -> tuple[str, str]:
    r = [task.correlation for task in tasks if math.isfinite(task.correlation)]
    if len(r) < 2:
        own_name = len(tasks) == 1 and tasks[0].name != tasks[0].family
        return f"r = {show.number(r[0] if r else None, 2)}", tasks[0].name if own_name else ""
    low, high = show.number(min(r), 2), show.number(max(r), 2)
    return f"r = {show.number(float(np.median(r)), 2)}", f"median of {len(r)} tasks, {low} to {high}"


def _draw(panel: _Panel, top: float) -> Markup:
    """The panel with its frame below `top`, where those of all panels begin."""
    observed = np.concatenate([y for _, _, y in panel.points])
    predicted = np.concatenate([x for _, x, _ in panel.points])
    # The frame follows the scores: one runaway prediction must not squeeze everything else into a corner.
    margin = 0.06 * max(float(np.ptp(observed)), 1e-6)
    reach = 0.5 * float(np.ptp(observed))
    low = max(min(observed.min(), predicted.min()), observed.min() - reach) - margin
    high = min(max(observed.max(), predicted.max()), observed.max() + reach) + margin
    x, y = Scale(low, high, LEFT, LEFT + SIDE), Scale(low, high, top + SIDE, top)
    ticks = x.ticks(5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    parts = [text(LEFT, 15 + PITCH * index, content, kind) for index, (content, kind) in enumerate(panel.heading)]
    for tick in ticks:
        parts += [
            line(x(tick), top, x(tick), top + SIDE, "gridline"),
            line(LEFT, y(tick), LEFT + SIDE, y(tick), "gridline"),
            text(x(tick), top + SIDE + 15, tick_text(tick, step), "tick", "middle"),
            text(LEFT - 6, y(tick) + 4, tick_text(tick, step), "tick", "end"),
        ]
    parts.append(line(LEFT, top + SIDE, LEFT + SIDE, top, "diagonal"))
    density = "dense" if len(observed) > 400 else None
    for label, across, up in panel.points:
        # A point is a line of no length with round ends: the whole task is one small path.
        path = "".join(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in zip(across, up, strict=True))
        parts.append(element("path", d=path, class_=f"points {density or ''}".strip(), data_name=label))
    outside = int(np.sum((predicted < low) | (predicted > high)))
    parts += [
        text(
            LEFT + SIDE / 2,
            top + SIDE + 33,
            f"predicted, {outside} off the frame" if outside else "predicted, held out",
            "title",
            "middle",
        ),
        element(
            "text",
            "observed",
            transform=f"translate(11 {top + SIDE / 2}) rotate(-90)",
            class_="title",
            text_anchor="middle",
        ),
        rect(LEFT, top, SIDE, SIDE, "hit"),
    ]
    frame = {"data_low": f"{low:.6g}", "data_high": f"{high:.6g}", "data_unit": panel.unit}
    group = element("g", *parts, class_="scatter", **frame)
    return drawing(LEFT + SIDE + 8, top + SIDE + 42, f"Predicted against observed, {panel.name}", group)
