"""What the case study compares (`case_study/case_study.yaml`), and the steps that follow from it, each with its key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, RootModel, field_validator, model_validator

from olmix.digest import digest
from olmix.domains.fingerprint import CACHE, Leaf, StatCache, fingerprint
from olmix.domains.schema import read_domains
from olmix.errors import InputError
from olmix.evaluation.suite import Suite, read_suite
from olmix.params import Params, TargetRunParams
from olmix.schema import Section, parse, read_yaml

FOLDER = Path("case_study")
WORK = FOLDER / "work"
"""Where the projects of the study and their common store lie."""

VIEW = "case_study"
"""Name of its stamp."""

RECIPE = 1
"""Version of the study: raise it when the same steps would give other records."""

Settings = dict[str, Any]
"""A part of params.yaml."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_SEED = Annotated[int, Field(ge=0)]


class StrategySpec(Section):
    """One way through the updates."""

    params: Settings = {}
    """Settings in place of those of `case_study/params.yaml`."""
    at: dict[str, Settings] = {}
    """Further settings at single stages."""
    last_only: bool = False
    """Make the last stage alone. For strategies that learn nothing from earlier stages: these are counted, not run."""


class FidelitySpec(Section):
    """How well proxies of several sizes rank mixtures, by the ranks of the target model (paper, first question)."""

    mixtures: int = Field(12, ge=3)
    """Mixtures compared: the first ones of the swarm of the last stage of `reference`."""
    sizes: dict[str, TargetRunParams] = Field(min_length=1)
    """Proxies by name. What is not given is as in `proxy`."""

    @field_validator("sizes")
    @classmethod
    def _is_not_the_target(cls, sizes: dict[str, TargetRunParams]) -> dict[str, TargetRunParams]:
        if TARGET in sizes:
            raise ValueError(f"{TARGET!r} is the target model itself; give the proxy another name")
        return sizes


TARGET = "target"


class CaseStudySpec(Section):
    """`case_study/case_study.yaml`."""

    stages: list[str] = Field(min_length=2)
    """Domain sets in their order: folders of `case_study/stages`."""
    seeds: list[_SEED] = Field(min_length=1)
    """Seeds of the swarm, each with all that follows from it; also seeds of the proxies."""
    strategies: dict[str, StrategySpec] = Field(min_length=1)
    """What is compared, by name."""
    reference: str = "none"
    """Strategy that the others are compared with: full recomputation."""
    target: TargetRunParams
    """The model that the final mixtures are trained at."""
    fidelity: FidelitySpec

    @model_validator(mode="after")
    def _names_are_known(self) -> "CaseStudySpec":
        if self.reference not in self.strategies:
            raise ValueError(f"reference: found {self.reference!r}; allowed: {', '.join(self.strategies)}")
        if self.strategies[self.reference].last_only:
            raise ValueError(f"strategies.{self.reference}: the reference makes all stages; last_only is for others")
        if self.target.mixtures:
            raise ValueError("target.mixtures: the mixtures are those of the strategies; leave it out")
        for name, strategy in self.strategies.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"strategies: found {name!r}; letters, digits and _ . + - are allowed")
            if unknown := [stage for stage in strategy.at if stage not in self.stages]:
                raise ValueError(f"strategies.{name}.at: {unknown[0]!r} is no stage; allowed: {', '.join(self.stages)}")
        return self


class _Settings(RootModel[Settings]):
    """A YAML mapping."""


@dataclass(frozen=True)
class Step:
    """One update, made by one strategy with one seed."""

    strategy: str
    seed: int
    stage: str
    params: Params
    key: str
    before: "Step | None"
    """The step whose accepted mixture this one starts from."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.strategy}, seed {self.seed}, {self.stage}"

    @property
    def path(self) -> Path:
        """The step's record."""
        return WORK / "steps" / f"{self.key}.json"


@dataclass(frozen=True)
class TargetTable:
    """Runs of one model on given mixtures."""

    name: str
    """`gain` for the target model on the final mixtures, else a size of `fidelity`, `target` being the target model."""
    run: TargetRunParams
    key: str

    @property
    def path(self) -> Path:
        """Scores of its runs, a CSV file."""
        return WORK / "targets" / f"{self.key}.csv"


GAIN = "gain"


