"""The report as one self-contained HTML page, and the picture of the mixture for a README."""

import math
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from olmix.report import certificate as certificates
from olmix.report import figures, generations, heatmaps, scatter
from olmix.report import format as show
from olmix.report.ancestry import Reuse
from olmix.report.data import Cost, Leaf, ReportData, Swarm
from olmix.report.svg import element, text

ROWS = 40
"""Longest list of leaves that a figure shows before the rest is folded away."""
PICTURE_ROWS = 16
"""Leaves in the picture; the rest is a line of text."""

LIGHT = {
    "paper": "#ffffff", "wash": "#f5f6f8", "ink": "#1a1e24", "soft": "#59626e", "faint": "#8b939e", "rule": "#e3e6ea",
    "accent": "#2a5caa", "reference": "#cdd3db", "good": "#1f6fb5", "bad": "#c4621a", "cap": "#b0232a",
}  # fmt: skip
DARK = {
    "paper": "#14171b", "wash": "#1c2026", "ink": "#e5e8ec", "soft": "#a3acb8", "faint": "#747e8b", "rule": "#2b3038",
    "accent": "#79a7ee", "reference": "#464f5b", "good": "#63aef0", "bad": "#e8935a", "cap": "#f0787d",
}  # fmt: skip


_ROWS_ARE = {
    "task": "",
    "family": " Laws are fitted to the mean of each family of tasks, so that rows are families.",
    "mean": " One law is fitted to the mean of all tasks, so that there are no rows of single tasks.",
}


