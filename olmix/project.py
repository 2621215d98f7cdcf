"""A project folder: params, domain set, suite and store, read once. Light enough for parsing a Snakefile."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from olmix.corpus.tokenizer import FrozenTokenizer, load_tokenizer
from olmix.corpus.tokens import KIND as TOKENS
from olmix.corpus.tokens import tokens_key
from olmix.digest import digest
from olmix.domains.fingerprint import CACHE, Leaf, StatCache, fingerprint
from olmix.domains.schema import read_domains
from olmix.errors import InputError, WorkError
from olmix.evaluation.items import items_key
from olmix.evaluation.suite import Suite, read_suite
from olmix.params import NOT_KEYED, Params, read_params
from olmix.plan.history import FOLDER as MIXTURES
from olmix.plan.history import AcceptedMixture, lineage, read_history
from olmix.plan.imports import FOLDER as EVIDENCE
from olmix.plan.imports import read_imports
from olmix.plan.plan import KIND as PLAN
from olmix.plan.plan import Plan, PlannedRun, PlannedValidation
from olmix.plan.planner import check_domain_set, make_plan, without_failed
from olmix.plan.request import Request
from olmix.plan.stages import find_run, stages
from olmix.plan.target import TargetRuns, read_mixtures
from olmix.proxy.spec import KIND as PROXY
from olmix.store import MANIFEST, STORE, Store, write_atomically


@dataclass(frozen=True)
class Project:
    """Everything that is known before any work is done."""

    root: Path
    request: Request
    history: tuple[AcceptedMixture, ...]
    """All accepted mixtures, oldest first."""
    store: Store
    cache: StatCache

    @classmethod
    def load(cls, root: Path = Path()) -> "Project":
        """Read and check a project folder. Raises InputError for the first mistake found.

        Writes nothing, but for the cache of what remote files were found to hold.
        """
        params = read_params(root / "params.yaml")
        cache = StatCache(root / CACHE)
        leaves = tuple(fingerprint(read_domains(root / params.domains), root, cache))
        check_domain_set(leaves)
        suite = read_suite(root / params.evaluation.suite, root, cache)
        history = tuple(read_history(root / MIXTURES))
        ancestors = tuple(lineage(history, [leaf.content for leaf in leaves]))
        imports = read_imports(root / EVIDENCE, leaves, suite, run_settings(params))
        request = Request(leaves, params, suite, ancestors, imports)
        request.check()
        project = cls(root, request, history, Store(root / STORE), cache)
        _ = project.given_mixtures
        return project

    @property
    def params(self) -> Params:
        """All settings."""
        return self.request.params

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Today's domain set."""
        return self.request.leaves

    @property
    def suite(self) -> Suite:
        """The evaluation suite."""
        return self.request.suite

    @property
    def plan_key(self) -> str:
        """Key of today's plan."""
        return self.request.key

    @property
    def run_template(self) -> str:
        """Digest of the settings that imported runs must share."""
        return run_settings(self.params)

    @cached_property
    def tokens_keys(self) -> list[str]:
        """Tokens key of every leaf, in the order of `leaves`."""
        return [tokens_key(leaf.content, self.params.tokenizer.digest) for leaf in self.leaves]

    @cached_property
    def items_key(self) -> str:
        """Key of the suite's items as tokens."""
        return items_key(self.suite.content, self.params.tokenizer.digest)

    def tokenizer(self) -> FrozenTokenizer:
        """The frozen tokenizer."""
        return load_tokenizer(self.params.tokenizer, self.root)

    def leaf(self, key: str) -> Leaf:
        """The leaf with a tokens key."""
        if key not in self.tokens_keys:
            raise InputError(f"{key}: no leaf of today's domain set has this tokens key")
        return self.leaves[self.tokens_keys.index(key)]

    def plan(self) -> Plan:
        """Today's plan, from the store. Raises WorkError if it has not been made."""
        if not self.store.has(PLAN, self.plan_key):
            raise WorkError("no plan for today's domain set and params yet; `snakemake --cores all planned` makes it")
        return self.settled(self.read_plan(self.plan_key))

    def settled(self, plan: Plan) -> Plan:
        """A plan without the runs of its swarm that failed when they were last tried. Raises WorkError if too many."""
        failed = self.failed(plan)
        return without_failed(plan, self.request, failed) if failed else plan

    def failed(self, plan: Plan) -> dict[str, str]:
        """Key of each run of a plan's swarm that failed when it was last tried → what went wrong."""
        missing = [run.key for run in plan.swarm if not self.store.has(PROXY, run.key)]
        return {key: problem for key in missing if (problem := self.store.failure(key))}

    def plans(self) -> Iterator[Plan]:
        """The plans of today's rounds that are in the store, the first round first."""
        for number in range(1, self.request.rounds + 1):
            if self.store.has(PLAN, self.request.round_key(number)):
                yield self.read_plan(self.request.round_key(number))

    def plan_with(self, key: str, keys: Callable[[Plan], Iterable[str | None]]) -> Plan:
        """The plan of the earliest round that asks for an artefact. Raises InputError if none in the store does."""
        for plan in self.plans():
            if key in keys(plan):
                return plan
            if key in keys(settled := self.settled(plan)):
                return settled
        raise InputError(f"{key}: not part of today's plan")

    def run(self, key: str) -> PlannedRun:
        """The run with a key, of the plans in the store or asked for by name. Raises InputError for another key."""
        return find_run(self.stages(self.plans()), "key", key)

    def evaluated_run(self, key: str) -> PlannedRun:
        """The run whose evaluation has a key. Raises InputError for another key."""
        return find_run(self.stages(self.plans()), "evaluation", key)

    def validation(self, key: str) -> tuple[Params, PlannedValidation]:
        """The run of the proposal with a key, at proxy size or of the target, and the settings that it is made with."""
        plan = self.plan()
        if key in (run.key for run in plan.validation) or self.params.target.run is None:
            return self.params, plan.validation_run(key)
        target = self.target_runs(plan)
        return target.params, target.validation_run(key)

    def stages(self, plans: Iterable[Plan]) -> Iterator[tuple[Params, Sequence[PlannedRun]]]:
        """Runs of plans round by round, then those asked for by name, with the settings that they are made with."""
        return stages(plans, self.params, self.given_mixtures)

    def target_runs(self, plan: Plan) -> TargetRuns:
        """Runs of the target model. Raises InputError if there is none, or for what it cannot be trained on."""
        return TargetRuns.of(plan, self.params, self.given_mixtures)

    @cached_property
    def given_mixtures(self) -> dict[str, dict[str, float]]:
        """Mixtures that the target model is trained on beside prior and proposal, by the name of their file."""
        run = self.params.target.run
        return read_mixtures(run.mixtures, self.root) if run else {}

    def latest_plan(self) -> Plan:
        """The plan of the latest round that is known, or computed. Raises WorkError without counts of all leaves."""
        found = list(self.plans())
        return found[-1] if found else self.compute_plan()

    def make_plan(self) -> None:
        """Plan the first round of today's domain set from the token counts in the store and publish `plan.json`."""
        if not self.store.has(PLAN, self.request.round_key(1)):
            self.publish_plan(self.compute_plan())
        self.cache.save()

    def publish_plan(self, plan: Plan) -> None:
        """Put a plan into the store."""
        with self.store.publish(PLAN, plan.key) as draft:
            write_atomically(draft.path / "plan.json", plan.model_dump_json(indent=1) + "\n")
            draft.inputs = {"tokens": {leaf.name: leaf.tokens_key for leaf in plan.leaves}}

    def compute_plan(self) -> Plan:
        """The first round from the token counts in the store; nothing is written. Raises WorkError without counts."""
        counts = [self.store.manifest(TOKENS, tokens)["facts"] for tokens in self.tokens_keys]
        return make_plan(self.request, counts, self.tokenizer().vocabulary)

    def read_plan(self, key: str) -> Plan:
        """A plan from the store."""
        return Plan.model_validate(self.store.read_json(PLAN, key, "plan.json"))

    def artefact(self, kind: str, key: str) -> str:
        """Path of an artefact's manifest relative to the project folder, as Snakemake names it."""
        return f"{STORE}/{kind}/{key}/{MANIFEST}"


def run_settings(params: Params) -> str:
    """Digest of everything that makes two runs on the same mixture comparable."""
    unused = set() if params.proxy.command else {"command", "command_version", "command_writes"}
    unused |= set() if params.proxy.average_weights else {"average_weights"}
    proxy = params.proxy.model_dump(mode="json", exclude=unused | NOT_KEYED["proxy"])
    return digest({"proxy": proxy, "tokenizer": params.tokenizer.digest})
