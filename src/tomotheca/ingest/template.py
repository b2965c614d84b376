"""Fill in format variables in patterns, and columns of the run data map in metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from tomotheca.schema.configuration import TEMPLATE

FIELD = re.compile(r"\{\{|\}\}|\{([^{}:!]*)(?:![rsa])?(?::([^{}]*))?\}")
SPEC = re.compile(r"^0?[<>]?\d{0,3}[ds]?$")

Value = str | int


class UnknownVariableError(LookupError):
    """A pattern names a variable that has no value here."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def fill(pattern: str, values: Mapping[str, Value]) -> str:
    """Fill in ``{name}`` and ``{name:03d}`` as `str.format` does, with names taken as they are: no attributes, no indices.

    Raises
    ------
    UnknownVariableError
        If a name has no value.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        name, spec = match[1], match[2] or ""
        if name not in values:
            raise UnknownVariableError(name)
        if spec and SPEC.match(spec):
            return format(values[name], spec)
        return str(values[name])

    return FIELD.sub(replace, pattern)


def named(pattern: str) -> set[str]:
    """List the variables of a pattern."""
    return {match[1] for match in FIELD.finditer(pattern) if match[1] is not None}


def expand(value: Any, columns: Mapping[str, str]) -> Any:
    """Fill in the columns of a run in every text of a metadata block; ``float {x}`` and ``int {x}`` become numbers.

    Raises
    ------
    UnknownVariableError
        If a column is missing.
    ValueError
        If a number cannot be read.
    """
    if isinstance(value, dict):
        return {key: expand(item, columns) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, columns) for item in value]
    if not isinstance(value, str) or not (match := TEMPLATE.match(value)):
        return value
    text = fill(match[2], columns)
    match match[1]:
        case "float":
            return _finite(text)
        case "int":
            return int(_finite(text))
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        message = f"{text} is not finite"
        raise ValueError(message)
    return number
