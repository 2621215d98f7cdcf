"""The optimisation problem of the paper (method section 1, step 4) and its value at a mixture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DUST = 1e-9
"""A solved weight below this is set to exactly 0: it stands for no tokens of any real run."""

FEASIBILITY_TOLERANCE = 1e-12
"""Caps that sum to 1 but for rounding are feasible."""


@dataclass(frozen=True)
class Problem:
    """min over p of  sum_i w_i (c_i + exp(t_i·p)) + kl · KL(p || prior)  on the simplex, with p <= caps.

    c: (n,) and t: (n, m), the laws; task_weights: (n,); prior: (m,); caps: (m,), at most 1 counts; kl: at least 0;
    names: m leaves. Task weights and prior are normalised to sum 1 here. Raises InputError for values out of range.
    """

    c: Array
    t: Array
    task_weights: Array
    prior: Array
    caps: Array
    kl: float
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n, m = np.shape(self.t)
        if m < 2:
            raise InputError(f"{', '.join(self.names)}: one domain only, there is nothing to mix; add a domain")
        if len(self.names) != m:
            raise InputError(f"names: {len(self.names)} names, but the laws have {m} domains")
        for field, shape in {"c": (n,), "t": (n, m), "task_weights": (n,), "prior": (m,), "caps": (m,)}.items():
            values = np.array(getattr(self, field), dtype=np.float64)
            if values.shape != shape:
                raise InputError(f"{field}: shape {values.shape}, {shape} is needed for {n} tasks and {m} domains")
            if not np.isfinite(values).all() and not (field == "caps" and (values == np.inf).any()):
                raise InputError(f"{field}: a value is not a finite number")
            object.__setattr__(self, field, values)
        if not 0 <= self.kl < np.inf:
            raise InputError(f"kl: found {self.kl!r}; a number of at least 0 is allowed")
        for field in ("task_weights", "prior"):
            object.__setattr__(self, field, _normalised(field, getattr(self, field)))
        if not (self.caps >= 0).all():
            worst = self.names[int(np.argmin(self.caps))]
            raise InputError(f"caps: the cap of {worst} is {self.caps.min():g}; caps are at least 0")

    @property
    def closed(self) -> Mask:
        """Leaves (m,) that can have no weight: no tokens, or no prior under a KL term, which would be infinite."""
        return (self.caps <= 0) | ((self.prior <= 0) & (self.kl > 0))

    def check_feasible(self, cap_hint: str = "") -> None:
        """Raise InputError, with the numbers, if no mixture meets the caps (method section 2: sum of caps >= 1)."""
        total = np.minimum(self.caps, 1)[~self.closed].sum()
        if total >= 1 - FEASIBILITY_TOLERANCE:
            return
        reason = f" ({cap_hint})" if cap_hint else ""
        largest = sorted(zip(self.names, self.caps, self.closed, strict=True), key=lambda leaf: -leaf[1])
        listed = [f"{name} {cap:.4g}{' but prior 0' if cap > 0 and closed else ''}" for name, cap, closed in largest]
        more = f", and {len(listed) - 5} smaller" if len(listed) > 5 else ""
        raise InputError(
            f"caps sum to {total:.6g}, at least 1 is needed{reason}: {1 - total:.2%} of the target's tokens are short; "
            f"largest caps: {', '.join(listed[:5])}{more}; lower target.tokens, raise target.repetition or add data"
        )

    def law(self, p: Array) -> float:
        """Weighted mean of the laws at p, in bits per byte."""
        return float(self.task_weights @ (self.c + np.exp(self.t @ p)))

    def law_gradient(self, p: Array) -> Array:
        """Gradient (m,) of the mean law."""
        return (self.task_weights * np.exp(self.t @ p)) @ self.t

    def divergence(self, p: Array) -> float:
        """KL(p || prior) in nats, with 0 log 0 = 0; infinite where p is positive and the prior is not."""
        positive = p > 0
        if (self.prior[positive] <= 0).any():
            return np.inf
        return float(p[positive] @ np.log(p[positive] / self.prior[positive]))

    def objective(self, p: Array) -> float:
        """Mean law plus kl times the divergence; the divergence does not count at kl = 0."""
        return self.law(p) + (self.kl * self.divergence(p) if self.kl > 0 else 0.0)


def _normalised(field: str, values: Array) -> Array:
    if (values < 0).any() or values.sum() <= 0:
        raise InputError(f"{field}: values must be at least 0 with a positive sum, found {values.min():g}")
    return values / values.sum()
