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


class Runs:
    """Turns mixtures into planned runs."""

    def __init__(self, leaves: Sequence[PlannedLeaf], params: Params, suite: str, vocabulary: int) -> None:
        self._params, self._suite, self._vocabulary = params, suite, vocabulary
        self._names, self._tokens_keys = [leaf.name for leaf in leaves], [leaf.tokens_key for leaf in leaves]
        self._empty: dict[int, RunSpec] = {}
        self.tokens = Budget.of(params.proxy, vocabulary).tokens
        """Tokens of one run."""

    def plan(self, name: str, mixture: Floats, seed: int) -> PlannedRun:
        """The run of a requested mixture (m,)."""
        return self._planned(name, mixture, self.spec(mixture, seed))

    def spec(self, mixture: Floats, seed: int) -> RunSpec:
        """The run of a requested mixture (m,): whole sequences per leaf, whole batches in all."""
        length = self._params.proxy.sequence_length
        sequences = apportion(mixture, self.tokens // length, self._tokens_keys)
        return self._trained_on(_positive(self._tokens_keys, sequences * length), seed)

    def repeat(self, name: str, counts: Floats, seed: int) -> PlannedRun:
        """The run that trains on given tokens per leaf (m,) under today's settings."""
        spec = self._trained_on(_positive(self._tokens_keys, counts.astype(np.int64)), seed)
        return self._planned(name, counts / counts.sum(), spec)

    def template(self, seed: int) -> dict[str, Any]:
        """What determines a run besides its mixture."""
        sequences = self.tokens // self._params.proxy.sequence_length
        return self._trained_on({}, seed).ingredients() | {"sequences": sequences}

    def _trained_on(self, counts: dict[str, int], seed: int) -> RunSpec:
        """The run that trains on tokens by tokens key, none of them 0."""
        if seed not in self._empty:  # the settings are resolved once, not for each of thousands of runs
            self._empty[seed] = RunSpec.of(self._params.proxy, self._vocabulary, seed, {}, self._suite)
        return self._empty[seed].model_copy(update={"counts": counts})

    def _planned(self, name: str, mixture: Floats, spec: RunSpec) -> PlannedRun:
        weights, key = _positive(self._names, mixture), spec.key
        return PlannedRun(name=name, mixture=weights, spec=spec, key=key, evaluation=evaluation_key(key, self._suite))


def _positive(names: list[str], values: NDArray[Any]) -> dict[str, Any]:
    """Name → value, for those above 0."""
    found = np.flatnonzero(values > 0)
    return dict(zip([names[j] for j in found.tolist()], values[found].tolist(), strict=True))


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
