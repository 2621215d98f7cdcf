"""Figures with one row per leaf or task: the mixture, the gains, the seeds and the noise."""

import math
from collections.abc import Sequence
from statistics import mean

import numpy as np
from markupsafe import Markup

from olmix.report import format as show
from olmix.report.data import Leaf, ReportData, Task
from olmix.report.gain import Gain
from olmix.report.repeats import Repeats
from olmix.report.svg import (
    BOLD,
    GROUP,
    LINE,
    Scale,
    diamond,
    dot,
    drawing,
    element,
    gutter,
    key,
    line,
    nice_step,
    rect,
    row,
    row_label,
    text,
    text_width,
    wrap,
    x_axis,
)

WIDTH = 920
ROW = 20.0


def mixture(data: ReportData, leaves: Sequence[Leaf], legend: bool = True) -> Markup:
    """Weight of the proposal (bar, with its interval) over the prior (wide bar behind) with the caps, a row per leaf.

    The scale is that of all leaves, so that a long list can be drawn in parts.
    """
    left = gutter(text_width(leaf.name) for leaf in data.leaves)
    right = WIDTH - 178
    shown = [value for leaf in data.leaves for value in (leaf.weight, leaf.prior, leaf.high) if math.isfinite(value)]
    scale = Scale(0, (max(shown) or 1.0) * 1.04, left, right)
    top = 50 if legend else 24
    rows, bottom = _rows([(leaf.name, left - 10) for leaf in leaves], top)
    percent = Scale(0, 100 * scale.high, left, right)
    parts = [
        x_axis(percent, top, bottom, " %"),
        text(right + 64, top - 8, "weight", "head", "end"),
        text(right + 120, top - 8, "of prior", "head", "end"),
    ]
    if legend:
        parts.append(key(left, 16, _mixture_marks(data)))
    for leaf, (y, height) in zip(leaves, rows, strict=True):
        content = [
            row_label(leaf.name, left - 8, y, left - 10),
            rect(left, y - 7, scale(leaf.prior) - left, 14, "prior", 1),
            rect(left, y - 4, scale(leaf.weight) - left, 8, "bar frozen" if leaf.virtual else "bar", 1),
            text(right + 64, y + 4, show.weight(leaf.weight), "value", "end"),
            text(right + 120, y + 4, factor(leaf), "value soft", "end"),
        ]
        if leaf.cap <= scale.high:
            content.append(line(scale(leaf.cap), y - 8, scale(leaf.cap), y + 8, "cap"))
        if math.isfinite(leaf.low) and math.isfinite(leaf.high):
            content.append(_whisker(scale(leaf.low), scale(leaf.high), y))
        if leaf.binding or leaf.at_floor:
            content.append(text(right + 134, y + 4, "at cap" if leaf.binding else "at floor", "value capped"))
        parts.append(row(leaf_tip(data, leaf), 0, y - height / 2, WIDTH, height, *content))
    return drawing(WIDTH, bottom + 24, "Weight of each leaf in the proposal and in the prior, with its cap", *parts)


def _rows(labels: Sequence[tuple[str, float]], top: float) -> tuple[list[tuple[float, float]], float]:
    """Middle and height of each row, tall enough for its label in the width that it has; where the last one ends."""
    rows = []
    for name, width in labels:
        height = max(ROW, LINE * len(wrap(name, width)) + 6)
        rows.append((top + height / 2, height))
        top += height
    return rows, top


def _mixture_marks(data: ReportData) -> list[tuple[Markup, str]]:
    """Legend of the mixture."""
    solid, outlined = rect(-8, -4, 16, 8, "bar", 1), rect(-8, -4, 16, 8, "bar frozen", 1)
    marks = [(solid, "proposal")]
    if any(leaf.virtual for leaf in data.leaves):
        solved = [] if all(leaf.virtual for leaf in data.leaves) else [(solid, "proposal, recomputed")]
        marks = [*solved, (outlined, "proposal, frozen ratio")]
    if data.uncertainty is not None:
        marks.append((_whisker(-8, 8, 0), data.uncertainty.interval))
    marks.append((rect(-8, -7, 16, 14, "prior", 1), "prior"))
    marks.append((line(0, -8, 0, 8, "cap"), "cap"))
    return marks


