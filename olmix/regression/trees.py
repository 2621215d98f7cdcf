"""Gradient-boosted trees, the regression of RegMix (paper, section 3.3.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from olmix.errors import InputError
from olmix.regression.base import Array, Family, canonical_columns, check_mixtures, sort_runs
from olmix.regression.crossval import assign_folds
from olmix.regression.document import read_laws, read_numbers, write_laws
from olmix.regression.penalty import choose_shares

MAX_ROUNDS = 10_000
"""Most trees of a task (authors' code)."""

PATIENCE = 20
"""Rounds without a smaller held-out error after which boosting stops."""

_LEAVES, _MAX_LEAF = 20, 20  # a leaf has at least K / 20 runs, but never more than LightGBM's usual least


class LightGBM(Family):
    """Boosted trees with the authors' settings: learning rate 0.01, at most 10,000 rounds, squared error.

    The authors stop when the error on the training runs rises, which it never does; here the number of rounds has the
    least 5-fold out-of-fold error, and of what trees of noise still claim only a share is kept (`choose_shares`).
    A leaf has at least K / 20 runs, from 400 runs on LightGBM's usual 20, with which 64 runs are hardly ever split.

    Parameters: seed. It changes nothing, since nothing is sampled. Attributes after fit: level_ (n,) means of the
    scores, share_ (n,), rounds_ (n,), boosters_ of the n tasks, columns_ (m,) the order of domains that they are in.

    The order of runs, that of domains and other tasks do not change a bit of a law, the order of domains unless two of
    them have the same shares. LightGBM keeps scores in single precision.
    """

    name = "lightgbm"
    smooth = False
    parametric = False

    boosters_: list[Any]

    def __init__(self, seed: int = 42) -> None:
        self.seed = seed

    def _fit(self, P: Array, Y: Array) -> None:
        import lightgbm

        self.columns_ = canonical_columns(P)
        P, Y = sort_runs(P[:, self.columns_], Y)
        K, n = Y.shape
        settings = {
            "objective": "regression",
            "metric": "l2",
            "learning_rate": 0.01,
            "min_data_in_leaf": min(max(K // _LEAVES, 1), _MAX_LEAF),
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        fold = assign_folds(P)
        parts = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(fold.max() + 1)]
        held_out, means = np.empty_like(Y), np.empty_like(Y)
        self.boosters_, self.rounds_ = [], np.empty(n, dtype=np.intp)
        for i, scores in enumerate(np.ascontiguousarray(Y.T)):
            data = lightgbm.Dataset(P, scores, params=settings)
            stop = lightgbm.early_stopping(PATIENCE, verbose=False)
            found: Any = lightgbm.cv(settings, data, MAX_ROUNDS, folds=parts, callbacks=[stop], return_cvbooster=True)
            self.rounds_[i] = rounds = 1 + int(np.argmin(found["valid l2-mean"]))
            for (fitted, left), booster in zip(parts, found["cvbooster"].boosters, strict=True):
                held_out[left, i] = booster.predict(P[left], num_iteration=rounds, num_threads=1)
                means[left, i] = scores[fitted].mean()
            text = lightgbm.train(settings, data, rounds).model_to_string()
            self.boosters_.append(lightgbm.Booster(model_str=text))  # as it will be read from JSON
        self.level_ = np.ascontiguousarray(Y.T).mean(axis=1)
        self.share_ = choose_shares(held_out, means, Y)

    def predict(self, P: ArrayLike) -> Array:
        """Scores (K, n) for mixtures (K, m). Raises InputError for rows that are not mixtures."""
        P = check_mixtures(P, domains=self.n_features_in_)[:, self.columns_]
        predicted = np.array([booster.predict(P, num_threads=1) for booster in self.boosters_]).T
        return self.level_ + self.share_ * (predicted - self.level_)

    def to_json(self, domains: Sequence[str], tasks: Sequence[str]) -> dict[str, Any]:
        """The laws as plain values: the order of the domains in the trees, per task LightGBM's text of its trees."""
        laws = [
            {"level": float(level), "share": float(share), "trees": booster.model_to_string()}
            for level, share, booster in zip(self.level_, self.share_, self.boosters_, strict=True)
        ]
        return write_laws(self.name, domains, tasks, laws, self.n_features_in_, columns=self.columns_.tolist())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Laws written by `to_json`. Raises InputError if malformed."""
        import lightgbm

        laws, m = read_laws(document, cls.name)
        law = cls()
        law.n_features_in_ = m
        law.columns_ = read_numbers([document], "columns", (m,))[0].astype(np.intp)
        if sorted(law.columns_) != list(range(m)):
            raise InputError(f"columns: found {law.columns_.tolist()}; an order of 0 to {m - 1} is expected")
        law.level_, law.share_ = read_numbers(laws, "level", ()), read_numbers(laws, "share", ())
        if not all(isinstance(task.get("trees"), str) for task in laws):
            raise InputError("tasks: trees: text is expected for every task")
        try:
            law.boosters_ = [lightgbm.Booster(model_str=task["trees"]) for task in laws]
        except (TypeError, lightgbm.basic.LightGBMError) as error:
            raise InputError(f"tasks: trees in LightGBM's text format are expected for every task: {error!r}") from None
        if any(booster.num_feature() != m for booster in law.boosters_):
            raise InputError(f"tasks: trees for another number of domains than {m}")
        return law
