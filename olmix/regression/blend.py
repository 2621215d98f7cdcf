"""The mean of the log-linear law and the kernel law, whose errors differ."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Self

from numpy.typing import ArrayLike

from olmix.errors import InputError
from olmix.regression.base import Array, Family
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear


class Blend(Family):
    """Predicts the mean of what `LogLinear` and `Kernel` predict, each fitted as it is by itself.

    The log-linear law carries a trend into mixtures far from all runs, where a kernel law returns to its level; the
    kernel law follows what exp(t·p) cannot. On swarms of about 3 (m + 1) runs neither is always the better one.

    Parameters: penalty and huber_delta of the log-linear law. Attributes after fit: members_ (log-linear, kernel).
    """

    name = "blend"
    refits = True

    members_: tuple[LogLinear, Kernel]

    def __init__(self, penalty: float | str = "auto", huber_delta: float = 0.02) -> None:
        self.penalty = penalty
        self.huber_delta = huber_delta

    def _fit(self, P: Array, Y: Array) -> None:
        self.members_ = (LogLinear(self.penalty, self.huber_delta).fit_fold(P, Y), Kernel().fit_fold(P, Y))

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        first, second = self.members_
        return 0.5 * (first.predict(P) + second.predict(P))

    def gradient(self, p: Array, weights: Array) -> Array:
        """Gradient (m,) of the weighted sum of the laws at p."""
        first, second = self.members_
        return 0.5 * (first.gradient(p, weights) + second.gradient(p, weights))

    def hessian(self, p: Array, weights: Array) -> Array:
        """Second derivatives (m, m) of the weighted sum of the laws at p."""
        first, second = self.members_
        return 0.5 * (first.hessian(p, weights) + second.hessian(p, weights))

    def refit(self, P: Array, Y: Array) -> Self:
        """The laws of other scores with the penalties and the kernel of these."""
        law = copy(self)
        law.members_ = (self.members_[0].refit(P, Y), self.members_[1].refit(P, Y))
        return law

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: the documents of both members."""
        members = [member.to_json(domains, tasks) for member in self.members_]
        laws = {task: {member["regression"]: member["tasks"].pop(task) for member in members} for task in tasks}
        return {"regression": self.name, "domains": list(domains), "members": members, "tasks": laws}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        if document.get("regression") != cls.name:
            raise InputError(f"regression: found {document.get('regression')!r}, {cls.name!r} is expected")
        law = cls()
        try:
            laws = document["tasks"]
            first, second = (
                {**member, "tasks": {task: laws[task][member["regression"]] for task in laws}}
                for member in document["members"]
            )
            if not first["domains"] == second["domains"] == document["domains"]:
                raise ValueError("members of other domains")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"blend: the laws of two members are expected: {error!r}") from None
        law.members_ = (LogLinear.from_json(first), Kernel.from_json(second))
        law.n_features_in_ = law.members_[0].n_features_in_
        return law
