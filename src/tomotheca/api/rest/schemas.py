"""JSON Schemas of what is answered and what can be asked, for the description of the interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tomotheca.api.graphql.inputs import PATTERNS
from tomotheca.api.rest.query import MAX_KEYS, choices, describe
from tomotheca.api.rest.values import LARGEST, NULLS, operators
from tomotheca.catalog.query import LISTS, TALLY
from tomotheca.schema.core import is_matrix
from tomotheca.web.grammar import LONGEST

if TYPE_CHECKING:
    from tomotheca.api.rest.names import Names
    from tomotheca.schema.core import Column
    from tomotheca.web.filtering import Filter

Json = dict[str, Any]

TEXT: Json = {"type": "string", "pattern": "^[^\\u0000]*$"}
LIKE: Json = {
    "type": "string",
    "pattern": r"^([^\\\u0000]|\\[^\u0000])*$",
    "description": "`%` is any text, `_` one character.",
}
REGEX: Json = {"type": "string", "format": "re2", "description": "Regular expression of RE2, which may match anywhere."}
LINE: Json = {"type": "string", "maxLength": LONGEST, "pattern": r"^[^\u0000-\u001f\u007f-\u00a0\u2028\u2029]*$"}
AMOUNT = r"-?[0-9]{1,9}(\.[0-9]{1,9})?"
BOUNDS: Json = {"type": "string", "pattern": rf"^((>=|>|<=|<|=)?{AMOUNT}|{AMOUNT}\.\.({AMOUNT})?|\.\.{AMOUNT})$"}
COUNTS: Json = {"type": "string", "pattern": BOUNDS["pattern"].replace(r"(\.[0-9]{1,9})?", "")}
IDS: Json = {"type": "string", "pattern": "^[0-9]{1,9}(,[0-9]{1,9})*$"}
FLAG: Json = {"type": "string", "enum": ["true", "yes", "1", "on"]}
MATRIX: Json = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
MOMENT: Json = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
VALUES: dict[type, Json] = {
    float: {"type": "number"}, bool: {"type": "boolean"}, datetime: MOMENT
}  # fmt: skip


def ref(name: str, section: str = "schemas") -> Json:
    """Refer to a component."""
    return {"$ref": f"#/components/{section}/{name}"}


def value(column: Column) -> Json:
    """Describe what a column is compared with."""
    if column.enum:
        return {"type": "string", "enum": list(column.choices)}
    if column.type is int:
        return {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST}
    return VALUES.get(column.type, TEXT)


def answered(kind: str, column: Column) -> Json:
    """Describe the values of a column."""
    if is_matrix(kind, column):
        found = dict(MATRIX)
    elif column.type is datetime:
        found = {"type": "string", "format": "date-time"}
    else:
        found = {k: v for k, v in value(column).items() if k in {"type", "enum"}}
    if column.nullable or column.personal:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    text = f"{column.description} Unit: {column.unit}." if column.unit else column.description
    return {**found, **({"description": text} if text else {})}


def record(names: Names, kind: str) -> Json:
    """Describe a record."""
    entity = names.schema.kinds[kind]
    fields = {name: answered(kind, c) for name, c in names.columns(kind).items()}
    return {
        "type": "object", "title": entity.title, "description": " ".join((entity.__doc__ or "").split()), "properties": fields,
        "patternProperties": {r"^[a-z_]+\.": {"description": "Field of a related record, where `fields` asks for it."}}, "additionalProperties": False,
    }  # fmt: skip


def page(name: str) -> Json:
    """Describe a page of a list."""
    items = {"type": "array", "items": ref(name), "description": "The records of this page."}
    following = {
        "type": ["string", "null"],
        "format": "uri",
        "description": "Address of the next page; null on the last.",
    }
    total = {"type": "integer", "minimum": 0, "description": "Records of the whole list; left out with `total=false`."}
    return {
        "type": "object", "properties": {"items": items, "next": following, "total": total}, "required": ["items", "next"], "additionalProperties": False
    }  # fmt: skip


def family(column: Column) -> str:
    """Give the name of the comparisons that a column can be used in."""
    if column.enum:
        return column.enum.removesuffix("_enum").title().replace("_", "") + "Comparisons"
    return {int: "Int", float: "Float", bool: "Bool", datetime: "Date"}.get(column.type, "Text") + "Comparisons"


def comparisons(column: Column) -> Json:
    """Describe an object of comparisons."""
    found: Json = {}
    for operator in operators(column):
        one = _operand(column, operator)
        found[operator] = {"type": "array", "items": one} if operator in LISTS else one
    return {"type": "object", "properties": found, "additionalProperties": False}


def _operand(column: Column, operator: str) -> Json:
    if operator == NULLS:
        return {"type": "boolean"}
    if operator in PATTERNS:
        return REGEX if operator.endswith("regex") else LIKE
    return value(column)


def compared(names: Names, kind: str) -> Json:
    """Describe comparisons of a kind's own fields."""
    own = {c.name: ref(family(c)) for c in names.comparable(kind)}
    return {"type": "object", "properties": own, "additionalProperties": False}


