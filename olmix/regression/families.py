"""The regression families by name."""

from collections.abc import Mapping
from typing import Any

from olmix.errors import InputError
from olmix.regression.auto import Auto
from olmix.regression.base import Family
from olmix.regression.blend import Blend
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear

FAMILIES: dict[str, type[Family]] = {family.name: family for family in (LogLinear, Kernel, Blend, Auto)}
"""Name, as in `regression.family`, → class."""


def make_family(name: str, penalty: float | str, huber_delta: float) -> Family:
    """An estimator; the settings are those of log-linear laws. Raises InputError for an unknown name."""
    family = _family(name)
    settings = {"penalty": penalty, "huber_delta": huber_delta}
    return family(**settings) if family in (LogLinear, Blend, Auto) else family()


def read_family(document: Mapping[str, Any]) -> Family:
    """Fitted laws from what their `to_json` wrote. Raises InputError if malformed."""
    return _family(document.get("regression")).from_json(document)


def _family(name: Any) -> type[Family]:
    if name not in FAMILIES:
        raise InputError(f"regression: found {name!r}; allowed: {', '.join(FAMILIES)}")
    return FAMILIES[name]
