"""The schema kernel: what an entity is, and `columns()`, the only code that reads pydantic's internals.

An entity is a pydantic model whose fields carry markers. Everything else that knows a field (SQL tables, GraphQL types, filters,
drawers, JSON Schema, documentation, test data) is a function of the `Column` objects made here.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict

from tomotheca.schema.markers import (
    Computed,
    Counted,
    Derived,
    Drawer,
    Enum,
    Facet,
    Flat,
    Indexed,
    Internal,
    Json,
    Key,
    Listed,
    Ontology,
    Personal,
    Private,
    Public,
    Ref,
    Rows,
    Search,
    Unit,
)

# --- models ------------------------------------------------------------------------------------------------------


class Block(BaseModel):
    """A nested block of a document. Unknown keys are allowed and kept (configurations forbid them)."""

    model_config = ConfigDict(
        extra="allow", allow_inf_nan=False, use_attribute_docstrings=True, populate_by_name=True,
        defer_build=True,  # most commands check documents of few kinds
    )  # fmt: skip


class Entity(Block):
    """One kind of row: a catalogue table, a GraphQL type, and for seven of the 23 a document on disk."""

    kind: ClassVar[str]
    """Name of the table and of the dump file, singular snake_case."""

    root: ClassVar[str]
    """GraphQL list root; REST and pages use it too."""

    title: ClassVar[str] = ""
    """Words for a person, singular."""

    prefix: ClassVar[str] = ""
    """Prefix of public identifiers, such as ``RN-``."""

    refs: ClassVar[tuple[Ref, ...]] = ()
    derived: ClassVar[tuple[Derived, ...]] = ()
    order: ClassVar[tuple[str, ...]] = ()
    """Public order of columns that the document declares elsewhere; they stand where the first of them is declared."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Give the natural key of a list item inside its document; an entity with a document of its own needs none."""
        return str(item.get("id", ""))


class Document(Block):
    """What every JSON document of the archive carries besides its own fields."""

    filename: ClassVar[str]

    id: Annotated[int | None, Private, Computed] = None
    """Identifier of the row this document is, unique per kind in the whole portal."""

    ids: Annotated[dict[str, dict[str, int]], Private, Computed] = {}
    """Identifiers of the rows that come out of this document, by kind and natural key."""

    schema_version: Annotated[str, Private, Computed] = "1"
    """Version of the document schema."""

    provenance: Annotated[dict[str, Any], Private, Computed] = {}
    """Tool, version, configuration and sources this document was made from."""

    manifest: Annotated[str | None, Private, Computed] = None
    """SHA-256 of the manifest that lists the files of this folder."""

    last_updated_at: Annotated[float | None, Private, Computed] = None
    """Time of the last change, in seconds since 1970."""


# --- columns -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One scalar of an entity as every consumer (SQL, GraphQL, pages, documentation) sees it."""

    name: str
    type: type
    """One of int, float, str, bool, datetime, or list for a JSON value."""

    path: tuple[str, ...] = ()
    """Where the value stands in the document; empty for derived columns and foreign keys."""

    nullable: bool = True
    """Nullable on the wire."""

    description: str = ""
    enum: str = ""
    choices: tuple[str, ...] = ()
    translations: Mapping[str, str | None] = field(default_factory=dict)
    bounds: tuple[str, ...] = ()
    unit: str = ""
    drawer: Drawer | None = None
    facet: Facet | None = None
    ontology: Ontology | None = None
    missing: Any = None
    location: Literal["", "s3", "https"] = ""
    """The stored archive key is shown as a URL of this kind."""

    derive: Callable[[Mapping[str, Any], Any], Any] | None = None
    ref: Ref | None = None
    public: bool = True
    personal: bool = False
    """Left out of the catalogue, unless the site publishes such data."""

    indexed: bool = False
    """Often counted, ordered or looked for by value."""

    search: str = ""
    """Field of the search document that takes the words."""

    counted: bool = False
    """Often counted by value, so that the catalogue keeps the counts."""

    listed: bool = False
    """Often asked of very many rows at once, so that the catalogue keeps it as an array."""

    @property
    def label(self) -> str:
        """Words for a person: of the drawer, of the filter, or the name itself."""
        if self.drawer and self.drawer.label:
            return self.drawer.label
        return self.facet.label if self.facet else self.name.replace("_", " ").capitalize()

    @property
    def graphql(self) -> str:
        """Name on the wire."""
        return camel(self.name)