def render(data: ReportData) -> str:
    """The page: no network, no other file, any number of leaves, tasks and runs."""
    environment = Environment(
        loader=PackageLoader("olmix", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        show=show, figures=figures, generations=generations, heatmaps=heatmaps, certificates=certificates
    )
    leaves, coordinates = data.ranked_leaves, data.ranked_coordinates
    return environment.get_template("page.html.j2").render(
        data=data,
        gain=data.headline,
        verdict=_unbroken(_sentence(data.verdict)),
        laws=data.laws,
        uncertainty=data.uncertainty,
        row_count=show.counted(len(data.tasks), data.row_name, "families" if data.row_name == "family" else ""),
        rows_are=_ROWS_ARE[data.row_name],
        grown=growth(data.swarm),
        reuse=data.reuse,
        carried=data.reuse is not None and data.reuse.carried_over,
        origins=_origins(data, "partitioned"),
        renamed=_origins(data),
        quantities=_quantities(data.reuse),
        leaves=leaves,
        leaf_parts=_fold(leaves),
        coordinate_parts=_fold(coordinates),
        panels=scatter.panels(data),
        unpredicted=[task.name for task in data.tasks if not scatter.complete(task)],
        movers=movers(data),
        capped=sum(leaf.binding for leaf in leaves),
        certificate=certificates.rows(data.certificate),
        proof=certificates.proof(data.certificate),
        unit=certificates.token_unit(data.target_tokens),
        in_tokens=any(math.isfinite(bound.per_token) for bound in data.bounds),
        total=total(data.costs),
        trained=total(tuple(cost for cost in data.costs if cost.phase.endswith("train"))).tokens,
        rows=ROWS,
        light=LIGHT,
        dark=DARK,
        figure_css=_stylesheet("figure.css"),
        page_css=_stylesheet("page.css"),
    )


def picture(data: ReportData) -> str:
    """Headline and mixture as a standalone SVG: no script, no font, no variable, light and dark."""
    leaves = data.ranked_leaves
    css = _stylesheet("figure.css")
    verdict = _sentence(data.verdict)
    style = f"text{{font-family:sans-serif}}\n{_paint(css, LIGHT)}\n"
    style += f"@media (prefers-color-scheme: dark) {{\n{_paint(css, DARK)}\n}}"
    body = str(figures.mixture(data, leaves[:PICTURE_ROWS]))
    height = float(body.split('viewBox="')[1].split('"')[0].split()[3])
    body = body.replace("<svg ", f'<svg x="24" y="90" width="{figures.WIDTH}" height="{height:g}" ', 1)
    hidden = leaves[PICTURE_ROWS:]
    parts = [
        element("style", Markup(style)),
        element("rect", width="100%", height="100%", class_="sheet"),
        text(24, 44, verdict, "headline" if len(verdict) < 85 else "headline long"),
        text(24, 68, subtitle(data), "subtitle"),
        Markup(body),
    ]
    if hidden:
        rest = sum(leaf.weight for leaf in hidden)
        count = show.counted(len(hidden), "more leaf", "more leaves")
        parts.append(text(24, height + 110, f"and {count} with {show.weight(rest)} in total", "subtitle"))
    size = {"width": figures.WIDTH + 48, "height": height + (130.0 if hidden else 104.0)}
    view = f"0 0 {size['width']:g} {size['height']:g}"
    return str(element("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=view, **size)) + "\n"


def subtitle(data: ReportData) -> str:
    """Size of the experiment in one line."""
    counts = [
        show.counted(len(data.leaves), "leaf", "leaves"),
        show.counted(data.suite_tasks, "task"),
        show.counted(len(data.swarm.runs), "proxy run") if data.swarm.runs else "no proxy run needed",
    ]
    if data.reuse is not None and data.reuse.carried_over:
        counts.append(f"carried over from {data.reuse.parent}")
    return ", ".join(counts)


def movers(data: ReportData, most: int = 3) -> tuple[list[Leaf], list[Leaf]]:
    """Leaves that gain and that lose the most weight against the prior, if by 0.05 points or more."""
    ranked = sorted(data.leaves, key=lambda leaf: leaf.weight - leaf.prior)
    down = [leaf for leaf in ranked[:most] if leaf.weight - leaf.prior <= -5e-4]
    up = [leaf for leaf in ranked[::-1][:most] if leaf.weight - leaf.prior >= 5e-4]
    return up, down


def _origins(data: ReportData, operator: str = "") -> list[str]:
    """Leaves with the parent's leaves that they come from: those of an operator, or those that it renamed."""
    if data.reuse is None:
        return []
    lineage, changed = data.reuse.lineage, {name for names in data.reuse.update.values() for name in names}
    unchanged = set(data.reuse.update.get("unchanged", ()))
    names = data.reuse.update.get(operator, ()) if operator else [n for n in lineage if n not in changed - unchanged]
    return [f"{name} (from {', '.join(lineage[name])})" if name in lineage else name for name in names]


def _quantities(reuse: Reuse | None) -> list[tuple[str, str, str]]:
    """What is known about the quality of the reuse: name, value and meaning."""
    if reuse is None:
        return []
    entries = [
        (
            "Coupling κ",
            reuse.kappa,
            show.number(reuse.kappa, 3),
            "How strongly frozen and free leaves move the same tasks. At 0 the frozen ratios are as good as ever.",
        ),
        (
            "Recomputed weight 1 − ρ",
            reuse.recomputed_weight,
            show.weight(reuse.recomputed_weight),
            "Share of the mixture that free leaves take. The less it is, the less the frozen ratios can be outdated.",
        ),
        (
            "Reuse gap",
            reuse.gap,
            f"{show.number(reuse.gap, 4)} BPB",
            "What frozen ratios cost in mean BPB against solving for every leaf, as far as the laws can tell.",
        ),
    ]
    return [(name, shown, meaning) for name, value, shown, meaning in entries if math.isfinite(value)]


def total(costs: tuple[Cost, ...]) -> Cost:
    """Sum of the ledger, over what is known; NaN for what no job tells."""
    jobs = sum(row.jobs for row in costs)
    return Cost("total", jobs, *(_sum(getattr(row, name) for row in costs) if jobs else 0.0 for name in _QUANTITIES))


def _sum(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) if known else math.nan


_QUANTITIES = ("tokens", "flops", "core_seconds")


def growth(swarm: Swarm) -> str:
    """In how many rounds the swarm was grown, and why it stopped; empty for a swarm of one round."""
    if swarm.rounds == 1:
        return ""
    if swarm.added:
        runs = ", ".join(map(str, swarm.added[:-1])) + (" and " if swarm.added[1:] else "") + str(swarm.added[-1])
        of = f"{len(swarm.added)} of at most {swarm.rounds} rounds" if swarm.stopped else f"{swarm.rounds} rounds"
        said = f"The swarm was grown in {of}, with {runs} runs"
    else:
        said = f"The swarm was grown in {'at most ' if swarm.stopped else ''}{swarm.rounds} rounds"
    said += ": those after the first are the mixtures whose scores would tell most about the proposal."
    return f"{said} It was not grown further: {swarm.stopped}." if swarm.stopped else said


def _fold(entries: list[Any]) -> tuple[list[Any], list[Any]]:
    shown = len(entries) if len(entries) <= 1.2 * ROWS else ROWS
    return entries[:shown], entries[shown:]


def _sentence(verdict: str) -> str:
    return verdict[0].upper() + verdict[1:]


def _unbroken(sentence: str) -> str:
    """Numbers stay on the line of their unit and their error."""
    return re.sub(r" (?=[%±[])|(?<=±) |(?<=\d,) ", "\u00a0", sentence)


def _stylesheet(name: str) -> Markup:
    return Markup((files("olmix.report") / name).read_text(encoding="utf-8"))


def _paint(css: str, colours: Mapping[str, str]) -> str:
    return re.sub(r"var\(--([a-z]+)\)", lambda match: colours[match[1]], css)
