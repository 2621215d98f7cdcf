"""Fit of the laws on the swarm table, as one artefact."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olmix.errors import InputError
from olmix.params import RegressionParams
from olmix.plan.plan import Plan, PlannedCoordinate
from olmix.regression.auto import Auto
from olmix.regression.base import Family
from olmix.regression.crossval import cross_validated
from olmix.regression.families import make_family, read_family
from olmix.regression.log_linear import LogLinear
from olmix.regression.spec import KIND, RECIPE
from olmix.regression.table import read_evidence, read_table
from olmix.regression.targets import Targets, choose_targets, signal_to_noise
from olmix.store import Store, write_atomically

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedLaws:
    """The laws of a plan: over its coordinates in the order of their ids, so that renaming a leaf changes no bit."""

    family: Family
    targets: Targets
    order: tuple[int, ...]
    """Positions in the plan of the coordinates, in the order that the family has them."""

    def predict(self, mixtures: Floats) -> Floats:
        """Scores (K, l) of mixtures (K, d) of the plan's coordinates in the order of the plan."""
        return self.family.predict(mixtures[:, list(self.order)])

    def effects(self, mixture: Floats) -> Floats:
        """Change in BPB (l, d) per unit of weight moved from a mixture (d,) to each coordinate; NaN if not smooth."""
        p = mixture[list(self.order)]
        found = np.full((len(self.targets.laws), len(p)), np.nan)
        if self.family.smooth:
            slopes = np.array([self.family.gradient(p, one) for one in np.eye(len(found))])
            found[:, self.order] = slopes - (slopes @ p)[:, None]
        return found


@dataclass(frozen=True)
class Evidence:
    """What the laws of a plan are fitted on, in a canonical order: the same evidence gives the same bits."""

    runs: tuple[str, ...]
    """Keys of the runs."""
    order: tuple[int, ...]
    """Positions in the plan of the coordinates that the columns of P stand for."""
    P: Floats
    """(K, d) mixtures."""
    Y: Floats
    """(K, l) scores of the laws."""

    @classmethod
    def of(cls, plan: Plan, targets: Targets, store: Store) -> "Evidence":
        """Evidence of a plan whose runs have been evaluated."""
        table = read_evidence(plan, store)
        order = _canonical(plan.coordinates)
        P = plan.space.collapse(table.mixtures)[:, list(order)]
        return cls(table.keys, order, P, targets.scores(table.scores, table.tasks))


def fit_laws(plan: Plan, params: RegressionParams, store: Store) -> str:
    """Fit the laws on the plan's evidence, in the space of its coordinates, and publish them; returns the key.

    `law.json` names coordinates by their ids (a renamed leaf keeps its law), `targets.json` says what each law scores,
    and `heldout.npz` holds out-of-fold predictions (K, l) with the run keys (K,). Raises InputError without laws.
    """
    key = law_of(plan)
    if store.has(KIND, key):
        return key
    started = time.perf_counter()
    targets = choose_targets(plan.tasks, params, _signal_to_noise(plan, params, store))
    evidence = Evidence.of(plan, targets, store)
    names = [plan.coordinates[j].name for j in evidence.order]
    estimator = make_family(params.family, params.penalty, params.huber_delta)
    law = estimator.fit(evidence.P, evidence.Y, domain_names=names)
    if len(law.unidentified_):
        listed = ", ".join(names[j] for j in law.unidentified_)
        raise InputError(f"the runs do not determine the effect of {listed}; raise swarm.runs_per_parameter")
    heldout = law.heldout_ if isinstance(law, Auto) else cross_validated(evidence.P, evidence.Y, estimator)
    with store.publish(KIND, key) as draft:
        document = law.to_json([plan.coordinates[j].id for j in evidence.order], targets.names)
        write_atomically(draft.path / "law.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        write_atomically(draft.path / "targets.json", json.dumps(targets.to_json(), indent=1) + "\n")
        np.savez(draft.path / "heldout.npz", predictions=heldout, runs=list(evidence.runs))
        draft.inputs = {
            "evaluations": sorted(run.evaluation for run in plan.fitted),
            "noise": sorted(plan.noise),
            "imports": sorted(run.key for run in plan.imports),
            "params": params.model_dump(mode="json"),
            "recipe": RECIPE,
        }
        draft.facts = {"family": document["regression"]}
        if isinstance(law, LogLinear):
            draft.facts["penalties"] = dict(zip(targets.names, law.penalty_.tolist(), strict=True))
        if isinstance(law, Auto):
            draft.facts["errors"] = law.errors_
        draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "cpu"}
    return key


def law_of(plan: Plan) -> str:
    """Key of the plan's laws. Raises InputError where the mixture is carried over, so that there are none."""
    if plan.law is None:
        raise InputError("today's plan has no law: nothing is free, the mixture is carried over from its parent")
    return plan.law


def read_laws(plan: Plan, store: Store) -> FittedLaws:
    """The plan's laws from the store."""
    key = law_of(plan)
    family = read_family(store.read_json(KIND, key, "law.json"))
    return FittedLaws(
        family, Targets.from_json(store.read_json(KIND, key, "targets.json")), _canonical(plan.coordinates)
    )


def read_heldout(plan: Plan, store: Store) -> tuple[list[str], Floats]:
    """Run keys (K,) and out-of-fold predictions (K, l) of the plan's laws."""
    with np.load(store.file(KIND, law_of(plan), "heldout.npz"), allow_pickle=False) as stored:
        return stored["runs"].tolist(), stored["predictions"]


def _canonical(coordinates: Sequence[PlannedCoordinate]) -> tuple[int, ...]:
    return tuple(sorted(range(len(coordinates)), key=lambda j: coordinates[j].id))


def _signal_to_noise(plan: Plan, params: RegressionParams, store: Store) -> dict[str, float] | None:
    """Ratio per task where a least one is demanded; repeats are the runs of the prior."""
    if not params.min_signal_to_noise:
        return None
    swarm, repeats = read_table(plan, plan.fitted, store), read_table(plan, plan.prior_runs, store)
    return dict(zip(swarm.tasks, signal_to_noise(swarm.scores, repeats.scores).tolist(), strict=True))
