"""The study as a whole: everything that is fitted and solved, over all cores, and the advice that comes of it."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

from olmix.params import RegressionParams, StudyParams
from olmix.process import die_with_parent
from olmix.study.advice import Advice, advise, sentences
from olmix.study.grid import Fit, Grid, errors, fit_cell
from olmix.study.mixtures import Judged, can_solve, fit_judge, judge_half
from olmix.study.table import StudyTable, drop_constant

Say = Callable[[str], None]


@dataclass(frozen=True)
class Study:
    """All that was found on one table."""

    name: str
    table: StudyTable
    grid: Grid
    fits: tuple[Fit, ...]
    judged: tuple[Judged, ...]
    judge: str
    """Family that the judge of mixtures chose."""
    kl: float
    """KL weight under which repetition limits are compared; in a project, the one in force."""
    advice: Advice
    notes: tuple[str, ...]
    in_force: dict[str, Any] | None = None
    """What params.yaml has of what is recommended; None for tables."""

    @property
    def sentences(self) -> dict[str, str]:
        """The recommendation in words."""
        return sentences(self.advice, self.grid, self.fits, self.table, self.judge)


def run_study(
    name: str,
    table: StudyTable,
    params: StudyParams,
    regression: RegressionParams,
    kl: float,
    threads: int,
    say: Say,
    in_force: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Study:
    """Fit, predict, solve and judge; `kl` is the weight under which repetition limits are compared.

    notes: what a reader must know of the table; more are added here.

    Raises InputError for families that cannot be compared, for too few runs, and for caps that no mixture meets.
    """
    table, dropped = drop_constant(table)
    grid = Grid.of(table, params.families, params.repeats, regression)
    settings = _settings(table, params, kl)
    for note in dropped:
        say(f"note: {note}")
    say(
        f"{len(table.P)} runs, {len(table.domains)} domains, {len(table.tasks)} tasks; {', '.join(grid.families)} laws "
        f"on {', '.join(map(str, grid.runs))} runs, {grid.repeats} repeats"
    )
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(threads, initializer=die_with_parent)) if threads > 1 else None
        work = _Work(len(grid.cells) + 1 + grid.repeats, say, pool)
        cells = [(fit_cell, table, grid, runs, repeat) for runs, repeat in grid.cells]
        found = work.do([*cells, (fit_judge, table, regression)], _describe_fits)
        fits = [fit for cell in found[:-1] for fit in cell]
        judge = found[-1]
        at_half = {name: errors(fits, "error", name, grid.half).mean() for name in grid.families if can_solve(name)}
        kl_family = min(at_half, key=lambda name: at_half[name]) if at_half else None
        judged: list[Judged] = []
        if kl_family is not None:
            halves = [
                (judge_half, table, kl_family, regression, judge, repeat, settings) for repeat in range(grid.repeats)
            ]
            judged = [one for half in work.do(halves, _describe_half) for one in half]
    repetition = table.limits.repetition if table.limits else math.inf
    advice = advise(grid, fits, judged, kl_family, repetition)
    return Study(
        name, table, grid, tuple(fits), tuple(judged), judge.best_.name, kl, advice, (*notes, *dropped), in_force
    )


def _settings(table: StudyTable, params: StudyParams, kl: float) -> list[tuple[float, float]]:
    """(kl, repetition) of the mixtures that are solved for: weights under the caps in force, caps under the weight."""
    if table.limits is None:
        return [(weight, math.inf) for weight in sorted({*params.kl, kl})]
    in_force = table.limits.repetition
    caps = {*params.repetition, in_force, math.inf}
    return sorted({(weight, in_force) for weight in {*params.kl, kl}} | {(kl, cap) for cap in caps})


@dataclass
class _Work:
    """Jobs of a known total number, with progress lines and an estimate of the end."""

    total: int
    say: Say
    pool: ProcessPoolExecutor | None
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def do(self, jobs: Sequence[tuple[Any, ...]], describe: Callable[[Any], str]) -> list[Any]:
        """Results of function calls, in order."""
        pending = [self.pool.submit(_call, *job) for job in jobs] if self.pool else None
        results = []
        for i, job in enumerate(jobs):
            results.append(pending[i].result() if pending else _call(*job))
            self.done += 1
            passed = time.monotonic() - self.started
            left = passed / self.done * (self.total - self.done)
            self.say(f"{self.done}/{self.total}  {describe(results[-1])}  (about {left:.0f} s left)")
        return results


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    with threadpool_limits(limits=1, user_api="blas"):  # sums in another order have other bits
        return function(*arguments)


def _describe_fits(found: Any) -> str:
    if not isinstance(found, list):
        return f"{found.best_.name} laws of all runs"
    figures = ", ".join(f"{fit.family} {fit.error:.3f}" for fit in found if fit.granularity == "task")
    return f"{found[0].runs} runs, repeat {found[0].repeat}: error {figures}"


def _describe_half(found: list[Judged]) -> str:
    return f"mixtures of half {found[0].half}: {len(found)} settings"
