"""Cross-validation over the runs of a swarm; folds depend on the mixtures only, never on the order of rows."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from olmix.errors import InputError
from olmix.regression.base import Array, Family, check_mixtures, check_scores

FOLDS = 5
"""Folds of every cross-validation."""

_DECIMALS = 9  # two mixtures that agree to so many decimals are the same experiment


def assign_folds(P: Array, folds: int = FOLDS) -> NDArray[np.intp]:
    """Fold (K,) of each run, from the content of the mixtures (K, m): a pseudo-random split without a generator.

    Runs of one mixture share a fold, or the answer would leak; folds differ by at most one mixture. A mixture is
    hashed by its inner products with all mixtures, which neither the order of rows nor that of domains can change.
    Raises InputError if all runs have the same mixture.
    """
    distinct, group = np.unique(P.round(_DECIMALS), axis=0, return_inverse=True)
    if len(distinct) < 2:
        raise InputError(f"{len(P)} runs of one mixture: the law cannot be identified; add runs of other mixtures")
    gram = np.sort((distinct @ distinct.T).round(_DECIMALS) + 0.0, axis=1)
    norms = (distinct**2).sum(axis=1).round(_DECIMALS) + 0.0
    hashes = [hashlib.sha256(np.append(row, norm).tobytes()).hexdigest() for row, norm in zip(gram, norms, strict=True)]
    rank = np.empty(len(distinct), dtype=np.intp)
    rank[sorted(range(len(distinct)), key=hashes.__getitem__)] = np.arange(len(distinct))
    return rank[group.ravel()] % min(folds, len(distinct))


def cross_validated(P: ArrayLike, Y: ArrayLike, estimator: Family, folds: int = FOLDS) -> Array:
    """Out-of-fold predictions (K, n): each run is predicted by laws fitted on the other folds.

    P: (K, m) mixtures; Y: (K, n) scores. Everything an estimator chooses (the penalty, say) is chosen again inside
    each training part, so the predictions know nothing of the runs that they are compared with.
    """
    P = check_mixtures(P)
    Y = check_scores(Y, len(P))
    fold = assign_folds(P, folds)
    predicted = np.empty_like(Y)
    for k in range(fold.max() + 1):
        held_out = fold == k
        predicted[held_out] = clone(estimator).fit_fold(P[~held_out], Y[~held_out]).predict(P[held_out])
    return predicted
