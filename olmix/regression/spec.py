"""The key of the laws."""

from collections.abc import Iterable

from olmix.digest import digest
from olmix.params import RegressionParams

RECIPE = 1
"""Version of the fit: raise it when the same table would give other laws."""

KIND = "law"


def law_key(evaluations: Iterable[str], params: RegressionParams) -> str:
    """Key of the laws fitted on a set of evaluated runs: each evaluation key covers the run, its mixture and scores."""
    return digest({"evaluations": sorted(evaluations), "params": params.model_dump(mode="json"), "recipe": RECIPE})
