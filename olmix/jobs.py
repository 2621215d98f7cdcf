"""`olmix make`: the jobs of the build graph, one command per rule."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from olmix.errors import RunError
from olmix.plan.plan import KIND as PLAN
from olmix.process import die_with_snakemake, keep_freed_memory
from olmix.progress import log_of, open_log, say, say_of
from olmix.project import Project
from olmix.proxy.gpu import use_gpu
from olmix.proxy.spec import KIND as PROXY
from olmix.proxy.spec import Execution

make = typer.Typer(help="Make one artefact of the plan; the rules of the build graph call these.")

Key = Annotated[str, typer.Argument(help="Key of the artefact.")]
Threads = Annotated[int, typer.Option(help="CPU threads.", min=1)]
GpuMemory = Annotated[int, typer.Option(help="MB to wait for on a GPU, if there is one; 0: do not choose one.", min=0)]


@make.callback()
def _start_job(
    log: Annotated[Path | None, typer.Option(help="File that gets the progress lines too.")] = None,
) -> None:
    die_with_snakemake()
    keep_freed_memory()
    if log:
        open_log(log)


@make.command()
def tokens(key: Key, threads: Threads = 1) -> None:
    """Tokens of one leaf."""
    from olmix.corpus.tokens import make_tokens

    project = Project.load()
    make_tokens(project.leaf(key), project.tokenizer(), project.store, threads, say)


@make.command()
def items() -> None:
    """Items of the evaluation suite as tokens."""
    from olmix.evaluation.items import make_items

    project = Project.load()
    make_items(project.suite, project.tokenizer(), project.store, say)


@make.command()
def plan(key: Key) -> None:
    """The plan of today's domain set and params; of a growing swarm, that of one round."""
    project = Project.load()
    number = project.request.round_of(key)
    if number == 1:
        project.make_plan()
    elif not project.store.has(PLAN, key):
        from olmix.solve.design import next_plan

        before = project.settled(project.read_plan(project.request.round_key(number - 1)))
        grown = next_plan(before, project.request, project.store)
        added = len(grown.swarm) - len(before.swarm)
        say(f"Round {number} of {grown.rounds}: {grown.stopped or f'{added} more runs'}")
        project.publish_plan(grown)


@make.command()
def today() -> None:
    """The stamp that says which plan is today's."""
    from olmix.report.stamp import publish_view

    project = Project.load()
    publish_view("plan", project.plan_key, project.root, {})


@make.command()
def proxy(
    key: Key,
    also: Annotated[list[str] | None, typer.Option(help="Key of a run to train after it, for its own job.")] = None,
    threads: Threads = 1,
    gpu_mb: GpuMemory = 0,
) -> None:
    """Train one proxy or several in turn, and score each while the model is in memory."""
    from olmix.evaluation.evaluate import stage_evaluation
    from olmix.proxy.run import run_proxy

    project = Project.load()
    items, store, execution = project.items_key, project.store, Execution.of(project.params.proxy, threads)
    names = {tokens: leaf.name for tokens, leaf in zip(project.tokens_keys, project.leaves, strict=True)}
    failures = []
    with use_gpu(gpu_mb, say):
        for each in (key, *(also or ())):
            run = project.run(each)
            with log_of(each):
                say_run = say_of(run.name)
                try:
                    made = run_proxy(run.spec, names, items, store, execution, say_run, staged=True)
                except RunError as error:
                    failures.append(each)
                    store.note_failure(each, str(error))
                    say_run(str(error))
                    continue
                if made:
                    stage_evaluation(run.spec, made, project.suite.content, items, store, threads, say_run)
    if key in failures:  # the others have jobs of their own, which try again
        raise RunError("the run failed")
    # Last: if the job is cut off, what is published is made again, what is staged is not.
    store.publish_staged(PROXY, key)


@make.command()
def evaluation(key: Key, threads: Threads = 1, gpu_mb: GpuMemory = 0) -> None:
    """Score one proxy on the suite."""
    from olmix.evaluation.evaluate import evaluate

    project = Project.load()
    run = project.evaluated_run(key)
    say_run = say_of(run.name)
    with use_gpu(gpu_mb, say_run):
        evaluate(run.spec, project.suite.content, project.items_key, project.store, threads, say_run)


