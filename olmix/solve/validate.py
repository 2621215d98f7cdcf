"""Proof of a proposal: train it at proxy size and score it, with the same seeds as the prior."""

from collections.abc import Callable

from olmix.params import Params
from olmix.plan.planner import Plan, PlannedValidation, run_spec
from olmix.solve.propose import read_weights
from olmix.solve.spec import VALIDATION_KIND
from olmix.store import Draft, Store


def validate(
    plan: Plan,
    planned: PlannedValidation,
    params: Params,
    items: str,
    store: Store,
    threads: int,
    progress: Callable[[str], None],
) -> str:
    """Train and evaluate the proposal with one seed.

    Publishes `proxy/` and `evaluation/` with the payload of a run and of an evaluation; returns the validation key.
    """
    if store.has(VALIDATION_KIND, planned.key):
        return planned.key
    from olmix.evaluation.score import score_into
    from olmix.proxy.train import train_into

    spec = run_spec(read_weights(plan, store), plan.leaves, params, plan.vocabulary, planned.seed)
    with store.publish(VALIDATION_KIND, planned.key) as draft:
        proxy, evaluation = (Draft(draft.path / name) for name in ("proxy", "evaluation"))
        proxy.path.mkdir()
        evaluation.path.mkdir()
        train_into(proxy, spec, store, threads, progress)
        score_into(evaluation, proxy.path, items, store, threads, progress)
        draft.inputs = {"proposal": plan.proposal, "suite": plan.suite, "run": proxy.inputs}
        draft.facts = proxy.facts
        draft.cost = {"train": proxy.cost, "evaluate": evaluation.cost}
    return planned.key
