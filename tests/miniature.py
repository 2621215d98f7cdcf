"""A real project at miniature size: four leaves, five proxy runs, a proof, all in about a minute on two cores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
WORDS = {
    "code": ["def", "return", "self", "import", "(x)", "[i]", "= 0", "for i in", "range", "None"],
    "news": ["the president", "said", "on Monday", "that", "minister", "economy", "would", "not", "vote", "law"],
    "games": ["player", "score", "the ball", "win", "season", "team", "goal", "match", "coach", "fans"],
    "maths": ["theorem", "proof", "let x", "be", "prime", "integer", "then", "sum", "of squares", "QED"],
}
PARAMS = {
    "tokenizer": {"path": "tokenizer", "digest": ""},
    "evaluation": {"suite": "suite.yaml"},
    "prior": {"temperature": 1},
    "target": {"tokens": 30_000, "repetition": 3},
    "swarm": {
        "runs_per_parameter": 1.2,
        "min_runs_per_leaf": 2,
        "topics": {"min_strength": 0.5, "max_strength": 5.0, "minimum_weight": 0.02},
    },
    "proxy": {
        "model": {"layers": 1, "heads": 2, "width": 32, "mlp_width": 64, "tied_embeddings": True},
        "tokens": 8192,
        "sequence_length": 32,
        "batch_size": 8,
        "learning_rate": 0.02,
    },
    "regression": {"penalty": "auto"},
    "solver": {"kl": 0.05},
    "validation": {"seeds": 2},
    "reuse": {"strategy": "full"},
}


def sentences(topic: str, count: int, seed: int) -> list[str]:
    """Sentences of a topic, a pure function of the seed."""
    rng = np.random.default_rng([seed, sorted(WORDS).index(topic)])
    return [" ".join(rng.choice(WORDS[topic], 12)) + "." for _ in range(count)]


def build(folder: Path) -> Path:
    """Write the project."""
    for name in ("Snakefile", "dvc.yaml", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("rules", "profiles", "mixtures", "evidence"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(ROOT / "tokenizer", folder / "tokenizer", ignore=shutil.ignore_patterns("*.py"))
    for name, count in {"code": 400, "news": 250, "games": 150, "maths": 100}.items():
        write_jsonl(folder / f"data/texts/{name}.jsonl", [{"text": s} for s in sentences(name, count, seed=0)])
        items = [{"context": s[:20], "continuation": s[20:]} for s in sentences(name, 20, seed=1)]
        write_jsonl(folder / f"data/suite/{name}.jsonl", items)
    write_yaml(folder / "domains/code.yaml", {"files": "data/texts/code.jsonl"})
    write_yaml(folder / "domains/maths.yaml", {"files": "data/texts/maths.jsonl"})
    topics = {name: {"files": f"data/texts/{name}.jsonl"} for name in ("news", "games")}
    write_yaml(folder / "domains/web.yaml", {"topics": topics})
    families = {
        "science": {"weight": 2, "tasks": {name: {"files": f"data/suite/{name}.jsonl"} for name in ("code", "maths")}},
        "general": {"tasks": {name: {"files": f"data/suite/{name}.jsonl"} for name in ("news", "games")}},
    }
    write_yaml(folder / "suite.yaml", {"families": families})
    digest = yaml.safe_load((ROOT / "params.yaml").read_text())["tokenizer"]["digest"]
    write_yaml(folder / "params.yaml", PARAMS | {"tokenizer": {"path": "tokenizer", "digest": digest}})
    return folder


def forget(folder: Path, *kinds: str) -> None:
    """Remove all artefacts of some kinds from a project's store."""
    for kind in kinds:
        shutil.rmtree(folder / "store" / kind)


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_yaml(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def change_params(folder: Path, **sections: dict[str, object]) -> None:
    """Update fields of sections of params.yaml."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for section, fields in sections.items():
        params.setdefault(section, {}).update(fields)
    write_yaml(folder / "params.yaml", params)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in a project."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "snakemake", "--cores", "2", *arguments)


def planned_jobs(folder: Path, *targets: str) -> dict[str, int]:
    """Jobs per rule that `snakemake -n` would run, without the target rule."""
    done = snakemake(folder, "-n", *targets)
    assert done.returncode == 0, done.stderr
    output = done.stdout + done.stderr
    if "Nothing to be done" in output:
        return {}
    rows = output.split("Job stats:")[1].split("\n\n")[0].splitlines()
    jobs = {
        name: int(count)
        for name, count in (row.split() for row in rows if len(row.split()) == 2 and row.split()[1].isdigit())
    }
    return {name: count for name, count in jobs.items() if name not in ("all", "total", *targets)}
