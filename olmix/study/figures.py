"""Figures of the study: error and rank correlation against runs, granularities, KL weights and repetition limits."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from olmix.regression.base import Array
from olmix.report import format as show
from olmix.report.svg import Scale, diamond, dot, drawing, element, key, line, rect, row, text
from olmix.study.advice import LAWS_PER, gains_by, standard_error
from olmix.study.grid import errors
from olmix.study.mixtures import Judged
from olmix.study.study import Study

WIDTH = 920
GAP = 15.0
"""Least distance of two labels beside the ends of their lines."""
WORST = 1.25
"""Errors above this are drawn at the edge of the frame: 1 is what a constant achieves."""
LEAST = 1e-3
"""And so are errors below this."""

_PANEL = 286.0
_TOP, _BOTTOM = 34.0, 286.0
_ROUNDS = 200
_STEPS = (1, 2, 3, 4, 5, 6, 7, 8, 9)
_SWEEP, _SWEEP_LEFT = 340.0, 92.0


def curves(study: Study) -> Markup:
    """Two panels against the number of runs: error averaged over tasks, and rank correlation of the mean score."""
    means = {name: _by_runs(study, name, "error", _mean) for name in study.grid.families}
    ranks = {name: _by_runs(study, name, "mean_spearman", _median) for name in study.grid.families}
    shown = [value for points in means.values() for value, *_ in points if math.isfinite(value)]
    low, high = max(min(shown), LEAST) / 1.12, min(max(shown), WORST) * 1.06
    error = Scale(low, max(high, low * 1.5), _BOTTOM, _TOP, log=True)
    above = [value for points in ranks.values() for value, *_ in points if value > 0]
    floor = math.floor(10 * min(above) - 0.3) / 10 if above else 0.0
    rank = Scale(max(floor, 0.0), 1.0, _BOTTOM, _TOP)
    parts = [
        _panel(study, 50, "Error, averaged over tasks", error, means, _log_ticks(error), 3),
        _panel(study, 526, "Rank correlation of the mean score", rank, ranks, rank.ticks(5), 2),
    ]
    return drawing(WIDTH, _BOTTOM + 58, "Held-out error and rank correlation of each family against runs", *parts)


def granularity(study: Study) -> Markup:
    """Error of the mean score by laws per task, per family and in all, at half and at the largest number of runs."""
    family, grid = study.advice.family.chosen, study.grid
    rows = [name for name in LAWS_PER if name in study.advice.granularity.means]
    found = {
        (name, runs): errors(study.fits, "mean_error", family, runs, name)
        for name in rows
        for runs in dict.fromkeys((grid.half, grid.runs[-1]))
    }
    left, right, top, height = 190.0, WIDTH - 210.0, 46.0, 34.0
    highest = max(float(values.mean()) + standard_error(values) for values in found.values())
    scale = Scale(0.0, min(highest, 2 * WORST) * 1.06, left, right)
    bottom = top + height * len(rows)
    parts = [
        _across(scale, top, bottom, "error of the mean score, in its standard deviations (left is better)"),
        key(
            left,
            16,
            [
                (dot(0, 0, 5, "study-dot"), f"{grid.runs[-1]} runs, ± 1 standard error"),
                *([(dot(0, 0, 5, "study-dot hollow"), f"{grid.half} runs")] if grid.half != grid.runs[-1] else []),
            ],
        ),
        text(right + 100, top - 8, "error", "head", "end"),
        text(right + 202, top - 8, "rank correlation", "head", "end"),
    ]
    for index, name in enumerate(rows):
        y = top + height * (index + 0.5)
        content = [text(left - 12, y + 4, LAWS_PER[name], _strong(name == study.advice.granularity.chosen), "end")]
        tips = [LAWS_PER[name]]
        for runs in dict.fromkeys((grid.half, grid.runs[-1])):
            values = found[name, runs]
            mean, error = float(values.mean()), standard_error(values)
            kind = "" if runs == grid.runs[-1] else " hollow"
            content.append(line(scale(mean - error), y, scale(mean + error), y, f"study-bar{kind}"))
            content.append(dot(scale(mean), y, 5, f"study-dot{kind}"))
            tips.append(f"{runs} runs: error {mean:.3f} ± {error:.3f}")
        spearman = float(np.median(errors(study.fits, "mean_spearman", family, grid.runs[-1], name)))
        content += [
            text(right + 100, y + 4, show.number(float(found[name, grid.runs[-1]].mean()), 3), "value", "end"),
            text(right + 202, y + 4, show.number(spearman, 2), "value soft", "end"),
        ]
        parts.append(row("\n".join(tips), 0, y - height / 2, WIDTH, height, *content))
    return drawing(WIDTH, bottom + 44, "Error of the mean score by granularity of the laws", *parts)


def sweeps(study: Study) -> Markup:
    """Gain over the prior against the KL weight and, where caps are known, against the repetition limit."""
    limits, kl = study.table.limits, study.advice.kl
    assert kl is not None
    repetition = limits.repetition if limits else math.inf
    under = f", caps at k = {repetition:g}" if limits else ""
    panels = [
        (_Sweep(study, "kl", lambda one: one.repetition == repetition), f"KL weight{under}", {kl.chosen: "advised"}),
    ]
    if limits:
        by_cap = _Sweep(study, "repetition", lambda one: one.kl == study.kl)
        panels.append((by_cap, f"Repetition limit k, KL weight {study.kl:g}", {}))
    if study.in_force:
        for (sweep, _, marks), value in zip(panels, (study.in_force["kl"], repetition), strict=False):
            if value in sweep.values:
                marks[value] = f"{marks[value]}, in force" if value in marks else "in force"
    ends = [one for sweep, *_ in panels for one in sweep.extent]
    margin = 0.08 * max(max(ends) - min(ends), 1e-9)
    scale = Scale(min(ends) - margin, max(ends) + margin, 256.0, 62.0)
    parts = [
        key(
            _SWEEP_LEFT,
            14,
            [
                (dot(0, 0, 4.5, "study-dot"), f"judged by {study.judge} laws of all runs"),
                (diamond(0, 0, 6, "predicted"), f"promised by the {study.advice.kl_family} laws of half the runs"),
            ],
        )
    ]
    for index, (sweep, title, marks) in enumerate(panels):
        left = _SWEEP_LEFT + index * (_SWEEP + _SWEEP_LEFT + 32)
        parts.append(sweep.draw(scale, left, left + (_SWEEP if limits else 1.6 * _SWEEP), title, marks))
    return drawing(WIDTH, 340, "Gain over the prior against KL weight and repetition limit", *parts)


class _Sweep:
    """Figures of mixtures by the value of one setting."""

    def __init__(self, study: Study, setting: str, chosen: Callable[[Judged], bool]) -> None:
        self.name = {"kl": "KL weight", "repetition": "limit k"}[setting]
        self.judged = gains_by(study.judged, setting, chosen)
        self.predicted = gains_by(study.judged, setting, chosen, "predicted")
        self.divergence = gains_by(study.judged, setting, chosen, "divergence")
        self.binding = gains_by(study.judged, setting, chosen, "binding")
        self.values = sorted({getattr(one, setting) for one in study.judged if chosen(one)})
        self.capped = study.table.limits is not None

    @property
    def extent(self) -> list[float]:
        """What the scale must hold."""
        figures = [*self.judged.values(), *self.predicted.values()]
        return [float(f.mean()) + side * standard_error(f) for f in figures for side in (-1, 1)]

    def draw(self, scale: Scale, left: float, right: float, title: str, marks: dict[float, str]) -> Markup:
        """A column per value, gains above, distance from the prior and binding caps below."""
        step = (right - left) / len(self.values)
        at = {value: left + step * (index + 0.5) for index, value in enumerate(self.values)}
        top, bottom = scale.end, scale.start
        parts = [text(left - 8, top - 16, title, "name")]
        parts += [
            rect(at[value] - step / 2 + 3, top - 4, step - 6, bottom - top + 8, "study-chosen", 3)
            for value, label in marks.items()
            if label.startswith("advised")
        ]
        ticks = scale.ticks(5)
        digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)) if len(ticks) > 1 else 4
        for tick in ticks:
            parts.append(line(left, scale(tick), right, scale(tick), "zero" if tick == 0 else "gridline"))
            parts.append(text(left - 8, scale(tick) + 4, show.number(tick, digits), "tick", "end"))
        headings = [(20, self.name), (56, "KL to the prior"), *([(74, "caps that bind")] if self.capped else [])]
        parts += [text(left - 8, bottom + down, heading, "head", "end") for down, heading in headings]
        for figures, kind in ((self.predicted, "promised"), (self.judged, "judged")):
            points = " ".join(f"{at[value]:.1f},{scale(float(f.mean())):.1f}" for value, f in figures.items())
            parts.append(element("polyline", points=points, class_=f"study-line {kind}"))
        for value, x in at.items():
            label = "none" if math.isinf(value) else f"{value:g}"
            content = [text(x, bottom + 20, label, _strong(value in marks), "middle")]
            content.append(text(x, bottom + 35, marks.get(value, ""), "tick", "middle"))
            if value in self.judged:
                content += self._marks(value, x, scale)
                tip = self._tip(label, value)
            else:
                content.append(text(x, (top + bottom) / 2, "no mixture", "tick", "middle"))
                tip = f"{self.name} {label}\nthe caps sum to less than 1: no mixture meets them"
            parts.append(row(tip, x - step / 2, top - 4, step, bottom - top + 84, *content))
        return Markup("").join(parts)

    def _marks(self, value: float, x: float, scale: Scale) -> list[Markup]:
        judged, promised = self.judged[value], self.predicted[value]
        mean, error = float(judged.mean()), standard_error(judged)
        marks = [
            diamond(x, scale(float(promised.mean())), 6, "predicted"),
            line(x, scale(mean - error), x, scale(mean + error), "study-bar"),
            dot(x, scale(mean), 4.5, "study-dot"),
            text(x, scale.start + 56, show.number(float(self.divergence[value].mean()), 2), "soft", "middle"),
        ]
        if self.capped:
            marks.append(text(x, scale.start + 74, f"{self.binding[value].mean():.2g}", "soft", "middle"))
        return marks

    def _tip(self, label: str, value: float) -> str:
        judged, promised = self.judged[value], self.predicted[value]
        lines = [
            f"{self.name} {label}",
            f"judged {judged.mean():.4f} ± {standard_error(judged):.4f}",
            f"promised {promised.mean():.4f} ± {standard_error(promised):.4f}",
            f"KL(mixture || prior) {self.divergence[value].mean():.3f} nats",
        ]
        if self.capped:
            lines.append(f"caps that bind: {self.binding[value].mean():.1f}")
        return "\n".join(lines)


Point = tuple[float, float, float]


def _by_runs(study: Study, family: str, figure: str, summary: Callable[[Array], Point]) -> list[Point]:
    return [summary(errors(study.fits, figure, family, runs)) for runs in study.grid.runs]


def _mean(values: Array) -> Point:
    mean, error = float(values.mean()), standard_error(values)
    return mean, mean - error, mean + error


def _median(values: Array) -> Point:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(middle), float(low), float(high)


def _panel(
    study: Study,
    left: float,
    title: str,
    y: Scale,
    points: dict[str, list[Point]],
    ticks: Sequence[float],
    digits: int,
) -> Markup:
    grid, right = study.grid, left + _PANEL
    x = Scale(grid.runs[0] / 1.06, grid.runs[-1] * 1.06, left, right, log=True)
    parts = [text(left - 34, 14, title, "name")]
    for tick in ticks:
        parts.append(line(left, y(tick), right, y(tick), "gridline"))
        parts.append(text(left - 7, y(tick) + 4, f"{tick:.3g}", "tick", "end"))
    edge = math.inf
    for runs in reversed(grid.runs):
        parts.append(line(x(runs), _BOTTOM, x(runs), _BOTTOM + 4, "zero"))
        if edge - x(runs) >= 30:
            parts.append(text(x(runs), _BOTTOM + 18, f"{runs}", "tick", "middle"))
            parts.append(text(x(runs), _BOTTOM + 32, f"{runs / study.table.parameters:.2g}", "tick", "middle"))
            edge = x(runs)
    parts += [
        line(left, _BOTTOM, right, _BOTTOM, "zero"),
        text(right + 16, _BOTTOM + 18, "runs", "title"),
        text(right + 16, _BOTTOM + 32, "per m + 1", "title"),
    ]
    names = list(points)
    for name in sorted(names, key=lambda name: name == study.advice.family.chosen):  # drawn over the others
        shift = 3.0 * (names.index(name) - (len(names) - 1) / 2)
        chosen = " chosen" if name == study.advice.family.chosen else ""
        drawn = [
            (x(K) + shift, *map(y, p)) for K, p in zip(grid.runs, points[name], strict=True) if y.low <= p[0] <= y.high
        ]
        path = " ".join(f"{across:.1f},{middle:.1f}" for across, middle, *_ in drawn)
        marks = [element("polyline", points=path, class_=f"study-line{chosen}")]
        for across, middle, low, high in drawn:
            marks += [line(across, low, across, high, "study-bar"), dot(across, middle, 3.5, "study-dot")]
        tip = [name] + [
            f"{K} runs: {value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
            for K, (value, low, high) in zip(grid.runs, points[name], strict=True)
        ]
        parts.append(element("g", *marks, class_=f"row family-{name}", data_tip="\n".join(tip)))
    ends = {name: points[name][-1][0] for name in names}
    heights = _spread([y(ends[name]) for name in names])
    for name, height in zip(names, heights, strict=True):
        beyond = " ↑" if ends[name] > y.high else " ↓" if ends[name] < y.low else ""
        label = f"{name} {show.number(ends[name], digits)}{beyond}"
        kind = "study-label strong" if name == study.advice.family.chosen else "study-label"
        parts.append(element("g", text(right + 10, height + 4, label, kind), class_=f"family-{name}"))
    return Markup("").join(parts)


def _spread(heights: list[float]) -> list[float]:
    """Heights moved apart until labels do not touch, in their order and within the panel."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = [heights[i] for i in order]
    for _ in range(_ROUNDS):
        for a in range(len(placed) - 1):
            overlap = max(GAP - (placed[a + 1] - placed[a]), 0.0)
            placed[a] -= overlap / 2
            placed[a + 1] += overlap / 2
    last = len(placed) - 1
    placed = [max(height, _TOP + GAP * a) for a, height in enumerate(placed)]
    placed = [min(height, _BOTTOM - GAP * (last - a)) for a, height in enumerate(placed)]
    found = dict(zip(order, placed, strict=True))
    return [found[i] for i in range(len(heights))]


def _log_ticks(scale: Scale) -> list[float]:
    decades = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    steps = _STEPS if scale.high / scale.low < 12 else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return [tick for tick in ticks if scale.low <= tick <= scale.high]


def _across(scale: Scale, top: float, bottom: float, title: str) -> Markup:
    parts = []
    for tick in scale.ticks(6):
        parts.append(line(scale(tick), top, scale(tick), bottom, "zero" if tick == 0 else "gridline"))
        parts.append(text(scale(tick), bottom + 16, f"{tick:.2g}", "tick", "middle"))
    parts.append(text((scale.start + scale.end) / 2, bottom + 34, title, "title", "middle"))
    return Markup("").join(parts)


def _strong(chosen: bool) -> str:
    return "label strong" if chosen else "label"
