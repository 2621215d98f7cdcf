"""The law of BiMix, summed over domains (paper, section 3.3.3): powers of the weights themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from olmix.errors import InputError
from olmix.regression.base import Array
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.power_law import MAX_EXPONENT, PowerLaw, Terms

_START_EXPONENT = 0.02  # nearly no effect; that of the authors, 1, is a wall at weight 0


class BiMix(PowerLaw):
    """Laws f(p) = sum_j A_j (p_j + floor)^-alpha_j, A and alpha at least 0, of n tasks, fitted as in `PowerLaw`.

    The authors' code clips p_j at 1e-12 instead of adding a floor: not convex, and what a run without a domain says
    about its exponent is then mostly about the clip (method section 5). A larger floor lets a first percent of a
    domain be worth less than infinitely more than the second. The penalty on shapes draws alpha to 0, at which
    A_j · alpha_j constant makes a logarithm of the term.

    Parameters: penalty, see `PowerLaw`; floor, above 0. Attributes after fit: A_ (n, m), alpha_ (n, m), c_ (n,) zeros,
    floor_, penalty_ (n,).
    """

    name = "bimix"

    floor_: float

    def __init__(self, penalty: float | str = "auto", floor: float = 0.03) -> None:
        self.penalty = penalty
        self.floor = floor

    def _fit(self, P: Array, Y: Array) -> None:
        if not 0 < self.floor < np.inf:
            raise InputError(f"floor: found {self.floor!r}; a number above 0 is allowed")
        self.floor_ = float(self.floor)
        super()._fit(P, Y)

    def _terms(self, P: Array, a: Array, alpha: Array) -> Terms:
        log = np.log(P + self.floor_)
        power = np.exp(-alpha * log)
        value = a * power
        return Terms(value, power, -value * log)

    def _bounds(self, m: int) -> tuple[Array, Array]:
        return np.zeros(1 + 2 * m), np.concatenate([[0.0], np.full(m, np.inf), np.full(m, MAX_EXPONENT)])

    def _start(self, level: Array, m: int) -> Array:
        level = level[:, None]
        return np.hstack([0 * level, np.repeat(level / m, m, axis=1), np.full((len(level), m), _START_EXPONENT)])

    def _usual(self, m: int) -> tuple[Array, Array]:
        return np.concatenate([np.zeros(1 + m), np.ones(m)]), np.zeros(1 + 2 * m)

    def _set(self, params: Array) -> None:
        m = params.shape[1] // 2
        self.c_, self.A_, self.alpha_ = params[:, 0], params[:, 1 : 1 + m], params[:, 1 + m :]

    def _factors(self) -> tuple[Array, Array]:
        return self.A_, np.full_like(self.A_, self.floor_)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: A and alpha in the order of the domains, per task."""
        laws = [{"A": A.tolist(), "alpha": alpha.tolist()} for A, alpha in zip(self.A_, self.alpha_, strict=True)]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, floor=self.floor_)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.floor_ = float(read_numbers([document], "floor", ())[0])
        if law.floor_ <= 0:
            raise InputError(f"floor: found {law.floor_:g}; a number above 0 is allowed")
        law.A_, law.alpha_ = read_numbers(laws, "A", (m,), 0.0), read_numbers(laws, "alpha", (m,), 0.0)
        law.c_ = np.zeros(len(laws))
        return law
