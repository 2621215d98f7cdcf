"""The swarm: mixtures for the proxy runs, drawn from Dirichlet distributions over sources and over their topics.

The mixtures are a pure function of the seed, the params and the set of coordinates. Names and order do not matter:
everything is computed in a canonical order of content ids, and every run has a random stream of its own.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from olmix.digest import digest
from olmix.errors import InputError
from olmix.params import SwarmParams

Floats = NDArray[np.float64]

TOLERANCE = 1e-5
"""Mixtures that differ by less in every weight are duplicates; a smaller weight does not count as present."""

_WORST_CONDITION = 1e4  # of the swarm with columns of unit length; healthy swarms are below 100
_SEPARATIONS = 64  # replacements tried in search of such a swarm, and as many again for every two coordinates
_RUN_LIMIT = 2**22  # weights drawn in search of one mixture before giving up: below a second
_REPAIR_LIMIT = 2**23  # weights drawn in the repair of a whole swarm: about two seconds
_DRAWN_AHEAD = 256  # runs
_BATCH_LIMIT = 2**18  # weights drawn at once: bounds the memory
_TELLING = 8  # largest weights of a mixture, in which few others are near


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The m coordinates of a swarm: leaves and virtual domains. Columns of the swarm are in this order."""

    ids: tuple[str, ...]
    """Content digests, all different."""
    names: tuple[str, ...]
    """Names for messages."""
    sources: tuple[str, ...]
    """Source of each coordinate; the label only groups."""
    prior: Floats
    """(m,) weights that the Dirichlet is centred on, all positive."""
    max_weight: Floats
    """(m,) largest weight in a proxy run, at most 1."""
    required: NDArray[np.bool_]
    """(m,) coordinates that every mixture must contain."""
    required_sources: tuple[str, ...] = ()
    """Labels of sources of which every mixture must contain at least one coordinate."""
    resolution: float = 0.0
    """Mixtures that differ by less in every weight may train on the same tokens: they are duplicates too."""


def swarm_size(coordinates: int, params: SwarmParams) -> int:
    """Number of runs K = c (m + 1) for m coordinates, rounded up (method section 1, step 2)."""
    return math.ceil(params.runs_per_parameter * (coordinates + 1) - 1e-9)  # 2.2 * 25 is 55 runs, not 56


def sample_swarm(
    coordinates: Coordinates, params: SwarmParams, count: int | None = None, earlier: Floats | None = None
) -> Floats:
    """Draw the mixtures of a swarm (method section 4).

    A candidate draws a strength for each level, the weights of sources from a Dirichlet around the prior and, within
    each source, the shares of its topics; small weights become 0 (`_Sampler._clip`). The first candidate of a run
    that obeys caps and requirements and differs from all earlier runs is kept, so run i does not depend on the number
    of runs. If a coordinate is then in fewer than `min_runs_per_leaf` runs, some of the last runs take another of their
    candidates, one that contains it; weights are never bent to that end. The same is done with runs that the others
    make superfluous, if the swarm cannot tell coordinates apart, as with hardly more runs than coordinates.

    earlier: (E, m) mixtures that have been trained already: they count for coverage, and none is drawn again.

    Returns (K, m): rows sum to 1, K = `count`, by default `swarm_size`. K + E below m + 1 is an error, since the
    law has m + 1 parameters. Raises InputError if there is nothing to mix, if caps, minimum weights and requirements
    exclude each other, if there are too few distinct mixtures, and if the swarm would not identify every coordinate.
    """
    runs = swarm_size(len(coordinates.ids), params) if count is None else count
    seen = np.empty((0, len(coordinates.ids))) if earlier is None else np.asarray(earlier, dtype=np.float64)
    _check_input(coordinates, params, runs + len(seen))
    sampler = _Sampler(coordinates, params)
    seen = seen[:, sampler.order]
    if runs:
        sampler.check_feasible()
    swarm = _draw_runs(sampler, runs, seen)
    swarm = _cover(swarm, sampler, seen)
    every = np.vstack([seen, swarm])
    _check_covered(every, sampler)
    if not _clearly_identified(every):
        swarm = _separate(swarm, sampler, seen)
        _check_identified(np.vstack([seen, swarm]), sampler)
    columns = np.empty_like(swarm)
    columns[:, sampler.order] = swarm
    return columns


