"""The description of the REST interface as OpenAPI 3.1, made of the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tomotheca import __version__
from tomotheca.api.rest import schemas
from tomotheca.api.rest.formats import LISTS
from tomotheca.api.rest.names import kebab
from tomotheca.api.rest.query import MAX_PAGE, PAGE
from tomotheca.api.rest.schemas import Json, ref
from tomotheca.api.rest.values import LARGEST
from tomotheca.catalog.writers import WRITERS

if TYPE_CHECKING:
    from tomotheca.api.rest.names import Names
    from tomotheca.api.rest.query import Reader

ROOT = "/api/v1"
JSON = WRITERS["json"].media_type

ABOUT = """Every kind of record as list, item, related records and counts. Lists answer `{items, next, total}`; follow `next` until it is null.
NDJSON, CSV and Parquet give the whole list at once. Conditions are parameters: `name=TS_1`, `name._ilike=%ribo%`, `dataset.id=10001`, with
relations before the field (conditions on one relation hold for one and the same record), or `where` with a clause in JSON. The pages' filters
work here by the same names. HEAD works wherever GET does."""

ERROR = {
    "type": "object", "properties": {"error": {"type": "string", "description": "What is wrong, where, and what to do."}}, "required": ["error"],
}  # fmt: skip

VALUE = {"type": ["string", "number", "boolean", "null"], "description": "The value; null where nothing is recorded."}
FACETS = {
    "type": "object", "required": ["facets", "total"], "additionalProperties": False,
    "properties": {
        "total": {"type": "integer", "minimum": 0, "description": "Records of the list."},
        "facets": {"type": "array", "items": {
            "type": "object", "required": ["parameter", "label", "values"], "additionalProperties": False,
            "properties": {
                "parameter": {"type": "string", "description": "Parameter that filters by these values."}, "label": {"type": "string"},
                "values": {"type": "array", "items": {
                    "type": "object", "required": ["value", "label", "count"], "additionalProperties": False,
                    "properties": {"value": VALUE, "label": {"type": "string"}, "count": {"type": "integer", "minimum": 0}},
                }},
            },
        }},
    },
}  # fmt: skip
INDEX = {
    "type": "object", "required": ["kinds", "openapi", "documentation"], "properties": {
        "kinds": {"type": "array", "items": {"type": "object", "required": ["name", "kind", "title", "href", "facets", "fields", "relations"]}},
        "openapi": {"type": "string"}, "documentation": {"type": "string"},
    },
}  # fmt: skip


def document(reader: Reader, base: str) -> Json:
    """Describe the interface at an address."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tomotheca", "version": __version__, "description": ABOUT},
        "servers": [{"url": base or "/"}],
        "paths": dict(_paths(reader)),
        "components": {"schemas": _schemas(reader.names), "parameters": _parameters(reader), "responses": _responses()},
        "tags": [
            {"name": name, "description": reader.names.schema.kinds[kind].title}
            for name, kind in reader.names.kinds.items()
        ],
    }


def _schemas(names: Names) -> Json:
    found: Json = {
        "Error": ERROR,
        "Facets": FACETS,
        "Index": INDEX,
    }
    for entity in names.schema:
        kind, name = entity.kind, entity.__name__
        found |= {
            name: schemas.record(names, kind), f"{name}Page": schemas.page(name), f"{name}Where": schemas.where(names, kind),
            f"{name}Compared": schemas.compared(names, kind),
        }  # fmt: skip
        found |= {schemas.family(c): schemas.comparisons(c) for c in names.comparable(kind)}
    return found


def _parameters(reader: Reader) -> Json:
    names = reader.names
    most, all_ = ({"type": "integer", "minimum": 1, "maximum": end} for end in (MAX_PAGE, LARGEST))
    found: Json = {
        "limit": _parameter("limit", {**most, "default": PAGE}, "Records of a page."),
        "most": _parameter("limit", all_, "Most records of the answer; without it, all."),
        "cursor": _parameter(
            "cursor", {"type": "string", "format": "cursor"}, "Where the page begins; it is part of `next`."
        ),
        "total": _parameter("total", {"type": "boolean", "default": True}, "Whether to count the whole list."),
        "format": {"name": "format", "in": "path", "required": True, "schema": {"type": "string", "enum": list(LISTS)}},
    }
    for entity in names.schema:
        kind, name = entity.kind, entity.__name__
        clause = {
            "content": {JSON: {"schema": ref(f"{name}Where")}},
            "description": "Conditions as JSON, the same as in GraphQL, with snake_case names.",
        }
        found[f"{name}.id"] = {
            "name": "id", "in": "path", "required": True, "description": "Number, with or without prefix.",
            "schema": {"type": "string", "pattern": f"^({entity.prefix})?[0-9]{{1,9}}$" if entity.prefix else "^[0-9]{1,9}$"},
        }  # fmt: skip
        found[f"{name}.where"] = {"name": "where", "in": "query", **clause}
        found[f"{name}.fields"] = schemas.listed(names, kind, sort=False)
        found[f"{name}.sort"] = schemas.listed(names, kind, sort=True)
        found[f"{name}.conditions"] = {
            "name": "conditions", "in": "query", "style": "form", "explode": True, "schema": schemas.conditions(names, kind),
            "description": "Conditions on fields; each is a parameter of its own. Repeated `=` are alternatives, others must all hold.",
        }  # fmt: skip
        found |= {f"{name}.{f.parameter}": schemas.page_filter(names, f) for f in reader.filters(kind)}
    return found


