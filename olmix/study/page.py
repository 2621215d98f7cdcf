"""The study as one self-contained HTML page, in the dress of the report."""

from importlib.resources import files

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from olmix.report import format as show
from olmix.report.page import DARK, LIGHT
from olmix.study import figures
from olmix.study.advice import LAWS_PER, standard_error, tells_anything
from olmix.study.grid import errors
from olmix.study.study import Study

_STYLES = (("olmix.report", "figure.css"), ("olmix.report", "page.css"), ("olmix.study", "study.css"))


def render(study: Study) -> str:
    """The page: no network, no other file."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("olmix", "study"), PackageLoader("olmix", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(show=show, figures=figures)
    return environment.get_template("study.html.j2").render(
        study=study,
        advice=study.advice,
        headline=headline(study),
        sentences=study.sentences,
        rows=rows(study),
        laws_per=LAWS_PER,
        light=LIGHT,
        dark=DARK,
        css=Markup("\n".join((files(package) / name).read_text(encoding="utf-8") for package, name in _STYLES)),
    )


def headline(study: Study) -> str:
    """The recommendation in one sentence, without the KL weight: nothing was measured for that."""
    advice, runs = study.advice, study.advice.runs
    if not tells_anything(advice):
        return "No law predicts these runs better than a constant"
    enough = f"{runs.chosen} runs suffice" if runs.chosen < study.grid.runs[-1] else "more runs would still help"
    per = LAWS_PER[advice.granularity.chosen].replace("one law", "one")
    return f"Fit {advice.family.chosen} laws, {per}; {enough}"


def rows(study: Study) -> list[tuple[str, str, int, float, float, float, float, float, float]]:
    """Family, granularity, runs, error with its standard error, correlation, error and correlations of the mean score.

    Means over repeats, medians of the correlations of the mean score; the best families first.
    """
    found = []
    for family in study.advice.family.means:
        for granularity, runs in dict.fromkeys((f.granularity, f.runs) for f in study.fits if f.family == family):

            def of(figure: str) -> np.ndarray:
                return errors(study.fits, figure, family, runs, granularity)  # noqa: B023

            found.append(
                (
                    family,
                    granularity,
                    runs,
                    float(of("error").mean()),
                    standard_error(of("error")),
                    float(of("correlation").mean()),
                    float(of("mean_error").mean()),
                    float(np.median(of("mean_pearson"))),
                    float(np.median(of("mean_spearman"))),
                )
            )
    return found
