"""Makes one step of the study: a project folder like any other, `snakemake`, `olmix accept`."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import yaml

from olmix.accept import accept
from olmix.case_study.spec import FOLDER, WORK, CaseStudy, Step
from olmix.errors import WorkError
from olmix.params import Params
from olmix.plan.history import FOLDER as MIXTURES
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import Plan
from olmix.process import run_snakemake
from olmix.project import Project
from olmix.schema import Record, parse
from olmix.store import STORE, write_atomically

Say = Callable[[str], None]

_ALWAYS = ("Snakefile", "rules", "profiles")


class Safety(Record):
    """The paper's quantities of one update; objectives in bits per byte (section 4.3)."""

    kappa: float
    """Coupling of frozen and recomputed leaves."""
    recomputed_weight: float
    """1 - rho, weight of the recomputed leaves."""
    gap: float
    """Reuse gap: predicted objective of the reused mixture minus that of the best of all leaves."""


class StepRecord(Record):
    """What a step left: the accepted mixture, and its proof at proxy size."""

    strategy: str
    seed: int
    stage: str
    file: str
    """Name of the accepted mixture in `mixtures/`."""
    accepted: str
    """Its text."""
    prior_bpb: float
    """Mean BPB of proxies on the natural mixture, measured."""
    proposal_bpb: float
    """The same on the accepted mixture."""
    predicted_gain: float | None
    """Gain of the laws over natural, percent; none where the mixture was carried over."""
    safety: Safety | None
    """None without frozen ratios or new laws."""
    kept_whole: bool
    """Whether the mixture was carried over without a run."""

    @property
    def mixture(self) -> AcceptedMixture:
        """The accepted mixture."""
        return parse(yaml.safe_load(self.accepted), AcceptedMixture, f"{MIXTURES}/{self.file}")


def read_record(study: CaseStudy, step: Step) -> StepRecord:
    """The record of a step. Raises WorkError if the step has not been made."""
    path = study.root / step.path
    try:
        return StepRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkError(f"{path}: not there; `snakemake case_study` makes it") from None
    except (OSError, ValueError) as error:
        raise WorkError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]}); remove it and go on") from None


def make_step(study: CaseStudy, key: str, cores: int, say: Say) -> None:
    """Make the accepted mixture of a step and its record, in `case_study/work`.

    Raises WorkError if the pipeline of its project fails.
    """
    step = study.step(key)
    study.remember_files()
    folder = study.root / WORK / "projects" / f"{step.strategy}-{step.seed}"
    prepare(study, step, folder, step.params)
    run_pipeline(folder, [], cores, step.name)
    project = Project.load(folder)
    path = accept(project, step.stage, lambda _: None)
    plan = project.plan()
    metrics = json.loads((folder / "results/metrics.json").read_text(encoding="utf-8"))
    found = _safety(project, plan) if plan.virtual and plan.law else None
    record = StepRecord(
        strategy=step.strategy,
        seed=step.seed,
        stage=step.stage,
        file=path.name,
        accepted=path.read_text(encoding="utf-8"),
        prior_bpb=metrics["prior_bpb"]["measured"],
        proposal_bpb=metrics["proposal_bpb"]["measured"],
        predicted_gain=metrics["gain_percent"].get("predicted"),
        safety=found,
        kept_whole=plan.law is None,
    )
    write_atomically(study.root / step.path, record.model_dump_json(indent=1) + "\n")
    spent = record.mixture.ledger.spent
    gain = 100 * (1 - record.proposal_bpb / record.prior_bpb)
    say(f"{step.name}: {spent.runs} runs, {spent.seconds:.0f} core-seconds; {gain:+.1f} % over natural at proxy size")


def _safety(project: Project, plan: Plan) -> Safety | None:
    from olmix.solve.safety import assess_plan  # scikit-learn takes a second to import, and most steps need none

    safety = assess_plan(plan, project.params.solver, project.request.ancestors, project.store)
    if safety is None or safety.found is None:
        return None
    found = safety.found
    return Safety(kappa=found.kappa, recomputed_weight=found.recomputed_weight, gap=found.gap)


def prepare(study: CaseStudy, step: Step, folder: Path, params: Params, settings: Iterable[str] = ()) -> None:
    """Bring a project folder to the state just before a step: its domain set, its params, the mixtures accepted so far.

    What is not the project's own is linked: the rules, the texts, the store. settings: further files that it needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = study.root / WORK / STORE
    store.mkdir(parents=True, exist_ok=True)
    _link(folder / STORE, store)
    files = [file.path for leaf in study.stages[step.stage] for file in leaf.files if file.remote is None]
    files += [file.path for task in study.suite.tasks for file in task.files if file.remote is None]
    named = [study.root / path for path in (params.tokenizer.path, params.evaluation.suite, *_ALWAYS, *files)]
    own = {path.relative_to(study.root).parts[0] for path in named if path.is_relative_to(study.root)}
    for name in sorted(own):
        if (study.root / name).exists():
            _link(folder / name, study.root / name)
    for name in (MIXTURES, params.domains, *settings):
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(study.root / FOLDER / "stages" / step.stage, folder / params.domains)
    write_atomically(folder / "params.yaml", yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False))
    (folder / MIXTURES).mkdir()
    before = step.before
    while before:
        record = read_record(study, before)
        write_atomically(folder / MIXTURES / record.file, record.accepted)
        before = before.before


def run_pipeline(folder: Path, targets: Sequence[str], cores: int, name: str) -> None:
    """Run the pipeline of a project of the study. Raises WorkError naming the file with its messages."""
    log = folder / "snakemake.log"
    with log.open("w", encoding="utf-8") as output:
        code = run_snakemake(["--cores", str(cores), *targets], folder, output)
    if code:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("olmix: ")]
        raise WorkError(f"{name}: {lines[-1].removeprefix('olmix: ') if lines else 'failed'}; see {log}")


def _link(link: Path, to: Path) -> None:
    """Make a link, or let it be if it is there."""
    if not link.is_symlink():
        link.symlink_to(to.resolve())
