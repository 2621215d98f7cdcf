"""Is mixture reuse safe here? What frozen ratios cost, and which frozen leaves are to blame (method section 8).

After an update the unaffected leaves are frozen into virtual domains. The reuse gap of the paper, F(q*(p̃_fix)) - F(q*),
compares the best mixture with these ratios with the best of all mixtures. Both follow from laws that are known at leaf
level: the parent's for the differences between frozen leaves, today's collapsed one for all else. No run is needed.

Leaves (m), coordinates (d), tasks (n); `of` (m,) is the coordinate of each leaf, `ratio` (m,) its share within it, 1
for a free leaf. A leaf is frozen if it shares its coordinate with others: a virtual domain of one leaf freezes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.plan.space import Space
from olmix.regression.log_linear import LogLinear
from olmix.solve.exact import solve
from olmix.solve.problem import DUST, Array, Mask, Problem

Indices = NDArray[np.intp]

NEGLIGIBLE_GAP = 1e-3
"""A gap below this share of the mean law at the reused mixture calls for nothing to be recomputed.

0.1 % of about 0.8 bits per byte is 0.0008; another seed of the same run moves 0.0006 to 0.0085 (method section 14). The
paper's full reuse gains 11.6 % where full recomputation gains 12.2 % (section 9.2): such a gap of 0.6 % is named.
"""

CLOSED_SHARE = 0.5
"""Share of the gap that the suggested leaves close together."""

MOST_COUPLED = 8
"""Leaves that are freed one by one, the most promising by a first-order score."""

_LEAST_PART = 0.2
_NOISE = 1e-9  # a gap below this is rounding of the solver; also the slack of weights and ratios


@dataclass(frozen=True)
class CoupledLeaf:
    """A frozen leaf, and what freeing it alone would gain; all others keep their ratios."""

    name: str
    closes: float
    """Fall of the best objective, in bits per byte."""
    share: float
    """The same as a share of `ReuseSafety.frozen_gap`."""


@dataclass(frozen=True)
class ReuseSafety:
    """What the reuse of frozen ratios costs under the laws. Objectives and laws in bits per byte."""

    kappa: float
    """Coupling of frozen and free leaves; comparable between groupings of the same leaves only (`coupling`)."""
    recomputed_weight: float
    """1 - ρ, weight of the leaves that are not frozen in the reused mixture."""
    optimal_recomputed_weight: float
    """1 - ρ*, the same in the optimum; the factor of the paper's bound."""
    gap: float
    """Objective of the reused mixture minus that of the optimum over all leaves; at least 0."""
    law_gap: float
    """The same of the mean law F alone, the predicted loss; negative if the reused mixture pays in KL what it gains."""
    frozen_gap: float
    """The part of `gap` that the frozen ratios cost: objective of the best mixture that keeps them minus the optimum's.

    The rest is due to how the reused mixture was solved, e.g. with the KL term in the collapsed space.
    """
    negligible: bool
    """True if `frozen_gap` is below NEGLIGIBLE_GAP of the mean law at the reused mixture."""
    frozen_distance: float
    """Total variation of the frozen ratios from the optimum's, 0..1; virtual domains count by their optimal weight."""
    frozen_distances: Array
    """The same by coordinate (d,); 0 for a free leaf and for a virtual domain without weight in the optimum."""
    coupled: tuple[CoupledLeaf, ...]
    """At most MOST_COUPLED frozen leaves, the one that closes most of the gap first; empty without a gap."""
    suggestion: tuple[str, ...]
    """Leaves to recompute: the shortest prefix of `coupled` that closes half of the gap when freed together.

    Empty if the gap is negligible. If all of `coupled` do not suffice, all of them.
    """
    suggestion_share: float
    """Share of `frozen_gap` that the suggestion closes; below CLOSED_SHARE, full recomputation is the better advice."""
    optimum: Array
    """Weights (m,) of the optimum over all leaves."""


