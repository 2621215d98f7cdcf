"""The view `results/mixture.yaml`; light, for no report is loaded to write it."""

from pathlib import Path

import yaml

from olmix.params import Params
from olmix.plan.plan import Plan
from olmix.report.stamp import publish_view
from olmix.solve.document import mixture_document
from olmix.store import Store


def write_mixture(plan: Plan, params: Params, store: Store, root: Path) -> None:
    """`results/mixture.yaml`: the proposed weights with prior, caps and epochs, and what they rest on."""
    document = mixture_document(plan, params, store)
    publish_view("mixture", plan.results_key, root, {"mixture.yaml": yaml.safe_dump(document, sort_keys=False)})
