"""Markers: what a field of an entity says of itself, beside its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Unit:
    """Physical unit shown beside the value, such as ``Unit("Å")``."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Drawer:
    """Section and label of the metadata drawer that shows the field. On a block it holds for all its fields."""

    section: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """Offer the field in the filter panel; the widget follows from the field's type."""

    label: str
    parameter: str
    section: str
    number: str = ""
    """Stable requirement id, such as ``F17``."""


@dataclass(frozen=True, slots=True)
class Search:
    """Full-text search finds the words of the field. On a block it holds for all its fields; identifiers of terms go to ``terms``."""

    field: Literal[
        "title",
        "ids",
        "name",
        "objects",
        "sample",
        "authors",
        "terms",
        "description",
        "methods",
        "software",
        "preparation",
    ]
    """Field of the search document that takes the words; see `search.fields` for what each weighs."""


@dataclass(frozen=True, slots=True)
class Ontology:
    """The value is an ontology or accession id that can be linked."""

    prefix: str = ""
    """Put before a bare number (``NCBITaxon:``)."""


@dataclass(frozen=True, slots=True)
class Public:
    """Public name where it is not the path, and what differs from the document on the wire."""

    name: str = ""
    nullable: bool | None = None
    missing: Any = None
    """Answered by the wire for a null in a non-null column."""


@dataclass(frozen=True, slots=True)
class Flat:
    """On a block: prefix of its column names (empty: transparent) and names that are irregular here."""

    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.prefix, tuple(self.names.items())))


@dataclass(frozen=True, slots=True)
class Key:
    """The value is an archive key; it becomes up to three columns: two URLs and a size in bytes."""

    s3: str = ""
    https: str = ""
    size: str = ""


@dataclass(frozen=True, slots=True)
class Enum:
    """GraphQL enum of that name; `translations` map words of documents to codes, or to None."""

    name: str
    translations: Mapping[str, str | None] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.translations.items())))


@dataclass(frozen=True, slots=True)
class Rows:
    """The list becomes rows of another entity; `make` writes them where a projection is not enough."""

    kind: str
    make: Callable[[Mapping[str, Any], Any], Iterator[tuple[str, dict[str, Any]]]] | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker without data."""

    name: str


Private = Marker("private")  # in the document, no column
Internal = Marker("internal")  # a column that pages use and the public API does not show
Computed = Marker("computed")  # written by ingest, never given in a configuration
Personal = Marker("personal")  # in the archive only, unless the site publishes such data
Indexed = Marker("indexed")  # often ordered or looked for by value, and no facet
Counted = Marker("counted")  # often counted by value, and no facet
Listed = Marker("listed")  # often asked of very many rows at once, and neither indexed nor counted
Json = Marker("json")  # stored as JSON text


@dataclass(frozen=True, slots=True)
class Ref:
    """A foreign key: its column, the kind it points at, and the name of the relation seen from there."""

    column: str
    kind: str
    reverse: str
    nullable: bool = True
    find: Callable[[Mapping[str, Any], Any], int | None] | None = None

    @property
    def forward(self) -> str:
        """Name of the relation seen from here: `run` for `run_id`."""
        return self.column.removesuffix("_id")


@dataclass(frozen=True, slots=True)
class Derived:
    """A column computed from the document and its context, with the markers a field would have."""

    name: str
    type: Any
    derive: Callable[[Mapping[str, Any], Any], Any]
    description: str
    markers: tuple[Any, ...] = ()