def anchored(c: Array, t: Array, r: Array, earlier_c: Array, earlier_part: Array) -> tuple[Array, Array]:
    """A law c (n,), t (n, d) with another constant: equal in value and slope at the mixture r (d,).

    A small swarm close to one mixture tells the value and the slopes there, but hardly c from exp(t·r), on which all
    that is further away depends; by assumption 1 the constant is the earlier law's. Where that would leave less than
    _LEAST_PART of either law's exponential, the earlier one's being earlier_part (n,), the constant is lowered to leave
    that much, but not below 0, as scores are positive: coefficients grow as the exponential shrinks, and without bounds
    would exceed what numbers can hold where noise put today's value below the earlier constant. With an exact law
    nothing changes. Returns c (n,) and t (n, d).
    """
    level = t @ r
    exponential = np.exp(level)
    value = c + exponential
    least = np.minimum(_LEAST_PART * np.maximum(earlier_part, exponential), value)
    part = np.maximum(value - earlier_c, least)
    slopes = (exponential / part)[:, None] * (t - level[:, None])
    return np.minimum(earlier_c, value - least), np.log(part)[:, None] + slopes


def leaf_level_law(collapsed_t: Array, of: Indices, ratio: Array, earlier_t: Array) -> Array:
    """Coefficients (n, m) of today's law at leaf level, from the collapsed law's (n, d) and the parent's (n, m).

    Rests on assumption 1 of the theory, that the log-linear law holds exactly and thus for leaves and coordinates
    alike. A free leaf has its own coefficient. Frozen leaves keep the parent's differences and are shifted together,
    t_ij = earlier_ij + (t_iv - sum_k ratio_k earlier_ik), so that on every mixture with the frozen ratios the law
    agrees exactly with the collapsed one; where the parent's law is the truth, so is the result everywhere.
    Both laws must have the same constants (`anchored`).

    earlier_t: NaN for leaves that are not frozen; what stands there does not matter. Raises InputError if the
    coefficient of a frozen leaf is missing or the ratios of a coordinate do not sum to 1.
    """
    space, frozen = _space(of, ratio)
    n, d = np.shape(collapsed_t)
    if d != space.size or np.shape(earlier_t) != (n, len(of)):
        raise InputError(
            f"laws of {n} tasks over {d} coordinates and of shape {np.shape(earlier_t)} over leaves; "
            f"{space.size} coordinates and {(n, len(of))} are needed"
        )
    earlier = earlier_t[:, frozen]
    if not np.isfinite(earlier).all():
        missing = np.flatnonzero(frozen)[~np.isfinite(earlier).all(axis=0)][0]
        raise InputError(f"earlier law: no coefficient for leaf {missing}, which is frozen; recompute that leaf")
    t = np.array(collapsed_t, dtype=np.float64)[:, space.of]
    t[:, frozen] += earlier - (earlier @ _membership(space)[frozen])[:, space.of[frozen]]
    return t


def coupling(t: Array, fixed: Mask, reading: Literal["fix", "comp"] = "fix") -> float:
    """Coupling κ of frozen (`fixed`, (m,)) and recomputed leaves under the laws t (n, m), Eq. 10 of the paper.

    κ = ‖(1 + α_fix + α_comp) ⊙ α_last‖ over tasks, with α_i,fix = ‖A_i,fix‖ and α_i,comp = ‖A_i,comp‖. 0 if nothing is
    frozen or nothing recomputed, where no gap is possible. It depends on the constant in A_i, so it orders groupings of
    the same leaves and laws; across problems it is a poor predictor of the gap, and the gap itself is known exactly.

    reading: the last factor, which is in doubt (method section 8). `fix`, the literal one, follows from the theorem's
    argument: the gradient in q_fix of exp(ρ A_fix·q_fix + (1 - ρ) A_comp·q_comp) changes with ρ by a multiple of
    (1 + α_fix + α_comp) α_fix. `comp` fits the intuition that both must be large, but is no bound: recomputed leaves
    with A_comp = 0 dilute the frozen ones, which moves the best ratios, and the gap is positive at κ = 0.
    """
    if not fixed.any() or fixed.all():
        return 0.0
    alpha = {"fix": np.linalg.norm(t[:, fixed], axis=1), "comp": np.linalg.norm(t[:, ~fixed], axis=1)}
    return float(np.linalg.norm((1 + alpha["fix"] + alpha["comp"]) * alpha[reading]))


