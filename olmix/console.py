"""Tables for people, on stdout."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from olmix.summary import Work

_BAR = 24
_LISTED = 12


def print_plan(summary: dict[str, Any]) -> None:
    """What the plan asks for, in words."""
    out = Console(highlight=False, soft_wrap=True)
    runs, evidence = summary["runs"], summary["evidence"]
    for line in _changes(summary):
        out.print(line)
    out.print(f"Strategy: {summary['strategy']}")
    for name, ratios in summary["virtual"].items():
        out.print(f"Frozen as {name} ({len(ratios)} leaves): {_listed(ratios)}")
    if summary["free"]:
        out.print(f"Free ({len(summary['free'])}): {_listed(summary['free'])}")
    proxy = summary["proxy"]
    out.print(
        f"Proxy: {proxy['model']}, {proxy['parameters']:,} parameters (input embeddings aside); "
        f"{proxy['tokens']:,} tokens a run, {proxy['batch_size']} sequences a step, "
        f"learning rate {proxy['learning_rate']:.2g}"
    )
    if runs["total"] or summary["free"]:
        out.print(f"Swarm: {runs['total']} runs, {runs['cached']} in the store, {runs['to_run']} to run")
    else:
        out.print(
            "Swarm: no run is needed; the mixture is carried over: removed leaves drop out, the rest is renormalised"
        )
    rounds = summary["rounds"]
    if rounds["stopped"]:
        out.print(f"Rounds: stopped: {rounds['stopped']}")
    elif rounds["total"] > 1:
        out.print(
            f"Rounds: {rounds['total']}, {rounds['planned']} planned; runs of later ones are chosen by the laws so far"
        )
    used = [f"{evidence[kind]} {kind} runs" for kind in ("earlier", "imported") if evidence[kind]]
    if used:
        how = "of these" if summary["strategy"] == "swarm" else "besides"
        out.print(f"Evidence {how}: {', '.join(used)}")
    for name, reason in evidence["unusable"]:
        out.print(f"  not used: {name}: {reason}")
    proof = f"{summary['validation_runs']} runs of the prior and the proposal"
    out.print(f"Proof: {proof}, {summary['validation_to_run']} to run")
    out.print(f"To train: {_training(summary['tokens_to_train'], summary['seconds_to_train'])}")
    if summary["parent"]:
        full = _training(summary["full_recomputation_tokens"], summary["full_recomputation_seconds"])
        out.print(f"Full recomputation: {summary['full_recomputation_runs']} runs and the same proof: {full}")
    if not summary["exact"]:
        out.print(
            f"Not tokenised yet: {_listed(summary['untokenised'])}; runs count as to run until "
            "`snakemake --cores all corpus` has counted their tokens"
        )


def _changes(summary: dict[str, Any]) -> list[str]:
    """What happened to the domain set since the parent, a line per operator."""
    update, lineage = summary["update"], summary["lineage"]
    accepted = f", accepted as {summary['accepted']}" if summary["accepted"] else ""
    if summary["parent"] is None:
        return [f"Domain set: {len(update['added'])} leaves{accepted or ', no accepted mixture to start from'}"]
    lines = [f"Since {summary['parent']}{accepted}:"]
    for operator in ("added", "removed", "revised"):
        if update[operator]:
            lines.append(f"  {operator}: {_listed(update[operator])}")
    regrouped: dict[str, list[str]] = {}
    for name in update["partitioned"]:
        regrouped.setdefault(" + ".join(lineage[name]), []).append(name)
    for origin, parts in regrouped.items():
        lines.append(f"  {'merged' if ' + ' in origin else 'partitioned'}: {origin} -> {_listed(parts)}")
    renamed = [f"{lineage[name][0]} -> {name}" for name in update["unchanged"] if name in lineage]
    if renamed:
        lines.append(f"  renamed: {_listed(renamed)}")
    return [*lines, f"  unchanged: {len(update['unchanged'])}"]


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(found[:_LISTED]) + more


def _training(tokens: int, seconds: float | None) -> str:
    return f"{tokens:,} tokens" + (f", about {_duration(seconds)} on all cores of this machine" if seconds else "")


def print_progress(work: list[Work], seconds_left: float | None) -> None:
    """A bar per phase and the time left."""
    out = Console(highlight=False)
    for phase in work:
        filled = _BAR * phase.done // phase.total if phase.total else _BAR
        out.print(f"{phase.name:<12} {'█' * filled}{'░' * (_BAR - filled)} {phase.done}/{phase.total}")
    if seconds_left is None:
        out.print("time left: known once a run has finished")
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
    out.print(f"\nGain over the prior in bits per byte: {_gain(metrics['gain_percent'])}")
    if at_target := metrics.get("target_gain_percent"):
        error = f" ± {at_target['standard_error']:.1f}" if "standard_error" in at_target else ""
        out.print(f"At target size: measured {at_target['measured']:.1f} %{error}")
    for line in _laws(metrics.get("laws", {})):
        out.print(line, soft_wrap=True)
    for name, problem in metrics.get("failed", {}).items():
        out.print(f"Without {name}, which failed: {problem}; `snakemake --cores all` tries it again", soft_wrap=True)
    if mixture["parent"]:
        frozen = sum(mixture["weights"][leaf] for ratios in mixture["virtual"].values() for leaf in ratios)
        gap = metrics.get("reuse", {}).get("gap_bpb")
        cost = "" if gap is None else f"; by the laws that costs {gap:.4f} bits per byte"
        out.print(
            f"Reuse ({mixture['strategy']}): {frozen:.1%} of the weight has the ratios of {mixture['parent']}{cost}"
        )
    out.print("Mixture: results/mixture.yaml   Report: results/report.html")


def _gain(gain: dict[str, float]) -> str:
    """Prediction with its interval and measurement with its standard error, in percent."""
    predicted = f"predicted {gain['predicted']:.1f} %" if "predicted" in gain else "not predicted"
    if {"predicted_low", "predicted_high"} <= gain.keys():
        low, high = gain["predicted_low"], gain["predicted_high"]
        predicted += f" [{low:.1f}, {high:.1f}]"
        if low <= 0 <= high:
            predicted += ", by prediction not distinguishable from the prior"
    if "measured" not in gain:
        return f"{predicted}, not measured (validation.seeds is 0)"
    error = f" ± {gain['standard_error']:.1f}" if "standard_error" in gain else ""
    return f"{predicted}, measured {gain['measured']:.1f} %{error}"


def _laws(laws: dict[str, Any]) -> list[str]:
    """What the laws are, and the tasks that count less because of noise."""
    if not laws:
        return []
    fitted_to = {"task": "", "family": ", one per family of tasks", "aggregate": ", of the mean of all tasks"}
    chosen = ", chosen by cross-validation" if laws["chosen"] else ""
    lines = [f"Laws: {laws['family']}{chosen}{fitted_to[laws['granularity']]}"]
    for how in ("dropped", "downweighted"):
        if laws[how]:
            least = laws["least_signal_to_noise"]
            lines.append(f"Tasks with a signal-to-noise ratio below {least:g}, {how}: {_listed(laws[how])}")
    return lines


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
