"""The key of a run's scores."""

from olmix.digest import digest

RECIPE = 1
"""Version of the scorer: raise it when the same model and items would get other scores."""

KIND = "evaluation"

BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}
"""Tokens of a batch, padding included; on a CPU its logits stay in the cache."""


def evaluation_key(run: str, suite_content: str) -> str:
    """Key of a run's scores: the run, the items and the scorer."""
    return digest({"run": run, "suite": suite_content, "recipe": RECIPE})
