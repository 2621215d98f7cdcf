"""Proof that a mixture is optimal, computed from the problem and the mixture alone, whatever solver found it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olmix.solve.problem import DUST, Array, Problem

SUM_TOLERANCE = 1e-12
"""Largest |sum p - 1|."""

KKT_TOLERANCE = 1e-8
"""Largest optimality residual, relative to the largest gradient (at least 1)."""

GAP_TOLERANCE = 1e-8
"""Largest duality gap, relative to the objective (at least 1), beside what weights rounded from dust to 0 may cost."""

AGREEMENT_TOLERANCE = 1e-6
"""How much lower the objective of the second solver may be, relative to the objective (at least 1)."""


@dataclass(frozen=True)
class Certificate:
    """What was checked. Objectives in bits per byte, residuals as absolute values, arrays in the problem's order."""

    names: tuple[str, ...]
    objective: float
    law: float
    """Mean law, the objective without the KL term."""
    kl_weight: float
    divergence: float
    """KL(p || prior) in nats."""
    sum_violation: float
    """|sum p - 1|."""
    bound_violation: float
    """Largest amount by which a weight is negative or above its cap; 0 is demanded."""
    stationarity: float
    """Largest |gradient + multipliers|, relative: 0 says that moving weight from leaf to leaf gains nothing."""
    sign_violation: float
    """Most negative multiplier of a cap, as a positive number, relative."""
    complementarity: float
    """Largest multiplier times room below its cap: only binding caps have a price."""
    gap: float
    """Objective minus a lower bound that holds for every feasible mixture (linearised law)."""
    gap_allowed: float
    second_solver: float | None
    """Objective of an independent solver from another start, None if it found no feasible mixture.

    It must not be lower. Higher only says that it stopped early: the gap proves that nothing lower exists.
    """
    binding: tuple[int, ...]
    """Leaves whose weight equals their cap."""
    multipliers: Array
    """Shadow prices (m,): fall of the objective per unit of weight added to a cap; 0 where it does not bind."""

    @property
    def failures(self) -> list[str]:
        """The checks that failed, each with its value and what is allowed."""
        scale = max(1.0, abs(self.objective))
        checks = [
            ("sum violation", self.sum_violation, SUM_TOLERANCE),
            ("bound violation", self.bound_violation, 0.0),
            ("stationarity", self.stationarity, KKT_TOLERANCE),
            ("sign of multipliers", self.sign_violation, KKT_TOLERANCE),
            ("complementary slackness", self.complementarity, KKT_TOLERANCE),
            ("duality gap", self.gap, self.gap_allowed),
        ]
        if self.second_solver is not None:
            checks.append(
                ("gain of the second solver", self.objective - self.second_solver, AGREEMENT_TOLERANCE * scale)
            )
        return [f"{name} {value:.3g} > {allowed:.3g}" for name, value, allowed in checks if not value <= allowed]

    @property
    def ok(self) -> bool:
        """True if every check holds."""
        return not self.failures

    def to_json(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Plain values; `shadow_prices` and nothing else is by leaf, for binding caps, under `names` if given."""
        names = self.names if names is None else names
        document = asdict(self)
        for field in ("names", "multipliers", "binding"):
            del document[field]
        if not np.isfinite(self.divergence):  # possible at kl = 0: weight where the prior is 0; JSON knows no infinity
            document["divergence"] = None
        prices = {names[j]: float(self.multipliers[j]) for j in self.binding}
        return {"ok": self.ok, **document, "shadow_prices": prices}


def certify(problem: Problem, p: Array, multipliers: Array | None = None) -> Certificate:
    """Check that p (m,) is feasible and optimal for a convex problem: Karush-Kuhn-Tucker conditions and duality gap.

    multipliers: (m,) prices of the caps to be checked; by default those that the gradient at p implies. Leaves that
    cannot have weight (`Problem.closed`) are no part of the conditions. A weight of 0 under a KL term, or below a tiny
    cap, is accepted only if the optimal weight is dust (DUST): the gradient tells what that weight is.
    """
    caps = np.minimum(problem.caps, 1.0)
    binding = (p >= caps) & (caps < 1) & ~problem.closed
    gradient, positive = _gradient(problem, p), p > 0
    dust = DUST * float((~positive & ~problem.closed).sum())
    if multipliers is None:
        multipliers = np.where(binding, np.maximum(_free_level(gradient, p, binding) - gradient, 0.0), 0.0)
    scale = max(1.0, float(np.abs(gradient[positive]).max(initial=0.0)))
    objective = problem.objective(p)
    return Certificate(
        names=problem.names,
        objective=objective,
        law=problem.law(p),
        kl_weight=problem.kl,
        divergence=problem.divergence(p),
        sum_violation=abs(float(p.sum()) - 1),
        bound_violation=float(np.maximum(p - np.where(problem.closed, 0.0, caps), -p).clip(0.0).max()),
        stationarity=_stationarity(problem, p, gradient, multipliers) / scale,
        sign_violation=max(0.0, -float(multipliers.min())) / scale,
        complementarity=float(np.abs(multipliers * (caps - p)).max()),
        gap=_duality_gap(problem, p),
        gap_allowed=GAP_TOLERANCE * max(1.0, abs(objective)) + dust * (problem.kl + float(np.ptp(gradient))),
        second_solver=_second_solver(problem),
        binding=tuple(np.flatnonzero(binding).tolist()),
        multipliers=multipliers,
    )


def project(log_weights: Array, caps: Array) -> Array:
    """Mixture (m,) that minimises KL(x || exp(log_weights)) on the simplex with x <= caps (m,), caps summing to >= 1.

    It is min(cap, s · weight): leaves fill up in the order of cap / weight until the rest holds what is left.
    """
    weights = np.exp(np.maximum(log_weights - log_weights.max(), -690.0))
    order = np.argsort(caps / weights, kind="stable")
    w, cap = weights[order], caps[order]
    rest = np.cumsum(w[::-1])[::-1]
    left = 1.0 - np.concatenate([[0.0], np.cumsum(cap)[:-1]])
    fits = left / rest <= cap / w
    s = left[fits.argmax()] / rest[fits.argmax()] if fits.any() else np.inf
    return np.minimum(caps, s * weights)


def _gradient(problem: Problem, p: Array) -> Array:
    """Gradient (m,) of the objective where p > 0; of the law alone where it is 0, as the KL term has no slope there."""
    gradient = problem.law_gradient(p)
    if problem.kl > 0:
        inside = (p > 0) & (problem.prior > 0)
        gradient[inside] += problem.kl * (np.log(p[inside] / problem.prior[inside]) + 1)
    return gradient


def _free_level(gradient: Array, p: Array, binding: NDArray[np.bool_]) -> float:
    """Common gradient of the leaves between their bounds; without any, the one that gives the smallest prices."""
    free = (p > 0) & ~binding
    if free.any():
        return float(np.average(gradient[free], weights=p[free]))
    return float(gradient[binding].max(initial=-np.inf))


def _stationarity(problem: Problem, p: Array, gradient: Array, multipliers: Array) -> float:
    """Largest violation of  gradient + multiplier = level  where p > 0 and of  gradient >= level  where p = 0."""
    priced = gradient + multipliers
    positive = p > 0
    level = np.average(priced[positive], weights=p[positive]) if positive.any() else np.nan
    zero = ~positive & ~problem.closed
    if problem.kl > 0:  # optimal weight of a leaf rounded to 0: where the gradient with its KL term meets the level
        implied = problem.prior[zero] * np.exp(np.minimum((level - gradient[zero]) / problem.kl - 1, 700.0))
        excess = np.where(np.minimum(implied, problem.caps[zero]) <= 2 * DUST, 0.0, np.inf)
    else:
        excess = np.where(problem.caps[zero] <= DUST, 0.0, np.maximum(level - gradient[zero], 0.0))
    return float(np.concatenate([np.abs(priced[positive] - level), excess]).max(initial=0.0))


def _duality_gap(problem: Problem, p: Array) -> float:
    """objective(p) minus the minimum over all feasible x of the objective with the law linearised at p (convexity)."""
    is_open = ~problem.closed
    slope, caps = problem.law_gradient(p), np.minimum(problem.caps, 1.0)
    x = np.zeros_like(p)
    if problem.kl > 0:
        x[is_open] = project(np.log(problem.prior[is_open]) - slope[is_open] / problem.kl, caps[is_open])
        return float(slope @ (p - x)) + problem.kl * (problem.divergence(p) - problem.divergence(x))
    left = 1.0
    for j in np.argsort(slope, kind="stable"):
        x[j] = min(caps[j], left)
        left -= x[j]
    return float(slope @ (p - x))


def _second_solver(problem: Problem) -> float | None:
    """Objective found by sequential quadratic programming (SLSQP) from the flattest feasible mixture."""
    from scipy.optimize import LinearConstraint, minimize

    is_open = ~problem.closed
    caps = np.minimum(problem.caps[is_open], 1.0)
    start = project(np.zeros(len(caps)), caps)
    floor = 1e-15 if problem.kl > 0 else 0.0

    def expand(x: Array) -> Array:
        p = np.zeros(len(is_open))
        p[is_open] = np.clip(x, floor, caps)
        return p

    result = minimize(  # type: ignore[call-overload]
        lambda x: problem.objective(expand(x)),
        start,
        jac=lambda x: _gradient(problem, expand(x))[is_open],
        bounds=[(floor, max(floor, float(cap))) for cap in caps],
        constraints=LinearConstraint(np.ones((1, len(caps))), 1.0, 1.0),
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-13},
    )
    return problem.objective(expand(result.x)) if abs(expand(result.x).sum() - 1) < 1e-9 else None