def camel(name: str) -> str:
    """Give the wire name of a snake_case name (``scale_0_dimensions`` -> ``scale0Dimensions``)."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


MATRICES = frozenset({("per_section_alignment_parameters", "in_plane_rotation")})
"""JSON columns that are lists on the wire; all others are text."""


def is_matrix(kind: str, column: Column) -> bool:
    """Tell whether the wire has the column as a list of lists of numbers."""
    return (kind, column.name) in MATRICES


@dataclass(frozen=True, slots=True)
class _Field:
    """A pydantic field taken apart."""

    kind: Any
    markers: tuple[Any, ...]
    nullable: bool
    required: bool
    description: str

    def find(self, marker: type[Any]) -> Any:
        return next((m for m in self.markers if isinstance(m, marker)), None)


def fields(model: type[BaseModel]) -> dict[str, _Field]:
    """Take every field of a model apart: bare type, markers, nullability, docstring; keys are names in the document."""
    found = {}
    for name, info in model.model_fields.items():
        kind, extra, nullable = unwrap(info.annotation)
        found[info.alias or name] = _Field(
            kind, (*info.metadata, *extra), nullable, info.is_required(), " ".join((info.description or "").split())
        )
    return found


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Split ``Annotated[X, ...] | None`` into ``(X, markers, nullable)``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        kind, markers, nullable = unwrap(inner)
        return kind, (*extra, *markers), nullable
    if origin in {Union, types.UnionType}:
        members = [a for a in get_args(annotation) if a is not type(None)]
        if len(members) == 1:
            kind, markers, _ = unwrap(members[0])
            return kind, markers, True
    return annotation, (), False


def is_block(kind: Any) -> bool:
    """Say whether a type is a nested block."""
    return isinstance(kind, type) and issubclass(kind, Block)


def columns(model: type[Entity]) -> tuple[Column, ...]:
    """List every column of an entity: id, foreign keys, then scalars in public order."""
    identifier = Column("id", int, nullable=False, description="Numeric identifier, given once and never changed.")
    keys = tuple(
        Column(ref.column, int, nullable=ref.nullable, ref=ref, description=f"Identifier of the {ref.forward}.")
        for ref in model.refs
    )
    own = [c for c in _walk(model, _Place()) if c.name not in {"id", *(r.column for r in model.refs)}]
    own += [_derived(d) for d in model.derived]
    return (identifier, *keys, *_arrange(own, model.order))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk stands: path, column prefix and what the enclosing block says."""

    path: tuple[str, ...] = ()
    prefix: str = ""
    optional: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    drawer: Drawer | None = None
    search: Search | None = None
    internal: bool = False


def _walk(model: type[BaseModel], place: _Place) -> Iterator[Column]:
    for name, f in fields(model).items():
        if Private in f.markers or f.find(Rows):
            continue
        here = (*place.path, name)
        if is_block(f.kind):
            flat = f.find(Flat) or Flat(name)
            yield from _walk(
                f.kind,
                _Place(
                    here,
                    flat.prefix,
                    place.optional or not f.required,
                    flat.names,
                    f.find(Drawer),
                    f.find(Search) or place.search,
                    Internal in f.markers,
                ),
            )
            continue
        regular = "_".join(filter(None, (place.prefix, name.lower())))
        public = place.names.get(name) or (f.find(Public) or Public()).name or regular
        yield from _columns_of(replace_nullable(f, place), public, here, place)


def replace_nullable(f: _Field, place: _Place) -> _Field:
    """Settle whether a field may be null on the wire."""
    public = f.find(Public)
    nullable = f.nullable or not f.required or place.optional
    if public and public.nullable is not None:
        nullable = public.nullable
    return replace(f, nullable=nullable)