def collapse_problem(problem: Problem, of: Indices, ratio: Array) -> Problem:
    """The problem over coordinates (d,) whose objective at r is the leaf-level one at the expanded r plus a constant.

    The prior is tilted (`Space.tilted`), which gives the constant. The cap of a virtual domain is the least cap / ratio
    of its leaves, at most 1 (method section 7.2). Raises InputError for laws that are not log-linear, and for lower
    bounds, which would have to be carried over too.
    """
    if problem.lower.any():
        raise InputError("reuse gap: problems with lower bounds are not judged")
    space, frozen = _space(of, ratio)
    share = _membership(space)
    prior = space.tilted(problem.prior) if problem.kl > 0 else space.collapse(problem.prior)
    names = [""] * space.size
    for j in np.argsort(np.array(problem.names), kind="stable")[::-1]:
        names[space.of[j]] = f"virtual domain of {problem.names[j]} etc." if frozen[j] else problem.names[j]
    return replace(
        problem,
        laws=LogLinear.of(_law(problem).c_, _law(problem).t_ @ share),
        prior=prior,
        caps=np.minimum(space.caps(np.minimum(problem.caps, 1.0)), 1.0),
        lower=np.zeros(space.size),
        names=tuple(names),
    )


def assess(
    problem: Problem, reused: Array, of: Indices, ratio: Array, names: Sequence[str] | None = None
) -> ReuseSafety:
    """Judge the reused mixture (m,), expanded, against the optimum of the whole leaf-level problem.

    problem: all of today's leaves with their law (`leaf_level_law`), caps and prior. names: what the leaves are called
    in the result, by default as in the problem. Deterministic; the order of the leaves matters no bit (names of the
    problem are unique). Raises InputError for a mixture that has not the frozen ratios or does not meet the caps, and
    WorkError if a solution could not be proved.
    """
    names = problem.names if names is None else names
    order = np.argsort(np.array(problem.names), kind="stable")  # one canonical order, whatever the caller's
    given, _ = _space(of, ratio)
    _check_reused(problem, given, reused)
    problem, reused = _take(problem, order), np.asarray(reused, dtype=np.float64)[order]
    label, first = np.unique(given.of[order], return_index=True)
    new_label = np.argsort(np.argsort(first))
    space, frozen = _space(new_label[np.searchsorted(label, given.of[order])], given.ratio[order])

    optimum = solve(problem).weights
    best_frozen = _solve_frozen(problem, space)
    floor = problem.objective(best_frozen)
    frozen_gap = floor - problem.objective(optimum)
    negligible = frozen_gap < NEGLIGIBLE_GAP * problem.law(reused)

    def closed_by(leaves: Sequence[int]) -> float:
        return floor - problem.objective(_solve_frozen(problem, _free(space, leaves)))

    coupled: list[tuple[float, int]] = []
    if frozen_gap > _NOISE:
        candidates = _most_promising(problem, space, frozen, best_frozen, optimum)
        coupled = sorted(((closed_by([j]), j) for j in candidates), key=lambda found: (-found[0], found[1]))
    suggested: list[int] = []
    share = 0.0
    while not negligible and share < CLOSED_SHARE and len(suggested) < len(coupled):
        suggested.append(coupled[len(suggested)][1])
        share = closed_by(suggested) / frozen_gap

    distances, distance = _distances(space, frozen, optimum)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return ReuseSafety(
        kappa=coupling(_law(problem).t_, frozen),
        recomputed_weight=float(reused[~frozen].sum()),
        optimal_recomputed_weight=float(optimum[~frozen].sum()),
        gap=problem.objective(reused) - problem.objective(optimum),
        law_gap=problem.law(reused) - problem.law(optimum),
        frozen_gap=frozen_gap,
        negligible=bool(negligible),
        frozen_distance=distance,
        frozen_distances=distances[new_label],
        coupled=tuple(CoupledLeaf(names[order[j]], closes, closes / frozen_gap) for closes, j in coupled),
        suggestion=tuple(names[order[j]] for j in suggested),
        suggestion_share=share,
        optimum=optimum[back],
    )


def _check_reused(problem: Problem, space: Space, reused: Array) -> None:
    if np.shape(reused) != (len(problem.names),) or not abs(np.sum(reused) - 1) <= _NOISE:
        raise InputError(f"reused mixture: {len(problem.names)} weights with sum 1 needed, found {np.shape(reused)}")
    off = np.abs(reused - space.expand(space.collapse(reused)))
    if off.max() > _NOISE:
        worst = int(off.argmax())
        raise InputError(f"reused mixture: {problem.names[worst]} is {off[worst]:.3g} off its frozen ratio")
    over = reused - np.where(problem.closed, 0.0, problem.caps)
    if over.max() > _NOISE:
        worst = int(over.argmax())
        raise InputError(
            f"reused mixture: {problem.names[worst]} is {over[worst]:.3g} above what its cap or prior allows"
        )