def _parameter(name: str, schema: Json, text: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": text}


def _responses() -> Json:
    words = {
        "BadRequest": "A parameter is unknown or its value cannot be used; the sentence says which.", "NotFound": "There is no such record for you.",
        "Gone": "The record was removed; its number is not given again.", "NotAcceptable": "The answer cannot be given in such a format.", "Failed": "Something else is in the way."
    }  # fmt: skip
    return {name: {"description": text, "content": {JSON: {"schema": ref("Error")}}} for name, text in words.items()}


ERRORS = {
    "400": ref("BadRequest", "responses"), "404": ref("NotFound", "responses"), "406": ref("NotAcceptable", "responses"), "default": ref("Failed", "responses"),
}  # fmt: skip


def _get(tag: str, name: str, summary: str, parameters: Sequence[Json], good: Json) -> Json:
    return {
        "get": {"operationId": name, "tags": [tag], "summary": summary, "parameters": list(parameters), "responses": {"200": good, **ERRORS}}
    }  # fmt: skip


def _good(schema: str, text: str) -> Json:
    return {"description": text, "content": {JSON: {"schema": ref(schema)}}}


def _any_format(schema: str, text: str) -> Json:
    found = _good(schema, text)
    others: Json = {WRITERS[name].media_type: {} for name in LISTS if name != "json"}
    return {**found, "content": {**found["content"], **others}}


def _paths(reader: Reader) -> Iterator[tuple[str, Json]]:
    names = reader.names
    index = _get("index", "index", "The kinds of records", [], _good("Index", "What there is."))
    index["get"].pop("tags")
    yield ROOT, index
    for path, kind in names.kinds.items():
        entity = names.schema.kinds[kind]
        name, own = entity.__name__, _filters(reader, kind)
        fields = ref(f"{name}.fields", "parameters")
        yield from _list(f"{ROOT}/{path}", (path, f"list{name}", f"{entity.title}: list"), kind, reader, ())
        facets = _get(
            path, f"facets{name}", f"{entity.title}: how often values occur", own, _good("Facets", "Counts of values.")
        )
        yield f"{ROOT}/{path}/facets", facets
        number = ref(f"{name}.id", "parameters")
        item = _get(path, f"get{name}", f"{entity.title}: one record", [number, fields], _good(name, "The record."))
        item["get"]["responses"]["410"] = ref("Gone", "responses")
        yield f"{ROOT}/{path}/{{id}}", item
        for relation in names.schema.relations(kind).values():
            yield from _related(reader, f"{ROOT}/{path}/{{id}}/{kebab(relation.name)}", kind, relation.name)


def _related(reader: Reader, path: str, kind: str, name: str) -> Iterator[tuple[str, Json]]:
    names = reader.names
    entity, relation = names.schema.kinds[kind], names.schema.relations(kind)[name]
    target, number = names.schema.kinds[relation.target].__name__, ref(f"{entity.__name__}.id", "parameters")
    about = (names.in_addresses[kind], f"get{entity.__name__}_{name}", f"{entity.title}: {name.replace('_', ' ')}")
    if relation.many:
        yield from _list(path, about, relation.target, reader, (number,))
        return
    found = _get(*about, [number, ref(f"{target}.fields", "parameters")], _good(target, "The related record."))
    found["get"]["responses"]["410"] = ref("Gone", "responses")
    yield path, found


def _list(
    path: str, about: tuple[str, str, str], kind: str, reader: Reader, before: Sequence[Json]
) -> Iterator[tuple[str, Json]]:
    """Describe a list without and with a format in its address."""
    name = reader.names.schema.kinds[kind].__name__
    tag, operation, summary = about
    own = [
        *before,
        *(ref(f"{name}.{p}", "parameters") for p in ("fields", "sort")),
        *_filters(reader, kind),
        ref("cursor", "parameters"),
    ]
    paged = [*own, ref("limit", "parameters"), ref("total", "parameters")]
    found = _get(
        tag,
        operation,
        summary,
        paged,
        _any_format(f"{name}Page", "A page of the list, or all of it in another format."),
    )
    whole = _get(
        tag,
        f"{operation}_as",
        f"{summary}, in a format",
        [ref("format", "parameters"), *own, ref("limit", "parameters")],
        _any_format(f"{name}Page", "The list."),
    )
    for one in (found, whole):
        if before:
            one["get"]["responses"]["410"] = ref("Gone", "responses")
    yield path, found
    yield f"{path}.{{format}}", whole


def _filters(reader: Reader, kind: str) -> list[Json]:
    name = reader.names.schema.kinds[kind].__name__
    pages = [ref(f"{name}.{f.parameter}", "parameters") for f in reader.filters(kind)]
    return [*pages, ref(f"{name}.conditions", "parameters"), ref(f"{name}.where", "parameters")]
