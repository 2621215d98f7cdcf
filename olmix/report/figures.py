"""Figures with one row per leaf or task: the mixture, the gains, the seeds and the noise."""

import math
from collections.abc import Sequence
from statistics import mean

from markupsafe import Markup

from olmix.report import format as show
from olmix.report.data import Gain, Leaf, ReportData, Task
from olmix.report.svg import (
    BOLD,
    Scale,
    diamond,
    dot,
    drawing,
    gutter,
    key,
    line,
    nice_step,
    rect,
    row,
    row_label,
    shorten,
    text,
    x_axis,
)

WIDTH = 920
ROW = 20
MEAN = "mean of all tasks"


def mixture(data: ReportData, leaves: Sequence[Leaf], legend: bool = True) -> Markup:
    """Weight of the proposal (bar) over the prior (wide bar behind) with the caps (mark), one row per leaf.

    The scale is that of all leaves, so that a long list can be drawn in parts.
    """
    left = gutter([leaf.name for leaf in data.leaves])
    right = WIDTH - 178
    largest = max(max(leaf.weight, leaf.prior) for leaf in data.leaves) or 1.0
    scale = Scale(0, largest * 1.04, left, right)
    top = 50 if legend else 24
    bottom = top + ROW * len(leaves)
    percent = Scale(0, 100 * scale.high, left, right)
    parts = [
        x_axis(percent, top, bottom, " %"),
        text(right + 64, top - 8, "weight", "head", "end"),
        text(right + 120, top - 8, "of prior", "head", "end"),
    ]
    if legend:
        marks = [
            (rect(-8, -4, 16, 8, "bar", 1), "proposal"),
            (rect(-8, -7, 16, 14, "prior", 1), "prior"),
            (line(0, -8, 0, 8, "cap"), "cap, k N / R (where it fits the scale)"),
        ]
        if any(leaf.virtual for leaf in data.leaves):
            frozen = rect(-8, -4, 16, 8, "bar frozen", 1)
            solved = [] if all(leaf.virtual for leaf in data.leaves) else [(marks[0][0], "proposal, recomputed")]
            marks[:1] = [*solved, (frozen, "proposal, frozen ratio")]
        parts.append(key(left, 16, marks))
    for index, leaf in enumerate(leaves):
        y = top + index * ROW + ROW / 2
        content = [
            row_label(leaf.name, left - 8, y + 4, left - 10),
            rect(left, y - 7, scale(leaf.prior) - left, 14, "prior", 1),
            rect(left, y - 4, scale(leaf.weight) - left, 8, "bar frozen" if leaf.virtual else "bar", 1),
            text(right + 64, y + 4, show.weight(leaf.weight), "value", "end"),
            text(right + 120, y + 4, factor(leaf), "value soft", "end"),
        ]
        if leaf.cap <= scale.high:
            content.append(line(scale(leaf.cap), y - 8, scale(leaf.cap), y + 8, "cap"))
        if leaf.binding:
            content.append(text(right + 134, y + 4, "at cap", "value capped"))
        parts.append(row(leaf_tip(data, leaf), 0, y - ROW / 2, WIDTH, ROW, *content))
    return drawing(WIDTH, bottom + 24, "Weight of each leaf in the proposal and in the prior, with its cap", *parts)


def factor(leaf: Leaf) -> str:
    """Weight of the proposal as a multiple of the prior."""
    if leaf.prior == 0:
        return "new" if leaf.weight else show.DASH
    return show.ratio(leaf.weight / leaf.prior)


def leaf_tip(data: ReportData, leaf: Leaf) -> str:
    """Tooltip of a leaf."""
    lines = [
        leaf.name,
        f"proposal {show.weight(leaf.weight)}, {show.number(data.epochs(leaf, leaf.weight), 2)} epochs",
        f"prior {show.weight(leaf.prior)}, {show.number(data.epochs(leaf, leaf.prior), 2)} epochs",
        f"cap {show.cap(leaf.cap)}{', binding' if leaf.binding else ''}",
        f"{show.count(leaf.tokens)} tokens",
    ]
    return "\n".join([*lines, f"ratio frozen in {leaf.virtual}"] if leaf.virtual else lines)


