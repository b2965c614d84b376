"""Schema -> what people and programs read about it: JSON Schemas of the documents, tables of the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tomotheca.schema import DOCUMENTS, SCHEMA, Schema
from tomotheca.schema.core import Block, Column, Document, Entity

SCHEMA_FOLDER = "schemas"


def document_name(model: type[Document]) -> str:
    """Give the name under which a document's JSON Schema is served."""
    return model.__name__.lower()


def json_schema(model: type[Block]) -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a document, unknown keys allowed."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}


def meaning(column: Column) -> str:
    """Give the description of a column with its codes and bounds."""
    parts = [column.description]
    if column.choices:
        parts.append("One of " + ", ".join(f"`{c}`" for c in column.choices) + ".")
    if column.bounds:
        parts.append("Allowed: " + ", ".join(column.bounds) + ".")
    return " ".join(parts)


def table(schema: Schema, entity: type[Entity]) -> Iterator[str]:
    """Give the lines of the Markdown table of an entity's fields."""
    yield f"### {entity.title}\n"
    yield f"{' '.join((entity.__doc__ or '').split())} GraphQL list `{entity.root}`, dump file `{entity.kind}.ndjson`.\n"
    yield "| field | in the document | type | unit | meaning |\n|---|---|---|---|---|"
    for c in schema.columns(entity.kind):
        if c.public:
            kind = (c.enum or {"datetime": "date and time", "list": "JSON"}.get(c.type.__name__, c.type.__name__)) + (
                "" if c.nullable else "!"
            )
            yield f"| `{c.name}` | {'`' + '.'.join(c.path) + '`' if c.path else ''} | {kind} | {c.unit} | {meaning(c)} |"
    relations = schema.relations(entity.kind).values()
    if relations:
        yield (
            "\nRelations: "
            + ", ".join(
                f"`{r.name}` → {'many ' if r.many else ''}{schema.kinds[r.target].title.lower()}" for r in relations
            )
            + ".\n"
        )


def pages(schema: Schema = SCHEMA) -> dict[str, str]:
    """Give every generated file by its path below the documentation folder."""
    lines = [line for entity in schema for line in table(schema, entity)]
    head = "# Fields\n\nWritten by `make docs` from the schema; `!` means never null.\n"
    found = {"fields.md": "\n".join([head, *lines]).rstrip() + "\n"}
    for model in DOCUMENTS:
        found[f"{SCHEMA_FOLDER}/{document_name(model)}.json"] = (
            json.dumps(json_schema(model), indent=2, ensure_ascii=False) + "\n"
        )
    return found


def write(folder: Path, more: Mapping[str, str]) -> list[Path]:
    """Write the generated files, and those that other parts generate, and give those that changed."""
    changed = []
    for name, text in {**pages(), **more}.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(folder: Path, more: Mapping[str, str]) -> list[Path]:
    """Give the generated files that are not as they would be written."""
    return [
        folder / name
        for name, text in {**pages(), **more}.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]
