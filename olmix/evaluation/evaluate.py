"""Evaluation of a run: scored here from its checkpoint, or taken from the run where its command has scored it.

Nothing heavy is imported unless there is a checkpoint to score.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from olmix.evaluation.items import read_tokens
from olmix.evaluation.spec import KIND, RECIPE, evaluation_key
from olmix.proxy.command import CHECKPOINT, SCORES, read_scores
from olmix.proxy.spec import KIND as PROXY
from olmix.proxy.spec import RunSpec
from olmix.store import Draft, Store, write_atomically


def evaluate(spec: RunSpec, suite: str, items: str, store: Store, threads: int, progress: Callable[[str], None]) -> str:
    """Publish the scores of a finished run; returns the evaluation key.

    suite: content digest of the suite; items: key of its tokens.
    """
    key = evaluation_key(spec.key, suite)
    if not store.has(KIND, key):
        for name in (SCORES,) if spec.is_scored_by_command else CHECKPOINT:
            store.file(PROXY, spec.key, name)
        with store.publish(KIND, key) as draft:
            evaluate_into(draft, spec, store.path(PROXY, spec.key), items, store, threads, progress)
            draft.inputs |= {"run": spec.key, "suite": suite}
    return key


def stage_evaluation(
    spec: RunSpec, run: Path, suite: str, items: str, store: Store, threads: int, progress: Callable[[str], None]
) -> None:
    """Score a run that has just been made in a folder, for the evaluation job to come: torch is loaded here."""
    key = evaluation_key(spec.key, suite)
    if not store.has(KIND, key):
        with store.stage(KIND, key) as draft:
            evaluate_into(draft, spec, run, items, store, threads, progress)
            draft.inputs |= {"run": spec.key, "suite": suite}


def evaluate_into(
    draft: Draft, spec: RunSpec, run: Path, items: str, store: Store, threads: int, progress: Callable[[str], None]
) -> None:
    """Scores of a run whose payload is in a folder, as `scores.json`: {task: {bpb, items, bytes}}."""
    if spec.is_scored_by_command:
        _take_scores_into(draft, run / SCORES, items, store, progress)
        return
    from olmix.evaluation.score import load_model, score_into  # torch takes seconds

    score_into(draft, load_model(spec, run), items, store, threads, progress)


def _take_scores_into(draft: Draft, written: Path, items: str, store: Store, progress: Callable[[str], None]) -> None:
    """Take the scores that a command wrote; what they are scores of is counted here."""
    started = time.perf_counter()
    tasks, _ = read_tokens(store, items)
    bpb = read_scores(written, list(tasks))
    scores = {
        name: {"bpb": bpb[name], "items": len(task.sizes), "bytes": int(task.sizes.sum())}
        for name, task in tasks.items()
    }
    write_atomically(draft.path / "scores.json", json.dumps(scores, indent=1, sort_keys=True) + "\n")
    mean = sum(bpb.values()) / len(bpb)
    progress(f"scored by its command on {len(bpb)} tasks, {mean:.4f} bits per byte in the plain mean")
    draft.inputs = {"items": items, "recipe": RECIPE}
    draft.cost = {"seconds": round(time.perf_counter() - started, 3), "device": "command", "threads": 1}
