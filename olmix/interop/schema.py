"""Typed fit configuration: the YAML that allenai/olmix documents in docs/cli/fit.md, and what it may ask for.

Fields that only older versions of the released code had are read too. What is read is done, or refused: nothing is
ignored. The docstring under a field is its documentation.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from olmix.errors import InputError
from olmix.regression.base import Family
from olmix.schema import Section, TokenCount, parse, read_yaml

_FRACTION = re.compile(r"\s*(\d+(?:\.\d*)?)\s*/\s*(\d+(?:\.\d*)?)\s*")

Tokens = Annotated[TokenCount, Field(ge=0)]
Share = Annotated[float, Field(ge=0)]


def _parse_fraction(value: Any) -> Any:
    """Accept "7/52.0", which the authors' configurations use, beside numbers."""
    if isinstance(value, str) and (match := _FRACTION.fullmatch(value)):
        if not float(match[2]):
            raise ValueError("division by zero")
        return float(match[1]) / float(match[2])
    if isinstance(value, str):
        raise ValueError('a number, or a fraction such as "7/52.0", is allowed')
    return value


def _only_entry(value: Any) -> Any:
    """Accept [0.8] for 0.8: older versions have a list here, with an entry per swarm."""
    if isinstance(value, list):
        if len(value) != 1:
            raise ValueError(f"a list of {len(value)}; one number is allowed, as the tables hold one swarm")
        return value[0]
    return value


Weight = Annotated[float, BeforeValidator(_parse_fraction), Field(ge=0)]


class SwarmFiles(Section):
    """The swarm's tables; relative paths count from the folder of the YAML, or else from the working directory."""

    ratios: str
    """CSV file: a row per run, its id (`run`, `run_id` or `index`) and a weight per domain."""
    metrics: str
    """CSV file: a row per run, its id and a score per metric, lower is better."""


class Priors(Section):
    """The domains. At least one of the two tables is needed; both have the same names, those of the ratios' columns."""

    relative_sizes: dict[str, Share] = {}
    """Share of each domain before mixing, the reference of the KL penalty; by default its share of the tokens."""
    token_counts: dict[str, Tokens] = {}
    """Tokens available in each domain; `constraints` needs them."""
    total_tokens: Tokens | None = None
    """Sum of `token_counts`; not used, a difference is noted."""

    @model_validator(mode="after")
    def _some(self) -> "Priors":
        if not self.relative_sizes and not self.token_counts:
            raise ValueError("relative_sizes and token_counts are both missing; one of them names the domains")
        return self


class Eval(Section):
    """Which metrics count. Without this section all columns of the metrics do."""

    type: Literal["offline", "inloop"] = "offline"
    """`offline`: families list metrics; `inloop`: families map task ids to metrics."""
    tasks: dict[str, list[str] | dict[str, str]] = Field(min_length=1)
    """Families of metrics, by the names of the metrics' columns."""

    @field_validator("tasks")
    @classmethod
    def _once(cls, tasks: dict[str, list[str] | dict[str, str]]) -> dict[str, list[str] | dict[str, str]]:
        seen: dict[str, str] = {}
        for family, members in tasks.items():
            metrics = list(members.values()) if isinstance(members, dict) else members
            if not metrics:
                raise ValueError(f"family {family} is empty")
            for metric in metrics:
                if metric in seen:
                    raise ValueError(f"{metric} is listed twice, in {seen[metric]} and {family}; allowed: once")
                seen[metric] = family
        return tasks

    @model_validator(mode="after")
    def _kind(self) -> "Eval":
        for family, members in self.tasks.items():
            if isinstance(members, dict) != (self.type == "inloop"):
                kinds = "a list of metrics", "a mapping of task ids to metrics"
                raise ValueError(f"family {family}: type {self.type} needs {kinds[self.type == 'inloop']}")
        return self

    @property
    def families(self) -> dict[str, list[str]]:
        """Metrics of each family."""
        return {
            family: list(members.values()) if isinstance(members, dict) else list(members)
            for family, members in self.tasks.items()
        }


