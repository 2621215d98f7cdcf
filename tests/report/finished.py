"""A finished plan without files or training: every artefact that a report reads, with scores of a known law."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from olmix.corpus.tokens import KIND as TOKENS
from olmix.evaluation.items import items_key
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.evaluation.suite import Suite, SuiteTask, Task
from olmix.params import Params
from olmix.plan.history import AcceptedMixture
from olmix.plan.plan import KIND as PLAN
from olmix.plan.plan import Plan
from olmix.plan.request import Request
from olmix.proxy.spec import KIND as PROXY
from olmix.regression.fit import fit_laws
from olmix.report.collect import collect
from olmix.report.data import ReportData
from olmix.solve.design import next_plan
from olmix.solve.document import read_weights
from olmix.solve.propose import propose
from olmix.solve.spec import VALIDATION_KIND as VALIDATION
from olmix.store import Store, write_atomically
from tests.plan.generations import leaf, params, plan

LEAVES = [leaf(name) for name in ("books", "code", "maths", "web:games", "web:news")]
FAMILIES = {"algebra": "exact", "geometry": "exact", "novels": "prose", "sports": "prose"}
SUITE = Suite(tuple(SuiteTask(n, f, 0.25, (), Task(files=["x"]), "suite") for n, f in FAMILIES.items()))
T = np.array(
    [  # coefficient of every leaf, per task
        [0.2, -0.6, -1.4, 0.5, 0.1],
        [0.1, -0.4, -1.1, 0.4, 0.3],
        [-1.2, 0.3, 0.2, 0.2, -0.5],
        [-0.1, 0.5, 0.4, -1.0, -0.6],
    ]
)
SETTINGS: dict[str, dict[str, Any]] = {
    "swarm": {"runs_per_parameter": 3, "sources": {"min_strength": 1, "max_strength": 20, "minimum_weight": 0.002}},
    "proxy": {"tokens": 320_000, "sequence_length": 32, "batch_size": 4},
    "regression": {"penalty": 1e-7},
    "solver": {"kl": 0.1, "resamples": 20},
    "validation": {"seeds": 3},
}
COST = {"seconds": 2.0, "threads": 1, "tokens": 320_000, "flops": 1e9, "device": "cpu", "precision": "float32"}


@dataclass(frozen=True)
class Finished:
    """A plan that has been carried out."""

    plan: Plan
    params: Params
    store: Store
    ancestors: tuple[AcceptedMixture, ...] = ()

    @property
    def report(self) -> ReportData:
        """Its report."""
        return collect(self.plan, self.params, self.ancestors, {}, self.store, "project", "today")


def finish(
    tmp_path: Any, leaves: Sequence[Any] = LEAVES, history: Sequence[AcceptedMixture] = (),
    noise: Mapping[str, float] | float = 0.01, **changes: dict[str, Any],
) -> Finished:  # fmt: skip
    """Plan, score every run by the known law, fit, solve and prove. noise: sd of scores, of all tasks or by task."""
    settings = {name: SETTINGS.get(name, {}) | changes.get(name, {}) for name in {*SETTINGS, *changes}}
    today, store = params(**settings), Store(tmp_path / "store")
    p = plan(leaves, history, 150_000, SUITE, **settings)
    ancestors = tuple(reversed(history))
    request = Request(tuple(sorted(leaves, key=lambda x: x.name)), today, SUITE, ancestors)
    level = np.array([noise[task] if isinstance(noise, Mapping) else noise for task in FAMILIES])
    _publish_inputs(p, today, store)
    while True:
        _score(p, store, level)
        if p.law:
            fit_laws(p, today.regression, store)
        propose(p, today.solver, today.target, store)
        if p.round == p.rounds:
            break
        with store.publish(PLAN, p.key) as draft:
            write_atomically(draft.path / "plan.json", p.model_dump_json())
        p = next_plan(p, request, store)
    weights = read_weights(p, store)
    for run in p.validation:
        with store.publish(VALIDATION, run.key) as draft:
            (draft.path / "evaluation").mkdir()
            found = _scores(p, weights, f"{run.key}", run.seed, level)
            (draft.path / "evaluation/scores.json").write_text(json.dumps(found))
            draft.cost = {"train": COST, "evaluate": COST}
    return Finished(p, today, store, ancestors)


def _publish_inputs(p: Plan, today: Params, store: Store) -> None:
    for x in p.leaves:
        if not store.has(TOKENS, x.tokens_key):
            with store.publish(TOKENS, x.tokens_key) as draft:
                draft.cost = COST
    key = items_key(p.suite, today.tokenizer.digest)
    if not store.has("items", key):
        with store.publish("items", key) as draft:
            for i, task in enumerate(FAMILIES):
                sizes = np.full(10 + i, 3)
                lengths = np.array([[2, 5]] * len(sizes))
                np.savez(draft.path / f"{task}.npz", tokens=np.arange(7 * len(sizes)), lengths=lengths, sizes=sizes)
            draft.facts = {"end_of_text": 0, "tasks": list(FAMILIES)}


def _score(p: Plan, store: Store, level: np.ndarray) -> None:
    position = {x.tokens_key: j for j, x in enumerate(p.leaves)}
    for run in p.runs:
        if store.has(EVALUATION, run.evaluation):
            continue
        shares = np.zeros(len(p.leaves))
        for key, count in run.spec.counts.items():
            shares[position[key]] = count
        with store.publish(EVALUATION, run.evaluation) as draft:
            found = _scores(p, shares / shares.sum(), run.key, run.spec.seed, level)
            (draft.path / "scores.json").write_text(json.dumps(found))
            draft.cost = COST
        if not store.has(PROXY, run.key):
            with store.publish(PROXY, run.key) as draft:
                draft.cost = COST


def _scores(p: Plan, weights: np.ndarray, key: str, seed: int, level: np.ndarray) -> dict[str, Any]:
    """Scores of a mixture; half of the noise is that of the seed, so that pairs share it."""
    known = {x.name: T[:, j] for j, x in enumerate(LEAVES)}
    t = np.array([known.get(x.name, np.zeros(len(T))) for x in p.leaves]).T
    own = np.random.default_rng(int.from_bytes(key.encode(), "big")).normal(0, level)
    shared = np.random.default_rng(seed).normal(0, level)
    values = 0.6 + np.exp(t @ weights) + own + shared
    return {task: {"bpb": float(v)} for task, v in zip(FAMILIES, values, strict=True)}
