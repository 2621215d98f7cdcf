"""The trainer: one proxy run from its specification to a published checkpoint."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from olmix.corpus.tokens import open_tokens
from olmix.proxy.model import build_model, flops_per_token
from olmix.proxy.order import Order, sequence_order
from olmix.proxy.spec import KIND, RunSpec
from olmix.store import Draft, Store

_PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class Device:
    """Where a run trains, and whether bf16 is fast there."""

    name: str
    bf16: bool

    @classmethod
    def best(cls) -> "Device":
        """CUDA if there is one, else the CPU."""
        if torch.cuda.is_available():
            return cls("cuda", torch.cuda.is_bf16_supported())
        return cls("cpu", torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())

    def autocast(self) -> torch.autocast:
        """Context of the forward pass."""
        return torch.autocast(self.name, torch.bfloat16, enabled=self.bf16)


def train(spec: RunSpec, store: Store, threads: int, progress: Callable[[str], None]) -> str:
    """Train one proxy and publish it; returns the run key."""
    key = spec.key
    if not store.has(KIND, key):
        with store.publish(KIND, key) as draft:
            train_into(draft, spec, store, threads, progress)
    return key


def train_into(draft: Draft, spec: RunSpec, store: Store, threads: int, progress: Callable[[str], None]) -> None:
    """Train one proxy into a draft: `model.safetensors`, `config.json` and `losses.npy`.

    The manifest will record requested and achieved tokens per leaf, the loss and the cost.
    """
    torch.set_num_threads(threads)
    device = Device.best()
    keys = sorted(spec.counts)
    arrays = [open_tokens(store, leaf) for leaf in keys]
    length = spec.training.sequence_length
    sequences = [spec.counts[leaf] // length for leaf in keys]
    windows = [(len(array) - 1) // length for array in arrays]
    order = sequence_order(keys, sequences, windows, length, spec.seed)
    model: Any = build_model(spec.model, spec.vocabulary, length, spec.seed)
    model.to(device.name)

    started = time.perf_counter()
    losses = _optimise(model, arrays, order, spec, device, progress)
    seconds = time.perf_counter() - started

    model.save_pretrained(draft.path)
    np.save(draft.path / "losses.npy", losses)
    achieved = np.bincount(order.leaves, minlength=len(keys)) * length
    tokens = int(achieved.sum())
    draft.inputs = spec.ingredients()
    draft.facts = {
        "tokens_requested": dict(spec.counts),
        "tokens_achieved": {leaf: int(n) for leaf, n in zip(keys, achieved, strict=True)},
        "epochs": {leaf: n / w for leaf, n, w in zip(keys, sequences, windows, strict=True)},
        "final_loss": float(losses[-max(1, len(losses) // 20) :].mean()),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    draft.cost = {
        "tokens": tokens,
        "flops": tokens * flops_per_token(spec.model, spec.vocabulary, length),
        "seconds": round(seconds, 3),
        "device": device.name,
        "precision": "bf16" if device.bf16 else "fp32",
        "threads": threads,
    }


def _optimise(
    model: Any,
    arrays: list[NDArray[Any]],
    order: Order,
    spec: RunSpec,
    device: Device,
    progress: Callable[[str], None],
) -> NDArray[np.float32]:
    """AdamW over the whole order; returns the loss of every step, nats per token, (steps,)."""
    training = spec.training
    steps = len(order.leaves) // training.batch_size
    optimiser = _adamw(model, training, device)
    losses = np.empty(steps, np.float32)
    started = reported = time.perf_counter()
    model.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, training) * group["multiple"]
        batch = _batch(arrays, order, step * training.batch_size, training).to(device.name)
        with device.autocast():
            logits = model(input_ids=batch[:, :-1]).logits
        loss = cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses[step] = loss.item()
        if not math.isfinite(losses[step]):
            raise FloatingPointError(f"loss is {losses[step]} at step {step + 1}; lower proxy.learning_rate")
        now = time.perf_counter()
        if now - reported > _PROGRESS_SECONDS or step + 1 == steps:
            reported = now
            speed = (step + 1) / (now - started)
            tokens = speed * training.batch_size * training.sequence_length
            left = (steps - step - 1) / speed
            progress(f"step {step + 1}/{steps}  loss {losses[step]:.3f}  {tokens:,.0f} tokens/s  {left:.0f} s left")
    return losses


def learning_rate(step: int, steps: int, training: Any) -> float:
    """Linear warm-up, then cosine to `final_learning_rate` of the peak."""
    warmup = max(1, round(training.warmup * steps))
    if step < warmup:
        return float(training.learning_rate * (step + 1) / warmup)
    done = (step - warmup) / max(1, steps - warmup)
    floor = training.final_learning_rate
    return float(training.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))))


def _adamw(model: Any, training: Any, device: Device) -> torch.optim.AdamW:
    """Weight decay on matrices only, as usual not on embeddings and norms; embeddings have their own learning rate."""
    embeddings = list(model.get_input_embeddings().parameters())
    others = [p for p in model.parameters() if all(p is not e for e in embeddings)]
    groups = [
        {"params": embeddings, "weight_decay": 0.0, "multiple": training.embedding_learning_rate},
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": training.weight_decay, "multiple": 1.0},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0, "multiple": 1.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=training.betas, fused=True)


def _batch(arrays: list[NDArray[Any]], order: Order, first: int, training: Any) -> torch.Tensor:
    """Sequences of one step, (batch, length + 1): every window's tokens are predicted once."""
    rows = range(first, first + training.batch_size)
    length = training.sequence_length + 1
    batch = np.empty((training.batch_size, length), np.int64)
    for row, i in enumerate(rows):
        start = order.starts[i]
        batch[row] = arrays[order.leaves[i]][start : start + length]
    return torch.from_numpy(batch)
