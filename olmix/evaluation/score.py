"""Scores of a run: bits per byte of every task's continuations given their contexts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from olmix.errors import WorkError
from olmix.evaluation.items import Window, read_tokens, windows
from olmix.evaluation.spec import BATCH_TOKENS, RECIPE
from olmix.proxy.decoder import CONFIG, load_decoder
from olmix.proxy.device import Device
from olmix.proxy.model import LOGITS_AT_ONCE
from olmix.proxy.spec import RunSpec
from olmix.store import Draft, Store, write_atomically


class Model(Protocol):
    """What is scored: logits are hidden states times output embeddings."""

    sequence_length: int

    def __call__(self, ids: Tensor) -> Tensor:
        """Hidden states (B, T, width) of token ids (B, T)."""

    @property
    def unembedding(self) -> Tensor:
        """Output embeddings (V, width)."""

    def to(self, device: str) -> "Model":
        """The model on a device."""


def score_into(
    draft: Draft, model: Model, items: str, store: Store, threads: int, progress: Callable[[str], None]
) -> None:
    """Score a model into a draft.

    `scores.json` holds {task: {bpb, items, bytes}}, `bits.npz` the bits of every item, one float64 array a task.
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    device = Device.best()
    model = model.to(device.name)
    scores: dict[str, dict[str, float]] = {}
    bits: dict[str, Any] = {}
    tokens = 0
    tasks, end_of_text = read_tokens(store, items)
    for name, task in tasks.items():
        task_windows = windows(task, end_of_text, model.sequence_length)
        bits[name] = score_windows(model, task_windows, device)
        size = int(task.sizes.sum())
        scores[name] = {"bpb": float(bits[name].sum() / size), "items": len(task.sizes), "bytes": size}
        tokens += sum(len(window.ids) for window in task_windows)
    write_atomically(draft.path / "scores.json", json.dumps(scores, indent=1, sort_keys=True) + "\n")
    np.savez(draft.path / "bits.npz", **bits)
    mean = sum(score["bpb"] for score in scores.values()) / len(scores)
    progress(f"scored on {len(scores)} tasks, {mean:.4f} bits per byte in the plain mean")
    draft.inputs = {"items": items, "recipe": RECIPE}
    draft.cost = {
        "tokens": tokens,
        "seconds": round(time.perf_counter() - started, 3),
        "device": device.name,
        "threads": threads,
    }


@torch.inference_mode()
def score_windows(model: Model, scored_windows: list[Window], device: Device) -> NDArray[np.float64]:
    """Bits of each item's continuation, (items,). Batched by length; padding never reaches a scored position."""
    bits = np.zeros(1 + max(window.item for window in scored_windows))
    rows = LOGITS_AT_ONCE["cuda"] // len(model.unembedding)  # a batch of a CPU is fewer
    for batch in _batches(scored_windows, BATCH_TOKENS[device.name]):
        longest = max(len(scored_windows[i].ids) for i in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, i in enumerate(batch):
            ids[row, : len(scored_windows[i].ids)] = torch.from_numpy(scored_windows[i].ids)
        ids = ids.to(device.name)
        scored = torch.zeros_like(ids[:, 1:], dtype=torch.bool)
        for row, i in enumerate(batch):
            scored[row, scored_windows[i].given - 1 : len(scored_windows[i].ids) - 1] = True
        with device.autocast():  # the vocabulary is the costly part: logits only where something is scored
            parts = zip(model(ids[:, :-1])[scored].split(rows), ids[:, 1:][scored].split(rows), strict=True)
            surprises = [cross_entropy((x @ model.unembedding.T).float(), y, reduction="none") for x, y in parts]
        losses = torch.cat(surprises).double().cpu().numpy()
        owners = np.repeat([scored_windows[i].item for i in batch], scored.sum(1).cpu().numpy())
        np.add.at(bits, owners, losses / np.log(2))
    return bits


def _batches(scored_windows: list[Window], tokens: int) -> list[list[int]]:
    """Indices of items of similar length, each batch at most so many tokens with padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(scored_windows)), key=lambda i: (len(scored_windows[i].ids), i)):
        if not batches or len(scored_windows[i].ids) * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(i)
    return batches


def load_model(spec: RunSpec, checkpoint: Path) -> Model:
    """The model that a run left in a folder."""
    if spec.trainer is None:
        return load_decoder(checkpoint, spec.model, spec.vocabulary, spec.training.sequence_length)
    return load_foreign(checkpoint)


def load_foreign(checkpoint: Path) -> Model:
    """A model of transformers. Raises WorkError for an architecture whose logits may not be output embeddings alone."""
    from transformers.models.llama import LlamaForCausalLM
    from transformers.models.olmo2 import Olmo2ForCausalLM

    classes: dict[str, Any] = {"olmo2": Olmo2ForCausalLM, "llama": LlamaForCausalLM}
    family = json.loads((checkpoint / CONFIG).read_text()).get("model_type")
    if family not in classes:
        raise WorkError(
            f"{checkpoint / CONFIG}: model_type: found {family!r}; scored here: {', '.join(sorted(classes))}; "
            "a trainer of your own can score other models itself (proxy.command_writes: scores)"
        )
    settings = {"attn_implementation": "sdpa", "dtype": torch.float32}
    return _Foreign(classes[family].from_pretrained(checkpoint, use_safetensors=True, **settings))  # never a pickle


class _Foreign:
    """A model of transformers as one that is scored here."""

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self.sequence_length = model.config.max_position_embeddings

    def __call__(self, ids: Tensor) -> Tensor:
        states: Tensor = self._model.get_decoder()(input_ids=ids).last_hidden_state
        return states

    @property
    def unembedding(self) -> Tensor:
        weight: Tensor = self._model.get_output_embeddings().weight
        return weight

    def to(self, device: str) -> "_Foreign":
        return _Foreign(self._model.to(device))