def gains(data: ReportData) -> Markup:
    """Predicted (diamond) and measured (dot, ± 1 standard error) gain of the mean and of each task, in percent."""
    rows: list[tuple[str, Gain] | str] = [(MEAN, data.headline)]
    for family, tasks in data.families.items():
        rows += [family, *((task.name, task.gain) for task in sorted(tasks, key=_gain, reverse=True))]
    shown = [entry[1] for entry in rows if not isinstance(entry, str)]
    values = [gain.predicted for gain in shown] + [
        gain.measured + side * (gain.standard_error if gain.seeds > 1 else 0) for gain in shown for side in (-1, 1)
    ]
    scale_values = [value for value in [*values, 0.0] if math.isfinite(value)]
    left, right = gutter([task.name for task in data.tasks] + [MEAN]), WIDTH - 200
    step = nice_step(max(max(scale_values) - min(scale_values), 0.1) / 6)
    low, high = math.floor(min(scale_values) / step) * step, math.ceil(max(scale_values) / step) * step
    scale = Scale(low, max(high, low + step), left + 8, right)
    top, bottom = 50, 50 + ROW * len(rows)
    predicted = any(math.isfinite(gain.predicted) for gain in shown)
    marks = [(diamond(0, 0, 6.5, "predicted"), "predicted by the law")] if predicted else []
    if data.headline.seeds:
        legend = f"measured, {show.counted(data.headline.seeds, 'seed')}"
        legend += ", ± 1 standard error" if data.headline.seeds > 1 else ""
        marks.append((dot(0, 0, 4, "better"), legend))
    parts = [
        x_axis(scale, top, bottom, " %", "gain in BPB against the prior (right is better)"),
        key(left + 8, 16, marks),
        text(right + 192, top - 8, "measured", "head", "end"),
    ]
    if predicted:
        parts.append(text(right + 80, top - 8, "predicted", "head", "end"))
    for index, entry in enumerate(rows):
        y = top + index * ROW + ROW / 2
        if isinstance(entry, str):
            parts.append(text(left - 8, y + 5, shorten(entry, (left - 10) / BOLD), "group", "end"))
            continue
        name, gain = entry
        content = [_task_label(name, left, y), *_gain_marks(gain, scale, y)]
        tip = name
        if predicted:
            content.append(text(right + 80, y + 4, show.signed(gain.predicted, 1, " %"), "value soft", "end"))
            tip += f"\npredicted {_change(gain.prior_predicted, gain.proposal_predicted)}"
        content.append(text(right + 192, y + 4, measured_gain(gain), "value", "end"))
        if gain.seeds:
            tip += f"\nmeasured {_change(mean(gain.prior_measured), mean(gain.proposal_measured))}\n{gain.verdict}"
        parts.append(row(tip, 0, y - ROW / 2, WIDTH, ROW, *content))
    return drawing(WIDTH, bottom + 44, "Predicted and measured gain of each task", *parts)


def _task_label(name: str, left: float, y: float) -> Markup:
    return row_label(name, left - 8, y + 4, left - 10, "label strong" if name == MEAN else "label")


def _gain(task: Task) -> float:
    gain = task.gain.measured if task.gain.seeds else task.gain.predicted
    return gain if math.isfinite(gain) else -math.inf


def _gain_marks(gain: Gain, scale: Scale, y: float) -> list[Markup]:
    marks = []
    if math.isfinite(gain.predicted):
        marks.append(diamond(scale(gain.predicted), y, 6.5, "predicted"))
    if math.isfinite(gain.measured):
        kind = "better" if gain.measured >= 0 else "worse"
        if gain.seeds > 1:
            low, high = (scale(gain.measured + side * gain.standard_error) for side in (-1, 1))
            marks.append(line(low, y, high, y, f"error {kind}"))
        marks.append(dot(scale(gain.measured), y, 4, kind))
    return marks


def measured_gain(gain: Gain) -> str:
    """Measured gain with its standard error."""
    error = f" ± {gain.standard_error:.1f}" if gain.seeds > 1 else ""
    return show.signed(gain.measured, 1, error + " %")


def _change(before: float, after: float) -> str:
    return f"{show.number(before, 4)} → {show.number(after, 4)} BPB"


