"""The key of the laws."""

from collections.abc import Iterable

from olmix.digest import digest
from olmix.params import RegressionParams

RECIPE = 2
"""Version of the fit: raise it when the same table would give other laws."""

KIND = "law"


def law_key(scored: Iterable[str], coordinates: Iterable[str], params: RegressionParams) -> str:
    """Key of the laws: evaluations and imported runs, each of which covers mixture and scores, and the coordinates."""
    return digest(
        {
            "scored": sorted(scored),
            "coordinates": sorted(coordinates),
            "params": params.model_dump(mode="json"),
            "recipe": RECIPE,
        }
    )