def _whisker(low: float, high: float, y: float, kind: str = "interval", end: float = 3) -> Markup:
    """An interval: a line between two ends, set off from what is behind it."""
    ends = "".join(f"M{x:.2f} {y - end:g}v{2 * end:g}" for x in (low, high))
    path = f"M{low:.2f} {y:g}H{high:.2f}{ends}"
    return element("path", d=path, class_="halo") + element("path", d=path, class_=kind)


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
        *([f"at least {show.weight(leaf.floor)}{', binding' if leaf.at_floor else ''}"] if leaf.floor else []),
        f"{show.count(leaf.tokens)} tokens",
    ]
    if data.uncertainty is not None and math.isfinite(leaf.low):
        lines.insert(2, f"{data.uncertainty.interval} {show.weights(leaf.low, leaf.high)}")
    return "\n".join([*lines, f"ratio frozen in {leaf.virtual}"] if leaf.virtual else lines)


def gains(data: ReportData, expected: str = "predicted", by: str = "predicted by the law") -> Markup:
    """Predicted (diamond) and measured (dot, ± 1 standard error) gain of the mean and of each task, in percent.

    expected, by: what the predictions are called, if they are not those of laws.
    """
    rows = _gain_rows(data)
    shown = [gain for _, gain in rows if gain is not None]
    ends = [gain.predicted_low for gain in shown] + [gain.predicted_high for gain in shown]
    values = [*ends, *(gain.predicted for gain in shown)] + [
        gain.measured + side * (gain.standard_error if gain.seeds > 1 else 0) for gain in shown for side in (-1, 1)
    ]
    scale_values = [value for value in [*values, 0.0] if math.isfinite(value)]
    left = gutter(text_width(name) * _boldness(data, name, gain is None) for name, gain in rows)
    right = WIDTH - 200
    step = nice_step(max(max(scale_values) - min(scale_values), 0.1) / 6)
    low, high = math.floor(min(scale_values) / step) * step, math.ceil(max(scale_values) / step) * step
    scale = Scale(low, max(high, low + step), left + 8, right)
    top = 50
    places, bottom = _rows([(name, (left - 10) / _boldness(data, name, gain is None)) for name, gain in rows], top)
    predicted = any(math.isfinite(gain.predicted) for gain in shown)
    parts = [
        x_axis(scale, top, bottom, " %", "gain in BPB against the prior (right is better)"),
        key(left + 8, 16, _gain_legend(data, predicted, by)),
        text(right + 192, top - 8, "measured", "head", "end"),
    ]
    if predicted:
        parts.append(text(right + 80, top - 8, expected, "head", "end"))
    for (name, gain), (y, height) in zip(rows, places, strict=True):
        if gain is None:
            parts.append(row_label(name, left - 8, y + 1, (left - 10) / GROUP, "group"))
            continue
        content = [_task_label(data, name, left, y), *_gain_marks(gain, scale, y)]
        tip = name
        if predicted:
            content.append(text(right + 80, y + 4, show.signed(gain.predicted, 1, " %"), "value soft", "end"))
            tip += f"\n{expected} {_change(gain.prior_predicted, gain.proposal_predicted)}"
            if data.uncertainty is not None and gain.interval:
                tip += f"\n{data.uncertainty.interval} of the gain {gain.interval} %"
        content.append(text(right + 192, y + 4, measured_gain(gain), "value", "end"))
        if gain.seeds:
            tip += f"\nmeasured {_change(mean(gain.prior_measured), mean(gain.proposal_measured))}\n{gain.verdict}"
        parts.append(row(tip, 0, y - height / 2, WIDTH, height, *content))
    return drawing(WIDTH, bottom + 44, "Predicted and measured gain of each task", *parts)


def _gain_rows(data: ReportData) -> list[tuple[str, Gain | None]]:
    """The mean, then the tasks, best first, each family under its name; no name where a task is its family."""
    rows: list[tuple[str, Gain | None]] = [(data.mean_name, data.headline)]
    if data.row_name == "family":
        return rows + [(task.name, task.gain) for task in sorted(data.tasks, key=_gain, reverse=True)]
    for family, tasks in data.families.items() if data.row_name == "task" else ():
        rows += [(family, None), *((task.name, task.gain) for task in sorted(tasks, key=_gain, reverse=True))]
    return rows


def _gain_legend(data: ReportData, predicted: bool, by: str) -> list[tuple[Markup, str]]:
    marks = []
    if predicted:
        known = f", {data.uncertainty.interval}" if data.uncertainty and data.headline.interval else ""
        marks.append((diamond(0, 0, 6.5, "predicted"), f"{by}{known}"))
    if data.headline.seeds:
        legend = f"measured, {show.counted(data.headline.seeds, 'seed')}"
        legend += ", ± 1 standard error" if data.headline.seeds > 1 else ""
        marks.append((dot(0, 0, 4, "better"), legend))
    return marks