def seeds(data: ReportData) -> Markup:
    """Mean BPB of the prior and of the proposal: a dot per seed, pairs joined, predictions as diamonds."""
    gain, width = data.headline, 420
    rows = [
        ("prior", gain.prior_measured, gain.prior_predicted),
        ("proposal", gain.proposal_measured, gain.proposal_predicted),
    ]
    values = [value for _, measured, predicted in rows for value in (*measured, predicted) if math.isfinite(value)]
    margin = max(max(values) - min(values), 0.01) * 0.12 if values else 0.1
    low, high = (min(values) - margin, max(values) + margin) if values else (0.0, 1.0)
    scale = Scale(low, high, 82, width - 16)
    heights = {"prior": 54, "proposal": 104}
    parts = [x_axis(scale, 34, 124, "", "mean BPB (left is better)")]
    marks = [(dot(0, 0, 4, "seed"), "one seed")] if gain.seeds else []
    if any(math.isfinite(predicted) for *_, predicted in rows):
        marks.append((diamond(0, 0, 6.5, "predicted"), "predicted"))
    parts.append(key(82, 16, marks))
    for pair in zip(gain.prior_measured, gain.proposal_measured, strict=True):
        if not all(map(math.isfinite, pair)):
            continue
        parts.append(line(scale(pair[0]), heights["prior"], scale(pair[1]), heights["proposal"], "pair"))
    for name, measured, predicted in rows:
        y = heights[name]
        content = [text(70, y + 4, name, "label", "end")]
        if math.isfinite(predicted):
            content.append(diamond(scale(predicted), y, 8, "predicted"))
        content += [
            dot(scale(value), y, 4, "seed" if name == "proposal" else "seed reference")
            for value in measured
            if math.isfinite(value)
        ]
        listed = ", ".join(show.number(value, 4) for value in measured) or show.DASH
        tip = f"{name}, mean BPB\nmeasured {listed}\npredicted {show.number(predicted, 4)}"
        parts.append(row(tip, 0, y - 18, width, 36, *content))
    return drawing(width, 170, "Mean BPB of prior and proposal for each seed", *parts)


def noise(data: ReportData) -> Markup:
    """Spread over the swarm (signal) and over seeds (noise) for the mean and each task, on a log scale."""
    rows = [(MEAN, data.swarm_sd, data.noise_sd)]
    rows += [(task.name, task.swarm_sd, task.noise_sd) for tasks in data.families.values() for task in tasks]
    values = [value for _, *both in rows for value in both if math.isfinite(value) and value > 0]
    low, high = (min(values) / 1.3, max(values) * 1.3) if values else (0.001, 1.0)
    left, right = gutter([name for name, *_ in rows]), WIDTH - 100
    scale = Scale(low, high, left + 8, right, log=True)
    top, bottom = 50, 50 + ROW * len(rows)
    marks = [
        (dot(0, 0, 4.5, "signal"), "between mixtures of the swarm"),
        (dot(0, 0, 4, "noise"), "between seeds of one mixture"),
    ]
    parts = [
        x_axis(scale, top, bottom, "", "standard deviation, BPB (log scale)"),
        key(left + 8, 16, marks),
        text(right + 92, top - 8, "signal / noise", "head", "end"),
    ]
    for index, (name, signal, seed) in enumerate(rows):
        y = top + index * ROW + ROW / 2
        content = [_task_label(name, left, y)]
        drawn = [(value, kind) for value, kind in ((seed, "noise"), (signal, "signal")) if math.isfinite(value)]
        if len(drawn) == 2:
            content.append(line(scale(seed), y, scale(signal), y, "span"))
        content += [dot(scale(value), y, 4 if kind == "noise" else 4.5, kind) for value, kind in drawn]
        content.append(text(right + 92, y + 4, show.ratio(signal / seed if seed else math.nan), "value", "end"))
        tip = f"{name}\nswarm sd {show.number(signal, 4)} BPB\nseed sd {show.number(seed, 4)} BPB"
        parts.append(row(tip, 0, y - ROW / 2, WIDTH, ROW, *content))
    return drawing(WIDTH, bottom + 44, "Spread over mixtures and over seeds of each task", *parts)