def _law(problem: Problem) -> LogLinear:
    """Its laws; only of log-linear ones are the coefficients of leaves and coordinates linked (assumption 1)."""
    if not isinstance(problem.laws, LogLinear):
        raise InputError(f"reuse gap: {type(problem.laws).__name__} laws are not judged, only log-linear ones")
    return problem.laws


def _take(problem: Problem, order: Indices) -> Problem:
    """The problem with its leaves in another order."""
    return replace(
        problem,
        laws=LogLinear.of(_law(problem).c_, _law(problem).t_[:, order]),
        prior=problem.prior[order],
        caps=problem.caps[order],
        lower=problem.lower[order],
        names=tuple(problem.names[j] for j in order),
    )


def _solve_frozen(problem: Problem, space: Space) -> Array:
    """Best leaf-level mixture (m,) among those with the ratios of `space`."""
    if space.size == 1:
        return space.expand([1.0])
    return space.expand(solve(collapse_problem(problem, space.of, space.ratio)).weights)


def _free(space: Space, leaves: Sequence[int]) -> Space:
    """The space in which these frozen leaves are coordinates of their own; the others keep their ratios."""
    of, ratio = space.of.copy(), space.ratio.copy()
    for j in leaves:
        rest = np.flatnonzero(of == of[j])
        rest = rest[rest != j]
        total = ratio[rest].sum()
        if total <= 0:  # alone with weight, or alone: nothing is left to be freed from
            continue
        of[j], ratio[j] = of.max() + 1, 1.0
        ratio[rest] /= total
    return Space(of, ratio)


def _most_promising(problem: Problem, space: Space, frozen: Mask, best: Array, optimum: Array) -> list[int]:
    """At most MOST_COUPLED frozen leaves by a first-order score of what freeing them gains.

    Score: imbalance of the gradient at the `best` frozen mixture (a free optimum has the same for all leaves) times how
    far the optimum moves the leaf away from its frozen share.
    """
    gradient = problem.slope(best)
    if problem.kl > 0:
        gradient = gradient + problem.kl * np.log(np.maximum(best, DUST) / np.maximum(problem.prior, 1e-300))
    move = optimum - space.expand(space.collapse(optimum))
    score = np.where(frozen, np.abs((gradient - best @ gradient) * move), -1.0)
    ranked = np.argsort(-score, kind="stable")[:MOST_COUPLED]
    return [int(j) for j in ranked if frozen[j]]


def _distances(space: Space, frozen: Mask, optimum: Array) -> tuple[Array, float]:
    """Total variation between the frozen ratios and the optimum's, by coordinate (d,) and over all frozen leaves."""
    weights = space.collapse(optimum)
    moved = np.bincount(space.of, weights=np.abs(optimum - weights[space.of] * space.ratio)) / 2
    virtual = np.zeros(space.size, dtype=bool)
    virtual[space.of[frozen]] = True
    held = virtual & (weights > 0)
    distances = np.where(held, moved / np.where(held, weights, 1.0), 0.0)
    return distances, float(moved[held].sum() / weights[held].sum()) if held.any() else 0.0


def _space(of: Indices, ratio: Array) -> tuple[Space, Mask]:
    """The space, checked, and which leaves (m,) are frozen in it."""
    space = Space(np.asarray(of, dtype=np.intp), np.asarray(ratio, dtype=np.float64))
    sums = np.bincount(space.of, weights=space.ratio)
    if (space.ratio < 0).any() or not (np.abs(sums - 1) <= _NOISE).all():
        worst = int(np.argmax(np.abs(sums - 1)))
        raise InputError(
            f"ratios of coordinate {worst} sum to {sums[worst]:.12g}; non-negative ratios with sum 1 needed"
        )
    return space, np.bincount(space.of)[space.of] > 1


def _membership(space: Space) -> Array:
    """Matrix (m, d) with the ratio of each leaf in its coordinate: expansion is its transpose."""
    matrix = np.zeros((len(space.of), space.size))
    matrix[np.arange(len(space.of)), space.of] = space.ratio
    return matrix
