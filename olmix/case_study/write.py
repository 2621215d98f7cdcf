"""Files of the case study: `results/case_study.html`, `.md` (the table of the docs), `.csv` and `.json`."""

import csv
import io
import math
import os
import platform
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from olmix.case_study import figures
from olmix.case_study.claims import claims, gaps, headline, kept, plus_minus, saving
from olmix.case_study.spec import VIEW, CaseStudy
from olmix.case_study.table import Estimate, Results, StrategyResult, collect_results
from olmix.report import format as show
from olmix.report.page import DARK, LIGHT
from olmix.report.stamp import publish_view

COMMAND = "snakemake case_study --cores all"

_STYLES = (
    ("olmix.report", "figure.css"),
    ("olmix.report", "page.css"),
    ("olmix.study", "study.css"),
    ("olmix.case_study", "case_study.css"),
)


def write_case_study(study: CaseStudy) -> list[str]:
    """Write the views; returns the claims with their verdicts. Raises WorkError if something has not been made."""
    results = collect_results(study)
    views = {
        "case_study.html": render(results),
        "case_study.md": to_markdown(results),
        "case_study.csv": to_csv(results),
        "case_study.json": show.as_json(to_json(results)),
    }
    publish_view(VIEW, study.key, study.root, views)
    return claims(results)


def made_on() -> str:
    """Date and machine, for the record."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


HEADINGS = (
    "strategy",
    "runs",
    "saved",
    "FLOPs",
    "core-seconds",
    "gain at target size, %",
    "of full gain, %",
    "gain at proxy size, %",
)


def rows(results: Results) -> list[tuple[str, ...]]:
    """The main table, a row per strategy."""
    return [
        (
            each.name,
            f"{each.cost.runs:.0f}{'*' if each.cost.counted else ''}",
            f"{100 * saving(results, each):.0f} %",
            show.power(each.cost.flops),
            f"{each.cost.seconds:,.0f}",
            plus_minus(each.gain, 2),
            plus_minus(kept(results, each), 0),
            plus_minus(each.proxy_gain, 2),
        )
        for each in results.strategies
    ]


def step_rows(results: Results) -> list[tuple[str, list[str]]]:
    """Runs of each strategy at each stage."""
    return [
        (each.name, [f"{cost.runs:.0f}{'*' if cost.counted else ''}" for cost in each.costs.values()])
        for each in results.strategies
    ]


def distance_rows(results: Results) -> list[tuple[str, list[str]]]:
    """Total variation between final mixtures in percent, a row per strategy and one of natural."""
    names = [*(each.name for each in results.strategies), "natural"]
    cells = [[show.number(100 * value, 1) for value in row] for row in results.distances]
    return list(zip(names, cells, strict=True))


GAP_HEADINGS = ("strategy", "update", "κ", "gap foreseen", "lost")


def gap_rows(results: Results) -> list[tuple[str, ...]]:
    """What the laws foresaw of each update and what it lost at proxy size, means over seeds, in thousandths of BPB."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for strategy, stage, _, foreseen, kappa, lost in gaps(results):
        found.setdefault((strategy, stage), []).append((kappa, 1000 * foreseen, 1000 * lost))
    estimates = {update: [Estimate.of(column) for column in zip(*of, strict=True)] for update, of in found.items()}
    return [
        (*update, plus_minus(kappa, 2), plus_minus(foreseen), plus_minus(lost))
        for update, (kappa, foreseen, lost) in estimates.items()
    ]


def to_markdown(results: Results) -> str:
    """The tables of docs/case-study.md, with what makes them, when and where."""
    stages = list(results.study.spec.stages)
    families = list(results.natural_families)
    seeds = len(results.study.spec.seeds)
    lines = [f"`{COMMAND}`, {made_on()}; {show.counted(seeds, 'swarm seed')}, ± one standard error over them.", ""]
    lines += _table(HEADINGS, rows(results))
    lines += ["", "Runs per step:", "", *_table(("strategy", *stages), [(n, *c) for n, c in step_rows(results)])]
    bpb = [("natural", *(plus_minus(results.natural_families[name], 3) for name in families))]
    bpb += [(s.name, *(plus_minus(s.family_bpb[name], 3) for name in families)) for s in results.strategies]
    lines += ["", "Bits per byte of the target model per family:", "", *_table(("mixture", *families), bpb)]
    names = [*(each.name for each in results.strategies), "natural"]
    far = [(name, *cells) for name, cells in distance_rows(results)]
    lines += ["", "Total variation between final mixtures, %:", "", *_table(("", *names), far)]
    foreseen = gap_rows(results)
    title = "Coupling, reuse gap foreseen by the laws and what was lost at proxy size, in thousandths of BPB:"
    lines += ["", title, "", *_table(GAP_HEADINGS, foreseen)] if foreseen else []
    ranks = [(f.name, *(show.number(v, 2) for v in (f.rank, f.linear, f.tasks))) for f in results.fidelity]
    titles = ("proxy", "rank correlation", "correlation", "median over tasks")
    lines += ["", f"Proxies against the target, {len(results.target_scores)} mixtures:", "", *_table(titles, ranks)]
    lines += ["", *(f"- {claim}" for claim in claims(results))]
    return "\n".join(lines) + "\n"


