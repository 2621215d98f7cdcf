"""The trainer: one proxy run from its specification to a checkpoint that transformers loads."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from olmix.corpus.tokens import open_tokens
from olmix.errors import RunError
from olmix.process import stop_requests
from olmix.proxy.adamw import AdamW, Group
from olmix.proxy.averaging import TailAverage
from olmix.proxy.checkpoint import Checkpoints, State
from olmix.proxy.decoder import Decoder, new_decoder, save_decoder
from olmix.proxy.device import Device
from olmix.proxy.loss import next_token_loss
from olmix.proxy.model import flops_per_token
from olmix.proxy.order import Order, sequence_order
from olmix.proxy.spec import Execution, RunSpec, Training
from olmix.store import Draft, Store

_PROGRESS_SECONDS = 5.0
_CHECKED_STEPS = 50
_DIVERGED = 1.5
"""A run has diverged if its last steps lose this many times what the untrained model lost."""


def train_into(
    draft: Draft, spec: RunSpec, store: Store, state: Path, execution: Execution, progress: Callable[[str], None]
) -> None:
    """Train one proxy into a draft: `model.safetensors`, `config.json` and `losses.npy`.

    state: folder of its checkpoints; a run goes on from the newest one. The manifest will record requested and achieved
    tokens per leaf, the loss and the cost. Raises RunError if the loss diverges twice.
    """
    torch.set_num_threads(execution.threads)
    device = Device.best()
    keys = sorted(spec.counts)
    arrays = [open_tokens(store, leaf) for leaf in keys]
    length = spec.training.sequence_length
    sequences = [spec.counts[leaf] // length for leaf in keys]
    windows = [(len(array) - 1) // length for array in arrays]
    order = sequence_order(keys, sequences, windows, length, spec.seed)
    checkpoints = Checkpoints(state, spec.key, execution.checkpoint_seconds, progress)
    run, retries = _optimise(lambda: _Run(spec, arrays, order, device, execution.compile), checkpoints, progress)

    save_decoder(run.finished(), draft.path)
    losses = run.losses.cpu().numpy()
    np.save(draft.path / "losses.npy", losses)
    achieved = np.bincount(order.leaves, minlength=len(keys)) * length
    tokens = int(achieved.sum())
    draft.inputs = spec.ingredients()
    draft.facts = {
        "tokens_requested": dict(spec.counts),
        "tokens_achieved": {leaf: int(n) for leaf, n in zip(keys, achieved, strict=True)},
        "epochs": {leaf: n / w for leaf, n, w in zip(keys, sequences, windows, strict=True)},
        "final_loss": float(losses[-max(1, len(losses) // 20) :].mean()),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "retries": retries,
    }
    draft.cost = {
        "tokens": tokens,
        "flops": tokens * flops_per_token(spec.model, spec.vocabulary, length),
        "seconds": round(run.seconds, 3),
        "device": device.name,
        "precision": device.precision,
        "threads": execution.threads,
    }


class _Run:
    """A model in training: after `step` steps, a function of the specification alone."""

    def __init__(self, spec: RunSpec, arrays: list[NDArray[Any]], order: Order, device: Device, compiled: bool) -> None:
        self._training, self._arrays, self._order, self._device = spec.training, arrays, order, device
        self.model = new_decoder(spec.model, spec.vocabulary, spec.training.sequence_length, spec.seed)
        self.model.to(device.name)
        if compiled:
            self.model.model.compile()
        self._optimiser = _adamw(self.model, spec.training)
        self.steps = len(order.leaves) // spec.training.batch_size
        share, weights = spec.training.average_weights, dict(self.model.named_parameters())
        self._tail = TailAverage(weights, share, self.steps) if share else None
        self.step, self.seconds = 0, 0.0
        self.losses = torch.zeros(self.steps, device=device.name)
        self.tokens_per_step = spec.training.batch_size * spec.training.sequence_length

    def advance(self) -> None:
        """One step of AdamW. Nothing waits for a GPU: the loss stays on the device."""
        training = self._training
        batch = self._device.send(_batch(self._arrays, self._order, self.step * training.batch_size, training))
        with self._device.autocast():
            states = self.model(batch[:, :-1])
            loss = next_token_loss(states.flatten(0, 1), self.model.unembedding, batch[:, 1:].flatten())
        loss.backward()
        self._optimiser.step(learning_rate(self.step, self.steps, training))
        self.losses[self.step] = loss.detach()
        self.step += 1
        if self._tail:
            self._tail.update(self.step)

    @property
    def problem(self) -> str:
        """What is wrong with the losses of the last steps or with the weights; empty if nothing is."""
        last = self.losses[max(0, self.step - _CHECKED_STEPS) : self.step]
        if not (finite := torch.isfinite(last)).all():
            first = int((~finite).nonzero()[0])
            return f"the loss is {last[first].item()} at step {self.step - len(last) + first + 1} of {self.steps}"
        if (mean := last.mean().item()) > (limit := _DIVERGED * self.losses[0].item()):
            return f"the loss is {mean:.3f} at step {self.step} of {self.steps}, above {limit:.3f}: it diverges"
        with torch.no_grad():
            if not torch.stack(torch._foreach_norm(list(self.model.parameters()))).isfinite().all():
                return f"a weight is not finite after step {self.step} of {self.steps}"  # the last loss is older
        return ""

    def state(self) -> State:
        """All that the steps to come depend on."""
        tensors: dict[str, Tensor] = {f"weight.{name}": weight for name, weight in self.model.named_parameters()}
        tensors |= {f"mean.{name}": mean for name, mean in self._optimiser.means.items()}
        tensors |= {f"square.{name}": square for name, square in self._optimiser.squares.items()}
        if self._tail:
            tensors |= {f"average.{name}": average for name, average in self._tail.averages.items()}
        return State(self.step, self.seconds, tensors | {"losses": self.losses[: self.step]})

    def restore(self, state: State) -> None:
        """Be in a state again."""
        self.step = self._optimiser.step_count = state.step
        self.seconds = state.seconds
        with torch.no_grad():
            for name, tensor in self.state().tensors.items():
                tensor.copy_(state.tensors[name])

    def finished(self) -> Decoder:
        """The model to hand over, after the last step: with averaged weights where the settings ask for it."""
        if self._tail:
            self._tail.replace_weights()
        return self.model


def _optimise(
    start: Callable[[], _Run], checkpoints: Checkpoints, progress: Callable[[str], None]
) -> tuple[_Run, list[str]]:
    """A run through all of its steps, and what it was retried for.

    Where the loss is not finite or diverges, the run goes back to its last good state once, with the same data.
    """
    run, retries = _go_on(start, checkpoints, progress), list[str]()
    clock = _Clock(run, progress)
    with stop_requests() as stop_asked:
        while run.step < run.steps:
            run.advance()
            ends, stops = run.step == run.steps, stop_asked()
            saves = not ends and (stops or checkpoints.due)
            if saves or ends or run.step % _CHECKED_STEPS == 0:
                if problem := run.problem:
                    if retries:
                        raise RunError(f"{problem}, again; lower the learning rate")
                    retries.append(problem)
                    progress(f"{problem}; once more from the last good state")
                    run = _go_on(start, checkpoints, progress)
                    clock = _Clock(run, progress)
                    continue
                clock.tick(ends)
            if saves:
                checkpoints.save(run.state())
            if stops and not ends:
                raise SystemExit(128 + stops)
    return run, retries


def _go_on(start: Callable[[], _Run], checkpoints: Checkpoints, progress: Callable[[str], None]) -> _Run:
    run = start()
    if state := checkpoints.latest():
        run.restore(state)
        progress(f"goes on after step {run.step}/{run.steps}")
    return run


class _Clock:
    """Counts the seconds of a run and says how it comes along."""

    def __init__(self, run: _Run, progress: Callable[[str], None]) -> None:
        self._run, self._progress = run, progress
        self._first, self._before = run.step, run.seconds
        self._started = self._said = time.perf_counter()

    def tick(self, last: bool) -> None:
        run, now = self._run, time.perf_counter()
        spent = now - self._started
        run.seconds = self._before + spent
        if last or now - self._said > _PROGRESS_SECONDS:
            self._said = now
            speed = (run.step - self._first) / spent
            self._progress(
                f"step {run.step}/{run.steps}  loss {run.losses[run.step - 1].item():.3f}  "
                f"{speed * run.tokens_per_step:,.0f} tokens/s  {(run.steps - run.step) / speed:.0f} s left"
            )


def learning_rate(step: int, steps: int, training: Training) -> float:
    """Linear warm-up, then cosine to `final_learning_rate` of the peak."""
    warmup = max(1, round(training.warmup * steps))
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    floor = training.final_learning_rate
    return training.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


def _adamw(model: Decoder, training: Training) -> AdamW:
    """Weight decay on matrices only, as usual not on embeddings and norms; embeddings have their own learning rate."""
    embeddings, matrices, norms = dict[str, Tensor](), dict[str, Tensor](), dict[str, Tensor]()
    for name, weight in model.named_parameters():
        (embeddings if weight is model.embedding else matrices if weight.ndim == 2 else norms)[name] = weight
    groups = [
        Group(embeddings, weight_decay=0.0, multiple=training.embedding_learning_rate),
        Group(matrices, weight_decay=training.weight_decay),
        Group(norms, weight_decay=0.0),
    ]
    return AdamW(groups, training.betas, training.clip)


def _batch(arrays: list[NDArray[Any]], order: Order, first: int, training: Training) -> Tensor:
    """Sequences of one step, (batch, length + 1): every window's tokens are predicted once."""
    length = training.sequence_length + 1
    batch = np.empty((training.batch_size, length), np.int64)
    for row, i in enumerate(range(first, first + training.batch_size)):
        start = order.starts[i]
        batch[row] = arrays[order.leaves[i]][start : start + length]
    return torch.from_numpy(batch)
