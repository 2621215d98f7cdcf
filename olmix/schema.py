"""Typed YAML: the base class of every section and the one reader that turns mistakes into one clear line."""

import math
import re
from collections.abc import Container, Hashable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from olmix.errors import InputError
from olmix.textfile import read_text

_MOST_TOKENS = 10**18
_MOST_MULTIPLE = 1e6
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_LONGEST = 200
_MULTIPLE = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?)\s*([KMBT]?)")


def _parse_count(value: Any) -> Any:
    """Accept 2000000, 2e6, "2M" and "1.5B"; YAML reads 2e6 as text, so text must be accepted anyway."""
    if isinstance(value, str) and (match := _COUNT.fullmatch(value.strip())):
        count = float(match[1]) * _UNITS[match[2]]
        value = round(count) if math.isfinite(count) else _MOST_TOKENS + 1
    if isinstance(value, int) and value > _MOST_TOKENS:
        raise ValueError(f"input should be at most {_MOST_TOKENS:.0e} tokens")
    return value


TokenCount = Annotated[int, BeforeValidator(_parse_count)]


def _parse_budget(value: Any) -> Any:
    count = _parse_count(value)
    multiple = _MULTIPLE.fullmatch(count) if isinstance(count, str) else None
    if multiple is None and (not isinstance(count, int) or isinstance(count, bool)):
        raise ValueError("a number of tokens such as 240K or 3B is expected, or a multiple such as 5x")
    if (float(multiple[1]) if multiple else count) <= 0:
        raise ValueError("input should be greater than 0")
    if multiple and float(multiple[1]) > _MOST_MULTIPLE:
        raise ValueError(f"input should be at most {_MOST_MULTIPLE:g}x")
    return count


TokenBudget = Annotated[int | str, BeforeValidator(_parse_budget)]
"""A number of tokens, or text such as "5x": that many times Chinchilla's 20 tokens per parameter."""


class Record(BaseModel):
    """Base of what the program itself writes: unknown fields are errors, values cannot change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Section(Record):
    """Base of what people write."""

    @model_validator(mode="wrap")
    @classmethod
    def _truth_is_no_number(cls, data: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """YAML reads `yes` and `on` as true, which would count as 1."""
        section = read(data)
        for name in sorted(cls.model_fields.keys() & data.keys()) if isinstance(data, dict) else ():
            if path := next(_became_numbers(data[name], getattr(section, name)), None):
                problem = PydanticCustomError("truth", "a number is expected")
                details = InitErrorDetails(type=problem, loc=(name, *path[:-1]), input=path[-1])
                raise ValidationError.from_exception_data(cls.__name__, [details])
        return section


def _became_numbers(found: Any, read: Any) -> Iterator[tuple[Any, ...]]:
    """Steps to each true or false that was read as a number, and what was found there."""
    if isinstance(found, dict) and isinstance(read, dict):
        pairs: list[tuple[Any, Any, Any]] = [(name, found[name], read[name]) for name in found if name in read]
    elif isinstance(found, list) and isinstance(read, list | tuple):
        pairs = list(zip(range(len(found)), found, read, strict=False))
    else:
        if isinstance(found, bool) and not isinstance(read, bool) and isinstance(read, int | float):
            yield (found,)
        return
    for name, below, below_read in pairs:
        for path in _became_numbers(below, below_read):
            yield (name, *path)


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast, where it is compiled


class _UniqueKeyLoader(_SafeLoader):
    """SafeLoader that refuses a key given twice, where YAML would silently keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is no plain value", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read a YAML file into a model. Raises InputError with file, field, value found and what is allowed."""
    text = read_text(path, "a YAML file")
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of nested brackets
        raise InputError(f"{path}: not valid YAML: {str(error).split(';')[0]}") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds a {type(data).__name__}, a mapping of fields is expected")
    return parse(data, model, str(path))


def parse(data: dict[str, Any], model: type[Model], where: str) -> Model:
    """Validate plain data; `where` names its origin in the message. Raises InputError for the first mistake."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{where}: {_describe(error, model, data)}") from None


def _describe(error: ValidationError, model: type[BaseModel], data: dict[str, Any]) -> str:
    errors = error.errors()
    # A field of several kinds (a preset name or a mapping) reports every kind: keep the one the user wrote.
    fitting = [e for e in errors if not (e["type"] == "literal_error" and not isinstance(e["input"], str))]
    first = (fitting or errors)[0]
    field = ".".join(_name(part) for part in _path(first["loc"], data, first["type"] == "missing"))
    where = f"{field}: " if field else ""
    if first["type"] == "extra_forbidden":
        return f"{where}unknown field; allowed here: {', '.join(_fields_at(model, first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"{where}required field is missing"
    if first["type"] in ("model_type", "model_attributes_type"):
        fields = ", ".join(_fields_at(model, first["loc"]))
        return f"{where}found {short(first['input'])}: a section is expected, with fields such as {fields}"
    if first["type"] == "list_type":
        such = f", such as [{short(first['input'])}]" if isinstance(first["input"], str | int | float) else ""
        return f"{where}found {short(first['input'])}: a list is expected{such}"
    if first["type"] == "dict_type":
        return f"{where}found {short(first['input'])}: a mapping of names is expected"
    if first["type"] == "too_short" and not first["input"]:
        return f"{where}found none: at least one is needed"
    problem = " ".join(first["msg"].removeprefix("Value error, ").split())
    found = "" if isinstance(first["input"], dict) else f"found {short(first['input'])}: "
    return f"{where}{found}{problem[0].lower()}{problem[1:]}"


def short(value: object) -> str:
    """A value for a message: what a user recognises it by, in one line."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _path(location: tuple[Any, ...], data: Any, missing: bool) -> Iterator[int | str]:
    """The steps of a location that the data have, without the tags that pydantic adds for the members of a union."""
    for i, part in enumerate(location):
        steps: Container[Any] = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if part in steps:
            data = data[part]
        elif not (missing and i == len(location) - 1):
            continue
        yield part


def _name(part: int | str) -> str:
    """A step of a path; names of several lines and the like are quoted."""
    text = str(part)
    return text if text.isprintable() and text else short(text)


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names allowed at a location, found by walking the models' annotations."""
    for part in location:
        field = model.model_fields.get(str(part))
        annotations = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        nested = [a for a in annotations if isinstance(a, type) and issubclass(a, BaseModel)]
        if nested:
            model = nested[0]
    return sorted(model.model_fields)