class Regression(Section):
    """The law from mixture to score."""

    type: str = "log_linear"
    """Family of the laws, or `auto`: the family with the best cross-validated error."""
    penalty: Literal["auto"] | float = "auto"
    """Ridge penalty of the laws; `auto` chooses it by cross-validation for each task. The released code has none: 0."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the split into training and held-out runs."""
    n_test: int = Field(0, ge=0)
    """Runs held out before `train_split`."""
    train_split: Annotated[float, BeforeValidator(_only_entry), Field(gt=0)] = 1.0
    """Runs to train on: a fraction up to 1, or a number of runs; those that are left are held out too."""
    aggregate_task_families: bool = False
    """One law for each family of `eval.tasks`, on the mean of its metrics, in place of one for each metric."""

    @field_validator("penalty", mode="before")
    @classmethod
    def _a_penalty(cls, penalty: Any) -> Any:
        is_number = isinstance(penalty, int | float) and not isinstance(penalty, bool)
        if penalty != "auto" and not (is_number and 0 <= penalty < math.inf):
            raise ValueError("auto, or a number of at least 0, is allowed")
        return penalty

    @field_validator("train_split")
    @classmethod
    def _whole(cls, split: float) -> float:
        if split > 1 and not split.is_integer():
            raise ValueError("a fraction up to 1 or a whole number of runs is allowed")
        return split


class Proposer(Section):
    """How the mixture is found."""

    type: Literal["auto", "exact", "gradient", "simulation", "search"] = "auto"
    """`exact` for convex laws, `gradient` for smooth ones, `simulation` for any, `search` for the best run; `auto` is
    the first that the laws allow. With `regression.type: auto`, `exact` is `auto`."""
    temperature: float | None = Field(None, gt=0)
    """Exponent on the prior that `simulation` draws from; default 1."""
    kl_reg: float | None = Field(None, ge=0)
    """Weight of the KL penalty to the prior; default 0.05, but 0 for `simulation` and `search`, which take none."""
    use_natural_kl: bool = False
    """Refer the KL penalty to the shares of `token_counts` rather than to `relative_sizes`."""
    fit_only: bool = False
    """Fit the laws and propose nothing."""
    make_worst_mix: bool = False
    """Find the worst mixture, as a counterfactual."""


class Constraints(Section):
    """Repetition caps: a domain's weight times `target_tokens` is at most `repetition_factor` times its tokens."""

    enabled: bool = False
    """Whether the caps hold."""
    target_tokens: Annotated[TokenCount, Field(gt=0)] | None = None
    """Tokens of the training run that the mixture is for."""
    repetition_factor: float = Field(4.0, gt=0)
    """How often a domain may be repeated."""


class Filtering(Section):
    """What is left out, and what counts how much."""

    drop_metrics: list[str] = []
    """Metrics that do not count; names that the table does not have are noted."""
    obj_weights: dict[str, Weight] = {}
    """Weights of metrics or families in the objective, numbers or fractions such as "7/52.0"; default 1 each."""
    fixed_weight: dict[str, Annotated[Weight, Field(lt=1)]] = {}
    """Domains whose weight in the mixture is given."""
    keep_sources: list[str] = []
    """Use only runs that mix exactly these domains, and propose a mixture of them."""
    support_domains: list[str] = []
    """Use only runs that mix no other domain than these, and propose a mixture of them."""


class FitConfig(Section):
    """A fit configuration."""

    swarm: SwarmFiles
    priors: Priors
    eval: Eval | None = None
    regression: Regression = Regression()
    proposer: Proposer = Proposer()
    constraints: Constraints = Constraints()
    filtering: Filtering = Filtering()


class _Anything(BaseModel):
    """A YAML mapping as it is."""

    model_config = ConfigDict(extra="allow")


