"""The `olmix` command. Commands map arguments to one function; errors become exit codes here and nowhere else."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from olmix.errors import InputError, WorkError
from olmix.jobs import make
from olmix.process import LOCK, die_with_dvc, hold_lock
from olmix.progress import log_traceback, say
from olmix.project import Project

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(make, name="make")

INPUT_ERROR = Path("logs/input-error.txt")
"""Last mistake in the user's input found by a job; the Snakefile ends with it and exit code 2."""


def main() -> None:
    """Entry point: 0 done, 1 the work failed, 2 bad input; never a traceback for a user's mistake."""
    try:
        raise SystemExit(_run())
    except InputError as error:
        if sys.argv[1:2] == ["make"]:
            INPUT_ERROR.parent.mkdir(exist_ok=True)
            INPUT_ERROR.write_text(f"{error}\n")
        say(f"olmix: {error}")
        raise SystemExit(2) from None
    except WorkError as error:
        say(f"olmix: {error}")
        raise SystemExit(1) from None
    except Exception as error:
        log_traceback()
        if not isinstance(error, OSError) or error.filename is None:
            raise
        say(f"olmix: {WorkError(f'{error.filename}: {error.strerror}')}")  # no permission, no space, no folder
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


@app.command()
def texts(
    scale: Annotated[float, typer.Option(help="Share of the documents of every domain that is kept.")] = 1.0,
) -> None:
    """Build the default texts and evaluation items below data/ from pinned packages."""
    from olmix.texts.build import build

    die_with_dvc()
    build(Path(), scale=scale, report=say)


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

    record_in_dvc(Path(), say)


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
    damaged = audit.audit(store, say)
    total = sum(1 for _ in store.artefacts())
    if not damaged:
        typer.echo(f"{total:,} artefacts, all as they were published")
    elif repair:
        audit.repair(store, damaged, Path(), say)
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
                    record_in_dvc(today.root, say)
                    say("olmix: DVC's cache still has them; `dvc gc --workspace` removes them there")


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
        say(note)
    for run, reason in adopted.unusable:
        say(f"{run}: not usable: {reason}")
    typer.echo(f"{FOLDER}/{name}: {len(adopted.runs)} usable runs; commit the folder, `olmix plan` shows what changes")


@app.command()
def fit(
    config: Annotated[Path, typer.Option(help="Fit configuration, YAML as for the authors' released code.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for law/, fit.json and mixture.json.")],
) -> None:
    """Fit laws on the tables of a finished swarm and solve for the mixture; nothing is trained (docs/fit.md)."""
    from olmix.interop.fit import fit_swarm

    typer.echo(fit_swarm(config, output_dir, say))


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
        say(f"note: {note}")
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
    for sentence in write_table_study(*tables, target_tokens, options, output_dir, threads, say):
        typer.echo(sentence)


@app.command("accept")
def accept_mixture(
    name: Annotated[str | None, typer.Option(help="Name of the generation; by default what was updated.")] = None,
) -> None:
    """Adopt results/mixture.yaml as the next generation in mixtures/; the next edit of the domain set builds on it."""
    from olmix.accept import accept

    typer.echo(accept(Project.load(), name, say))


@app.command("reference")
def print_reference() -> None:
    """Documentation of every field of params, domain files and suites, as Markdown."""
    from olmix.reference import reference

    typer.echo(reference(), nl=False)
