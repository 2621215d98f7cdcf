"""What the Snakefile asks: which files each phase has to make. Nothing is written and nothing heavy is imported."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from olmix.case_study.spec import VIEW as CASE_STUDY
from olmix.case_study.spec import CaseStudy
from olmix.corpus.tokens import KIND as TOKENS
from olmix.errors import InputError
from olmix.evaluation.items import KIND as ITEMS
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.params import Params
from olmix.plan.noise import VIEW as NOISE
from olmix.plan.noise import noise_key, repeated_runs
from olmix.plan.plan import KIND as PLAN
from olmix.plan.plan import Plan, PlannedRun, results_key
from olmix.plan.runs import gpu_memory_to_score, gpu_memory_to_train, memory_per_job, runs_per_job
from olmix.plan.target import VIEW as TARGET
from olmix.plan.target import TargetRuns, target_key, target_settings
from olmix.project import Project
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.spec import KIND as LAW
from olmix.report.stamp import stamp
from olmix.solve.spec import KIND as PROPOSAL
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.study.spec import VIEW as STUDY
from olmix.study.spec import study_key

_MINUTES = {PROXY: 240, EVALUATION: 60}
_MINUTES_TO_PUT_IN_PLACE = 1


def per_attempt(amount: int) -> Callable[[Any, int], int]:
    """A resource of which every further attempt at a job gets as much again, for schedulers that cut jobs off."""
    return lambda wildcards, attempt: amount * attempt


def _fitted_on(plan: Plan) -> list[str]:
    """Evaluations that the laws of a plan are fitted on."""
    return [*(run.evaluation for run in plan.fitted), *plan.noise]


@dataclass(repr=False)  # Snakemake asks for the repr of its input functions, which would be all of the project
class Workflow:
    """Files of the build graph, as paths relative to the project folder.

    Methods that need the plan are Snakemake input functions: `await_plan` makes Snakemake finish the checkpoint first.
    They name artefacts that are missing only: one that is there is whole and needs no job. Snakemake would make and
    check a job for each, most of a minute for ten thousand runs. Nor does it need an input: otherwise it would be made
    again whenever one of its inputs had gone missing and came back, a whole swarm for one leaf's tokens.
    """

    project: Project
    without_failed: bool = False
    """Whether runs that failed are left out, instead of being tried again."""
    await_plan: Callable[..., Any] = lambda key: None
    _plans: dict[str, Plan] = field(default_factory=dict)
    _runs: dict[str, PlannedRun] = field(default_factory=dict)
    """Key of each run that was come to, and of its evaluation → the run."""
    _chunks: dict[str, list[str]] = field(default_factory=dict)
    _there: set[tuple[str, str]] = field(default_factory=set)
    """Kind and key of artefacts that were found in the store: asked for once, not once for every run."""
    _of_target: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, root: Path = Path(), without_failed: bool = False) -> "Workflow":
        """Read the project. Raises InputError for the first mistake in it, WorkError if too many runs failed."""
        flow = cls(Project.load(root), without_failed)
        _ = flow._results_key
        return flow

    @property
    def plan(self) -> Plan:
        """Today's plan, once the checkpoint has made it; where the swarm grows in rounds, that of the last one."""
        return self._plan_of(self.project.request.rounds)

    def _plan_of(self, number: int) -> Plan:
        key = self.project.request.round_key(number)
        if not self._is_there(PLAN, key):
            self.await_plan(key=key)
        if key not in self._plans:
            plan = self.project.read_plan(key)
            self._plans[key] = self.project.settled(plan) if self.without_failed else plan
        return self._plans[key]

    def _plan_with(self, key: str, keys: Callable[[Plan], Iterable[str | None]]) -> Plan:
        """The plan of the earliest round that asks for an artefact: later ones may need that artefact to be made."""
        for number in range(1, self.project.request.rounds + 1):
            plan = self._plan_of(number)
            if key in keys(plan):
                return plan
        raise InputError(f"{key}: not part of today's plan")

    @property
    def plan_to_make(self) -> list[str]:
        """Today's plan, where the swarm grows in rounds that of the last one."""
        return self._missing(PLAN, [self.project.plan_key])

    def stamp(self, view: str) -> str:
        """File that says which plan a view in results/ shows."""
        return stamp(view, self.project.plan_key if view == PLAN else self._results_key).as_posix()

    @property
    def _results_key(self) -> str:
        """Key of the results to come; runs that failed are in the latest plan that there is."""
        plans = list(self.project.plans()) if self.without_failed else []
        return results_key(self.project.plan_key, self.project.settled(plans[-1]).failed if plans else {})

    @property
    def study_stamp(self) -> str:
        """File that says which plan and params the study in results/ is of."""
        return stamp(STUDY, study_key(self._results_key, self.project.params.study)).as_posix()

    def failures(self) -> dict[str, str]:
        """Name of each run of the latest plan that failed → what went wrong."""
        plans = list(self.project.plans())
        return plans[-1].model_copy(update={"failed": self.project.failed(plans[-1])}).failures if plans else {}

    def tokens(self, _: Any = None) -> list[str]:
        """Tokens of all leaves."""
        return self._missing(TOKENS, self.project.tokens_keys)

    @property
    def items(self) -> str:
        """Items of the suite as tokens."""
        return self.project.artefact(ITEMS, self.project.items_key)

    @property
    def items_to_make(self) -> list[str]:
        """The items, if they are missing."""
        return self._missing(ITEMS, [self.project.items_key])

    def inputs_of_run(self, wildcards: Any) -> list[str]:
        """Tokens that the runs of one job train on; the run of that job, for one that it stages; none if it has."""
        key = wildcards.key
        waiting = self._waiting(key)
        if key not in waiting:
            return []
        if key != waiting[0]:
            return [self.project.artefact(PROXY, waiting[0])]
        return self._missing(TOKENS, sorted({tokens for k in waiting for tokens in self._run(k).spec.counts}))

    def more_runs(self, wildcards: Any) -> list[str]:
        """Runs that the job of a run trains after it."""
        waiting = self._waiting(wildcards.key)
        return waiting[1:] if waiting[:1] == [wildcards.key] else []

    def memory(self, wildcards: Any, attempt: int = 1) -> int:
        """MB that a job takes which trains; every further attempt gets as much again."""
        return memory_per_job(*self._made_with(wildcards.key)) * attempt

    def minutes_to_train(self, wildcards: Any, attempt: int = 1) -> int:
        """Minutes to ask of a scheduler for the job of a run; a moment where another job has trained it."""
        trains = self._waiting(wildcards.key)[:1] == [wildcards.key]
        return _MINUTES[PROXY] * attempt if trains else _MINUTES_TO_PUT_IN_PLACE

    def minutes_to_score(self, wildcards: Any, attempt: int = 1) -> int:
        """Minutes to ask of a scheduler for an evaluation; a moment where the job that trains the run has scored it."""
        run = self._run(wildcards.key).key
        scored = self.project.store.is_staged(EVALUATION, wildcards.key) or run in self._waiting(run)
        return _MINUTES_TO_PUT_IN_PLACE if scored else _MINUTES[EVALUATION] * attempt

    def gpu_memory(self, wildcards: Any) -> int:
        """MB that a job which trains takes on a GPU."""
        return gpu_memory_to_train(*self._made_with(wildcards.key))

    def gpu_memory_to_score(self, wildcards: Any) -> int:
        """MB that an evaluation takes on a GPU."""
        return gpu_memory_to_score(*self._made_with(wildcards.key))

    def _made_with(self, key: str) -> tuple[Params, int]:
        """Settings and vocabulary that a run, evaluation or proof is made with, once its inputs have been asked for.

        Snakemake cannot wait for a checkpoint here, but the first plan is there by now.
        """
        params = self.project.params
        return (key in self._of_target and target_settings(params)) or params, self._plan_of(1).vocabulary

    def _waiting(self, key: str) -> list[str]:
        """Runs of the chunk of a run that are still to be trained; the job of the first one trains them all."""
        _ = self._run(key)
        store = self.project.store
        return [k for k in self._chunks[key] if not store.has(PROXY, k) and not store.is_staged(PROXY, k)]

    def _run(self, key: str) -> PlannedRun:
        """The run with a key, or whose evaluation has it. Raises InputError for a key that is not planned."""
        if key not in self._runs:
            for params, runs in self._stages():
                self._take_in(params, runs)
                if key in self._runs:
                    break
            else:
                raise InputError(f"{key}: not part of today's plan")
        return self._runs[key]

    def _take_in(self, params: Params, runs: Sequence[PlannedRun]) -> None:
        """Index the runs of a stage and cut those that no earlier one has into chunks, each for one job.

        Chunks are cut from the plan alone, so that every process of a cluster sees the same.
        """
        fresh = list(dict.fromkeys(run.key for run in runs if run.key not in self._runs))
        chunks = -(-len(fresh) // runs_per_job(params, self._plan_of(1).vocabulary))
        for i in range(chunks):
            chunk = fresh[i * len(fresh) // chunks : (i + 1) * len(fresh) // chunks]
            self._chunks |= dict.fromkeys(chunk, chunk)
        for run in runs:
            self._runs.setdefault(run.key, run)
            self._runs.setdefault(run.evaluation, run)

    def run_of_evaluation(self, wildcards: Any) -> list[str]:
        """The run that an evaluation scores."""
        if self._is_there(EVALUATION, wildcards.key):
            return []
        return self._missing(PROXY, [self._run(wildcards.key).key])

    def runs(self, _: Any = None) -> list[str]:
        """Runs whose evaluation is there; the others are asked for by their evaluations."""
        return self._missing(PROXY, (run.key for run in self.plan.runs if self._is_there(EVALUATION, run.evaluation)))

    def evaluations(self, _: Any = None) -> list[str]:
        """Evaluations of all runs whose mixture is known at planning time."""
        return self._missing(EVALUATION, (run.evaluation for run in self.plan.runs))

    def evaluations_of_law(self, wildcards: Any) -> list[str]:
        """Evaluations that the laws are fitted on."""
        if self._is_there(LAW, wildcards.key):
            return []
        plan = self._plan_with(wildcards.key, lambda plan: [plan.law])
        return self._missing(EVALUATION, _fitted_on(plan))

    def evaluations_beside_law(self, _: Any = None) -> list[str]:
        """Evaluations that no law asks for: only the others if it is still to be fitted, all if it is there."""
        asked = set(_fitted_on(self.plan)) if self.law() else set()
        return self._missing(EVALUATION, (run.evaluation for run in self.plan.runs if run.evaluation not in asked))

    def law(self, _: Any = None) -> list[str]:
        """Laws of all tasks; none where the mixture is carried over from the parent."""
        return self._missing(LAW, [self.plan.law] if self.plan.law else [])

    def law_of_proposal(self, wildcards: Any) -> list[str]:
        """The laws that a proposal is solved from."""
        if self._is_there(PROPOSAL, wildcards.key):
            return []
        plan = self._plan_with(wildcards.key, lambda plan: [plan.proposal])
        return self._missing(LAW, [plan.law] if plan.law else [])

    def inputs_of_validation(self, wildcards: Any) -> list[str]:
        """The proposal and the tokens that it may be trained on."""
        if self._is_there(VALIDATION, wildcards.key):
            return []
        if wildcards.key not in (run.key for run in self.plan.validation):
            self._of_target |= {wildcards.key}
        return [*self.proposal(), *self.tokens()]

    def inputs_of_plan(self, wildcards: Any) -> list[str]:
        """Of the first round, token counts, and items, so that mistakes in them show before anything is trained; of a
        later one, the proposal that the swarm before it led to."""
        if self._is_there(PLAN, wildcards.key):
            return []
        number = self.project.request.round_of(wildcards.key)
        if number == 1:
            return [*self.tokens(), *self.items_to_make]
        return self._missing(PROPOSAL, [self._plan_of(number - 1).proposal])

    def _is_there(self, kind: str, key: str) -> bool:
        if (kind, key) not in self._there and self.project.store.has(kind, key):
            self._there.add((kind, key))
        return (kind, key) in self._there

    def _missing(self, kind: str, keys: Iterable[str]) -> list[str]:
        """Manifests of the artefacts that have to be made yet."""
        return [self.project.artefact(kind, key) for key in keys if not self._is_there(kind, key)]

    def proposal(self, _: Any = None) -> list[str]:
        """The proposed mixture."""
        return self._missing(PROPOSAL, [self.plan.proposal])

    def validations(self, _: Any = None) -> list[str]:
        """Runs that prove the proposal."""
        return self._missing(VALIDATION, (run.key for run in self.plan.validation))

    def _stages(self) -> Iterator[tuple[Params, Sequence[PlannedRun]]]:
        """Runs round by round, then those asked for by name, each waited for only when it is come to."""
        for params, runs in self.project.stages(map(self._plan_of, range(1, self.project.request.rounds + 1))):
            if params is not self.project.params:
                self._of_target |= {key for run in runs for key in (run.key, run.evaluation)}
            yield params, runs

    def repeats(self, _: Any = None) -> list[str]:
        """Evaluations of runs that differ by their seeds only."""
        repeated = repeated_runs(self.plan, self.project.params)
        return self._missing(EVALUATION, (run.evaluation for runs in repeated.values() for run in runs))

    def target(self, _: Any = None) -> list[str]:
        """Proposal and scores of the target model; none if it cannot be trained: the job that shows them says why."""
        if self.project.params.target.run is None:
            return []
        target = TargetRuns.if_any(self.plan, self.project.params, self.project.given_mixtures)
        if target is None:
            return []
        return [
            *self.proposal(),
            *self._missing(EVALUATION, (run.evaluation for run in target.runs)),
            *self._missing(VALIDATION, (run.key for run in target.proposal)),
        ]

    @property
    def noise_stamp(self) -> str:
        """File that says which plan and params the repeats in results/ are of."""
        return stamp(NOISE, noise_key(self._results_key, self.project.params.noise)).as_posix()

    @property
    def target_stamp(self) -> str:
        """File that says which plan, params and mixtures the target runs in results/ are of."""
        return stamp(TARGET, target_key(self._results_key, self.project.params, self.project.given_mixtures)).as_posix()

    @cached_property
    def _case_study(self) -> CaseStudy | None:
        """The case study; None if it cannot be read: the job that shows it says why."""
        try:
            study = CaseStudy.load(self.project.root)
            _ = study.key
        except InputError:
            return None
        return study

    @property
    def case_study_stamp(self) -> str:
        """File that says which case study results/ shows."""
        return stamp(CASE_STUDY, self._case_study.key if self._case_study else "unknown").as_posix()

    def case_study(self, _: Any = None) -> list[str]:
        """Records of all steps of the case study, and scores at target size."""
        if self._case_study is None:
            return []
        paths = [step.path for step in self._case_study.steps.values()]
        return [path.as_posix() for path in (*paths, *(table.path for table in self._case_study.targets.values()))]

    def steps_before(self, wildcards: Any) -> list[str]:
        """Steps of the case study that one starts from, or shares runs with."""
        study = self._case_study or CaseStudy.load(self.project.root)
        step = study.step(wildcards.key)
        return [] if self._is_made(step.path) else [each.path.as_posix() for each in study.needs(step)]

    def last_steps(self, wildcards: Any) -> list[str]:
        """Last step of each strategy and seed of the case study, for a table of the target model."""
        study = self._case_study or CaseStudy.load(self.project.root)
        made = self._is_made(study.target(wildcards.key).path)
        return [] if made else [step.path.as_posix() for step in study.last_steps]

    def _is_made(self, path: Path) -> bool:
        return (self.project.root / path).exists()

    def everything(self, _: Any = None) -> list[str]:
        """Every artefact of the plan: one that goes missing must be made again, whatever was made from it."""
        return [
            *self.tokens(),
            *self.items_to_make,
            *self.runs(),
            *self.evaluations_beside_law(),
            *self.law(),
            *self.proposal(),
            *self.validations(),
        ]
