"""Writes the report: the page and the picture for people, and the numbers for `dvc metrics`."""

from pathlib import Path
from typing import Any

from olmix.report import format as show
from olmix.report.data import ReportData, average, correlation
from olmix.report.page import picture, render
from olmix.report.stamp import publish_view


def write_report(data: ReportData, root: Path) -> None:
    """`results/report.html` and `results/mixture.svg` for people, `results/metrics.json` for `dvc metrics`."""
    files = {"report.html": render(data), "mixture.svg": picture(data), "metrics.json": show.as_json(metrics(data))}
    publish_view("report", data.plan_key, root, files)


def metrics(data: ReportData) -> dict[str, Any]:
    """The numbers worth comparing between experiments; what is unknown is left out."""
    gain = data.headline
    values = {
        "prior_bpb": {"predicted": gain.prior_predicted, "measured": average(gain.prior_measured)},
        "proposal_bpb": {"predicted": gain.proposal_predicted, "measured": average(gain.proposal_measured)},
        "gain_percent": {
            "predicted": gain.predicted,
            "predicted_low": gain.predicted_low,
            "predicted_high": gain.predicted_high,
            "measured": gain.measured,
            "standard_error": gain.standard_error,
        },
        "noise": {"seed_sd": data.noise_sd, "swarm_sd": data.swarm_sd, "ratio": data.noise_ratio},
        "law": {
            "heldout_correlation": correlation(data.heldout_scores, data.scores),
            "heldout_error": data.heldout_error,
        },
        "tasks": {task.name: task.gain.measured for task in data.tasks},
    }
    if data.uncertainty:
        values["uncertainty"] = {"regret_bpb": data.uncertainty.regret}
    if data.repeats:
        low, high = data.repeats.interval
        values["repeats"] = {"seed_sd": data.repeats.sd, "seed_sd_low": low, "seed_sd_high": high}
    if data.target:
        at_target = data.at_target.headline
        values["target_gain_percent"] = {"measured": at_target.measured, "standard_error": at_target.standard_error}
    if data.reuse:
        values["reuse"] = {
            "recomputed_weight": data.reuse.recomputed_weight,
            "coupling": data.reuse.kappa,
            "gap_bpb": data.reuse.gap,
        }
    found: dict[str, Any] = show.known(values)
    return found
