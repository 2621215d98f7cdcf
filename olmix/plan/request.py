"""What a plan is made for: all that is known before a token is counted, and the update and coordinates it implies."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from olmix.corpus import tokens
from olmix.digest import digest
from olmix.domains.fingerprint import Leaf
from olmix.errors import InputError
from olmix.evaluation import items
from olmix.evaluation import spec as evaluation
from olmix.evaluation.suite import Suite
from olmix.params import NOT_KEYED, Params
from olmix.plan.history import AcceptedMixture
from olmix.plan.imports import Import
from olmix.plan.plan import round_key
from olmix.plan.reuse import Coordinate, choose_strategy, coordinates
from olmix.plan.swarm import swarm_size
from olmix.plan.update import Update, find_update
from olmix.proxy import spec as proxy
from olmix.regression import spec as regression
from olmix.solve import spec as solve

_KEYED = (tokens, items, proxy, evaluation, regression, solve)
"""Modules whose recipe versions enter the keys that a plan holds."""

RECIPE = 4
"""Version of the planner and sampler: raise it when the same request would give another plan."""

# Where things are is no part of what they are; their contents enter the key by themselves.
_UNKEYED: Any = NOT_KEYED | {"domains": True, "evaluation": True, "tokenizer": {"path"}}


@dataclass(frozen=True)
class Request:
    """What a plan is made for, before any token is counted."""

    leaves: tuple[Leaf, ...]
    params: Params
    suite: Suite
    ancestors: tuple[AcceptedMixture, ...] = ()
    """Accepted generations that this one descends from, the parent first."""
    imports: tuple[Import, ...] = ()

    @property
    def parent(self) -> AcceptedMixture | None:
        """The generation whose domain set today's is compared with."""
        return self.ancestors[0] if self.ancestors else None

    @cached_property
    def update(self) -> Update:
        """What happened to the domain set since."""
        return find_update(self.ancestors, self.leaves)

    @property
    def strategy(self) -> str:
        """Reuse strategy in force."""
        return choose_strategy(self.parent, self.update, self.params.reuse)

    @cached_property
    def coordinates(self) -> list[Coordinate]:
        """Virtual domains and free leaves."""
        return coordinates(self.leaves, self.update, self.parent, self.strategy, self.params.reuse)

    @property
    def nothing_free(self) -> bool:
        """Whether one virtual domain holds everything, so that no run is needed."""
        return len(self.coordinates) == 1

    @property
    def runs(self) -> int:
        """Swarm runs that the laws need, earlier ones included where the strategy counts them."""
        return 0 if self.nothing_free else swarm_size(len(self.coordinates), self.params.swarm)

    @property
    def full_runs(self) -> int:
        """Swarm runs of full recomputation."""
        return swarm_size(len(self.leaves), self.params.swarm)

    @property
    def rounds(self) -> int:
        """Rounds that the swarm is grown in."""
        return 1 if self.nothing_free else self.params.swarm.rounds

    def runs_by(self, round_number: int) -> int:
        """Swarm runs up to the end of a round: equal shares, but the first round must identify the laws."""
        share = math.ceil(self.runs * round_number / self.rounds)
        return min(self.runs, max(share, len(self.coordinates) + 2, self.params.swarm.min_runs_per_leaf))

    def round_key(self, round_number: int) -> str:
        """Key of the plan of a round; that of the last one is the plan's."""
        if round_number == self.rounds:
            return self.key
        return round_key(self.key, round_number)

    def round_of(self, key: str) -> int:
        """The round whose plan has a key. Raises InputError for another key."""
        for number in range(1, self.rounds + 1):
            if self.round_key(number) == key:
                return number
        raise InputError(f"{key}: is not the plan of a round of today's domain set and params")

    def check(self) -> None:
        """Find mistakes that need no token count. Raises InputError."""
        _ = self.coordinates

    @cached_property
    def key(self) -> str:
        """Key of the plan: names, contents, params, tasks, ancestors, imports."""
        return digest(
            {
                "leaves": {leaf.name: leaf.content for leaf in self.leaves},
                "params": self.params.model_dump(mode="json", exclude=_UNKEYED),
                "suite": self.suite.content,
                "tasks": {task.name: [task.family, task.weight] for task in self.suite.tasks},
                "update": self.update.by_operator | {"lineage": self.update.lineage},
                "ancestors": [mixture.identity() for mixture in self.ancestors],
                "imports": {
                    i.name: [sorted(run.key for run in i.runs), [list(u) for u in i.unusable]] for i in self.imports
                },
                "recipes": [RECIPE, *(module.RECIPE for module in _KEYED)],
            }
        )
