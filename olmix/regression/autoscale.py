"""The law of AutoScale (paper, section 3.3.3): powers of the tokens of each domain, beside what others stand in for."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from olmix.errors import InputError
from olmix.regression.base import Array
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.power_law import MAX_EXPONENT, PowerLaw, Terms

MIN_A = 1e-12
"""Lower bound of A (authors' code)."""


class AutoScale(PowerLaw):
    """Laws f(p) = c + sum_j (tokens · (A_j + p_j))^-alpha_j of n tasks, fitted as in `PowerLaw`.

    c >= 0, A_j from 1e-12 to 1 (the paper's range; the authors' code has no upper bound), alpha_j >= 0. Unlike in the
    authors' code c may exceed the lowest score, so that a law without effects is one of the family. The penalty on
    shapes draws log A_j to log 1/m, from where the authors start.

    tokens: the paper's R, above 1. With alpha_j it is all that scales a term, so its unit matters: with 1 every absent
    domain adds at least 1 to the score, and with the tokens of a training run, which the authors' code takes, effects
    of a tenth of a bit per byte need A_j near 0. The default counts tokens in hundredths of a run.

    Parameters: penalty, see `PowerLaw`; tokens. Attributes after fit: c_ (n,), A_ (n, m), alpha_ (n, m), tokens_,
    penalty_ (n,).
    """

    name = "autoscale"

    tokens_: float

    def __init__(self, penalty: float | str = "auto", tokens: float = 100.0) -> None:
        self.penalty = penalty
        self.tokens = tokens

    def _fit(self, P: Array, Y: Array) -> None:
        if not 1 < self.tokens < np.inf:
            raise InputError(f"tokens: found {self.tokens!r}; a number above 1 is allowed")
        self.tokens_ = float(self.tokens)
        super()._fit(P, Y)

    def _terms(self, P: Array, a: Array, alpha: Array) -> Terms:
        """With a = log A, which differs by as much as A does in size."""
        A = self.tokens_ * np.exp(a)
        base = A + self.tokens_ * P
        log = np.log(base)
        value = np.exp(-alpha * log)
        return Terms(value, (-alpha * A) * value / base, -value * log)

    def _bounds(self, m: int) -> tuple[Array, Array]:
        lower = np.concatenate([[0.0], np.full(m, np.log(MIN_A)), np.zeros(m)])
        return lower, np.concatenate([[np.inf], np.zeros(m), np.full(m, MAX_EXPONENT)])

    def _start(self, level: Array, m: int) -> Array:
        """Half of the level in c, the other half in equal terms of a domain with its equal share."""
        level = np.maximum(level, 1e-6)[:, None]
        alpha = np.log(2 * m / level) / np.log1p(2 * self.tokens_ / m)
        return np.hstack([0.5 * level, np.full((len(level), m), -np.log(m)), np.repeat(alpha, m, axis=1)])

    def _usual(self, m: int) -> tuple[Array, Array]:
        weights = np.concatenate([[0.0], np.ones(m), np.zeros(m)])
        return weights, -np.log(m) * weights

    def _set(self, params: Array) -> None:
        m = params.shape[1] // 2
        self.c_, self.A_, self.alpha_ = params[:, 0], np.exp(params[:, 1 : 1 + m]), params[:, 1 + m :]

    def _factors(self) -> tuple[Array, Array]:
        return self.tokens_**-self.alpha_, self.A_

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: c, and A and alpha in the order of the domains, per task."""
        laws = [
            {"c": float(c), "A": A.tolist(), "alpha": alpha.tolist()}
            for c, A, alpha in zip(self.c_, self.A_, self.alpha_, strict=True)
        ]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, tokens=self.tokens_)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.tokens_ = float(read_numbers([document], "tokens", ())[0])
        if law.tokens_ <= 1:
            raise InputError(f"tokens: found {law.tokens_:g}; a number above 1 is allowed")
        law.c_, law.alpha_ = read_numbers(laws, "c", (), 0.0), read_numbers(laws, "alpha", (m,), 0.0)
        law.A_ = read_numbers(laws, "A", (m,), MIN_A)
        return law