def _boldness(data: ReportData, name: str, group: bool = False) -> float:
    """How much wider than plain text the label of a task, of the mean or of a family is."""
    return GROUP if group else BOLD if name == data.mean_name else 1.0


def _task_label(data: ReportData, name: str, left: float, y: float) -> Markup:
    kind = "label strong" if name == data.mean_name else "label"
    return row_label(name, left - 8, y, (left - 10) / _boldness(data, name), kind)


def _gain(task: Task) -> float:
    gain = task.gain.measured if task.gain.seeds else task.gain.predicted
    return gain if math.isfinite(gain) else -math.inf


def _gain_marks(gain: Gain, scale: Scale, y: float) -> list[Markup]:
    marks = []
    if gain.interval:
        ends = scale(gain.predicted_low), scale(gain.predicted_high)
        marks.append(_whisker(*ends, y, "interval predicted", 5))
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
    rows = [(data.mean_name, data.swarm_sd, data.noise_sd)]
    if data.row_name != "mean":
        rows += [(task.name, task.swarm_sd, task.noise_sd) for tasks in data.families.values() for task in tasks]
    values = [value for _, *both in rows for value in both if math.isfinite(value) and value > 0]
    low, high = (min(values) / 1.3, max(values) * 1.3) if values else (0.001, 1.0)
    left, right = gutter(text_width(name) * _boldness(data, name) for name, *_ in rows), WIDTH - 100
    scale = Scale(low, high, left + 8, right, log=True)
    top = 50
    places, bottom = _rows([(name, (left - 10) / _boldness(data, name)) for name, *_ in rows], top)
    marks = [
        (dot(0, 0, 4.5, "signal"), "between mixtures of the swarm"),
        (dot(0, 0, 4, "noise"), "between seeds of one mixture"),
    ]
    parts = [
        x_axis(scale, top, bottom, "", "standard deviation, BPB (log scale)"),
        key(left + 8, 16, marks),
        text(right + 92, top - 8, "signal / noise", "head", "end"),
    ]
    for (name, signal, seed), (y, height) in zip(rows, places, strict=True):
        content = [_task_label(data, name, left, y)]
        drawn = [(value, kind) for value, kind in ((seed, "noise"), (signal, "signal")) if math.isfinite(value)]
        if len(drawn) == 2:
            content.append(line(scale(seed), y, scale(signal), y, "span"))
        content += [dot(scale(value), y, 4 if kind == "noise" else 4.5, kind) for value, kind in drawn]
        content.append(text(right + 92, y + 4, show.ratio(signal / seed if seed else math.nan), "value", "end"))
        tip = f"{name}\nswarm sd {show.number(signal, 4)} BPB\nseed sd {show.number(seed, 4)} BPB"
        parts.append(row(tip, 0, y - height / 2, WIDTH, height, *content))
    return drawing(WIDTH, bottom + 44, "Spread over mixtures and over seeds of each task", *parts)


def repeats(found: Repeats) -> Markup:
    """Mean BPB of each seed around that of its mixture, a row per mixture; the pooled standard deviation is shaded."""
    deviations = found.mean - found.mean.mean(axis=1, keepdims=True)
    reach = 1.15 * max(float(np.abs(deviations).max()), found.sd, 1e-6)
    left, right = gutter(text_width(name) for name in found.mixtures), WIDTH - 100
    scale = Scale(-reach, reach, left + 8, right)
    top = 50
    places, bottom = _rows([(name, left - 10) for name in found.mixtures], top)
    parts = [
        rect(scale(-found.sd), top, scale(found.sd) - scale(-found.sd), bottom - top, "prior"),
        x_axis(scale, top, bottom, "", "mean BPB around the mean of the mixture's seeds"),
        key(left + 8, 16, [(dot(0, 0, 4, "seed"), "one seed"), (rect(-8, -7, 16, 14, "prior", 1), "± 1 sd, pooled")]),
        text(right + 92, top - 8, "sd", "head", "end"),
    ]
    for name, values, sd, (y, height) in zip(found.mixtures, deviations, found.sds, places, strict=True):
        content = [row_label(name, left - 8, y, left - 10), *(dot(scale(value), y, 4, "seed") for value in values)]
        content.append(text(right + 92, y + 4, show.number(sd, 4), "value", "end"))
        listed = "\n".join(f"seed {seed}: {show.signed(v, 4)}" for seed, v in zip(found.seeds, values, strict=True))
        parts.append(row(f"{name}\n{listed}", 0, y - height / 2, WIDTH, height, *content))
    return drawing(WIDTH, bottom + 44, "Scores of each seed around the mean of its mixture", *parts)
