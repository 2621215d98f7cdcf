"""The update: what happened to the domain set since the parent generation, told by content (paper, section 4.1)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.plan.history import AcceptedMixture, short_digest


@dataclass(frozen=True)
class Update:
    """Leaf names by operator. `removed` are names of the parent's leaves, all others today's; lists are sorted."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    partitioned: list[str] = field(default_factory=list)
    """Leaves that regroup the files of others: the parts of a split, the whole of a merge."""
    unchanged: list[str] = field(default_factory=list)
    lineage: dict[str, list[str]] = field(default_factory=dict)
    """Regrouped or renamed leaf → the parent's leaves that it comes from."""

    @property
    def by_operator(self) -> dict[str, list[str]]:
        """The lists, as `olmix plan --json` prints them."""
        names = ("added", "removed", "revised", "partitioned", "unchanged")
        return {name: getattr(self, name) for name in names}


def find_update(ancestors: Sequence[AcceptedMixture], leaves: Sequence[Leaf]) -> Update:
    """Compare today's leaves with those of the parent, the first of the ancestors; without a parent all are added.

    A leaf with a known content digest is unchanged, whatever its name. Of the others, leaves that hold exactly the
    files of leaves that are gone regroup them (partition, merge), as do leaves that declare `partition_of` or
    `merge_of`; a leaf with the name of one that is gone revises it; the rest is added or removed.

    Raises InputError for a leaf declared to come from one that is still there, or that no ancestor had.
    """
    if not ancestors:
        return Update(added=sorted(leaf.name for leaf in leaves))
    parent = ancestors[0]
    name_of = {leaf.content: name for name, leaf in parent.leaves.items()}
    update = Update(unchanged=sorted(leaf.name for leaf in leaves if leaf.content in name_of))
    for leaf in leaves:
        if leaf.content in name_of and name_of[leaf.content] != leaf.name:
            update.lineage[leaf.name] = [name_of[leaf.content]]
    today = {leaf.content for leaf in leaves}
    new = {leaf.name: leaf for leaf in leaves if leaf.content not in name_of}
    gone = {name for name, leaf in parent.leaves.items() if leaf.content not in today}

    origins = _declared(new, gone, ancestors)
    origins |= _same_files(
        {name: leaf for name, leaf in new.items() if name not in origins},
        gone - {name for names in origins.values() for name in names},
        parent,
    )
    for name, sources in origins.items():
        if len(sources) == 1 and sum(sources[0] in others for others in origins.values()) == 1:
            continue  # one leaf became one other: a revision, or a leaf of another name
        update.partitioned.append(name)
        update.lineage[name] = sources
    regrouped = {source for name in update.partitioned for source in update.lineage[name]}
    for name in new:
        if name not in update.partitioned:
            (update.revised if name in gone - regrouped else update.added).append(name)
    update.removed.extend(gone - regrouped - set(update.revised))
    for names in (update.added, update.removed, update.revised, update.partitioned):
        names.sort()
    return update


def _declared(new: dict[str, Leaf], gone: set[str], ancestors: Sequence[AcceptedMixture]) -> dict[str, list[str]]:
    """Origins by declaration; a leaf that only an earlier ancestor had is an older story and tells nothing."""
    parent, known = ancestors[0], {name for mixture in ancestors for name in mixture.leaves}
    origins = {}
    for name, leaf in new.items():
        lineage = leaf.spec.lineage
        where = leaf.spec.where.split(": ")[0]
        declared = [origin for origin in [lineage.partition_of, *lineage.merge_of] if origin]
        if unknown := [origin for origin in declared if origin not in known]:
            raise InputError(
                f"{where}: {name} is declared to come from {unknown[0]!r}, which no accepted domain set has; "
                f"leaves of mixtures/{parent.name}.yaml: {', '.join(sorted(parent.leaves))}"
            )
        named = [origin for origin in declared if origin in parent.leaves]
        for origin in named:
            if origin not in gone:
                raise InputError(
                    f"{where}: {name} is declared to come from {origin}, which is still in "
                    "the domain set unchanged; remove that leaf or the declaration"
                )
        if named:
            origins[name] = sorted(set(named))
    return origins


def _same_files(new: dict[str, Leaf], gone: set[str], parent: AcceptedMixture) -> dict[str, list[str]]:
    """Origins by files: groups of new leaves that hold, together, exactly the files of groups of gone leaves."""
    after = {name: Counter(short_digest(file.identity) for file in leaf.files) for name, leaf in new.items()}
    before = {name: Counter(parent.leaves[name].files.split()) for name in gone}
    holders: dict[str, list[str]] = {}
    for name, files in after.items():
        for file in files:
            holders.setdefault(file, []).append(name)
    origins: dict[str, list[str]] = {}
    left = dict(before)
    while left:
        start = min(left)
        old, young = _connected(start, before, after, holders)
        left = {name: files for name, files in left.items() if name not in old}
        if young and sum((before[n] for n in old), Counter()) == sum((after[n] for n in young), Counter()):
            for name in young:
                origins[name] = sorted(n for n in old if before[n] & after[name])
    return origins


def _connected(
    start: str, before: dict[str, Counter[str]], after: dict[str, Counter[str]], holders: dict[str, list[str]]
) -> tuple[set[str], set[str]]:
    """All gone and all new leaves that share files with each other, directly or over others."""
    old, young, queue = {start}, set(), [start]
    owners: dict[str, list[str]] = {}
    for name, files in before.items():
        for file in files:
            owners.setdefault(file, []).append(name)
    while queue:
        for file in before[queue.pop()]:
            for name in holders.get(file, []):
                if name in young:
                    continue
                young.add(name)
                more = {owner for shared in after[name] for owner in owners.get(shared, [])} - old
                old |= more
                queue.extend(more)
    return old, young
