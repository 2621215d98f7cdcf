"""Runs of the larger model that the mixture is for: made when asked for by name, no part of a plan."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, field_validator

from olmix.digest import digest
from olmix.errors import InputError
from olmix.params import Params, ProxyParams, TargetRunParams
from olmix.plan.plan import PRIOR, Plan, PlannedRun, PlannedValidation, find
from olmix.plan.runs import Runs
from olmix.schema import read_yaml
from olmix.solve.spec import validation_key

Floats = NDArray[np.float64]
Mixtures = Mapping[str, Mapping[str, float]]
"""Weights by leaf name of mixtures by name."""

VIEW = "target"
"""Name of its stamp."""

_SUM = 1e-6


def target_key(plan: str, params: Params, given: Mixtures) -> str:
    """Key of what the target runs show: the plan, the target model and the given mixtures."""
    run = params.target.run
    return digest({"plan": plan, "run": run and run.model_dump(mode="json", exclude={"mixtures"}), "mixtures": given})


@dataclass(frozen=True)
class TargetRuns:
    """Runs of the target model (paper, section 3.1: what the mixture is for), one per mixture and seed."""

    params: Params
    """The settings with the target model in place of the proxy."""
    mixtures: dict[str, list[PlannedRun]]
    """Runs of the prior and of given mixtures, by the name of the mixture."""
    proposal: list[PlannedValidation]
    """Runs of the proposal, with the seeds of the others; its mixture is known once it is solved."""

    @classmethod
    def of(cls, plan: Plan, params: Params, given: Mixtures) -> "TargetRuns":
        """given: weights by leaf name of mixtures by name. Raises InputError for a budget that cannot be met."""
        run, settings = target_run(params), target_settings(params) or params
        runs = Runs(plan.leaves, settings, plan.suite, plan.vocabulary)
        if runs.tokens == 0:
            raise InputError(f"params.yaml: target.run.tokens: {run.tokens} is less than one batch")
        length = settings.proxy.sequence_length
        for leaf in plan.leaves:
            if leaf.tokens <= length:
                raise InputError(
                    f"params.yaml: target.run.sequence_length: {length:,}; {leaf.name} has {leaf.tokens:,} tokens, "
                    "fewer than a sequence needs"
                )
        weights = {PRIOR: np.array([leaf.prior for leaf in plan.leaves])}
        weights |= {name: _weights(name, mixture, plan) for name, mixture in given.items()}
        seeds = range(settings.proxy.seed, settings.proxy.seed + run.seeds)
        mixtures = {
            name: [runs.plan(f"target-{name}-seed-{seed}", mixture, seed) for seed in seeds]
            for name, mixture in weights.items()
        }
        proposal = [
            PlannedValidation(seed=seed, key=validation_key(plan.proposal, plan.suite, runs.template(seed)))
            for seed in seeds
        ]
        return cls(settings, mixtures, proposal)

    @classmethod
    def if_any(cls, plan: Plan, params: Params, given: Mixtures) -> "TargetRuns | None":
        """The same; None without a target model, or where it cannot be trained, which `snakemake target` says why."""
        try:
            return cls.of(plan, params, given)
        except InputError:
            return None

    @property
    def runs(self) -> list[PlannedRun]:
        """Runs whose mixture is known without a proposal."""
        return [run for runs in self.mixtures.values() for run in runs]

    def validation_run(self, key: str) -> PlannedValidation:
        """The run of the proposal with a key. Raises InputError for another key."""
        return find(self.proposal, "key", key)


def target_run(params: Params) -> TargetRunParams:
    """What the target model is. Raises InputError if params.yaml does not say it."""
    if params.target.run is None:
        raise InputError(
            "params.yaml: target.run: missing; it says which model `snakemake target` trains, such as "
            "{model: 30M, tokens: 1x}"
        )
    return params.target.run


def target_settings(params: Params) -> Params | None:
    """The settings with the model of `target.run` in place of the proxy; None without one."""
    run = params.target.run
    if run is None:
        return None
    given: dict[str, Any] = run.model_dump(exclude_none=True, exclude={"seeds", "mixtures"})
    proxy = ProxyParams.model_validate(params.proxy.model_dump() | given)
    return params.model_copy(update={"proxy": proxy})


def _weights(name: str, mixture: Mapping[str, float], plan: Plan) -> Floats:
    leaves = [leaf.name for leaf in plan.leaves]
    if unknown := [leaf for leaf in mixture if leaf not in leaves]:
        raise InputError(
            f"params.yaml: target.run.mixtures: {name}: {unknown[0]!r} is no leaf of the domain set; "
            f"allowed: {', '.join(leaves)}"
        )
    return np.array([mixture.get(leaf, 0.0) for leaf in leaves])


class _MixtureFile(BaseModel):
    """The one field of a mixture file that matters here."""

    weights: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]] = Field(min_length=1)

    @field_validator("weights")
    @classmethod
    def _sum_to_one(cls, weights: dict[str, float]) -> dict[str, float]:
        if abs(math.fsum(weights.values()) - 1) > _SUM:
            raise ValueError(f"weights sum to {math.fsum(weights.values()):.12g}; allowed: 1")
        return weights


def read_mixtures(files: Iterable[str], root: Path) -> dict[str, dict[str, float]]:
    """Weight per leaf name of each mixture file, by the name of the file; leaves that it leaves out have none.

    Raises InputError naming the file.
    """
    try:
        return {Path(file).stem: read_yaml(root / file, _MixtureFile).weights for file in files}
    except InputError as error:
        raise InputError(f"params.yaml: target.run.mixtures: {error}") from None