def where(names: Names, kind: str) -> Json:
    """Describe a clause of a kind, as far as JSON Schema can without going round in circles."""
    one = ref(f"{names.schema.kinds[kind].__name__}Compared")
    several = {"type": "array", "items": one}
    own = {c.name: ref(family(c)) for c in names.comparable(kind)}
    relations = names.schema.relations(kind).values()
    text = (
        "All of these must hold. Besides what is listed here it takes relations, with the conditions that one and the same related record meets: "
        f"{', '.join(r.name for r in relations)}; "
    )
    if many := [r.name + TALLY for r in relations if r.many]:
        text += f'numbers of related records, as `{{"count": {{"filter": ..., "predicate": {{"_gte": 1}}}}}}`: {", ".join(many)}; '
    return {
        "type": "object", "properties": {**own, "_and": several, "_or": several, "_not": one}, "additionalProperties": False,
        "description": text + "and all of this inside of `_and`, `_or` and `_not`. The same clauses are described in full by the GraphQL schema.",
    }  # fmt: skip


def conditions(names: Names, kind: str) -> Json:
    """Describe conditions on fields as parameters: ``name``, ``name._ilike`` and so on."""
    found: Json = {}
    groups: dict[str, list[Column]] = {}
    for column in names.comparable(kind):
        found[column.name] = {**value(column), "description": f"{column.description} Equals; repeated: any of these."}
        groups.setdefault(family(column), []).append(column)
    patterns = {pattern: schema for columns in groups.values() for pattern, schema in _patterns(columns)}
    return {"type": "object", "properties": found, "patternProperties": patterns, "additionalProperties": False}


def _patterns(columns: list[Column]) -> Iterator[tuple[str, Json]]:
    """Give the names that compare one of the columns, with what it is compared with."""
    known = operators(columns[0])
    fields = "|".join(c.name for c in columns)
    groups: Mapping[str, tuple[Iterable[str], Json]] = {
        "value": ((o for o in known if o not in {*LISTS, *PATTERNS, NULLS}), value(columns[0])),
        "list": ((o for o in known if o in LISTS), _listed(columns[0])),
        "null": ((NULLS,), {"type": "boolean"}),
        "like": ((o for o in known if o.endswith("like")), LIKE),
        "regex": ((o for o in known if o.endswith("regex")), REGEX),
    }
    for chosen, schema in groups.values():
        if words := "|".join(chosen):
            yield rf"^({fields})\.({words})$", schema


def _listed(column: Column) -> Json:
    """Describe a list in one parameter: values between commas."""
    one = {int: "-?[0-9]{1,9}", float: AMOUNT, bool: "(true|false)"}.get(column.type)
    if column.enum:
        one = f"({'|'.join(column.choices)})"
    note = "Values between commas; one with a comma stands in double quotes."
    if column.type is datetime:
        day = r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
        return {
            "type": "string",
            "description": note,
            "examples": ["2024-01-01,2024-07-01"],
            "pattern": f"^{day}(,{day})*$",
        }
    return {**({"type": "string", "pattern": f"^{one}(,{one})*$"} if one else TEXT), "description": note}


def page_filter(names: Names, f: Filter) -> Json:
    """Describe a filter that the pages have too."""
    if found := choices(names, f):
        one: Json = {"type": "string", "enum": list(found)}
    elif f.widget in {"range", "least"}:
        counts = f.parameter == "runs" or (f.kind and names.schema.column(f.kind, f.column).type is int)
        one = COUNTS if counts else BOUNDS
    elif f.widget == "flag":
        one = FLAG
    else:
        one = IDS if f.parameter == "dataset_id" else LINE
    rule = "all of these" if f.all_required else "any of these"
    return {
        "name": f.parameter, "in": "query", "explode": True, "style": "form", "schema": {"type": "array", "items": one},
        "description": f"{f.label}: {describe(names, f)}. Repeated: {rule}. The same as on the page.",
    }  # fmt: skip


def listed(names: Names, kind: str, *, sort: bool) -> Json:
    """Describe `fields` or `sort`: own fields, and those of records one step away."""
    own = [c.name for c in (names.comparable(kind) if sort else names.columns(kind).values())]
    for r in names.schema.relations(kind).values():
        if not r.many:
            own += (
                f"{r.name}.{c.name}" for c in (names.comparable(r.target) if sort else names.columns(r.target).values())
            )
    known = [f"{sign}{name}" for name in own for sign in (("", "-") if sort else ("",))]
    deeper = "Fields of records further away work as well: `run.dataset.title`."
    text = (
        f"Fields to sort by, `-` before those that descend; nothing comes last. `id` settles ties. {deeper}"
        if sort
        else f"Fields of the answer. {deeper}"
    )
    return {
        "name": "sort" if sort else "fields", "in": "query", "style": "form", "explode": False, "description": text,
        "schema": {"type": "array", "minItems": 1, **({"maxItems": MAX_KEYS} if sort else {}), "items": {"type": "string", "enum": known}},
    }  # fmt: skip
