"""Peak memory of a 30M run on a CPU, by number of domains and size of the corpus: `python -m benchmarks.memory`."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from olmix.params import ProxyParams
from olmix.proxy.ladder import Budget
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec
from olmix.store import Store

VOCABULARY, LENGTH, BATCH, STEPS = 100_352, 1024, 8, 2
CASES = ((2, 1), (2, 100), (2, 1000), (64, 100))  # domains, millions of tokens in all


def main() -> None:
    """Print a line per case; each runs in a process of its own."""
    print(f"30M, {STEPS} steps of {BATCH} x {LENGTH} tokens, vocabulary {VOCABULARY:,}, one thread")
    print(f"{'domains':>8} {'corpus, tokens':>15} {'peak memory':>12}")
    for domains, millions in CASES:
        command = [sys.executable, "-m", "benchmarks.memory", str(domains), str(millions)]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{domains:8} {millions * 10**6:15,} {peak / 2**20:9.2f} GiB")


def train(domains: int, millions: int) -> None:
    """Train on a corpus of this size and print the peak of the resident memory in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        keys = [f"{i:020x}" for i in range(domains)]
        for i, key in enumerate(keys):
            with store.publish("tokens", key) as draft:
                size = millions * 10**6 // domains
                header = {"descr": "<u4", "fortran_order": False, "shape": (size,)}
                with (draft.path / "tokens.npy").open("wb") as stream:
                    np.lib.format.write_array_header_1_0(stream, header)
                    for first in range(0, size, 10**6):
                        count = min(10**6, size - first)
                        np.random.default_rng([i, first]).integers(0, VOCABULARY, count, np.uint32).tofile(stream)
                draft.facts = {"tokens": size}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        params = ProxyParams(model="30M", tokens=STEPS * BATCH * LENGTH, sequence_length=LENGTH, batch_size=BATCH)
        tokens = Budget.of(params, VOCABULARY).tokens
        counts = dict.fromkeys(keys, tokens // domains // LENGTH * LENGTH)
        counts[keys[0]] += tokens - sum(counts.values())
        run_proxy(RunSpec.of(params, VOCABULARY, 0, counts), {}, "", store, Execution(), lambda line: None)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert peak > before, "writing the corpus took more than training"
        print(peak)


if __name__ == "__main__":
    if sys.argv[1:]:
        train(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
