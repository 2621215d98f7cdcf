"""Time and memory of planning and of runs with nothing to do, and how they grow: `python -m benchmarks.graph`.

Projects of 10, 100 and 1,000 leaves with ten runs for each, 10,000 in the largest. They are real but for the runs,
whose scores come from a known law. Planning is timed with 1 and 10 for `swarm.candidates`. Printed are medians, the
largest memory of a process, and the exponent p of the n^p by which the time grew from one size to the next.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np

from olmix.corpus.tokens import make_tokens
from olmix.evaluation.spec import KIND as EVALUATION
from olmix.plan.plan import Plan
from olmix.project import Project
from olmix.proxy.spec import KIND as PROXY
from olmix.store import Store
from tests.miniature import build, change_params, run, sentences, write_jsonl, write_yaml

TASKS = ("code", "games", "maths", "news")
RUNS_OF_A_LEAF = 10
COMMANDS = {
    "olmix plan": ("olmix", "plan", "--json"),
    "olmix status": ("olmix", "status"),
    "snakemake, nothing to do": ("snakemake", "--cores", "2"),
    "snakemake -n, nothing to do": ("snakemake", "-n"),
}

MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Started in between, since a new process counts the memory of the one that starts it as its own."""


@dataclass(frozen=True)
class Figure:
    """What a command took."""

    seconds: float
    megabytes: float


def main() -> None:
    """Build the projects, finish them and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="of one leaf, to hash")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        projects = {n: measured(Path(folder) / f"leaves-{n}", n, arguments.repeats) for n in arguments.leaves}
        show({n: f"{n:,} leaves, {n * RUNS_OF_A_LEAF:,} runs" for n in projects}, projects)
        domains = {n: hashed(Path(folder) / f"files-{n}", n, arguments.repeats) for n in arguments.files}
        show({n: f"{n:,} files" for n in domains}, domains)


def show(titles: dict[int, str], found: dict[int, dict[str, Figure]]) -> None:
    """Print a column for every size."""
    print(f"{'':<38}" + "".join(f"{title:>30}" for title in titles.values()))
    sizes = list(found)
    for name in found[sizes[0]]:
        cells = []
        for before, size in zip([0, *sizes], sizes, strict=False):
            figure = found[size][name]
            cells.append(f"{figure.seconds:.2f} s {figure.megabytes:,.0f} MB")
            if before:
                exponent = math.log(figure.seconds / found[before][name].seconds) / math.log(size / before)
                cells[-1] += f" n^{exponent:.2f}"
        print(f"{name:<38}" + "".join(f"{cell:>30}" for cell in cells))


def measured(folder: Path, leaves: int, repeats: int) -> dict[str, Figure]:
    """Command → seconds and memory, on a project that is built first."""
    unfinished_project(folder, leaves)
    found = {}
    for candidates in (1, 10):
        change_params(folder, swarm={"candidates": candidates})
        found[f"olmix plan, no plan yet, candidates {candidates}"] = timed(folder, repeats, "olmix", "plan", "--json")
    check(run(folder, "snakemake", "--cores", "2", "planned"))
    found["snakemake -n, all runs to do"] = timed(folder, repeats, "snakemake", "-n", "--quiet")
    project = Project.load(folder)
    put_scores(project.plan(), project.store)
    check(run(folder, "snakemake", "--cores", "2"))
    return found | {name: timed(folder, repeats, *words) for name, words in COMMANDS.items()}


def hashed(folder: Path, files: int, repeats: int) -> dict[str, Figure]:
    """Fingerprints of one domain of many files, first read and then known."""
    texts = folder / "data/texts"
    texts.mkdir(parents=True)
    for i in range(files):
        (texts / f"{i:06d}.jsonl").write_text(f'{{"text": "document {i}"}}\n')
    write_yaml(folder / "domains/all.yaml", {"files": "data/texts/*.jsonl"})
    code = (
        "from olmix.domains.fingerprint import *; from olmix.domains.schema import read_domains; "
        "cache = StatCache(CACHE); fingerprint(read_domains(Path('domains')), Path(), cache); cache.save()"
    )
    first = timed(folder, 1, "-c", code)
    return {"fingerprint, never seen": first, "fingerprint, unchanged": timed(folder, repeats, "-c", code)}


def timed(folder: Path, repeats: int, *words: str) -> Figure:
    """Median seconds and most memory of a command of this environment in a project."""
    seconds, memory = [], 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        python = [sys.executable] if words[0] == "-c" else [sys.executable, "-m"]
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *python, *words], cwd=folder, capture_output=True, text=True, check=False
        )
        seconds.append(time.perf_counter() - started)
        check(done)
        memory = max(memory, int(done.stderr.splitlines()[-1]) / 1000)  # kB on Linux
    return Figure(statistics.median(seconds), memory)


def unfinished_project(folder: Path, leaves: int) -> None:
    """A miniature project with many leaves whose tokens alone have been made."""
    folder.mkdir(parents=True)
    build(folder)
    for old in (folder / "domains").iterdir():
        old.unlink()
    for source in range((leaves + 9) // 10):
        topics = {}
        for topic in range(source * 10, min(source * 10 + 10, leaves)):
            write_jsonl(folder / f"data/texts/{topic}.jsonl", [{"text": t} for t in sentences("news", 400, seed=topic)])
            topics[f"t{topic}"] = {"files": f"data/texts/{topic}.jsonl"}
        write_yaml(folder / f"domains/s{source}.yaml", {"topics": topics})
    change_params(
        folder,
        swarm={"runs_per_parameter": RUNS_OF_A_LEAF},
        proxy={"command": "false", "command_writes": "scores"},
        regression={"family": "ridge", "penalty": 0.001},  # what fitting takes is measured in benchmarks/law.py
        solver={"resamples": 0},
        validation={"seeds": 0},
    )
    project = Project.load(folder)
    tokenizer = project.tokenizer()
    for leaf in project.leaves:
        make_tokens(leaf, tokenizer, project.store, 2, lambda _: None)


def put_scores(plan: Plan, store: Store) -> None:
    """Publish runs and evaluations with scores of a known law."""
    rng = np.random.default_rng(0)
    t = dict(zip([leaf.name for leaf in plan.leaves], rng.normal(0, 0.5, (len(plan.leaves), len(TASKS))), strict=True))
    os.fsync = lambda _: None  # 20,000 artefacts that need not outlive the machine
    for planned in plan.runs:
        scores = 0.5 + np.exp(sum(weight * t[name] for name, weight in planned.mixture.items()))
        found = {
            task: {"bpb": float(score), "items": 20, "bytes": 1000} for task, score in zip(TASKS, scores, strict=True)
        }
        for kind, key in ((PROXY, planned.key), (EVALUATION, planned.evaluation)):
            with store.publish(kind, key) as draft:
                (draft.path / "scores.json").write_text(json.dumps(found))
                draft.cost = {"tokens": 8192, "seconds": 1.0, "threads": 1, "device": "known law"}


def check(done: CompletedProcess[str]) -> None:
    """Stop with the error of a command that failed."""
    if done.returncode:
        sys.exit(done.stderr[-3000:])


if __name__ == "__main__":
    main()
