"""Mixture reuse: which leaves are frozen in which virtual domain, and which are free (paper, Algorithm 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olmix.digest import digest
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.params import ReuseParams
from olmix.plan.history import AcceptedMixture
from olmix.plan.space import frozen_ratios
from olmix.plan.update import Update

EXISTING = "existing"
"""Name of the virtual domain that holds all frozen leaves."""


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of today's problem."""

    name: str
    id: str
    """Content digest of a free leaf; of a virtual domain, digest of its contents and ratios."""
    source: str
    """Label that groups coordinates for sampling."""
    virtual: bool
    ratios: dict[str, float]
    """Share of each leaf by name: frozen in a virtual domain, 1 for a free leaf."""


def choose_strategy(parent: AcceptedMixture | None, update: Update, params: ReuseParams) -> str:
    """The strategy that is possible: without a parent, or without a leaf left of it, nothing can be frozen."""
    if params.strategy in ("full", "partial") and (parent is None or not update.unchanged):
        return "none"
    return params.strategy


def coordinates(
    leaves: Sequence[Leaf], update: Update, parent: AcceptedMixture | None, strategy: str, params: ReuseParams
) -> list[Coordinate]:
    """Coordinates of today's problem, virtual domains first, then free leaves, each sorted by name.

    Raises InputError for names in `reuse.recompute` and `reuse.prior` that do not exist, and if the frozen leaves of a
    virtual domain had no weight in the parent, so that there are no ratios to reuse.
    """
    _check_recompute(leaves, params)
    groups = _groups(leaves, update, strategy, params)
    if parent is not None:  # a single leaf has a ratio whatever its weight was, and none to reuse if that was 0
        groups = {
            name: members
            for name, members in groups.items()
            if len(members) > 1 or parent.weight_of[members[0].content] > 0
        }
    found = []
    for name, members in sorted(groups.items()):
        assert parent is not None
        weights = [parent.weight_of[leaf.content] for leaf in members]
        if not any(weights):
            raise InputError(
                f"mixtures/{parent.name}.yaml: {', '.join(leaf.name for leaf in members[:3])}: the unaffected leaves "
                "have weight 0 together, so there are no ratios to reuse; set reuse.strategy: none"
            )
        ratios = frozen_ratios(weights).tolist()
        by_content = {leaf.content: ratio for leaf, ratio in zip(members, ratios, strict=True)}
        by_name = {leaf.name: ratio for leaf, ratio in zip(members, ratios, strict=True)}
        found.append(Coordinate(name, virtual_id(by_content), f"{name} (virtual)", True, by_name))
    frozen = {leaf.name for members in groups.values() for leaf in members}
    for leaf in sorted(leaves, key=lambda leaf: leaf.name):
        if leaf.name not in frozen:
            found.append(Coordinate(leaf.name, leaf.content, leaf.spec.source, False, {leaf.name: 1.0}))
    virtual = sorted(groups)
    if unknown := [name for name in params.prior if name not in virtual]:
        allowed = f"virtual domains of today's plan: {', '.join(virtual)}" if virtual else "nothing is frozen today"
        raise InputError(f"params.yaml: reuse.prior.{unknown[0]}: no such virtual domain; {allowed}")
    return found


def _check_recompute(leaves: Sequence[Leaf], params: ReuseParams) -> None:
    known = {leaf.name for leaf in leaves} | {leaf.spec.source for leaf in leaves}
    if unknown := sorted(set(params.recompute) - known):
        raise InputError(
            f"params.yaml: reuse.recompute: {unknown[0]!r} is no leaf or source; allowed: {', '.join(sorted(known))}"
        )


def virtual_id(ratios: Mapping[str, float]) -> str:
    """Id of a virtual domain: its frozen ratios by leaf content."""
    return digest({"virtual": dict(ratios)})


def _groups(leaves: Sequence[Leaf], update: Update, strategy: str, params: ReuseParams) -> dict[str, list[Leaf]]:
    """Frozen leaves by virtual domain, in the canonical order of contents."""
    if strategy not in ("full", "partial"):
        return {}
    recompute = set(params.recompute)
    unchanged = set(update.unchanged)
    frozen = [
        leaf
        for leaf in sorted(leaves, key=lambda leaf: leaf.content)
        if leaf.name in unchanged and not {leaf.name, leaf.spec.source} & recompute
    ]
    if params.virtual == "one":
        name = EXISTING if all(EXISTING not in (leaf.name, leaf.spec.source) for leaf in leaves) else f"{EXISTING}*"
        return {name: frozen} if frozen else {}
    by_source: dict[str, list[Leaf]] = {}
    for leaf in frozen:
        by_source.setdefault(leaf.spec.source, []).append(leaf)
    # A leaf that is alone in its virtual domain is a free leaf.
    groups = {source: members for source, members in by_source.items() if len(members) > 1}
    if not groups:
        raise InputError(
            "params.yaml: reuse.virtual: source freezes nothing, as no source has two unaffected leaves; "
            "set reuse.strategy: none, or full"
        )
    return groups