@dataclass(frozen=True)
class CaseStudy:
    """The study as it is written down: stages, strategies, seeds, and the keys of all steps."""

    root: Path
    spec: CaseStudySpec
    base: Settings
    """Settings that all strategies share."""

    @classmethod
    def load(cls, root: Path = Path()) -> "CaseStudy":
        """Read the study. Raises InputError naming file and field."""
        spec = read_yaml(root / FOLDER / "case_study.yaml", CaseStudySpec)
        return cls(root, spec, read_yaml(root / FOLDER / "params.yaml", _Settings).root)

    @cached_property
    def stages(self) -> dict[str, list[Leaf]]:
        """Domain set of each stage."""
        folder = self.root / FOLDER / "stages"
        return {stage: fingerprint(read_domains(folder / stage), self.root, self._cache) for stage in self.spec.stages}

    @cached_property
    def _cache(self) -> StatCache:
        return StatCache(self.root / CACHE)

    def remember_files(self) -> None:
        """Keep what the files of all stages were found to hold, so that unchanged ones are not read again."""
        _ = self.stages
        self._cache.save()

    @cached_property
    def suite(self) -> Suite:
        """What all models are evaluated on."""
        params = parse(self.base, Params, str(FOLDER / "params.yaml"))
        return read_suite(self.root / params.evaluation.suite, self.root, self._cache)

    @cached_property
    def _evidence(self) -> dict[str, str]:
        """Digest of all that a stage's models learn from and are evaluated on."""
        suite = self.suite.content
        contents = {stage: {leaf.name: leaf.content for leaf in leaves} for stage, leaves in self.stages.items()}
        return {stage: digest({"leaves": leaves, "suite": suite}) for stage, leaves in contents.items()}

    @cached_property
    def _chains(self) -> dict[tuple[str, int], list[Step]]:
        """Steps of each strategy and seed, in their order."""
        chains: dict[tuple[str, int], list[Step]] = {}
        for seed in self.spec.seeds:
            for name in self.names:
                chain: list[Step] = []
                for stage in self.spec.stages[-1:] if self.spec.strategies[name].last_only else self.spec.stages:
                    chain.append(self._step(name, seed, stage, chain[-1] if chain else None))
                chains[name, seed] = chain
        return chains

    @cached_property
    def steps(self) -> dict[str, Step]:
        """All steps by key, each after those that it needs; one that strategies have in common is the first one's."""
        found: dict[str, Step] = {}
        for chain in self._chains.values():
            for step in chain:
                found.setdefault(step.key, step)
        return found

    def _step(self, strategy: str, seed: int, stage: str, before: Step | None) -> Step:
        spec = self.spec.strategies[strategy]
        where = f"{FOLDER}/case_study.yaml: strategies.{strategy}"
        own = {"swarm": {"seed": seed}, "proxy": {"seed": seed}}
        merged = _merged(_merged(_merged(self.base, spec.params), spec.at.get(stage, {})), own)
        params = parse(merged, Params, f"{where} at {stage}" if stage in spec.at else where)
        known = {
            "recipe": RECIPE,
            "before": before and before.key,
            "stage": stage,
            "evidence": self._evidence[stage],
            "params": params.model_dump(mode="json"),
        }
        return Step(strategy, seed, stage, params, digest(known), before)

    def step(self, key: str) -> Step:
        """The step with a key. Raises InputError for another key."""
        if key not in self.steps:
            raise InputError(f"{key}: no step of the case study has this key")
        return self.steps[key]

    def chain(self, strategy: str, seed: int) -> list[Step]:
        """Steps of a strategy with a seed, in their order."""
        return self._chains[strategy, seed]

    def needs(self, step: Step) -> list[Step]:
        """Steps that come first: all before it; for a first one that of the reference, whose runs it shares."""
        if step.before:
            chain = self.chain(step.strategy, step.seed)
            return chain[: chain.index(step)]
        first = self.chain(self.spec.reference, step.seed)[0]
        return [first] if step.key != first.key else []

    @property
    def last_steps(self) -> list[Step]:
        """The last step of each strategy and seed, of the reference with the first seed first."""
        return [self.chain(name, seed)[-1] for name in self.names for seed in self.spec.seeds]

    @property
    def names(self) -> list[str]:
        """Strategies, the reference first."""
        others = [name for name in self.spec.strategies if name != self.spec.reference]
        return [self.spec.reference, *others]

    @cached_property
    def targets(self) -> dict[str, TargetTable]:
        """Tables of runs at given mixtures, by key."""
        one_seed = {"seeds": 1}
        sizes = self.spec.fidelity.sizes | {TARGET: self.spec.target}
        runs = {GAIN: self.spec.target} | {name: run.model_copy(update=one_seed) for name, run in sizes.items()}
        tables = {}
        for name, run in runs.items():
            steps = self.last_steps if name == GAIN else self.last_steps[:1]
            known = {
                "steps": [step.key for step in steps],
                "run": run.model_dump(mode="json"),
                "mixtures": None if name == GAIN else self.spec.fidelity.mixtures,
            }
            tables[digest(known)] = TargetTable(name, run, digest(known))
        return tables

    def target(self, key: str) -> TargetTable:
        """The table with a key. Raises InputError for another key."""
        if key not in self.targets:
            raise InputError(f"{key}: no target table of the case study has this key")
        return self.targets[key]

    @property
    def key(self) -> str:
        """Key of what the study shows."""
        return digest({"steps": list(self.steps), "targets": list(self.targets), "recipe": RECIPE})


def _merged(settings: Mapping[str, Any], other: Mapping[str, Any]) -> Settings:
    """Settings with others in their place, section by section."""
    merged = dict(settings)
    for name, value in other.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
