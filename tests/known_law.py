"""A trainer of one's own for tests: `python known_law.py law.json run.json` scores by a known law and trains nothing.

law.json: {"tasks": {task: {"c": number, "t": {leaf name: number}}}, "noise": standard deviation of scores (optional)}.
The standard library only, so that a run takes 30 ms.
"""

import json
import math
import sys
from pathlib import Path


def scores(law, run):
    """Bits per byte per task, c + exp(t'p) with p the shares of the run's counts, and noise keyed by the run key."""
    total = sum(leaf["count"] for leaf in run["leaves"])
    shares = {leaf["name"]: leaf["count"] / total for leaf in run["leaves"]}
    found = {}
    for task in run["tasks"]:
        c, t = law["tasks"][task]["c"], law["tasks"][task]["t"]
        found[task] = c + math.exp(sum(t[name] * share for name, share in shares.items()))
        if noise := law.get("noise"):
            found[task] += noise * _normal(f"{run['key']} {task}")
    return found


def _normal(key):
    from random import Random

    return Random(key).gauss(0, 1)


if __name__ == "__main__":
    law, run = (json.loads(Path(argument).read_text()) for argument in sys.argv[1:3])
    (Path(run["output"]) / "scores.json").write_text(json.dumps(scores(law, run)))
    print(f"known law, {len(run['tasks'])} tasks")
