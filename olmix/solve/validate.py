"""Proof of a proposal: train it at proxy size and score it, with the same seeds as the prior."""

from collections.abc import Callable

from olmix.evaluation.evaluate import evaluate_into
from olmix.params import Params
from olmix.plan.plan import Plan, PlannedValidation
from olmix.plan.runs import Runs
from olmix.proxy.run import run_proxy_into
from olmix.proxy.spec import Execution
from olmix.solve.document import read_weights
from olmix.solve.spec import VALIDATION_KIND
from olmix.store import Draft, Store


def validate(
    plan: Plan,
    planned: PlannedValidation,
    params: Params,
    items: str,
    store: Store,
    execution: Execution,
    progress: Callable[[str], None],
) -> str:
    """Train and evaluate the proposal with one seed.

    Publishes `proxy/` and `evaluation/` with the payload of a run and of an evaluation; returns the validation key.
    """
    if store.has(VALIDATION_KIND, planned.key):
        return planned.key
    runs = Runs(plan.leaves, params, plan.suite, plan.vocabulary)
    spec = runs.spec(read_weights(plan, store), planned.seed)
    names = {leaf.tokens_key: leaf.name for leaf in plan.leaves}
    with store.in_progress(spec.key, progress) as state, store.publish(VALIDATION_KIND, planned.key) as draft:
        proxy, evaluation = (Draft(draft.path / name) for name in ("proxy", "evaluation"))
        proxy.path.mkdir()
        evaluation.path.mkdir()
        run_proxy_into(proxy, spec, names, items, store, state, execution, progress)
        evaluate_into(evaluation, spec, proxy.path, items, store, execution.threads, progress)
        draft.inputs = {"proposal": plan.proposal, "suite": plan.suite, "run": proxy.inputs}
        draft.facts = proxy.facts
        draft.cost = {"train": proxy.cost, "evaluate": evaluation.cost}
    return planned.key