@make.command()
def law(key: Key) -> None:
    """Fit the laws of all tasks."""
    from olmix.regression.fit import fit_laws

    project = Project.load()
    fit_laws(project.plan_with(key, lambda plan: [plan.law]), project.params.regression, project.store)


@make.command()
def proposal(key: Key) -> None:
    """Solve for the best feasible mixture."""
    from olmix.solve.propose import propose

    project = Project.load()
    plan = project.plan_with(key, lambda plan: [plan.proposal])
    propose(plan, project.params.solver, project.params.target, project.store)


@make.command()
def validation(key: Key, threads: Threads = 1, gpu_mb: GpuMemory = 0) -> None:
    """Train and score the proposal with one seed."""
    from olmix.solve.validate import validate

    project = Project.load()
    params, planned = project.validation(key)
    say_run = say_of(f"{'proposal' if params is project.params else 'target-proposal'}-seed-{planned.seed}")
    execution = Execution.of(params.proxy, threads)
    with use_gpu(gpu_mb, say_run):
        validate(project.plan(), planned, params, project.items_key, project.store, execution, say_run)


@make.command()
def swarm_table() -> None:
    """The view results/swarm.csv."""
    from olmix.report.swarm_table import write_swarm_table

    project = Project.load()
    write_swarm_table(project.plan(), project.store, project.root)


@make.command()
def mixture() -> None:
    """The view results/mixture.yaml."""
    from olmix.report.mixture import write_mixture

    project = Project.load()
    write_mixture(project.plan(), project.params, project.store, project.root)


@make.command("study")
def make_study(threads: Threads = 1) -> None:
    """The views results/study.html, results/study.csv and results/study.json."""
    from olmix.study.files import write_plan_study

    project = Project.load()
    for sentence in write_plan_study(project.plan(), project.params, project.store, project.root, threads, say):
        typer.echo(sentence)


@make.command()
def noise() -> None:
    """The views results/noise.csv and results/noise.json; the report again, if there is one."""
    from olmix.report.noise import write_repeats

    project = Project.load()
    for sentence in write_repeats(project.plan(), project.params, project.store, project.root):
        typer.echo(sentence)
    _write_report_again(project)


@make.command()
def target() -> None:
    """The views results/target.csv and results/target.json; the report again, if there is one."""
    from olmix.plan.target import target_run
    from olmix.report.target import write_target

    project = Project.load()
    target_run(project.params)
    plan, store = project.plan(), project.store
    for sentence in write_target(plan, project.params, project.given_mixtures, store, project.root):
        typer.echo(sentence)
    _write_report_again(project)


@make.command()
def case_study_step(key: Key, threads: Threads = 1) -> None:
    """One update of the case study, in a project of its own."""
    from olmix.case_study.spec import CaseStudy
    from olmix.case_study.step import make_step

    make_step(CaseStudy.load(), key, threads, say)


@make.command()
def case_study_target(key: Key, threads: Threads = 1) -> None:
    """A model of the case study on given mixtures."""
    from olmix.case_study.spec import CaseStudy
    from olmix.case_study.target import make_target

    make_target(CaseStudy.load(), key, threads, say)


@make.command()
def case_study() -> None:
    """The views results/case_study.html, .md, .csv and .json."""
    from olmix.case_study.spec import CaseStudy
    from olmix.case_study.write import write_case_study

    for sentence in write_case_study(CaseStudy.load()):
        typer.echo(sentence)


@make.command()
def report() -> None:
    """The views results/report.html, results/mixture.svg and results/metrics.json."""
    _write_report(Project.load())


def _write_report_again(project: Project) -> None:
    """Bring a report of today's plan up to date."""
    from olmix.report.stamp import stamp

    if (project.root / stamp("report", project.plan().results_key)).exists():
        _write_report(project)


def _write_report(project: Project) -> None:
    from olmix.report.collect import collect
    from olmix.report.write import write_report

    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    ancestors, given, name = project.request.ancestors, project.given_mixtures, project.root.resolve().name
    write_report(collect(project.plan(), project.params, ancestors, given, project.store, name, created), project.root)
