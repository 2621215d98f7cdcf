"""The ledger of compute: what a generation's swarm cost, and what full recomputation would have cost."""

from collections.abc import Iterable, Mapping
from typing import Any

from olmix.plan.history import AcceptedMixture, Ledger, Spent


def spending(costs: Iterable[Mapping[str, Any]]) -> Spent:
    """Sum of the `cost` of run manifests. Quantities that a trainer does not tell count 0."""
    rows = list(costs)
    return Spent(
        runs=len(rows),
        tokens=sum(row.get("tokens", 0) for row in rows),
        flops=sum(row.get("flops", 0) for row in rows),
        seconds=round(sum(row["seconds"] * row.get("threads", 1) for row in rows), 3),
    )


def make_ledger(
    own_costs: Mapping[str, Mapping[str, Any]], full_runs: int, ancestors: Iterable[AcceptedMixture]
) -> Ledger:
    """Ledger of a generation.

    own_costs: cost per key of the swarm runs of its plan; those that an ancestor paid for are not counted again. A run
    of full recomputation costs the mean of these runs, or of the nearest ancestor's where the plan has none.
    """
    earlier = list(ancestors)
    paid = {key for mixture in earlier for key, _, _ in mixture.evidence()}
    spent = spending(cost for key, cost in own_costs.items() if key not in paid)
    full = scale(mean_run(spending(own_costs.values()), earlier), full_runs)
    saved = {name: max(0, getattr(full, name) - getattr(spent, name)) for name in Spent.model_fields}
    return Ledger(spent=spent, full_recomputation=full, saved=Spent(**saved))


def mean_run(own: Spent, ancestors: Iterable[AcceptedMixture]) -> Spent:
    """Mean cost of a run, from own runs or from the nearest generation that trained any; zeros if there is none."""
    for spent in (own, *(mixture.ledger.spent for mixture in ancestors)):
        if spent.runs:
            return Spent(
                runs=1,
                tokens=spent.tokens / spent.runs,
                flops=spent.flops / spent.runs,
                seconds=spent.seconds / spent.runs,
            )
    return Spent(runs=1, tokens=0, flops=0, seconds=0)


def scale(run: Spent, runs: int) -> Spent:
    """Cost of a number of runs."""
    return Spent(runs=runs, tokens=run.tokens * runs, flops=run.flops * runs, seconds=run.seconds * runs)
