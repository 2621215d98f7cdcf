"""The baseline without a model: a mixture scores what its run scored (paper, section 3.3.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.regression.base import Array, Family, check_mixtures, sort_runs
from olmix.regression.document import read_laws, read_numbers, write_laws

SAME_MIXTURE = 1e-9
"""Two mixtures whose weights differ by at most so much are the same experiment."""


class Search(Family):
    """The table of the swarm: runs of one mixture score their mean, mixtures without a run +inf.

    Attributes after fit: mixtures_ (K, m), scores_ (K, n).
    """

    name = "search"
    smooth = False
    parametric = False

    def _fit(self, P: Array, Y: Array) -> None:
        self.mixtures_, self.scores_ = sort_runs(P, Y)

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m), +inf without a run. Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.n_features_in_)
        total, runs = np.zeros((len(P), self.scores_.shape[1])), np.zeros((len(P), 1))
        for mixture, scores in zip(self.mixtures_, self.scores_, strict=True):
            same = (np.abs(P - mixture) <= SAME_MIXTURE).all(axis=1)
            total[same] += scores
            runs[same] += 1
        return np.where(runs > 0, total / np.maximum(runs, 1), np.inf)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The table as plain values: the mixtures, and per task their scores."""
        laws = [{"scores": scores.tolist()} for scores in self.scores_.T]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, mixtures=self.mixtures_.tolist())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.mixtures_ = check_mixtures(document.get("mixtures", []), domains=m)
        law.scores_ = read_numbers(laws, "scores", (len(law.mixtures_),)).T
        return law
