"""Documentation that follows from the schema, and the few pages of plain text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.errors import NotFoundError
from tomotheca.schema import DOCUMENTS
from tomotheca.schema.vocabulary import LABELS, QUALITY
from tomotheca.web.format import Badge, quality
from tomotheca.web.page import Asked, Context, Crumb, guard
from tomotheca.web.pages.common import unknown
from tomotheca.web.values import title
from tomotheca.web.words import say

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.schema.core import Column, Document

TABLES = {
    "datasets": ("dataset",),
    "runs": ("run", "tiltseries", "tomogram", "alignment"),
    "annotations": ("annotation", "annotation_shape", "annotation_file"),
    "depositions": ("deposition",),
}
"""Which kinds of entity each section of the page lists."""


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of the schema in the documentation."""

    name: str
    graphql: str
    label: str
    type: str
    unit: str
    allowed: str
    meaning: str
    required: bool


@dataclass(frozen=True, slots=True)
class FieldTable:
    """All fields of one kind of entity."""

    kind: str
    title: str
    meaning: str
    prefix: str
    document: str
    lines: tuple[FieldLine, ...]


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A quality score with its meaning."""

    badge: Badge
    meaning: str


@dataclass(frozen=True, kw_only=True)
class DataSchema(Context):
    """Everything on the data-schema page."""

    quality: tuple[ScoreLine, ...]
    samples: tuple[Badge, ...]
    shapes: tuple[Badge, ...]
    datasets: tuple[FieldTable, ...]
    runs: tuple[FieldTable, ...]
    annotations: tuple[FieldTable, ...]
    depositions: tuple[FieldTable, ...]
    documents: tuple[Crumb, ...]


def data_schema(asked: Asked) -> DataSchema:
    """Make the data-schema page."""
    return DataSchema(
        title=say("Data schema"), description=say("How the data are organised: datasets, runs, annotations, depositions, and every field with its unit."),
        crumbs=(Crumb(say("Docs"), "/docs"), Crumb(say("Data schema"))), ignored=unknown(asked.address, ()), canonical=f"{asked.origin}/docs/data-schema",
        quality=tuple(ScoreLine(quality(s), QUALITY[s][1]) for s in QUALITY),
        samples=tuple(Badge(text, "plain", code) for code, text in LABELS["sample_type_enum"].items()),
        shapes=tuple(Badge(text, "plain", code) for code, text in LABELS["annotation_file_shape_type_enum"].items()),
        documents=tuple(Crumb(name, f"/docs/schemas/{name}.json") for name in documents()),
        datasets=_tables(asked, "datasets"), runs=_tables(asked, "runs"), annotations=_tables(asked, "annotations"), depositions=_tables(asked, "depositions"),
    )  # fmt: skip


def _tables(asked: Asked, section: str) -> tuple[FieldTable, ...]:
    return tuple(_table(asked, kind) for kind in TABLES[section])


def _table(asked: Asked, kind: str) -> FieldTable:
    entity = asked.portal.catalog.schema.kinds[kind]
    lines = tuple(_line(c) for c in asked.portal.catalog.schema.columns(kind) if c.public)
    document = getattr(entity, "filename", "")
    return FieldTable(kind, entity.title, " ".join((entity.__doc__ or "").split()), entity.prefix, document, lines)


def _line(c: Column) -> FieldLine:
    kinds = {
        "str": say("text"),
        "int": say("whole number"),
        "float": say("number"),
        "bool": say("yes or no"),
        "datetime": say("date"),
        "list": "JSON",
    }
    allowed = ", ".join(c.choices) if c.choices else ", ".join(c.bounds)
    return FieldLine(
        c.name, c.graphql, title(c), kinds[c.type.__name__], c.unit, allowed, c.description, not c.nullable
    )


def documents() -> dict[str, type[Document]]:
    """Give the models of documents by the name under which their JSON Schema is served."""
    return {str(getattr(m, "kind", m.__name__.lower())): m for m in DOCUMENTS}


def schema_routes() -> list[Route]:
    """Give the route of JSON Schemas."""

    def schema(request: Request) -> Response:
        model = documents().get(request.path_params["name"])
        if model is None:
            message = say(
                "There is no document {!r}; there are {}.", request.path_params["name"], ", ".join(documents())
            )
            raise NotFoundError(message)
        body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        return guard(Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), media_type="application/schema+json"))

    return [Route("/docs/schemas/{name}.json", schema)]


@dataclass(frozen=True, kw_only=True)
class Text(Context):
    """A page of text; the template has it."""

    origin: str
    bucket: str
    prefix: str
    facts: tuple[Crumb, ...] = field(default=())


def text(name: str, summary: str, *crumbs: Crumb) -> Callable[[Asked], Text]:
    """Give the function of a page whose words are in its template."""

    def page(asked: Asked) -> Text:
        settings = asked.portal.settings
        return Text(
            title=say(name), description=say(summary), crumbs=(*(Crumb(say(c.text), c.href) for c in crumbs), Crumb(say(name))), ignored=unknown(asked.address, ("next",)), origin=asked.origin, bucket=settings.bucket,
            prefix=settings.deposition_prefix, canonical=asked.origin + asked.address.path,
        )  # fmt: skip

    return page
