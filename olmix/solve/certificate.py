"""What can be proved of a mixture, computed from the problem and the mixture alone, whatever solver found it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from olmix.solve.problem import DUST, Array, Mask, Problem
from olmix.solve.second_solver import second_objective

SUM_TOLERANCE = 1e-12
"""Largest |sum p - 1|."""

KKT_TOLERANCE = 1e-8
"""Largest optimality residual, relative to the largest gradient (at least 1)."""

GAP_TOLERANCE = 1e-8
"""Largest duality gap, relative to the objective (at least 1), beside what weights rounded from dust to 0 may cost."""

ROUNDING = 1e-15
"""What rounding may do to a divergence, in nats."""

AGREEMENT_TOLERANCE = 1e-6
"""How much lower the objective of the second solver may be, relative to the objective (at least 1), beside the gap."""

BILLION = 1e9

Proof = Literal["optimal", "locally optimal", "feasible"]
"""What a certificate proves of a mixture: that none is better; that no small change of it is better; or only that it is
within its bounds, with no word on whether others are better."""


@dataclass(frozen=True)
class Certificate:
    """What was checked. Objectives in bits per byte, residuals as absolute values, arrays in the problem's order.

    What is not part of the proof is None: the optimality conditions where mixtures were only searched for, and the gap
    where the problem is not convex.
    """

    names: tuple[str, ...]
    proves: Proof
    objective: float
    law: float
    """Mean law, the objective without the KL term; for the worst mixture the objective has its negative."""
    kl_weight: float
    divergence: float
    """KL(p || prior) in nats."""
    sum_violation: float
    """|sum p - 1|."""
    bound_violation: float
    """Largest amount by which a weight is below its lower bound or above its cap; 0 is demanded."""
    stationarity: float | None
    """Largest |gradient + multipliers|, relative: 0 says that moving weight from leaf to leaf gains nothing."""
    sign_violation: float | None
    """Most negative multiplier of a cap, as a positive number, relative."""
    complementarity: float | None
    """Largest multiplier times room to its bound: only binding bounds have a price."""
    gap: float | None
    """Objective minus a lower bound that holds for every feasible mixture (linearised law)."""
    gap_allowed: float | None
    second_solver: float | None
    """Objective of an independent solver from other starts. It must not be lower.

    Higher only says that it stopped early, or in a worse local minimum.
    """
    starts: tuple[int, int] | None
    """If the solver had many starts: how many ended at this objective, of how many."""
    binding: tuple[int, ...]
    """Leaves whose weight equals their cap."""
    multipliers: Array
    """Shadow prices (m,): fall of the objective per unit of weight added to a cap; 0 where it does not bind."""
    floors: tuple[int, ...]
    """Leaves whose weight equals their lower bound, which is above 0."""
    floor_multipliers: Array
    """Rise of the objective per unit of weight added to a lower bound (m,); 0 where it does not bind."""
    per_token: float | None
    """How much a cap rises per token of its leaf, k / R, if known; of a virtual domain, in its frozen ratios."""

    @property
    def failures(self) -> list[str]:
        """The checks that failed, each with its value and what is allowed."""
        checks = [
            ("sum violation", self.sum_violation, SUM_TOLERANCE),
            ("bound violation", self.bound_violation, 0.0),
            ("stationarity", self.stationarity, KKT_TOLERANCE),
            ("sign of multipliers", self.sign_violation, KKT_TOLERANCE),
            ("complementary slackness", self.complementarity, KKT_TOLERANCE),
            ("duality gap", None if self.gap is None else abs(self.gap), self.gap_allowed),
            ("gain of the second solver", None if self.agreement is None else -self.agreement, self._agreement_allowed),
        ]
        return [
            f"{name} {value:.3g} > {allowed:.3g}"
            for name, value, allowed in checks
            if value is not None and allowed is not None and not value <= allowed
        ]

    @property
    def ok(self) -> bool:
        """True if every check holds."""
        return not self.failures

    @property
    def agreement(self) -> float | None:
        """Objective of the second solver minus this one's."""
        return None if self.second_solver is None else self.second_solver - self.objective

    @property
    def _agreement_allowed(self) -> float:
        return AGREEMENT_TOLERANCE * max(1.0, abs(self.objective)) + (self.gap_allowed or 0.0)

    def to_json(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Plain values, without what was not part of the proof; prices by leaf, under `names` if given.

        `shadow_prices` of binding caps; `per_billion_tokens`, the same per billion tokens more of that leaf, if k and R
        are known; `floor_prices` of binding lower bounds, if there are any.
        """
        names = self.names if names is None else names
        document: dict[str, Any] = {
            "ok": self.ok,
            "proves": self.proves,
            "objective": self.objective,
            "law": self.law,
            "kl_weight": self.kl_weight,
            # Infinite at kl = 0 with weight where the prior is 0; JSON knows no infinity.
            "divergence": self.divergence if np.isfinite(self.divergence) else None,
            "sum_violation": self.sum_violation,
            "bound_violation": self.bound_violation,
        }
        optional = {
            "stationarity": self.stationarity,
            "sign_violation": self.sign_violation,
            "complementarity": self.complementarity,
            "gap": self.gap,
            "gap_allowed": self.gap_allowed,
            "second_solver": self.second_solver,
            "agreement": self.agreement,
        }
        document |= {name: value for name, value in optional.items() if value is not None}
        if self.starts is not None:
            document |= {"starts_agreed": self.starts[0], "starts": self.starts[1]}
        prices = {names[j]: float(self.multipliers[j]) for j in self.binding}
        document["shadow_prices"] = prices
        if self.per_token is not None:
            document["per_billion_tokens"] = {name: price * self.per_token * BILLION for name, price in prices.items()}
        if self.floors:
            document["floor_prices"] = {names[j]: float(self.floor_multipliers[j]) for j in self.floors}
        return document


@dataclass(frozen=True)
class Solution:
    """A mixture, weights (m,) in the problem's order, and what is proved of it."""

    weights: Array
    certificate: Certificate


def certify(
    problem: Problem,
    p: Array,
    multipliers: Array | None = None,
    proves: Proof | None = None,
    starts: tuple[int, int] | None = None,
    scores: Array | None = None,
) -> Certificate:
    """Check that p (m,) is feasible and, as far as the laws allow, optimal: Karush-Kuhn-Tucker conditions, duality gap.

    multipliers: (m,) prices of the caps to be checked; by default those that the gradient at p implies. proves: by
    default as much as the laws allow. starts: `Certificate.starts`. scores: (n,) measured at p, where a mixture was
    chosen by these and not by the laws.

    Leaves that cannot have weight (`Problem.closed`) are no part of the conditions. A weight of 0 is also accepted if
    the optimal weight is dust (DUST): the gradient at such a weight tells.
    """
    if proves is None:
        proves = "optimal" if problem.convex else "locally optimal" if problem.laws.smooth else "feasible"
    lower, upper = problem.lower, problem.upper
    mixture = bool(np.isfinite(p).all() and (p >= 0).all() and abs(p.sum() - 1) < 1e-3)
    law = objective = np.nan  # laws are defined on mixtures only
    if mixture:
        scores = problem.laws.predict(p[None])[0] if scores is None else scores
        law = float(problem.task_weights @ scores)
        objective = float(problem.objectives(p[None], scores[None])[0])
    binding = (p >= upper) & (upper < 1) & ~problem.closed
    floors = (p <= lower) & (lower > 0)
    floor_multipliers = np.zeros(len(p))
    checks: dict[str, float] = {}
    if proves == "feasible" or not mixture:
        multipliers = np.zeros(len(p)) if multipliers is None else multipliers
    else:
        gradient = problem.gradient(p)
        level = _level(gradient, p, binding, floors)
        if multipliers is None:
            multipliers = np.where(binding, np.maximum(level - gradient, 0.0), 0.0)
        floor_multipliers = np.where(floors, np.maximum(gradient + multipliers - level, 0.0), 0.0)
        scale = max(1.0, float(np.abs(gradient[p > 0]).max(initial=0.0)))
        checks = {
            "stationarity": _stationarity(problem, p, gradient + multipliers - floor_multipliers) / scale,
            "sign_violation": max(0.0, -float(multipliers.min())) / scale,
            "complementarity": float(np.abs([multipliers * (upper - p), floor_multipliers * (p - lower)]).max()),
            "second_solver": second_objective(problem),
        }
        if proves == "optimal":
            dust = DUST * float(((p < DUST) & ~problem.closed).sum())
            checks["gap"] = problem.gap(p)
            checks["gap_allowed"] = (
                GAP_TOLERANCE * max(1.0, abs(objective))
                + ROUNDING * problem.kl
                + dust * (problem.kl + float(np.ptp(gradient)))
            )
    return Certificate(
        names=problem.names,
        proves=proves,
        objective=objective,
        law=law,
        kl_weight=problem.kl,
        divergence=problem.divergence(p) if mixture else np.nan,
        sum_violation=abs(float(p.sum()) - 1),
        bound_violation=float(np.maximum(p - upper, lower - p).clip(0.0).max()),
        stationarity=checks.get("stationarity"),
        sign_violation=checks.get("sign_violation"),
        complementarity=checks.get("complementarity"),
        gap=checks.get("gap"),
        gap_allowed=checks.get("gap_allowed"),
        second_solver=checks.get("second_solver"),
        starts=starts,
        binding=tuple(np.flatnonzero(binding).tolist()),
        multipliers=multipliers,
        floors=tuple(np.flatnonzero(floors).tolist()),
        floor_multipliers=floor_multipliers,
        per_token=None if problem.target is None else problem.target.repetition / problem.target.tokens,
    )


def _level(gradient: Array, p: Array, binding: Mask, floors: Mask) -> float:
    """Common gradient of the leaves between their bounds; without any, the one that gives the smallest prices."""
    free = (p > 0) & ~binding & ~floors
    if free.any():
        return float(np.average(gradient[free], weights=p[free]))
    if (binding & ~floors).any():
        return float(gradient[binding & ~floors].max())
    return float(gradient[floors].min(initial=np.inf))


def _stationarity(problem: Problem, p: Array, priced: Array) -> float:
    """Largest violation of  priced gradient = level  where p > 0 and of  priced gradient >= level  where p = 0.

    Leaves that cannot have more than dust may have any of it.
    """
    positive = (p > 0) & (problem.upper > DUST)
    level = float(np.average(priced[positive], weights=p[positive])) if positive.any() else np.nan
    zero = (p <= 0) & (problem.upper > DUST)
    excess = np.maximum(level - priced[zero], 0.0) if problem.kl == 0 else np.full(zero.sum(), np.inf)
    if (excess > 0).any():  # is it worth no more than dust? The slope where it has that tells, as KL and laws bend up
        raised = np.where(zero, np.minimum(2 * DUST, problem.upper), p)
        at_dust = problem.gradient(raised / raised.sum())[zero]
        excess = np.minimum(excess, np.maximum(level - at_dust, 0.0))
    return float(np.concatenate([np.abs(priced[positive] - level), excess]).max(initial=0.0))
