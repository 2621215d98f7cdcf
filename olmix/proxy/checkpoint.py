"""State of a run in progress, from which it goes on after an interruption with the same bits."""

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from olmix.errors import WorkError

_KEPT = 2


@dataclass(frozen=True)
class State:
    """Everything that the steps to come depend on."""

    step: int
    """Steps done."""
    seconds: float
    """Time spent on them."""
    tensors: Mapping[str, Tensor]


class Checkpoints:
    """The last two states of one run, as `step-N.safetensors` in a folder of its own."""

    def __init__(self, folder: Path, key: str, every: float, progress: Callable[[str], None]) -> None:
        """every: seconds between two checkpoints; key: that of the run."""
        self._folder, self._key, self._every, self._progress = folder, key, every, progress
        self._saved_at = time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last one."""
        return time.perf_counter() - self._saved_at >= self._every

    def save(self, state: State) -> None:
        """Write a state so that a crash at any moment leaves it whole or not there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        about = {"key": self._key, "step": str(state.step), "seconds": repr(state.seconds), "sha256": _sha256(tensors)}
        temporary = self._folder / f".{uuid.uuid4().hex}"
        save_file(tensors, temporary, metadata=about)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(self._folder / f"step-{state.step:09d}.safetensors")
        for old in [*self._files()[:-_KEPT], *self._folder.glob(".?*")]:
            old.unlink(missing_ok=True)
        self._saved_at = time.perf_counter()

    def latest(self) -> State | None:
        """The newest state that is whole. Raises WorkError for one of another run, which is never gone on from."""
        for path in reversed(self._files()):
            try:
                return self._read(path)
            except (SafetensorError, KeyError, ValueError) as error:
                self._progress(f"{path}: damaged ({error}); going on from what is before it")
        return None

    def _read(self, path: Path) -> State:
        with safe_open(path, "pt") as stored:
            about = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if about["key"] != self._key:
            raise WorkError(f"{path}: is a checkpoint of run {about['key']}, not of {self._key}; remove it")
        if _sha256(tensors) != about["sha256"]:
            raise ValueError("its tensors differ from their digest")
        return State(int(about["step"]), float(about["seconds"]), tensors)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.safetensors"))


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].numpy().tobytes())
    return found.hexdigest()
