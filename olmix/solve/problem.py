"""The optimisation problem of the paper (method section 1, step 4) and its value at a mixture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.params import TargetParams
from olmix.solve.projection import cheapest, project

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DUST = 1e-9
"""A solved weight below this is set to exactly 0: it stands for no tokens of any real run."""

FEASIBILITY_TOLERANCE = 1e-12
"""Bounds that sum to 1 but for rounding are feasible."""

_LISTED = 5


class Laws(Protocol):
    """What a solver needs of fitted laws, which `olmix.regression.base.Family` has; weights are those of the tasks."""

    convex: Any
    smooth: Any
    n_features_in_: int

    def predict(self, P: Array, /) -> Array:
        """Scores (K, n) of mixtures (K, m)."""

    def gradient(self, p: Array, weights: Array, /) -> Array:
        """Gradient (m,) of the weighted sum; only if smooth."""

    def hessian(self, p: Array, weights: Array, /) -> Array:
        """Second derivatives (m, m); only if smooth."""

    def expression(self, p: Any, weights: Array, /) -> Any:
        """The weighted sum as a cvxpy expression of an affine p (m,), up to a constant; only if convex."""


@dataclass(frozen=True)
class Problem:
    """min over p of  sum_i w_i law_i(p) + kl · KL(p || prior)  on the simplex, with lower <= p <= caps.

    task_weights: (n,); prior, caps, lower: (m,); kl: at least 0; names: m leaves. Of a cap, at most 1 counts; lower is
    0 by default. Task weights and prior are normalised to sum 1 here. Raises InputError for values out of range.
    """

    laws: Laws
    task_weights: Array
    prior: Array
    caps: Array
    kl: float
    names: tuple[str, ...]
    lower: Array = field(default_factory=lambda: np.zeros(()))
    target: TargetParams | None = None
    """Where the caps come from, if they are k N / R: its repetition k and tokens R."""
    worst: bool = False
    """Find the counterfactual: the mixture with the largest mean law instead; the KL term still pulls to the prior."""

    def __post_init__(self) -> None:
        m = self.laws.n_features_in_
        if len(self.names) != m:
            raise InputError(f"names: {len(self.names)} names, but the laws have {m} domains")
        n = self.laws.predict(np.full((1, m), 1 / m)).shape[1]
        object.__setattr__(self, "lower", np.broadcast_to(self.lower, m) if np.ndim(self.lower) == 0 else self.lower)
        for name, shape in {"task_weights": (n,), "prior": (m,), "caps": (m,), "lower": (m,)}.items():
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != shape:
                raise InputError(f"{name}: shape {values.shape}, {shape} is needed for {n} tasks and {m} domains")
            if not np.isfinite(values).all() and not (name == "caps" and not np.isnan(values).any()):
                raise InputError(f"{name}: a value is not a finite number")
            object.__setattr__(self, name, values)
        if not 0 <= self.kl < np.inf:
            raise InputError(f"kl: found {self.kl!r}; a number of at least 0 is allowed")
        for name in ("task_weights", "prior"):
            object.__setattr__(self, name, _normalised(name, getattr(self, name)))
        for name, what in {"caps": "cap", "lower": "lower bound"}.items():
            values = getattr(self, name)
            if not (values >= 0).all():
                raise InputError(
                    f"{name}: the {what} of {self.names[values.argmin()]} is {values.min():g}; {what}s are at least 0"
                )

    @cached_property
    def closed(self) -> Mask:
        """Leaves (m,) that can have no weight: no tokens, or no prior under a KL term, which would be infinite."""
        return (self.caps <= 0) | ((self.prior <= 0) & (self.kl > 0))

    @cached_property
    def upper(self) -> Array:
        """Largest weights (m,): the caps, at most 1, and 0 for closed leaves."""
        return np.where(self.closed, 0.0, np.minimum(self.caps, 1.0))

    @property
    def convex(self) -> bool:
        """A local minimum is the minimum."""
        return bool(self.laws.convex) and not self.worst

    def check_feasible(self) -> None:
        """Raise InputError, with the numbers, if no mixture meets the bounds (method section 2: caps sum to >= 1)."""
        over = self.lower - self.upper
        if over.max() > 0:
            j = int(over.argmax())
            limit = (
                "its prior is 0 under a KL term"
                if self.closed[j] and self.caps[j] > 0
                else f"its cap {self.upper[j]:.6g}"
            )
            raise InputError(
                f"lower: the lower bound of {self.names[j]} is {self.lower[j]:.6g}, but {limit}; "
                "no mixture can meet both"
            )
        if self.lower.sum() > 1 + FEASIBILITY_TOLERANCE:
            raise InputError(
                f"lower bounds sum to {self.lower.sum():.6g}, at most 1 is possible; "
                f"largest: {_list_largest(self.names, self.lower)}"
            )
        total = float(self.upper.sum())
        if total >= 1 - FEASIBILITY_TOLERANCE:
            return
        origin = short = ""
        if self.target is not None:
            k, R = self.target.repetition, self.target.tokens
            origin = f" (a cap is repetition {k:g} x tokens of the leaf / {R:,} target tokens)"
            short = f", {(1 - total) * R:,.0f} of {R:,}; that takes {(1 - total) * R / k:,.0f} more tokens of data"
        notes = [" but prior 0" if shut and cap > 0 else "" for shut, cap in zip(self.closed, self.caps, strict=True)]
        raise InputError(
            f"caps sum to {total:.6g}, at least 1 is needed{origin}: {1 - total:.2%} of the target's tokens are short"
            f"{short}; largest caps: {_list_largest(self.names, self.caps, notes)}; "
            "lower the target's tokens, raise its repetition or add data"
        )

    def law(self, p: Array) -> float:
        """Weighted mean of the laws at p, in bits per byte."""
        return float(self.task_weights @ self.laws.predict(p[None])[0])

    def slope(self, p: Array) -> Array:
        """Gradient (m,) of the mean law; of its negative for the worst mixture."""
        return self._sign * self.laws.gradient(p, self.task_weights)

    def curvature(self, p: Array) -> Array:
        """Second derivatives (m, m) that go with `slope`."""
        return self._sign * self.laws.hessian(p, self.task_weights)

    def divergence(self, p: Array) -> float:
        """KL(p || prior) in nats, with 0 log 0 = 0; infinite where p is positive and the prior is not."""
        return float(self._divergences(p[None])[0])

    def objective(self, p: Array) -> float:
        """Mean law, negative for the worst mixture, plus kl times the divergence, which does not count at kl = 0."""
        return float(self.objectives(p[None], self.laws.predict(p[None]))[0])

    def objectives(self, P: Array, scores: Array) -> Array:
        """Objectives (K,) of mixtures (K, m) with these scores (K, n), predicted or measured."""
        values = self._sign * (scores @ self.task_weights)
        return values + self.kl * self._divergences(P) if self.kl > 0 else values

    def _divergences(self, P: Array) -> Array:
        used = P > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = P * np.log(P / self.prior)
        return np.where(used, terms, 0.0).sum(axis=1)

    def gradient(self, p: Array) -> Array:
        """Gradient (m,) of the objective where p > 0; of the law alone where it is 0, as KL has no slope there."""
        gradient = self.slope(p)
        if self.kl > 0:
            inside = (p > 0) & (self.prior > 0)
            gradient[inside] += self.kl * (np.log(p[inside] / self.prior[inside]) + 1)
        return gradient

    def gap(self, p: Array) -> float:
        """objective(p) minus its minimum over all feasible mixtures if the law were linear, as at p.

        If the problem is convex, no mixture is better than p by more; in any case it is 0 only where p is stationary.
        """
        slope = self.slope(p)
        if self.kl == 0:
            return float(slope @ (p - cheapest(slope, self.lower, self.upper)))
        x = project(self.log_prior - slope / self.kl, self.lower, self.upper)
        return float(slope @ (p - x)) + self.kl * (self.divergence(p) - self.divergence(x))

    @cached_property
    def log_prior(self) -> Array:
        """Logarithm of the prior (m,), finite also where it is 0: such leaves are closed if it counts."""
        return np.log(np.maximum(self.prior, 1e-300))

    @property
    def _sign(self) -> float:
        return -1.0 if self.worst else 1.0


def _normalised(name: str, values: Array) -> Array:
    if (values < 0).any() or values.sum() <= 0:
        raise InputError(f"{name}: values must be at least 0 with a positive sum, found {values.min():g}")
    return values / values.sum()


def _list_largest(names: Sequence[str], values: Array, notes: Sequence[str] | None = None) -> str:
    notes = [""] * len(names) if notes is None else notes
    largest = np.argsort(-values, kind="stable")
    listed = [f"{names[j]} {values[j]:.4g}{notes[j]}" for j in largest[:_LISTED]]
    more = len(names) - len(listed)
    return ", ".join(listed) + (f", and {more} smaller" if more else "")