def _check_input(coordinates: Coordinates, params: SwarmParams, runs: int) -> None:
    m = len(coordinates.ids)
    if m < 2:
        raise InputError("one domain only: there is nothing to mix" if m else "no domains: there is nothing to mix")
    if runs < m + 1:
        raise InputError(f"swarm: found {runs} runs for {m} domains; allowed: at least {m + 1}, one per parameter")
    if runs < params.min_runs_per_leaf:
        raise InputError(
            f"swarm.min_runs_per_leaf: found {params.min_runs_per_leaf}; allowed: at most {runs}, all runs"
        )
    named = sorted(zip(coordinates.ids, coordinates.names, strict=True))
    for (first_id, first), (second_id, second) in pairwise(named):
        if first_id == second_id:
            raise InputError(f"domains {first} and {second} have the same content; keep one of them")
    for name, prior in zip(coordinates.names, coordinates.prior, strict=True):
        if not prior > 0:
            raise InputError(
                f"domain {name}: found prior {prior:g}, so no mixture can contain it; "
                "give its source a weight in prior.manual or remove it"
            )
    for label in coordinates.required_sources:
        if label not in coordinates.sources:
            raise InputError(
                f"swarm.required: no source {label}; allowed: {', '.join(sorted(set(coordinates.sources)))}"
            )


