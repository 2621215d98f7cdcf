"""Figures of the case study: gain against compute, the foreseen gap against the loss, proxies against the target."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from olmix.case_study.claims import gaps, plus_minus
from olmix.case_study.table import Results, SizeFidelity, StrategyResult
from olmix.report import format as show
from olmix.report.svg import Scale, dot, drawing, element, line, nice_step, row, text, tick_text, x_axis

WIDTH = 920.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 860.0, 20.0, 330.0
_PANEL = 205.0


def series(results: Results, name: str) -> str:
    """CSS class of a strategy; those that differ in their number of runs alone share one."""
    stems = list(dict.fromkeys(stem(each.name) for each in results.strategies))
    return f"series-{stems.index(stem(name)) % 9 + 1}"


def stem(name: str) -> str:
    """Name of a strategy without its number of runs per parameter."""
    head, _, tail = name.rpartition("-c")
    return head if head and tail.replace(".", "").isdigit() else name


def gain_by_compute(results: Results) -> Markup:
    """Gain at target size against the FLOPs of all swarms; a line joins strategies that differ in runs alone."""
    flops = [each.cost.flops for each in results.strategies]
    ends = [e.gain.mean + side * _finite(e.gain.error) for e in results.strategies for side in (-1, 1)]
    low, high = min([*ends, 0.0]), max(ends)
    across = Scale(min(flops) / 1.25, max(flops) * 1.25, _LEFT, _RIGHT, log=True)
    up = Scale(low, high + 0.08 * (high - low), _BOTTOM, _TOP)
    parts = [x_axis(across, _TOP, _BOTTOM, title="FLOPs of all swarms (less is better)"), _y_axis(up)]
    parts.append(text(_LEFT, _TOP - 6, "gain over natural at target size, %", "head"))
    groups: dict[str, list[StrategyResult]] = {}
    for each in results.strategies:
        groups.setdefault(stem(each.name), []).append(each)
    for group in groups.values():
        ordered = sorted(group, key=lambda each: each.cost.flops)
        points = " ".join(f"{across(each.cost.flops):.1f},{up(each.gain.mean):.1f}" for each in ordered)
        kind = series(results, ordered[0].name)
        parts.append(element("polyline", points=points, class_=f"study-line {kind}"))
        parts += [_strategy_mark(each, kind, across, up) for each in ordered]
    label = "Gain over the natural mixture against compute, by strategy"
    return drawing(WIDTH, _BOTTOM + 50, label, *parts)


def _strategy_mark(each: StrategyResult, kind: str, across: Scale, up: Scale) -> Markup:
    x, error = across(each.cost.flops), _finite(each.gain.error)
    tip = f"{each.name}\n{each.cost.runs:.0f} runs, {show.power(each.cost.flops)} FLOPs\n{plus_minus(each.gain, 2)} %"
    return row(
        tip,
        x - 14,
        _TOP,
        28,
        _BOTTOM - _TOP,
        line(x, up(each.gain.mean - error), x, up(each.gain.mean + error), f"study-bar {kind}"),
        dot(x, up(each.gain.mean), 5, f"study-dot {kind}"),
        text(x + 8, up(each.gain.mean) - 8, each.name, f"study-label {kind}"),
    )


def gap_by_loss(results: Results) -> Markup | None:
    """What reuse lost at each update against the gap that the laws foresaw; None without any."""
    found = gaps(results)
    if not found:
        return None
    foreseen, lost = [each[3] for each in found], [each[5] for each in found]
    across, up = _frame(foreseen, _LEFT, 480.0), _frame(lost, _BOTTOM, _TOP)
    parts = [x_axis(across, _TOP, _BOTTOM, title="reuse gap foreseen by the laws, BPB"), _y_axis(up, right=480.0)]
    parts.append(text(_LEFT, _TOP - 6, "lost at proxy size, BPB", "head"))
    for name, stage, seed, gap, kappa, loss in found:
        tip = f"{name}, {stage}, seed {seed}\nforeseen {gap:.4f}, lost {loss:.4f}\nκ {show.number(kappa, 2)}"
        x, y = across(gap), up(loss)
        parts.append(row(tip, x - 7, y - 7, 14, 14, dot(x, y, 4.5, f"study-dot {series(results, name)}")))
    for index, name in enumerate(dict.fromkeys(each[0] for each in found)):
        y = _TOP + 14 + 20 * index
        parts += [dot(520, y - 4, 4.5, f"study-dot {series(results, name)}"), text(532, y, name, "legend")]
    return drawing(WIDTH, _BOTTOM + 50, "Reuse gap against what reuse lost", *parts)


def fidelity(results: Results, size: SizeFidelity) -> Markup:
    """Mean BPB of one proxy against that of the target, a dot per mixture."""
    x = _frame(size.scores.tolist(), 46.0, _PANEL)
    y = _frame(results.target_scores.tolist(), _PANEL - 20, 24.0)
    parts = [x_axis(x, 24, _PANEL - 20), _y_axis(y, left=46, right=_PANEL)]
    parts.append(text(46, 14, f"{size.name}: rank correlation {show.number(size.rank, 2)}", "name"))
    for ours, theirs in zip(size.scores, results.target_scores, strict=True):
        parts.append(dot(x(float(ours)), y(float(theirs)), 3.5, "study-dot series-1"))
    return drawing(_PANEL + 16, _PANEL + 8, f"Proxy {size.name} against the target model", *parts)


def _frame(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.08 * abs(high) or 1.0
    return Scale(low - room, high + room, start, end)


def _y_axis(scale: Scale, left: float = _LEFT, right: float = _RIGHT) -> Markup:
    ticks = scale.ticks(5)
    step = nice_step((scale.high - scale.low) / 5)
    parts = []
    for tick in ticks:
        y = scale(tick)
        parts.append(line(left, y, right, y, "zero" if tick == 0 else "gridline"))
        parts.append(text(left - 8, y + 4, tick_text(tick, step), "tick", "end"))
    return Markup("").join(parts)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