def _columns_of(f: _Field, name: str, path: tuple[str, ...], place: _Place) -> Iterator[Column]:
    public = not (place.internal or Internal in f.markers)
    if key := f.find(Key):
        yield from _key_columns(key, f, path, public=public)
        return
    drawer = f.find(Drawer) or place.drawer
    if drawer and place.drawer and drawer is place.drawer and path[-1] not in {"name", "min", "max"}:
        label = f"{drawer.label} {path[-1].replace('_', ' ')}".replace(" id", " ID").strip()
        drawer = Drawer(drawer.section, label[:1].upper() + label[1:])
    inherited = "terms" if place.search and f.find(Ontology) else place.search.field if place.search else ""
    search = found.field if (found := f.find(Search)) else inherited
    base = Column(name, str, path, nullable=f.nullable, description=f.description, drawer=drawer, public=public)
    yield _scalar(f, replace(base, search=search))


def _key_columns(key: Key, f: _Field, path: tuple[str, ...], *, public: bool) -> Iterator[Column]:
    base = Column("", str, path, nullable=f.nullable, description=f.description, drawer=f.find(Drawer), public=public)
    if key.s3:
        yield replace(base, name=key.s3, location="s3", description=f"{f.description} (S3 address)")
    if key.https:
        yield replace(base, name=key.https, location="https", drawer=None, description=f"{f.description} (web address)")
    if key.size:
        yield replace(
            base, name=key.size, type=float, unit="B", drawer=None, nullable=True, derive=_size_of(path),
            description=f"Size in bytes: {f.description[:1].lower()}{f.description[1:]}",
        )  # fmt: skip


def _size_of(path: tuple[str, ...]) -> Callable[[Mapping[str, Any], Any], float | None]:
    def size(document: Mapping[str, Any], context: Any) -> float | None:
        found = context.sizes.get(dig(document, path))
        return None if found is None else float(found)

    return size


def _scalar(f: _Field, column: Column) -> Column:
    kind, enum = f.kind, f.find(Enum)
    choices: tuple[str, ...] = ()
    if get_origin(kind) is Literal:
        choices = tuple(str(v) for v in get_args(kind))
        kind = type(get_args(kind)[0])
    if Json in f.markers:
        kind = list
    elif kind is date:
        kind = datetime
    if kind not in {int, float, str, bool, datetime, list}:
        message = f"{column.name}: no column type for {kind!r}; mark it Private, Json or Rows"
        raise TypeError(message)
    public: Public = f.find(Public) or Public()
    counted = Counted in f.markers or f.find(Facet) is not None
    indexed = counted or Indexed in f.markers
    translations: dict[str, str | None] = dict(enum.translations) if enum else {}
    codes = (
        tuple(dict.fromkeys(c for c in (translations.get(v, v) for v in choices) if c is not None)) if enum else choices
    )
    return replace(
        column, type=kind, choices=codes, enum=enum.name if enum else "", translations=translations, missing=public.missing,
        nullable=column.nullable and public.missing is None, bounds=tuple(_bound(m) for m in f.markers if isinstance(m, Ge | Gt | Le | Lt)),
        unit=(f.find(Unit) or Unit("")).symbol, facet=f.find(Facet), ontology=f.find(Ontology),
        personal=Personal in f.markers, indexed=indexed, counted=counted, listed=indexed or Listed in f.markers,
    )  # fmt: skip


def _derived(d: Derived) -> Column:
    kind, extra, nullable = unwrap(d.type)
    f = _Field(kind, (*d.markers, *extra), nullable, not nullable, d.description)
    key = f.find(Key)
    public = Internal not in f.markers
    column = Column(
        d.name, str, nullable=nullable, description=d.description, drawer=f.find(Drawer), derive=d.derive, public=public
    )
    column = _scalar(f, column)
    return replace(column, location="s3" if key and key.s3 else "https" if key else "")


def _bound(m: Ge | Gt | Le | Lt) -> str:
    match m:
        case Ge(ge=value):
            return f"≥ {value}"
        case Gt(gt=value):
            return f"> {value}"
        case Le(le=value):
            return f"≤ {value}"
        case Lt(lt=value):
            return f"< {value}"


def _arrange(found: list[Column], order: tuple[str, ...]) -> Iterator[Column]:
    by_name = {c.name: c for c in found}
    pending = [by_name[name] for name in order]
    for column in found:
        if column.name not in order:
            yield column
            continue
        yield from pending
        pending = []


def dig(document: Any, path: tuple[str, ...]) -> Any:
    """Follow a path through nested mappings; None where it ends early."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document
