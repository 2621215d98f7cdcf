"""Proxy runs from mixtures: whole sequences per leaf, whole batches in all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.evaluation.spec import BATCH_TOKENS, evaluation_key
from olmix.params import Params
from olmix.plan.apportion import apportion
from olmix.plan.plan import PlannedCoordinate, PlannedImport, PlannedLeaf, PlannedRun
from olmix.proxy.ladder import Budget
from olmix.proxy.model import flops_per_token, resolve, scoring_memory, training_memory
from olmix.proxy.spec import RunSpec

Floats = NDArray[np.float64]

_FLOPS_PER_JOB = 1.5e12  # about a minute of one core
_LEAST_MEMORY = 2000
_MARGIN = 1.2  # memory is estimated
_MOST_PER_JOB = 8  # other cores want work too


def run_spec(
    mixture: Floats, leaves: Sequence[PlannedLeaf], params: Params, vocabulary: int, seed: int, suite: str
) -> RunSpec:
    """The proxy run of a mixture (m,): whole sequences per leaf, whole batches in all."""
    keys = [leaf.tokens_key for leaf in leaves]
    length = params.proxy.sequence_length
    sequences = apportion(mixture, Budget.of(params.proxy, vocabulary).tokens // length, keys)
    counts = {keys[j]: int(sequences[j]) * length for j in np.flatnonzero(sequences)}
    return RunSpec.of(params.proxy, vocabulary, seed, counts, suite)


class Runs:
    """Turns mixtures into planned runs."""

    def __init__(self, leaves: list[PlannedLeaf], params: Params, suite: str, vocabulary: int) -> None:
        self._leaves, self._params, self._suite, self._vocabulary = leaves, params, suite, vocabulary
        self.tokens = Budget.of(params.proxy, vocabulary).tokens
        """Tokens of one run."""

    def plan(self, name: str, mixture: Floats, seed: int) -> PlannedRun:
        """The run of a requested mixture (m,)."""
        spec = run_spec(mixture, self._leaves, self._params, self._vocabulary, seed, self._suite)
        return self._planned(name, mixture, spec)

    def repeat(self, name: str, counts: Floats, seed: int) -> PlannedRun:
        """The run that trains on given tokens per leaf (m,) under today's settings."""
        by_key = {leaf.tokens_key: int(n) for leaf, n in zip(self._leaves, counts, strict=True)}
        spec = RunSpec.of(self._params.proxy, self._vocabulary, seed, by_key, self._suite)
        return self._planned(name, counts / counts.sum(), spec)

    def template(self, seed: int) -> dict[str, Any]:
        """What determines a run besides its mixture."""
        empty = RunSpec.of(self._params.proxy, self._vocabulary, seed, {}, self._suite)
        return empty.ingredients() | {"sequences": self.tokens // self._params.proxy.sequence_length}

    def _planned(self, name: str, mixture: Floats, spec: RunSpec) -> PlannedRun:
        weights = {self._leaves[j].name: float(mixture[j]) for j in np.flatnonzero(mixture > 0)}
        key = spec.key
        return PlannedRun(name=name, mixture=weights, spec=spec, key=key, evaluation=evaluation_key(key, self._suite))


def runs_per_job(params: Params, vocabulary: int) -> int:
    """Runs that one job trains in turn, so that starting a process costs little beside them."""
    asked = params.swarm.runs_per_job
    if asked != "auto":
        return asked
    if params.proxy.command is not None:
        return 1
    proxy = params.proxy
    per_token = flops_per_token(resolve(proxy.model), vocabulary, proxy.sequence_length)
    flops = Budget.of(proxy, vocabulary).tokens * per_token
    return min(_MOST_PER_JOB, max(1, round(_FLOPS_PER_JOB / max(1, flops))))


def memory_per_job(params: Params, vocabulary: int) -> int:
    """MB to ask of a scheduler for a job that trains; of a trainer of the user's nothing is known."""
    proxy = params.proxy
    if proxy.command is not None:
        return _LEAST_MEMORY
    batch = Budget.of(proxy, vocabulary).batch_size * proxy.sequence_length
    needed = training_memory(resolve(proxy.model), vocabulary, batch, averages=proxy.average_weights > 0)
    return max(_LEAST_MEMORY, round(_MARGIN * needed / 10**6))


def gpu_memory_to_train(params: Params, vocabulary: int) -> int:
    """MB that a run takes on a GPU, with the scoring that follows it.

    A trainer of the user's is taken to need as much as the built-in one.
    """
    proxy = params.proxy
    batch = Budget.of(proxy, vocabulary).batch_size * proxy.sequence_length
    needed = training_memory(resolve(proxy.model), vocabulary, batch, "cuda", proxy.average_weights > 0)
    return max(round(_MARGIN * needed / 10**6), gpu_memory_to_score(params, vocabulary))


def gpu_memory_to_score(params: Params, vocabulary: int) -> int:
    """MB that scoring a run takes on a GPU; nothing where a command has scored it."""
    proxy = params.proxy
    if proxy.command is not None and proxy.command_writes == "scores":
        return 0
    return round(_MARGIN * scoring_memory(resolve(proxy.model), vocabulary, BATCH_TOKENS["cuda"]) / 10**6)


def check_trained(
    runs: list[PlannedRun],
    leaves: list[PlannedLeaf],
    coordinates: list[PlannedCoordinate],
    imports: list[PlannedImport],
) -> None:
    """Raise InputError if whole sequences round two runs to the same tokens, or a coordinate to none in every run."""
    by_key: dict[str, str] = {}
    for run in runs:
        if run.key in by_key:
            raise InputError(
                f"params.yaml: proxy.tokens: {by_key[run.key]} and {run.name} would train on the same tokens, as their "
                "mixtures differ by less than a sequence; raise proxy.tokens or lower proxy.sequence_length"
            )
        by_key[run.key] = run.name
    trained = {key for run in runs for key in run.spec.counts}
    seen = {content for run in imports for content in run.mixture}
    for coordinate in coordinates:
        members = [leaf for leaf in leaves if leaf.name in coordinate.ratios]
        if not any(leaf.tokens_key in trained or leaf.content in seen for leaf in members):
            raise InputError(
                f"params.yaml: proxy.tokens: {coordinate.name} is so small a part of the mixtures that no run would "
                "train on a sequence of it; raise proxy.tokens or lower proxy.sequence_length"
            )
