"""How strongly a law is drawn towards "the mixture has no effect": chosen per task, from what is held out."""

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.regression.base import Array, Mask

SHARES = np.linspace(0, 1, 5)
"""Shares of an effect that are compared for laws without a penalty."""


def check_penalty(penalty: float | str) -> None:
    """Raises InputError for a penalty that is neither "auto" nor a number of at least 0."""
    if penalty != "auto" and (isinstance(penalty, str) or not 0 <= penalty < np.inf):
        raise InputError(f"penalty: found {penalty!r}; 'auto' or a number of at least 0 is allowed")


def choose_cautiously(losses: Array, allowed: Mask | None = None) -> NDArray[np.intp]:
    """Index (n,) of each task's candidate, from out-of-fold losses (g, K, n) with the most cautious candidate first.

    allowed: (g, n) the candidates that may be chosen, at least one per task; all by default.

    The one-standard-error rule (Breiman et al. 1984): the first candidate whose mean loss is not above the smallest by
    more than the standard error of the difference. A task that mixtures hardly move keeps a law that is nearly
    constant, where the candidate with the smallest mean is often one that chance favours.
    """
    allowed = np.full((len(losses), losses.shape[2]), True) if allowed is None else allowed
    best = np.where(allowed, losses.mean(axis=1), np.inf).argmin(axis=0)
    excess = losses - np.take_along_axis(losses, best[None, None, :], axis=0)
    error = excess.std(axis=1) / np.sqrt(losses.shape[1])
    return (allowed & (excess.mean(axis=1) <= error)).argmax(axis=0)


def choose_shares(held_out: Array, means: Array, Y: Array) -> Array:
    """Share (n,) of each task's effect to keep, for laws that nothing else draws to the mean.

    held_out: (K, n) out-of-fold predictions; means: (K, n) means of the scores that each was fitted on; Y: (K, n).
    """
    kept = means + SHARES[:, None, None] * (held_out - means)
    return SHARES[choose_cautiously((kept - Y) ** 2)]
