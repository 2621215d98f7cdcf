"""A trainer of the user's: a command that reads a run specification and leaves a checkpoint or scores.

The contract is documented in docs/trainer.md. Nothing heavy is imported: a command may be done in milliseconds.
"""

import json
import os
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import Field

from olmix.corpus.tokens import KIND as TOKENS
from olmix.errors import InputError, RunError
from olmix.evaluation.items import KIND as ITEMS
from olmix.process import die_with_parent
from olmix.proxy.spec import RunSpec, Trainer
from olmix.schema import Section, parse
from olmix.store import MANIFEST, Draft, Store

SCORES = "scores.json"
CHECKPOINT = ("config.json", "model.safetensors")

_COST = "cost.json"
_SIGNALS = {int(number): number.name for number in signal.Signals}
_LAST_LINES = 10
_LARGEST = 1e300  # bits per byte; also excludes infinity, NaN and integers that no float can hold


class CommandCost(Section):
    """What a command may tell about its cost, as `cost.json`."""

    tokens: int | None = Field(None, ge=0)
    flops: float | None = Field(None, ge=0)
    device: str | None = None
    precision: str | None = None


def run_command_into(
    draft: Draft,
    spec: RunSpec,
    names: Mapping[str, str],
    items: str,
    store: Store,
    state: Path,
    threads: int,
    progress: Callable[[str], None],
) -> None:
    """Let the command of a run fill a draft; all that it leaves becomes payload.

    names: leaf name per tokens key; items: key of the suite's tokens; state: folder that outlives interruptions, for
    the command's own checkpoints. Raises InputError for a command that cannot be started, RunError for one that fails
    or leaves something else than it promised.
    """
    trainer = spec.trainer
    assert trainer is not None
    request = _request(draft.path, spec, trainer, names, items, store, state, threads)
    tokens = sum(spec.counts.values())
    progress(f"{trainer.command}: {tokens:,} tokens of {len(spec.counts)} leaves")
    started = time.perf_counter()
    with TemporaryDirectory(prefix="run-", dir=draft.path.parent) as folder:
        path = Path(folder).absolute() / "run.json"
        path.write_text(json.dumps(request, indent=1) + "\n", encoding="utf-8")
        _run(trainer.command, path, store.root.absolute().parent, progress)
    seconds = time.perf_counter() - started
    cost = _check_output(draft.path, trainer, request["tasks"])
    draft.inputs = spec.ingredients()
    draft.facts = {"tokens_requested": dict(spec.counts), "tokens_achieved": dict(spec.counts)}
    measured = {"tokens": tokens, "seconds": round(seconds, 3), "threads": threads}
    draft.cost = {"device": "command", "precision": "not recorded"} | measured | cost


def read_scores(path: Path, tasks: Sequence[str]) -> dict[str, float]:
    """Bits per byte of a suite's tasks as a command wrote them, {task: number} or {task: {"bpb": number}}.

    Other tasks are ignored. Raises RunError naming file, task and value.
    """
    written = _read_object(path)
    scores = {}
    for task in tasks:
        if task not in written:
            raise RunError(f"{path.name}: task {task!r} is missing; found: {', '.join(sorted(written)) or 'nothing'}")
        value = written[task]
        if isinstance(value, dict):
            value = value.get("bpb")
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LARGEST:
            raise RunError(
                f"{path.name}: task {task!r}: found {json.dumps(written[task])}; a finite number is expected"
            )
        scores[task] = float(value)
    return scores


def _request(
    output: Path,
    spec: RunSpec,
    trainer: Trainer,
    names: Mapping[str, str],
    items: str,
    store: Store,
    state: Path,
    threads: int,
) -> dict[str, Any]:
    """The run specification. The suite is shown to a command that scores only: no key of a checkpoint covers it."""
    tasks: list[str] = []
    end_of_text = items_folder = None
    if trainer.writes == "scores":
        facts = store.manifest(ITEMS, items)["facts"]
        tasks, end_of_text = facts["tasks"], facts["end_of_text"]
        files = [store.file(ITEMS, items, f"{task}.npz") for task in tasks]
        items_folder = str(files[0].parent.absolute())
    return {
        "key": spec.key,
        "seed": spec.seed,
        "model": spec.model.model_dump(mode="json"),
        "training": spec.training.model_dump(mode="json"),
        "sequence_length": spec.training.sequence_length,
        "vocabulary": spec.vocabulary,
        "threads": threads,
        "leaves": [
            {
                "name": names[key],
                "tokens_key": key,
                "count": count,
                "available": store.manifest(TOKENS, key)["facts"]["tokens"],
                "tokens": str(store.file(TOKENS, key, "tokens.npy").absolute()),
                "documents": str(store.file(TOKENS, key, "documents.npy").absolute()),
            }
            for key, count in sorted(spec.counts.items())  # by content, so that a new name changes nothing
        ],
        "writes": trainer.writes,
        "tasks": tasks,
        "items": items_folder,
        "end_of_text": end_of_text,
        "output": str(output.absolute()),
        "state": str(state.absolute()),
    }


def _run(command: str, request: Path, project: Path, progress: Callable[[str], None]) -> None:
    """Run the command to its end, its output line by line as progress."""
    try:
        process = subprocess.Popen(
            [*_split(command), str(request)],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},  # Python holds back what it prints into a pipe
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        raise InputError(f"params.yaml: proxy.command: {command!r} cannot be started: {error.strerror}") from None
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line := line.rstrip():
                    last.append(line)
                    progress(line)
            process.wait()
        except BaseException:
            process.kill()
            raise
    if code := process.returncode:
        end = f"exit code {code}" if code > 0 else f"killed by {_SIGNALS.get(-code, f'signal {-code}')}"
        raise RunError("\n".join([f"proxy.command {command!r}: {end}; its last lines:", *(last or ["(none)"])]))


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"params.yaml: proxy.command: found {command!r}: {str(error).lower()}") from None
    if not words:
        raise InputError("params.yaml: proxy.command: is empty; leave it out for the built-in trainer")
    return words


def _check_output(folder: Path, trainer: Trainer, tasks: Sequence[str]) -> dict[str, Any]:
    """Check what the command left; returns the cost that it tells."""
    if links := [path for path in folder.rglob("*") if path.is_symlink()]:
        raise RunError(f"{links[0].name}: is a symbolic link; the output must hold the files themselves")
    if (folder / MANIFEST).exists():
        raise RunError(f"{MANIFEST}: written by proxy.command {trainer.command!r}; this name is reserved")
    if trainer.writes == "scores":
        read_scores(folder / SCORES, tasks)
    for name in CHECKPOINT if trainer.writes == "checkpoint" else ():
        if not (folder / name).is_file():
            raise RunError(f"{name}: not written by proxy.command {trainer.command!r}; {_found(folder)}")
    if not (folder / _COST).exists():
        return {}
    try:
        return parse(_read_object(folder / _COST), CommandCost, _COST).model_dump(exclude_none=True)
    except InputError as error:
        raise RunError(str(error)) from None


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object that a command wrote."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.name}: not written by proxy.command; {_found(path.parent)}") from None
    except OSError as error:
        raise RunError(f"{path.name}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # also what is not UTF-8
        raise RunError(f"{path.name}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RunError(f"{path.name}: holds a {type(value).__name__}, an object is expected")
    return value


def _found(folder: Path) -> str:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return f"found in the output folder: {', '.join(names) or 'nothing'}"
