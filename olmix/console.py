"""Tables for people, on stdout."""

from typing import Any

from rich.console import Console
from rich.table import Table

from olmix.summary import Work

_BAR = 24


def print_plan(summary: dict[str, Any]) -> None:
    """What the plan asks for, in words."""
    out = Console(highlight=False)
    runs, free = summary["runs"], summary["free"]
    changes = [f"{len(names)} {what}" for what, names in summary["update"].items() if names]
    out.print(f"Domain set: {', '.join(changes) or 'no change'}")
    out.print(f"Free leaves ({len(free)}): {', '.join(free)}", soft_wrap=True)
    out.print(f"Swarm: {runs['total']} runs, {runs['cached']} in the store, {runs['to_run']} to run")
    out.print(f"Proof: {summary['validation_runs']} runs of the prior and the proposal")
    out.print(f"To train: {summary['tokens_to_train']:,} tokens")


def print_progress(work: list[Work], seconds_left: float | None) -> None:
    """A bar per phase and the time left."""
    out = Console(highlight=False)
    for phase in work:
        filled = _BAR * phase.done // phase.total if phase.total else _BAR
        out.print(f"{phase.name:<12} {'█' * filled}{'░' * (_BAR - filled)} {phase.done}/{phase.total}")
    if seconds_left is None:
        out.print("time left: known once the first run has finished")
    elif seconds_left:
        out.print(f"time left: about {_duration(seconds_left)} of training on all cores of this machine")


def print_results(mixture: dict[str, Any], metrics: dict[str, Any]) -> None:
    """The proposed mixture with its predicted and measured gain."""
    out = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("leaf", "prior", "mixture", "", "epochs"):
        table.add_column(column, justify="left" if column in ("leaf", "") else "right")
    leaves = mixture["leaves"]
    largest = max(mixture["weights"].values())
    for name, weight in sorted(mixture["weights"].items(), key=lambda pair: (-pair[1], pair[0])):
        leaf = leaves[name]
        bar = "█" * round(_BAR * weight / largest) + (" at its cap" if weight >= leaf["cap"] * (1 - 1e-6) else "")
        table.add_row(name, f"{leaf['prior']:.1%}", f"{weight:.1%}", bar, f"{leaf['epochs']:.2f}")
    out.print(table)
    gain = metrics["gain_percent"]
    measured = (
        f"measured {gain['measured']:.1f} % ± {gain.get('standard_error', float('nan')):.1f}"
        if "measured" in gain
        else "not measured (validation.seeds is 0)"
    )
    out.print(f"\nGain over the prior in bits per byte: predicted {gain['predicted']:.1f} %, {measured}")
    out.print("Mixture: results/mixture.yaml   Report: results/report.html")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
