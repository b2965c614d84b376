"""Fill a metadata block of the configuration language: what is guessed, and a TODO for whatever else is required."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from tomotheca.ingest.draft.guesses import Node, Todo
from tomotheca.schema.core import fields, unwrap


def fill(model: type[BaseModel], guesses: Mapping[str, Any], *, required: Collection[str] = ()) -> dict[str, Node]:
    """Give the fields of a block in the order of the schema.

    Parameters
    ----------
    model
        The block's model in the configuration language.
    guesses
        Values by name; a mapping for a block inside. None, or no value, is none.
    required
        Fields that configurations must have besides those that the model requires.
    """
    made: dict[str, Node] = {}
    for name, field in fields(model).items():
        given = guesses.get(name)
        if isinstance(given, Mapping) and _is_block(field.kind):
            made[name] = fill(field.kind, given)
        elif given is not None:
            made[name] = given
        elif field.required or name in required:
            made[name] = _missing(field.kind, field.description)
    return made


def optional(model: type[BaseModel], made: Mapping[str, Node]) -> list[str]:
    """List the fields that a block may have besides those that it has."""
    return [name for name in fields(model) if name not in made]


def _missing(kind: Any, description: str) -> Node:
    if _is_block(kind):
        return fill(kind, {})
    if get_origin(kind) is list:
        inner = unwrap(get_args(kind)[0])[0]
        return [fill(inner, {}) if _is_block(inner) else Todo(_words(inner, description))]
    return Todo(_words(kind, description))


def _words(kind: Any, description: str) -> str:
    text = description.rstrip(".")
    text = text[:1].lower() + text[1:] if text[:2] != text[:2].upper() else text
    return f"{text}: one of {', '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else text


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
