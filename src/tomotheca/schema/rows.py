"""Documents -> catalogue rows. Reads plain JSON, so that a foreign document with unknown keys or odd bounds still has rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema.context import Context
from tomotheca.schema.core import Block, Column, Document, Entity, columns, dig, fields
from tomotheca.schema.markers import Rows

NOTHING = {"not_reported", "undefined", ""}
"""Words of documents that mean "nothing recorded"."""

_columns: dict[type[Entity], tuple[Column, ...]] = {}
_lists: dict[type[Block], dict[str, Rows]] = {}


def cached_columns(entity: type[Entity]) -> tuple[Column, ...]:
    """Give the columns of an entity, worked out once."""
    if entity not in _columns:
        _columns[entity] = columns(entity)
    return _columns[entity]


def lists(model: type[Block]) -> dict[str, Rows]:
    """Give the fields of a document whose items become rows."""
    if model not in _lists:
        _lists[model] = {name: marker for name, f in fields(model).items() if (marker := f.find(Rows))}
    return _lists[model]


def rows(
    model: type[Document], document: Mapping[str, Any], context: Context, kinds: Mapping[str, type[Entity]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every row that comes out of one document, as ``(kind, row)``, parents before children.

    Parameters
    ----------
    model : type
        The document's model.
    document : mapping
        The document as parsed JSON, with `id` and `ids`.
    context : Context
        What the document cannot know of itself.
    kinds : mapping
        Entities by kind.

    Raises
    ------
    InvalidDocumentError
        If a value that must be there is missing or has no identifier.
    """
    inside = replace(context, document=document)
    if issubclass(model, Entity):
        own = row(model, document, inside, identifier=document.get("id"))
        yield model.kind, own
        inside = inside.of({f"{model.kind}_id": own["id"]})
    for position, kind, item in items(model, document, inside):
        here = replace(inside, position=position)
        yield kind, row(kinds[kind], item, here, identifier=_identifier(kinds[kind], item, here))


def items(
    model: type[Document], document: Mapping[str, Any], context: Any
) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Give what the lists of a document hold, as ``(place in its list, kind, item)``, before it is made into rows."""
    for name, marker in lists(model).items():
        found = (
            marker.make(document, context)
            if marker.make
            else ((marker.kind, item) for item in document.get(name) or [])
        )
        for position, (kind, item) in enumerate(found):
            yield position, kind, item if isinstance(item, Mapping) else {"value": item}


def _identifier(entity: type[Entity], item: Mapping[str, Any], context: Context) -> int:
    natural = entity.natural(item)
    try:
        return context.child_id(entity.kind, natural)
    except (KeyError, TypeError) as error:
        finding = Finding(
            "error",
            context.key,
            f"no identifier for {entity.kind} {natural!r}: run the ingest again to complete the document",
        )
        raise InvalidDocumentError([finding]) from error


def row(entity: type[Entity], item: Mapping[str, Any], context: Context, *, identifier: int | None) -> dict[str, Any]:
    """Flatten one item into the columns of its entity."""
    found: dict[str, Any] = {"id": identifier}
    missing = [] if identifier is not None else ["id"]
    for column in cached_columns(entity)[1:]:
        value = _value(column, item, context)
        if value is None and not column.nullable and column.missing is None:
            missing.append(".".join(column.path) or column.name)
        found[column.name] = value
    if missing:
        raise InvalidDocumentError(
            [Finding("error", context.key, f"{entity.title or entity.kind} has no value for {', '.join(missing)}")]
        )
    return found


def _value(column: Column, item: Mapping[str, Any], context: Context) -> Any:
    if column.ref:
        if column.ref.find:
            return column.ref.find(item, context)
        given = item.get(column.name)
        return given if given is not None else context.parents.get(column.name)
    raw = column.derive(item, context) if column.derive else dig(item, column.path)
    return convert(column, raw)


def convert(column: Column, raw: Any) -> Any:
    """Turn a document's value into the column's: words to codes, dates to midnight UTC, numbers to their type."""
    if raw is None or (
        isinstance(raw, str) and (raw in NOTHING or (column.translations and raw in column.translations))
    ):
        return column.translations.get(raw) if raw is not None else None
    match column.type.__name__:
        case "datetime":
            return timestamp(raw)
        case "float":
            return float(raw)
        case "int":
            return int(raw)
        case "str":
            return str(raw)
        case "list":
            return json.dumps(raw)
    return raw


def timestamp(value: Any) -> str:
    """Write a date or time as the wire has it: ``YYYY-MM-DDTHH:MM:SS+00:00``; a date is midnight UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return str(value.astimezone(UTC).isoformat())
