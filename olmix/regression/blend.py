"""The mean of the log-linear law and the kernel law, whose errors differ."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Self

from numpy.typing import ArrayLike

from olmix.errors import InputError
from olmix.regression.base import Array, Family
from olmix.regression.document import read_laws, write_laws
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
        return write_laws(self.name, domains, tasks, [{}] * len(tasks), self.n_features_in_, members=members)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        _, m = read_laws(document, cls.name)
        members = document.get("members")
        if not isinstance(members, list) or len(members) != 2 or not all(isinstance(one, Mapping) for one in members):
            raise InputError("members: the documents of a log-linear and of a kernel law are expected")
        law = cls()
        law.members_ = (LogLinear.from_json(members[0]), Kernel.from_json(members[1]))
        law.n_features_in_ = m
        for member in members:
            if member["domains"] != document["domains"] or list(member["tasks"]) != list(document["tasks"]):
                raise InputError(f"members: {member['regression']} has other domains or tasks than the blend")
        return law
