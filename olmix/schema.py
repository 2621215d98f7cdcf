"""Typed YAML: the base class of every section and the one reader that turns mistakes into one clear line."""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from olmix.errors import InputError

_MOST_TOKENS = 10**18
_MOST_MULTIPLE = 1e6
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_FIELD = re.compile(r"[a-z0-9_][^\[\]]*")  # not the tags that pydantic adds for the members of a union
_MULTIPLE = re.compile(r"(\d+(?:\.\d+)?)x")
_COUNT = re.compile(r"(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)\s*([KMBT]?)")


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


class Section(BaseModel):
    """Base of all typed sections: unknown fields are errors, values cannot change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    except ValueError as error:  # a null byte in the path
        raise InputError(f"{str(path)!r}: cannot be read: {error}") from None
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
        raise InputError(f"{where}: {_describe(error, model)}") from None


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    errors = error.errors()
    # A field of several kinds (a preset name or a mapping) reports every kind: keep the one the user wrote.
    fitting = [e for e in errors if not (e["type"] == "literal_error" and not isinstance(e["input"], str))]
    first = (fitting or errors)[0]
    field = ".".join(str(part) for part in first["loc"] if _FIELD.fullmatch(str(part))) or "file"
    if first["type"] == "extra_forbidden":
        message = f"{field}: unknown field; allowed here: {', '.join(_fields_at(model, first['loc'][:-1]))}"
    elif first["type"] == "missing":
        message = f"{field}: required field is missing"
    elif first["type"] in ("model_type", "model_attributes_type"):
        fields = ", ".join(_fields_at(model, first["loc"]))
        message = f"{field}: found {first['input']!r}: a section is expected, with fields such as {fields}"
    elif first["type"] == "list_type":
        message = f"{field}: found {first['input']!r}: a list is expected, such as [{first['input']}]"
    else:
        problem = first["msg"].removeprefix("Value error, ")
        found = "" if isinstance(first["input"], dict) else f": found {first['input']!r}"
        message = f"{field}{found}: {problem[0].lower()}{problem[1:]}"
    return message


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names allowed at a location, found by walking the models' annotations."""
    for part in location:
        field = model.model_fields.get(str(part))
        annotations = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        nested = [a for a in annotations if isinstance(a, type) and issubclass(a, BaseModel)]
        if nested:
            model = nested[0]
    return sorted(model.model_fields)
