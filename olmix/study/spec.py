"""The key of a study of today's plan."""

from olmix.digest import digest
from olmix.params import StudyParams

RECIPE = 1
"""Version of the study: raise it when the same runs would give other figures."""

VIEW = "study"
"""Name of its stamp."""


def study_key(plan: str, params: StudyParams) -> str:
    """Key of a study: the plan, whose key covers runs, scores and all other params, and what the study tries."""
    return digest({"plan": plan, "study": params.model_dump(mode="json"), "recipe": RECIPE})
