"""The regression families by name."""

from collections.abc import Mapping
from typing import Any

from olmix.errors import InputError
from olmix.regression.auto import Auto
from olmix.regression.autoscale import AutoScale
from olmix.regression.base import Family
from olmix.regression.bimix import BiMix
from olmix.regression.blend import Blend
from olmix.regression.gaussian_process import GaussianProcess
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear
from olmix.regression.natural import Natural
from olmix.regression.ridge import Ridge
from olmix.regression.search import Search
from olmix.regression.trees import LightGBM

_READABLE: dict[str, type[Family]] = {
    family.name: family
    for family in (LogLinear, Kernel, Blend, Ridge, LightGBM, GaussianProcess, BiMix, AutoScale, Natural, Search)
}

FAMILIES: dict[str, type[Family]] = {**_READABLE, Auto.name: Auto}
"""Name, as in `regression.family`, → class."""


def make_family(name: str, penalty: float | str, huber_delta: float) -> Family:
    """An estimator with those of the settings that its family has. Raises InputError for an unknown name."""
    estimator = _look_up(name, FAMILIES)()
    known = estimator.get_params()
    settings = {"penalty": penalty, "huber_delta": huber_delta}
    made: Family = estimator.set_params(**{field: value for field, value in settings.items() if field in known})
    return made


def read_family(document: Mapping[str, Any]) -> Family:
    """Fitted laws from what their `to_json` wrote; `auto` is none, it writes the family that it chose.

    Raises InputError if malformed.
    """
    return _look_up(document.get("regression"), _READABLE).from_json(document)


def _look_up(name: Any, families: Mapping[str, type[Family]]) -> type[Family]:
    if not isinstance(name, str) or name not in families:
        raise InputError(f"regression: found {name!r}; allowed: {', '.join(families)}")
    return families[name]