def _table(headings: tuple[str, ...], body: list[tuple[str, ...]]) -> list[str]:
    rule = "|---|" + "---:|" * (len(headings) - 1)
    return [f"| {' | '.join(headings)} |", rule, *(f"| {' | '.join(cells)} |" for cells in body)]


COLUMNS = ("strategy", "stage", "runs", "tokens", "flops", "seconds", "counted")


def to_csv(results: Results) -> str:
    """A row per strategy and stage: what it cost."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in results.strategies:
        for stage, cost in each.costs.items():
            amounts = [f"{value:.6g}" for value in (cost.runs, cost.tokens, cost.flops, cost.seconds)]
            writer.writerow([each.name, stage, *amounts, int(cost.counted)])
    return stream.getvalue()


def to_json(results: Results) -> dict[str, Any]:
    """All figures."""
    return {
        "natural_bpb": _estimate(results.natural_bpb),
        "strategies": {each.name: _strategy(results, each) for each in results.strategies},
        "gaps": [
            dict(zip(("strategy", "stage", "seed", "foreseen", "kappa", "lost"), row, strict=True))
            for row in gaps(results)
        ],
        "fidelity": {
            size.name: {"rank": size.rank, "linear": size.linear, "tasks": size.tasks, "bpb": size.scores.tolist()}
            for size in results.fidelity
        },
        "target_bpb": results.target_scores.tolist(),
        "claims": claims(results),
    }


def _strategy(results: Results, each: StrategyResult) -> dict[str, Any]:
    return {
        "runs": each.cost.runs,
        "tokens": each.cost.tokens,
        "flops": each.cost.flops,
        "seconds": each.cost.seconds,
        "saved": saving(results, each),
        "gain_percent": _estimate(each.gain),
        "proxy_gain_percent": _estimate(each.proxy_gain),
        "percent_of_full_gain": _estimate(kept(results, each)),
        "family_bpb": {name: _estimate(estimate) for name, estimate in each.family_bpb.items()},
        "weights": {leaf: _estimate(estimate) for leaf, estimate in each.weights.items()},
        "losses": [{"stage": loss.stage, "seed": loss.seed, "lost": loss.lost} for loss in each.losses],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    """JSON knows no NaN."""
    figures = [value if math.isfinite(value) else None for value in (estimate.mean, estimate.error, *estimate.values)]
    return {"mean": figures[0], "error": figures[1], "values": figures[2:]}


def _with_code(sentence: str) -> Markup:
    """Words between backticks as code."""
    parts = [Markup("<code>{}</code>" if i % 2 else "{}").format(part) for i, part in enumerate(sentence.split("`"))]
    return Markup("").join(parts)


def render(results: Results) -> str:
    """The page: no network, no other file."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("olmix", "case_study"), PackageLoader("olmix", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(show=show, figures=figures, plus_minus=plus_minus)
    spec = results.study.spec
    names = [*(each.name for each in results.strategies), "natural"]
    return environment.get_template("case_study.html.j2").render(
        results=results,
        spec=spec,
        headline=headline(results),
        claims=[(claim.startswith("Held"), _with_code(claim)) for claim in claims(results)],
        headings=HEADINGS,
        rows=rows(results),
        steps=step_rows(results),
        names=names,
        distances=distance_rows(results),
        gap_headings=GAP_HEADINGS,
        gap_rows=gap_rows(results),
        made_on=made_on(),
        command=COMMAND,
        light=LIGHT,
        dark=DARK,
        css=Markup("\n".join((files(package) / name).read_text(encoding="utf-8") for package, name in _STYLES)),
    )
