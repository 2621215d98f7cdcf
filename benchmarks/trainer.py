"""Our trainer against the `Trainer` of transformers: `python -m benchmarks.trainer` from the repository.

Both train the same model from the same weights on the same batches with the same optimiser and schedule, in one process
order A B A B. Needs the default texts (`make texts`) and `pip install accelerate`, without which there is no Trainer.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}

import argparse
import logging
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset, SequentialSampler
from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging as transformers_logging

from olmix.corpus.tokens import make_tokens, open_tokens
from olmix.params import ProxyParams
from olmix.process import keep_freed_memory
from olmix.project import Project
from olmix.proxy.decoder import new_decoder, save_decoder
from olmix.proxy.model import flops_per_token, resolve
from olmix.proxy.order import sequence_order
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec
from olmix.proxy.train import learning_rate
from olmix.store import Store


@dataclass(frozen=True)
class Case:
    """What is trained: a preset at a size that a laptop gets through."""

    preset: str
    vocabulary: int
    sequence_length: int
    batch_size: int
    steps: int
    learning_rate: float
    embedding_learning_rate: float


CASES = (Case("tiny", 2048, 64, 4, 600, 0.012, 10), Case("15M", 100_352, 256, 2, 12, 0.007, 1))


def main() -> None:
    """Print tokens per second, losses and the share of the matmul rate, medians over repeats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=[case.preset for case in CASES])
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    transformers_logging.disable_progress_bar()
    print(f"{'':6} {'tokens/s':>9} {'GFLOP/s':>8} {'of the matmul rate':>19} {'final loss':>11}   one thread")
    for case in CASES:
        if arguments.only in (None, case.preset):
            compare(case, arguments.repeats)


def compare(case: Case, repeats: int) -> None:
    """Both trainers by turns on one case."""
    project = Project.load()
    keys = [
        make_tokens(leaf, project.tokenizer(), project.store, 1, lambda line: None)
        for leaf in sorted(project.leaves, key=lambda leaf: leaf.name)[:3]
    ]
    params = project.params.proxy.model_copy(
        update={
            "model": case.preset,
            "sequence_length": case.sequence_length,
            "batch_size": case.batch_size,
            "learning_rate": case.learning_rate,
            "embedding_learning_rate": case.embedding_learning_rate,
        }
    )
    share = case.steps * case.batch_size // len(keys)
    counts = dict.fromkeys(keys, share * case.sequence_length)
    counts[keys[0]] += (case.steps * case.batch_size - share * len(keys)) * case.sequence_length
    spec = RunSpec.of(params, case.vocabulary, 0, counts)
    found: dict[str, list[tuple[float, float]]] = {"transformers": [], "olmix": []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(repeats):
            found["transformers"].append(theirs(spec, project.store, params, Path(folder)))
            found["olmix"].append(ours(spec, project.store, Path(folder) / str(i)))
    flops = flops_per_token(resolve(case.preset), case.vocabulary, case.sequence_length)
    limit = matmul_rate(case.batch_size * case.sequence_length, resolve(case.preset).width, case.vocabulary)
    tokens = case.steps * case.batch_size * case.sequence_length
    shape = f"{case.steps} steps of {case.batch_size} x {case.sequence_length}, vocabulary {case.vocabulary:,}"
    print(f"{case.preset}: {shape}; matrix products of width {resolve(case.preset).width}: {limit / 1e9:.1f} GFLOP/s")
    for name, runs in found.items():
        speed = tokens / statistics.median(seconds for seconds, _ in runs)
        loss = statistics.median(loss for _, loss in runs)
        print(f"{name:12} {speed:9,.0f} {speed * flops / 1e9:8.1f} {speed * flops / limit:12.0%} {loss:18.4f}")
    ratios = [a[0] / b[0] for a, b in zip(found["transformers"], found["olmix"], strict=True)]
    print(f"ours / theirs: {statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})")


def ours(spec: RunSpec, tokens: Store, root: Path) -> tuple[float, float]:
    """Seconds in training steps and mean loss of the last twentieth of them."""
    store = Store(root)
    root.mkdir()
    (root / "tokens").symlink_to((tokens.root / "tokens").absolute())
    run_proxy(spec, {}, "", store, Execution(), lambda line: None)
    manifest = store.manifest("proxy", spec.key)
    return manifest["cost"]["seconds"], manifest["facts"]["final_loss"]


class Windows(Dataset[Any]):
    """The sequences of a run in their order."""

    def __init__(self, spec: RunSpec, store: Store) -> None:
        keys, length = sorted(spec.counts), spec.training.sequence_length
        self.arrays = [open_tokens(store, key) for key in keys]
        sequences = [spec.counts[key] // length for key in keys]
        windows = [(len(array) - 1) // length for array in self.arrays]
        self.order, self.length = sequence_order(keys, sequences, windows, length, spec.seed), length

    def __len__(self) -> int:
        return len(self.order.starts)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        start = self.order.starts[i]
        window = torch.from_numpy(self.arrays[self.order.leaves[i]][start : start + self.length + 1].astype(np.int64))
        return {"input_ids": window[:-1], "labels": window[:-1], "shift_labels": window[1:]}


class InOrder(Trainer):
    """Takes the sequences as they come."""

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def theirs(spec: RunSpec, store: Store, params: ProxyParams, folder: Path) -> tuple[float, float]:
    """The same by transformers."""
    training, data = spec.training, Windows(spec, store)
    checkpoint = folder / "untrained"
    checkpoint.mkdir(exist_ok=True)
    save_decoder(new_decoder(spec.model, spec.vocabulary, training.sequence_length, spec.seed), checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    embedding = model.get_input_embeddings().weight
    others = [weight for weight in model.parameters() if weight is not embedding]
    matrices, norms = ([w for w in others if (w.ndim > 1) == matrix] for matrix in (True, False))
    optimiser = torch.optim.AdamW(
        [
            {"params": [embedding], "weight_decay": 0.0, "lr": params.learning_rate * params.embedding_learning_rate},
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": norms, "weight_decay": 0.0},
        ],
        lr=params.learning_rate,
        betas=training.betas,
        fused=True,
    )
    steps = len(data) // training.batch_size

    def schedule(step: int) -> float:
        return learning_rate(step, steps, training) / training.learning_rate

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=training.batch_size,
        max_steps=steps,
        max_grad_norm=training.clip,
        logging_steps=max(1, steps // 20),
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        log_level="error",
    )
    trainer = InOrder(model, arguments, train_dataset=data, optimizers=(optimiser, LambdaLR(optimiser, schedule)))
    trainer.remove_callback(PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return seconds, losses[-1]


def matmul_rate(tokens: int, width: int, columns: int) -> float:
    """FLOP/s of one product (tokens, width) x (width, columns) in float32, the best of many."""
    left, right, out = torch.randn(tokens, width), torch.randn(columns, width), torch.empty(tokens, columns)
    best = float("inf")
    for _ in range(30):
        started = time.perf_counter()
        torch.mm(left, right.T, out=out)
        best = min(best, time.perf_counter() - started)
    return 2 * tokens * width * columns / best


if __name__ == "__main__":
    main()
