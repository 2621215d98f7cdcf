"""The prior: the natural mixture of a domain set, with the user's manual weights and temperature."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from olmix.errors import InputError
from olmix.params import PriorParams

_ROUNDING = 1e-9  # manual weights are typed by hand: 0.1 + 0.2 + 0.7 is a sum of 1


def natural_prior(
    tokens: ArrayLike, source_of: ArrayLike, source_names: Sequence[str], params: PriorParams
) -> NDArray[np.float64]:
    """Prior over leaves: natural shares, manual weights of sources, then temperature (method section 1, step 1).

    `tokens` (m,) are whole numbers, `source_of` (m,) indexes `source_names`. A manual weight is the total of its
    source, which its leaves share naturally; the other sources share the rest in their natural ratios. All sums are
    exact, so the order of leaves changes no bit. Returns (m,) shares that sum to 1.

    Raises InputError for an unknown source, a weight outside 0 to 1, a wrong sum, and weight on no tokens at all.
    """
    counts = np.asarray(tokens, dtype=np.float64)
    sources = np.asarray(source_of, dtype=np.intp)
    totals = np.bincount(sources, weights=counts, minlength=len(source_names)).astype(np.float64)
    if not totals.sum() > 0:
        raise InputError("domains: found 0 tokens in all leaves; at least one token is needed")
    source_weights = _source_weights(totals, source_names, params.manual)
    shares = source_weights[sources] * counts / np.where(totals > 0, totals, 1)[sources]
    tempered = (shares / shares.max()) ** params.temperature  # the largest is 1: nothing vanishes altogether
    return tempered / math.fsum(tempered)


def collapsed_prior(
    natural: NDArray[np.float64], names: Sequence[str], chosen: dict[str, float]
) -> NDArray[np.float64]:
    """Prior over coordinates (d,): the sums of their leaves' priors, or chosen weights; the others share the rest.

    Raises InputError if the chosen weights leave nothing for the others.
    """
    total = math.fsum(chosen.values())
    is_chosen = np.array([name in chosen for name in names])
    if chosen and not is_chosen.all() and total >= 1:
        raise InputError(
            f"params.yaml: reuse.prior: weights sum to {total:.6g}; allowed: below 1, for the other leaves"
        )
    if chosen and is_chosen.all() and abs(total - 1) > _ROUNDING:
        raise InputError(f"params.yaml: reuse.prior: weights of all virtual domains sum to {total:.6g}; allowed: 1")
    rest = math.fsum(natural[~is_chosen])
    scale = (1 - total) / rest if chosen and rest else 1.0
    return np.array([chosen.get(name, share * scale) for name, share in zip(names, natural, strict=True)])


def _source_weights(totals: NDArray[np.float64], names: Sequence[str], manual: dict[str, float]) -> NDArray[np.float64]:
    """Weights of sources (s,) from their tokens (s,) and the manual weights."""
    for name, weight in manual.items():
        field = f"params.yaml: prior.manual.{name}: found {weight!r}"
        if name not in names:
            raise InputError(f"{field}, but there is no such source; allowed: {', '.join(sorted(names))}")
        if not 0 <= weight <= 1:
            raise InputError(f"{field}; allowed: 0 to 1")
        if weight > 0 and totals[names.index(name)] == 0:
            raise InputError(f"{field}, but the source has no tokens; allowed: 0")
    is_manual = np.array([name in manual for name in names])
    others = math.fsum(totals[~is_manual])
    total = math.fsum(manual.values())
    if total > 1 + _ROUNDING or (others == 0 and total < 1 - _ROUNDING):
        largest = max(sorted(manual), key=lambda name: manual[name])
        allowed = "at most 1" if others > 0 else "1, as no other source has tokens"
        raise InputError(
            f"params.yaml: prior.manual.{largest}: found {manual[largest]!r}, and all manual weights sum to "
            f"{total:.10g}; allowed: a sum of {allowed}"
        )
    rest = 1 - total if total < 1 - _ROUNDING else 0.0
    natural = totals * (rest / (others or 1))
    return np.array([manual.get(name, share) for name, share in zip(names, natural, strict=True)])
