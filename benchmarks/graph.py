"""Time of planning and of a run with nothing to do on a large project: `python -m benchmarks.graph [--leaves 166]`.

The project is real but for its runs, whose scores come from a known law: 3 (166 + 1) = 501 swarm runs.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
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


def main() -> None:
    """Build the project, finish it and print medians of repeated commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=166)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = finished_project(Path(folder), arguments.leaves)
        plan = Project.load(project).plan()
        print(f"{arguments.leaves} leaves, {len(plan.swarm)} swarm runs, all done")
        commands = {
            "olmix plan": ("olmix", "plan", "--json"),
            "olmix status": ("olmix", "status"),
            "snakemake, nothing to do": ("snakemake", "--cores", "2"),
            "snakemake -n, nothing to do": ("snakemake", "-n"),
        }
        for name, command in commands.items():
            seconds = []
            for _ in range(arguments.repeats):
                started = time.perf_counter()
                done = run(project, *command)
                seconds.append(time.perf_counter() - started)
                if done.returncode:
                    sys.exit(done.stderr[-3000:])
            spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
            print(f"{name:<28} {statistics.median(seconds):5.2f} s  (of {arguments.repeats}, {spread})")
        started = time.perf_counter()
        Project.load(project).compute_plan()
        print(f"{'planning it from nothing':<28} {time.perf_counter() - started:5.2f} s")


def finished_project(folder: Path, leaves: int) -> Path:
    """A miniature project with many leaves in which everything has been made."""
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
        swarm={"runs_per_parameter": 3},
        proxy={"command": "false", "command_writes": "scores"},
        validation={"seeds": 0},
    )
    project = Project.load(folder)
    tokenizer = project.tokenizer()
    for leaf in project.leaves:
        make_tokens(leaf, tokenizer, project.store, 2, lambda _: None)
    project.make_plan()
    put_scores(project.plan(), project.store)
    check(run(folder, "snakemake", "--cores", "2"))
    return folder


def put_scores(plan: Plan, store: Store) -> None:
    """Publish runs and evaluations with scores of a known law."""
    rng = np.random.default_rng(0)
    t = dict(zip([leaf.name for leaf in plan.leaves], rng.normal(0, 0.5, (len(plan.leaves), len(TASKS))), strict=True))
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