class _Sampler:
    """Draws candidates in the canonical order of coordinates: by source, a source being the ids of its members."""

    def __init__(self, coordinates: Coordinates, params: SwarmParams) -> None:
        ids, labels = coordinates.ids, coordinates.sources
        first_id = {label: min(id for id, of in zip(ids, labels, strict=True) if of == label) for label in labels}
        self.order = np.array(sorted(range(len(ids)), key=lambda j: (first_id[labels[j]], ids[j])))
        self.params = params
        self.names = [coordinates.names[j] for j in self.order]
        self.prior = np.asarray(coordinates.prior, dtype=np.float64)[self.order]
        self.max_weight = np.asarray(coordinates.max_weight, dtype=np.float64)[self.order]
        self.required = np.asarray(coordinates.required, dtype=bool)[self.order]

        sources = [labels[j] for j in self.order]
        self.source_names = list(dict.fromkeys(sources))
        self.source_of = np.array([self.source_names.index(label) for label in sources])
        self.starts = np.searchsorted(self.source_of, np.arange(len(self.source_names)))
        self.resolution = max(coordinates.resolution, TOLERANCE)
        self.required_sources = np.array([label in coordinates.required_sources for label in self.source_names])

        source_prior = np.add.reduceat(self.prior, self.starts)
        self.source_centre = self._tempered(source_prior, starts=np.array([0]))
        self.topic_centre = self._tempered(self.prior / source_prior[self.source_of], self.starts)

    def attempts(self, limit: int) -> Iterator[tuple[int, int]]:
        """Attempts as (number, candidates to draw): `params.candidates` at first, then more and more up to a limit."""
        m, attempt, drawn = len(self.prior), 0, 0
        size = self.params.candidates
        while attempt == 0 or drawn < limit:
            yield attempt, size
            attempt, drawn = attempt + 1, drawn + size * m
            size = max(size, min(4 * size, _BATCH_LIMIT // m))

    def draw(self, run: int, attempt: int, size: int) -> Floats:
        """Candidates (size, m) of one attempt of one run, before caps and requirements; zeros if nothing is left."""
        return self._candidates([run], attempt, size, size)

    def first(self, runs: Sequence[int]) -> Floats:
        """The first candidate (n, m) of each of some runs, in less time than to draw all and take the first."""
        _, size = next(self.attempts(0))
        return self._candidates(runs, 0, size, 1)

    def _candidates(self, runs: Sequence[int], attempt: int, size: int, kept: int) -> Floats:
        """The first `kept` of the `size` candidates of each run (n * kept, m), run by run."""
        weights = self._level("sources", runs, attempt, size, kept)
        shares = self._level("topics", runs, attempt, size, kept)
        return self._clip(weights, shares)

    def _level(self, name: str, runs: Sequence[int], attempt: int, size: int, kept: int) -> Floats:
        """Weights of sources (n * kept, s) or shares of topics (n * kept, m); the streams are the level's alone."""
        if name == "sources":
            level, centre, starts = self.params.sources, self.source_centre, np.array([0])
        else:
            level, centre, starts = self.params.topics, self.topic_centre, self.starts
        strengths = np.geomspace(level.min_strength, level.max_strength, self.params.strengths)
        streams = (_stream([name, self.params.seed, run, attempt]) for run in runs)
        return _dirichlet([_variates(stream, strengths, centre, size, kept) for stream in streams], starts)

    def allowed(self, candidates: Floats) -> NDArray[np.bool_]:
        """Which candidates (n, m) contain anything, are under the caps and contain what is required."""
        fine = (candidates <= self.max_weight) & (~self.required | (candidates > TOLERANCE))
        present = np.maximum.reduceat(candidates, self.starts, axis=1) > TOLERANCE
        return candidates.any(axis=1) & fine.all(axis=1) & (present | ~self.required_sources).all(axis=1)

    def check_feasible(self) -> None:
        """Raise InputError for caps that no mixture can obey."""
        remedy = "raise swarm.max_repetition or lower proxy.tokens"
        smallest = int(np.argmin(self.max_weight))
        total = math.fsum(self.max_weight)
        if total < 1:
            raise InputError(
                f"params.yaml: swarm.max_repetition: all domains together fill only {total:.4g} of a proxy run "
                f"(least: {self.names[smallest]}, at most {self.max_weight[smallest]:.4g}); {remedy}"
            )
        least = np.maximum(self._least_weight(), TOLERANCE)
        for name, low, high in zip(self.names, least, self.max_weight, strict=True):
            if low > high:
                raise InputError(
                    f"swarm: {name} can have no weight: at least {low:.4g} by the minimum weights, at most {high:.4g} "
                    f"by its tokens; lower minimum_weight of swarm.sources or swarm.topics, {remedy}"
                )

    def _least_weight(self) -> Floats:
        """Smallest weight (m,) above 0 that `_clip` can leave to each coordinate."""
        sources, topics = self.params.sources.minimum_weight, self.params.topics.minimum_weight
        if sources == topics:
            return np.full(len(self.prior), sources)
        members = np.bincount(self.source_of)[self.source_of]
        return np.where(members > 1, topics, 1.0) * (sources if len(self.source_names) > 1 else 1.0)

    def _tempered(self, shares: Floats, starts: NDArray[np.intp]) -> Floats:
        return _normalised(self.params.temperature * np.log(shares), starts)

    def _clip(self, weights: Floats, shares: Floats) -> Floats:
        """Apply the minimum weights to sources (n, s) and topic shares (n, m).

        Equal minima, as in the released configurations: a leaf below the minimum becomes 0, and the leaves that are
        left fill its place. Different minima: a source below its minimum becomes 0, a topic does if its share of the
        source is below its minimum, and each level is renormalised by itself, so topics do not dilute their source.
        Weights only grow by that, so none ends up below its minimum. No rounding to multiples of the minimum.
        """
        minimum = self.params.topics.minimum_weight
        if self.params.sources.minimum_weight == minimum:
            leaves = weights[:, self.source_of] * shares
            leaves[leaves < minimum] = 0
        else:
            weights = np.where(weights < self.params.sources.minimum_weight, 0, weights)
            shares = np.where(shares < minimum, 0, shares)
            kept = np.add.reduceat(shares, self.starts, axis=1)
            leaves = (weights / np.where(kept > 0, kept, 1))[:, self.source_of] * shares
        totals = leaves.sum(axis=1, keepdims=True)
        return leaves / np.where(totals > 0, totals, 1)


def _stream(key: list[str | int]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(int(digest(key), 16)))


def _variates(rng: np.random.Generator, strengths: Floats, centre: Floats, size: int, kept: int) -> Floats:
    """What a Dirichlet of a strength drawn for each of `size` rows needs (3, kept, m): alpha, gammas, exponentials.

    The gamma variates of all rows are drawn even if few are kept, as a stream is read in order.
    """
    alpha = np.maximum(strengths[rng.integers(len(strengths), size=(size, 1))] * centre, 1e-300)
    gamma = rng.standard_gamma(alpha + 1)[:kept]
    return np.stack([alpha[:kept], gamma, rng.standard_exponential(gamma.shape)])


def _dirichlet(variates: list[Floats], starts: NDArray[np.intp]) -> Floats:
    """Dirichlet draws (n, m), one distribution for each group of columns that begins at `starts`.

    In logarithms, by log G(a) = log G(a + 1) + log(U) / a: a gamma variate of small shape underflows, its log does not.
    """
    alpha, gamma, exponential = np.concatenate(variates, axis=1)
    return _normalised(np.log(gamma) - exponential / alpha, starts)


def _normalised(logs: Floats, starts: NDArray[np.intp]) -> Floats:
    """Exponentials that sum to 1 within each group of the last axis."""
    members = np.diff(np.append(starts, logs.shape[-1]))
    peaks = np.maximum.reduceat(logs, starts, axis=-1)
    values = np.exp(logs - np.repeat(peaks, members, axis=-1))
    return values / np.repeat(np.add.reduceat(values, starts, axis=-1), members, axis=-1)


def _draw_runs(sampler: _Sampler, runs: int, seen: Floats) -> Floats:
    """For each run the first allowed candidate that no earlier run has."""
    swarm = np.empty((runs, len(sampler.prior)))
    taken = _Taken(seen, runs, sampler.resolution)
    for run, (first, allowed) in enumerate(_first_candidates(sampler, runs)):
        swarm[run] = first if allowed and taken.lacks(first) else _search(sampler, run, runs, taken)
        taken.put(run, swarm[run])
    return swarm


def _first_candidates(sampler: _Sampler, runs: int) -> Iterator[tuple[Floats, bool]]:
    """The first candidate (m,) of each run, and whether it is allowed."""
    for start in range(0, runs, _DRAWN_AHEAD):
        drawn = sampler.first(range(start, min(start + _DRAWN_AHEAD, runs)))
        yield from zip(drawn, sampler.allowed(drawn).tolist(), strict=True)


def _search(sampler: _Sampler, run: int, runs: int, taken: "_Taken") -> Floats:
    """The first candidate (m,) of a run that is allowed and new. Raises InputError if none is found."""
    found_any = False
    for attempt, size in sampler.attempts(_RUN_LIMIT):
        candidates = sampler.draw(run, attempt, size)
        allowed = candidates[sampler.allowed(candidates)]
        found_any = found_any or len(allowed) > 0
        new: Floats | None = next((mixture for mixture in allowed if taken.lacks(mixture)), None)
        if new is not None:
            return new
    raise _too_few_distinct(run, runs) if found_any else _no_candidate(sampler, candidates)


class _Taken:
    """Mixtures that a new one must differ from by more than a resolution in some weight."""

    def __init__(self, seen: Floats, runs: int, resolution: float) -> None:
        """seen: (E, m) mixtures for good; room for as many runs as asked for."""
        self._resolution, self._first = resolution, len(seen)
        # A row for each coordinate, so that one weight of all mixtures is read at once; nothing is near to infinity.
        self._weights = np.full((seen.shape[1], len(seen) + runs), np.inf)
        self._weights[:, : len(seen)] = seen.T

    def put(self, run: int, mixture: Floats) -> None:
        """Let a run have a mixture (m,)."""
        self._weights[:, self._first + run] = mixture

    def lacks(self, mixture: Floats, but: int = -1) -> bool:
        """Whether a mixture (m,) differs from all others, that of one run aside."""
        telling = np.argsort(-mixture)[:_TELLING]
        near = np.flatnonzero(np.abs(self._weights[telling[0]] - mixture[telling[0]]) <= self._resolution)
        for coordinate in telling[1:]:  # each leaves but few, of which all weights are then read
            near = near[np.abs(self._weights[coordinate, near] - mixture[coordinate]) <= self._resolution]
        if but >= 0:
            near = near[near != self._first + but]
        distances = np.abs(self._weights[:, near] - mixture[:, None]).max(axis=0, initial=0)
        return bool((distances > self._resolution).all())


def _cover(swarm: Floats, sampler: _Sampler, seen: Floats) -> Floats:
    """Replace runs, the last ones first, until every coordinate is in enough of them.

    Each replacement lowers the number of missing appearances, so this ends. Replacing the last runs keeps the first
    ones the same when the swarm grows.
    """
    swarm, taken = swarm.copy(), _taken_by(swarm, seen, sampler)
    needed = sampler.params.min_runs_per_leaf
    counts = (swarm > TOLERANCE).sum(axis=0) + (seen > TOLERANCE).sum(axis=0)
    for attempt, size in sampler.attempts(_REPAIR_LIMIT // max(1, len(swarm))):
        for run in reversed(range(len(swarm))):
            missing = np.maximum(needed - counts, 0).sum()
            if missing == 0:
                return swarm
            others = counts - (swarm[run] > TOLERANCE)
            candidates = sampler.draw(run, attempt, size)
            missing_then = np.maximum(needed - others - (candidates > TOLERANCE), 0).sum(axis=1)
            better = (missing_then < missing) & sampler.allowed(candidates)
            better[better] = [taken.lacks(mixture, but=run) for mixture in candidates[better]]
            if better.any():
                best = np.flatnonzero(better)[np.argmin(missing_then[better])]
                swarm[run] = candidates[best]
                taken.put(run, swarm[run])
                counts = others + (swarm[run] > TOLERANCE)
    return swarm


def _taken_by(swarm: Floats, seen: Floats, sampler: _Sampler) -> _Taken:
    taken = _Taken(seen, len(swarm), sampler.resolution)
    for run, mixture in enumerate(swarm):
        taken.put(run, mixture)
    return taken


def _separate(swarm: Floats, sampler: _Sampler, seen: Floats) -> Floats:
    """Replace superfluous runs until no coordinate is a combination of the others, or the attempts are used up.

    Each time the run that matters least to the directions that are known (smallest leverage) makes place for the
    candidate that shows most of the direction that is known least.
    """
    swarm = swarm.copy()
    if not len(swarm):
        return swarm
    needed, taken = sampler.params.min_runs_per_leaf, _taken_by(swarm, seen, sampler)
    for attempt in range(_SEPARATIONS + 2 * swarm.shape[1]):
        every = np.vstack([seen, swarm])
        scale = np.maximum(np.linalg.norm(every, axis=0), TOLERANCE)
        left, singular, directions = np.linalg.svd(every / scale, full_matrices=False)
        if singular[0] <= _WORST_CONDITION * singular[-1]:
            break
        known = left[len(seen) :, singular * _WORST_CONDITION >= singular[0]]
        run = len(swarm) - 1 - int(np.argmin((known**2).sum(axis=1)[::-1]))
        others = np.delete(every, len(seen) + run, axis=0)
        candidates = sampler.draw(run, _SEPARATIONS + attempt, max(sampler.params.candidates, 256))
        counts = (others > TOLERANCE).sum(axis=0) + (candidates > TOLERANCE)
        fine = sampler.allowed(candidates) & (counts >= needed).all(axis=1)
        fine[fine] = [taken.lacks(mixture, but=run) for mixture in candidates[fine]]
        if fine.any():
            shown = np.where(fine, np.abs(candidates / scale @ directions[-1]), -1.0)
            swarm[run] = candidates[np.argmax(shown)]
            taken.put(run, swarm[run])
    return swarm


def _clearly_identified(swarm: Floats) -> bool:
    """Whether the condition number is below a third of the worst one: by the Gram matrix, in a tenth of the time."""
    scaled = swarm / np.maximum(np.linalg.norm(swarm, axis=0), TOLERANCE)
    eigenvalues = np.linalg.eigvalsh(scaled.T @ scaled)
    return bool(eigenvalues[-1] < (_WORST_CONDITION / 3) ** 2 * eigenvalues[0])


def _check_covered(swarm: Floats, sampler: _Sampler) -> None:
    """Raise InputError unless every coordinate is in enough runs."""
    counts = (swarm > TOLERANCE).sum(axis=0)
    needed = sampler.params.min_runs_per_leaf
    worst = int(np.argmin(counts))
    if counts[worst] < needed:
        others = ", or shorten swarm.required" if sampler.required.any() or sampler.required_sources.any() else ""
        raise InputError(
            f"swarm.min_runs_per_leaf: {sampler.names[worst]} is in {counts[worst]} of {len(swarm)} runs, {needed} are "
            f"needed (its prior is {sampler.prior[worst]:.3g}, its largest weight {sampler.max_weight[worst]:.3g}); "
            f"raise swarm.runs_per_parameter or max_strength, lower minimum_weight or swarm.temperature{others}"
        )


def _check_identified(swarm: Floats, sampler: _Sampler) -> None:
    """Raise InputError if some coordinate is a combination of the others."""
    _, singular, directions = np.linalg.svd(swarm / np.linalg.norm(swarm, axis=0), full_matrices=False)
    if singular[0] > _WORST_CONDITION * singular[-1]:
        blurred = sampler.names[int(np.argmax(np.abs(directions[-1])))]
        raise InputError(
            f"swarm: the {len(swarm)} mixtures cannot tell {blurred} from the other domains (condition number "
            f"{singular[0] / max(singular[-1], 1e-300):.1e}, at most {_WORST_CONDITION:.0e} is usable); "
            "raise swarm.runs_per_parameter or swarm.max_repetition, or lower min_strength"
        )


def _too_few_distinct(found: int, runs: int) -> InputError:
    return InputError(
        f"swarm: found only {found} distinct mixtures for {runs} runs; lower minimum_weight or raise max_strength"
    )


def _no_candidate(sampler: _Sampler, candidates: Floats) -> InputError:
    """The reason that most of the last candidates share."""
    empty = ~candidates.any(axis=1)
    if empty.mean() > 0.5:
        return InputError(
            f"swarm: minimum_weight removed all domains from {empty.sum()} of {len(candidates)} candidates; lower it"
        )
    candidates = candidates[~empty]
    above = (candidates > sampler.max_weight).mean(axis=0)
    absent = (sampler.required & (candidates <= TOLERANCE)).mean(axis=0)
    best_of_source = np.maximum.reduceat(candidates, sampler.starts, axis=1)
    absent_source = (sampler.required_sources & (best_of_source <= TOLERANCE)).mean(axis=0)
    if above.max() >= max(absent.max(), absent_source.max()):
        worst = int(np.argmax(above))
        return InputError(
            f"swarm.max_repetition: no mixture found under the caps; most often {sampler.names[worst]} is above its "
            f"largest weight {sampler.max_weight[worst]:.4g} ({above[worst]:.1%} of candidates); raise "
            "swarm.max_repetition or max_strength, or lower proxy.tokens"
        )
    names = sampler.names if absent.max() >= absent_source.max() else sampler.source_names
    rates = absent if absent.max() >= absent_source.max() else absent_source
    return InputError(
        f"swarm.required: no mixture found with everything required; most often {names[int(np.argmax(rates))]} is "
        f"missing ({rates.max():.1%} of candidates); lower minimum_weight or swarm.temperature, raise max_strength, "
        "or shorten swarm.required"
    )
