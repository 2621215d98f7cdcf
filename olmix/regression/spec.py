"""The key of the laws."""

from collections.abc import Iterable, Mapping

from olmix.digest import digest
from olmix.params import RegressionParams

RECIPE = 2
"""Version of the fit: raise it when the same table would give other laws."""

KIND = "law"


def law_key(
    scored: Iterable[str],
    coordinates: Iterable[str],
    params: RegressionParams,
    tasks: Mapping[str, tuple[str, float]],
    noise: Iterable[str] = (),
) -> str:
    """Key of the laws: evaluations and imported runs, each of which covers mixture and scores, and the coordinates.

    tasks: family and weight per task, which matter where laws are fitted to means of tasks; noise: evaluations that
    tell the noise of tasks, where weak ones count less.
    """
    return digest(
        {
            "scored": sorted(scored),
            "coordinates": sorted(coordinates),
            "params": params.model_dump(mode="json"),
            "tasks": {} if params.granularity == "task" else {name: list(of) for name, of in tasks.items()},
            "noise": sorted(noise),
            "recipe": RECIPE,
        }
    )