def read_fit_config(path: Path, families: Mapping[str, type[Family]]) -> FitConfig:
    """Read a fit configuration; families: estimators by the names of `regression.type`.

    Raises InputError naming the field, what was found and what is allowed, also for settings that exclude each other.
    """
    found = read_yaml(path, _Anything).model_extra or {}
    document = {name: section for name, section in found.items() if section is not None}  # `eval:` and nothing below it
    _check_names(document, path)
    config = parse(document, FitConfig, str(path))
    if conflict := next(_conflicts(config, families), None):
        raise InputError(f"{path}: {conflict}")
    return config


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """A question for the message about an unknown name, empty where nothing is close."""
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _check_names(document: dict[str, Any], path: Path) -> None:
    """Unknown fields, with the field that was meant or the section where it belongs."""
    sections: dict[str, type[BaseModel]] = {
        name: next(a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type))
        for name, field in FitConfig.model_fields.items()
    }
    home = {field: name for name, model in sections.items() for field in model.model_fields if field not in sections}
    levels: list[tuple[str, Any, Iterable[str]]] = [("", document, sections)]
    levels += [(f"{name}.", document.get(name), model.model_fields) for name, model in sections.items()]
    for prefix, found, allowed in levels:
        for name in found if isinstance(found, dict) else ():
            if name in allowed:
                continue
            if name in home and name != "type":
                where = f"in {prefix.rstrip('.')}" if prefix else "at the top level"
                raise InputError(
                    f"{path}: {prefix}{name}: found {where}; it belongs below {home[name]}: "
                    f"write it as {home[name]}.{name}, indented below `{home[name]}:`"
                )
            raise InputError(
                f"{path}: {prefix}{name}: unknown field{did_you_mean(str(name), allowed)}; "
                f"allowed here: {', '.join(sorted(allowed))}"
            )


def _conflicts(config: FitConfig, families: Mapping[str, type[Family]]) -> Iterator[str]:
    """Settings that exclude each other, or that the part they are for would not use."""
    regression, proposer, constraints = config.regression, config.proposer, config.constraints
    if regression.type not in families:
        yield (
            f"regression.type: found {regression.type!r}{did_you_mean(regression.type, families)}; "
            f"allowed: {', '.join(sorted(families))}"
        )
    elif "penalty" in regression.model_fields_set and "penalty" not in families[regression.type]().get_params():
        yield f"regression.penalty: found {regression.penalty!r} with type {regression.type}, which has none"
    if regression.aggregate_task_families and config.eval is None:
        yield "regression.aggregate_task_families: found true without eval.tasks; list the families there, or set false"
    if constraints.enabled and constraints.target_tokens is None:
        yield "constraints.target_tokens: found nothing with constraints.enabled true; allowed: a number of tokens"
    needs = {"constraints.enabled": constraints.enabled, "proposer.use_natural_kl": proposer.use_natural_kl}
    for setting, is_on in needs.items():
        if is_on and not config.priors.token_counts:
            yield f"priors.token_counts: found nothing with {setting} true; allowed: the tokens of every domain"
    yield from _unused(config)
    if proposer.fit_only:
        return
    laws = families[regression.type]
    allowed = ["auto", "search"] if regression.type == "search" else ["auto", "simulation"]
    allowed += ["exact"] if laws.convex or regression.type == "auto" else []
    allowed += ["gradient"] if laws.smooth and regression.type != "search" else []
    if proposer.type not in allowed:
        yield (
            f"proposer.type: found {proposer.type!r} with regression.type {regression.type}; "
            f"allowed for these laws: {', '.join(sorted(allowed))}"
        )


def _unused(config: FitConfig) -> Iterator[str]:
    """Settings that the chosen proposer would not use."""
    proposer = config.proposer
    kind = "search" if config.regression.type == "search" else proposer.type
    uses = {
        "kl_reg": (proposer.kl_reg is not None, ("auto", "exact", "gradient")),
        "use_natural_kl": (proposer.use_natural_kl, ("auto", "exact", "gradient")),
        "temperature": (proposer.temperature is not None, ("simulation",)),
        "make_worst_mix": (proposer.make_worst_mix, ("auto", "gradient", "simulation", "search")),
    }
    for name, (given, by) in uses.items():
        if given and kind not in by:
            found = getattr(proposer, name)
            yield f"proposer.{name}: found {found!r} with proposer.type {kind}; allowed with {', '.join(by)}"
    if config.filtering.fixed_weight and kind == "search":
        yield "filtering.fixed_weight: found weights with proposer.type search, which proposes a run as it is"
    if config.filtering.keep_sources and config.filtering.support_domains:
        yield "filtering.support_domains: found beside keep_sources; allowed: one of the two"
