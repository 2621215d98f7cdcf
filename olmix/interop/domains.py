"""The domains of a fit: names that both sides agree on, shares before mixing, and caps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from olmix.errors import InputError
from olmix.interop.schema import FitConfig, Priors, did_you_mean
from olmix.interop.tables import Table, listed
from olmix.regression.base import Array, Mask
from olmix.solve.problem import FEASIBILITY_TOLERANCE

USUAL_SUMS = (0.5, 1.5)
"""`relative_sizes` that sum to something else than 1 are renormalised within these limits, with a note."""

_ROUNDED = 1e-3
_AGREEMENT = 0.01


@dataclass(frozen=True)
class Domains:
    """Names, sorted, and a value for each."""

    names: list[str]
    shares: Array
    """(m,) sum 1: `relative_sizes`, or else the shares of the tokens."""
    reference: Array
    """(m,) sum 1: what the KL penalty refers to."""
    caps: Array
    """(m,) largest weights, infinite without constraints."""
    notes: list[str]


def read_domains(config: FitConfig, path: Path, table: Table) -> Domains:
    """Domains of the configuration at `path`, which must be those of the table of ratios.

    Raises InputError with both sides' names where they differ, and for shares that cannot be meant.
    """
    priors = config.priors
    sizes, tokens = priors.relative_sizes, priors.token_counts
    if sizes and tokens and sizes.keys() != tokens.keys():
        raise InputError(
            f"{path}: priors: {_difference('relative_sizes', sizes, 'token_counts', tokens)}; allowed: the same names"
        )
    _check_names(path, "relative_sizes" if sizes else "token_counts", {**sizes, **tokens}, table)
    names = sorted({**sizes, **tokens})
    notes: list[str] = []
    natural = _token_shares(priors, names, path, notes) if tokens else None
    shares = _sizes(sizes, names, path, notes) if sizes else natural
    assert shares is not None  # one of the two is required
    if sizes and natural is not None and (apart := np.abs(shares - natural)).max() > _AGREEMENT:
        j = int(np.argmax(apart))
        notes.append(
            f"{path}: priors: relative_sizes are not the shares of token_counts; furthest apart is {names[j]}, "
            f"{shares[j]:.4g} of the sizes and {natural[j]:.4g} of the tokens"
        )
    reference = natural if config.proposer.use_natural_kl and natural is not None else shares
    caps = np.full(len(names), np.inf)
    constraints = config.constraints
    if constraints.enabled and constraints.target_tokens:
        caps = np.array([tokens[name] for name in names]) * (constraints.repetition_factor / constraints.target_tokens)
    return Domains(names, shares, reference, caps, notes)


def select_domains(domains: Domains, field: str, chosen: Collection[str]) -> tuple[Domains, list[int]]:
    """Some of the domains, shares renormalised, and their places. Raises InputError for names that are no domains.

    field: what names them, for messages.
    """
    for name in chosen:
        _check_known(name, field, domains)
    places = [j for j, name in enumerate(domains.names) if name in chosen]
    shares, reference = domains.shares[places], domains.reference[places]
    if not shares.sum() > 0 or not reference.sum() > 0:
        raise InputError(f"{field}: found only domains without a share in priors; allowed: others")
    names = [domains.names[j] for j in places]
    caps = domains.caps[places]
    return Domains(names, shares / shares.sum(), reference / reference.sum(), caps, domains.notes), places


def bounds(domains: Domains, config: FitConfig, path: Path, held: Mask) -> tuple[Array, Array]:
    """Smallest and largest weights (m,): 0 and the caps, given weights, and prior shares of what is held (m,).

    What is not fixed shares the rest in the ratios of the prior. Raises InputError if no mixture fits.
    """
    fixed = config.filtering.fixed_weight
    for name, weight in fixed.items():
        _check_known(name, f"{path}: filtering.fixed_weight", domains)
        if weight > (cap := domains.caps[domains.names.index(name)]):
            raise InputError(f"{path}: filtering.fixed_weight: found {weight:g} for {name}, whose cap is {cap:.6g}")
        penalised = config.proposer.kl_reg != 0 and config.proposer.type not in ("simulation", "search")
        if penalised and not domains.reference[domains.names.index(name)] > 0:
            raise InputError(
                f"{path}: filtering.fixed_weight: found {weight:g} for {name}, which has no share in priors; "
                "allowed with proposer.kl_reg 0 only"
            )
    rest = 1 - sum(fixed.values())
    is_fixed = np.array([name in fixed for name in domains.names])
    natural = domains.shares[~is_fixed].sum()
    if rest <= 0 or not natural > 0:
        raise InputError(
            f"{path}: filtering.fixed_weight: found weights that sum to {1 - rest:g}, and a share of {natural:g} in "
            "priors for all other domains; allowed: less than 1, and more than 0"
        )
    if (is_fixed | held).all():
        raise InputError(
            f"{path}: the training runs leave the effect of every domain open, so that there is nothing to solve; "
            "add runs of other mixtures, or set proposer.fit_only: true"
        )
    caps = np.minimum(domains.caps, 1.0)
    lower = np.where(held, np.minimum(domains.shares * rest / natural, caps), 0.0)
    lower[is_fixed] = [fixed[name] for name in domains.names if name in fixed]
    caps = np.where(held | is_fixed, lower, caps)
    if caps.sum() < 1 - FEASIBILITY_TOLERANCE:
        constraints = config.constraints
        raise InputError(
            f"{path}: constraints: caps sum to {caps.sum():.6g}, at least 1 is needed (repetition_factor "
            f"{constraints.repetition_factor:g} x token_counts / target_tokens {constraints.target_tokens:,}); "
            "allowed: a smaller target_tokens, a larger repetition_factor, or enabled: false"
        )
    return lower, caps


def _check_known(name: str, field: str, domains: Domains) -> None:
    if name not in domains.names:
        raise InputError(
            f"{field}: found {name!r}, which is no domain{did_you_mean(name, domains.names)}; "
            f"allowed: {listed(domains.names)}"
        )


def _sizes(sizes: Mapping[str, float], names: list[str], path: Path, notes: list[str]) -> Array:
    shares = np.array([sizes[name] for name in names])
    total = float(shares.sum())
    if not USUAL_SUMS[0] <= total <= USUAL_SUMS[1]:
        raise InputError(
            f"{path}: priors.relative_sizes: found shares that sum to {total:.6g}; "
            f"allowed: 1, or {USUAL_SUMS[0]} to {USUAL_SUMS[1]}, which is renormalised"
        )
    if abs(total - 1) > _ROUNDED:
        notes.append(
            f"{path}: WARNING: priors.relative_sizes sum to {total:.6g}, not to 1: every share is divided by that sum; "
            "is a domain missing?"
        )
    return shares / total


def _token_shares(priors: Priors, names: list[str], path: Path, notes: list[str]) -> Array:
    tokens = np.array([priors.token_counts[name] for name in names], dtype=np.float64)
    if not tokens.sum() > 0:
        raise InputError(f"{path}: priors.token_counts: found 0 for all domains; allowed: tokens in at least one")
    total = priors.total_tokens
    if total is not None and abs(total - tokens.sum()) > _ROUNDED * tokens.sum():
        notes.append(f"{path}: priors.total_tokens is {total:,}, but token_counts sum to {int(tokens.sum()):,}")
    return tokens / tokens.sum()


def _check_names(path: Path, field: str, names: Collection[str], table: Table) -> None:
    columns = table.columns
    if set(names) == set(columns):
        return
    alone, apart = [n for n in names if n not in columns], [c for c in columns if c not in names]
    hint = ""
    for name in alone:
        for column in apart:
            if name.endswith(f":{column}") or column.endswith(f":{name}"):
                longer, shorter = (name, column) if len(name) > len(column) else (column, name)
                prefix = longer.removesuffix(shorter)
                where = "priors" if longer == name else f"the columns of {table.path.name}"
                hint = f"; names in {where} begin with {prefix!r}, those on the other side do not"
    if not hint and alone and apart:
        hint = did_you_mean(alone[0], apart)
    raise InputError(
        f"{path}: priors.{field} and the columns of {table.path} differ: "
        f"{_difference('priors', names, 'the table', columns)}{hint}; allowed: the same names on both sides"
    )


def _difference(left: str, ours: Collection[str], right: str, theirs: Collection[str]) -> str:
    """What only one side has."""
    sides = ((left, [n for n in ours if n not in theirs]), (right, [n for n in theirs if n not in ours]))
    return ", ".join(f"only {side} has {listed(sorted(names))}" for side, names in sides if names)
