"""Every run there is to make, in the order that Snakemake comes to them."""

from collections.abc import Iterable, Iterator, Sequence

from olmix.params import Params
from olmix.plan.noise import repeated_runs
from olmix.plan.plan import Plan, PlannedRun, find
from olmix.plan.target import Mixtures, TargetRuns


def stages(plans: Iterable[Plan], params: Params, given: Mixtures) -> Iterator[tuple[Params, Sequence[PlannedRun]]]:
    """Runs round by round, then those asked for by name, with the settings that they are made with."""
    last = None
    for last in plans:
        yield params, last.runs
    if last:
        yield params, [run for runs in repeated_runs(last, params).values() for run in runs]
        if params.target.run:
            target = TargetRuns.of(last, params, given)
            yield target.params, target.runs


def find_run(stages: Iterable[tuple[Params, Sequence[PlannedRun]]], field: str, key: str) -> PlannedRun:
    """The first run of the stages with a key in a field. Raises InputError for a key that is not planned."""
    return find((run for _, runs in stages for run in runs), field, key)
