"""The keys of a proposal and of the runs that prove it."""

from collections.abc import Mapping
from typing import Any

from olmix.digest import digest
from olmix.params import SolverParams

RECIPE = 1
"""Version of the solver: raise it when the same laws would give another mixture."""

KIND = "proposal"
VALIDATION_KIND = "validation"


def proposal_key(
    law: str,
    coordinates: Mapping[str, tuple[float, float, float]],
    frozen_priors: Mapping[str, float],
    task_weights: Mapping[str, float],
    params: SolverParams,
) -> str:
    """Key of a proposal: the laws, prior, least and largest weight per coordinate, task weights and solver settings.

    frozen_priors: prior per content of frozen leaves, where the KL term counts them one by one.
    """
    return digest(
        {
            "law": law,
            "coordinates": dict(coordinates),
            "frozen_priors": dict(frozen_priors),
            "task_weights": dict(task_weights),
            "params": params.model_dump(mode="json"),
            "recipe": RECIPE,
        }
    )


def carried_key(coordinate: str, bounds: Mapping[str, tuple[float, float]]) -> str:
    """Key of a proposal that is carried over from the parent: frozen ratios, and bounds per leaf content."""
    return digest({"carried": coordinate, "bounds": dict(bounds), "recipe": RECIPE})


def validation_key(proposal: str, suite_content: str, run_template: Mapping[str, Any]) -> str:
    """Key of a run that proves a proposal: the run's own key is known only once the proposal is solved."""
    return digest({"proposal": proposal, "suite": suite_content, "run": dict(run_template)})
