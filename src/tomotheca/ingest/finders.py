"""Finders: what one source of a configuration finds below one parent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError, TomothecaError
from tomotheca.formats import mrc
from tomotheca.ingest import language, language_shapes
from tomotheca.ingest.expressions import match, search
from tomotheca.ingest.template import Value, fill
from tomotheca.schema import Alignment, TiltSeries, Tomogram
from tomotheca.store import documents

if TYPE_CHECKING:
    from tomotheca.ingest.config import Source
    from tomotheca.ingest.listing import Listing, Stored
    from tomotheca.schema.core import Document


@dataclass(frozen=True, slots=True)
class Hit:
    """Something a source found."""

    name: str
    path: str = ""
    """Below the source; empty for names given in the configuration."""

    picture: str | None = None
    """Address of a picture that a literal names."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where finders look."""

    listing: Listing
    archive: Stored | None
    """None where there is no archive: what is referred to is then not looked for."""

    kind: str = ""
    """Of the items that are looked for, such as ``tomogram``."""


class FinderProblem(Exception):
    """A source cannot be looked for; the text says why."""


def find(source: Source, values: Mapping[str, Value], places: Places) -> list[Hit]:
    """Look for what a source describes, also what it then leaves out.

    Raises
    ------
    FinderProblem
        If a pattern leaves the source, or a header cannot be read.
    UnknownVariableError
        If a pattern names a variable that has no value.
    """
    if referring := _REFERRING.get(type(source.finder)):
        return list(referring(source.finder, values, places))
    return list(_FINDERS.get(type(source.finder), _shape)(source.finder, values, places.listing))


def excluded(source: Source, hit: Hit) -> bool:
    """Whether a source leaves out something that it found."""
    return any(match(expression, hit.name) for expression in source.exclude)


def _destination_glob(finder: language.DestinationGlob, values: Mapping[str, Value], places: Places) -> Iterator[Hit]:
    pattern = fill(finder.list_glob, values)
    if places.archive is None:
        return
    kept, name = re.compile(finder.match_regex), re.compile(finder.name_regex)
    try:
        found = places.archive.glob(pattern)
    except ValueError as error:
        raise FinderProblem(str(error)) from error
    for key in found:
        if search(kept, f"/{key}") and (said := match(name, key.rpartition("/")[2])) and said[1]:
            yield Hit(said[1], key)


def _destination_filter(
    finder: language.DestinationFilter, values: Mapping[str, Value], places: Places
) -> Iterator[Hit]:
    """Give the documents of a kind whose keys have the values; an item is called as the folder of its document."""
    if places.archive is None:
        return
    for key in places.archive.glob(f"{values.get('output_path', '')}/*/*/{FILTERED[places.kind].filename}"):
        try:
            document = documents.read(places.archive.files, key)
        except TomothecaError as error:
            raise FinderProblem(str(error)) from error
        if all(_value(document, condition.key) == condition.value for condition in finder.filters):
            yield Hit(key.split("/")[-2], key)


def _value(document: Any, path: list[str | int]) -> Any:
    """Follow a path of keys and indices; None where it ends early."""
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _glob(pattern: str, values: Mapping[str, Value], listing: Listing) -> list[str]:
    try:
        return listing.glob(fill(pattern, values))
    except ValueError as error:
        raise FinderProblem(str(error)) from error


def _source_glob(finder: language.SourceGlob, values: Mapping[str, Value], listing: Listing) -> Iterator[Hit]:
    kept, name = re.compile(finder.match_regex), re.compile(finder.name_regex)
    for path in _glob(finder.list_glob, values, listing):
        if search(kept, listing.full(path)) and (found := match(name, path.rpartition("/")[2])) and found[1]:
            yield Hit(found[1], path)


def _source_multi_glob(
    finder: language.SourceMultiGlob, values: Mapping[str, Value], listing: Listing
) -> Iterator[Hit]:
    yield from (Hit(path, path) for path in _union(finder.list_globs, values, listing))


def _shape(finder: language_shapes.Shape, values: Mapping[str, Value], listing: Listing) -> Iterator[Hit]:
    yield from (Hit(path, path) for path in _union(finder.globs, values, listing))


def _union(patterns: list[str] | tuple[str, ...], values: Mapping[str, Value], listing: Listing) -> Iterator[str]:
    seen: set[str] = set()
    for pattern in patterns:
        for path in _glob(pattern, values, listing):
            if path not in seen:
                seen.add(path)
                yield path


def _literal(finder: language.Literally, values: Mapping[str, Value], _: Listing) -> Iterator[Hit]:
    if isinstance(finder.value, dict):
        yield from (Hit(name, picture=picture) for name, picture in finder.value.items() if picture)
        return
    yield from (Hit(str(value)) for value in finder.value)


def _header(finder: language.TomogramHeader, values: Mapping[str, Value], listing: Listing) -> Iterator[Hit]:
    kept = re.compile(finder.match_regex)
    for path in _glob(finder.list_glob, values, listing):
        if not search(kept, listing.full(path)):
            continue
        try:
            spacing = mrc.read_header(listing.local(path)).voxel_size[0]
        except FormatError as error:
            raise FinderProblem(str(error)) from error
        if spacing <= 0:
            raise FinderProblem(f"{listing.local(path)} has no voxel size in its header: give the spacing as a literal")
        yield Hit(str(spacing), path)


_FINDERS: Mapping[type, Callable[..., Iterator[Hit]]] = {
    language.SourceGlob: _source_glob,
    language.SourceMultiGlob: _source_multi_glob,
    language.Literally: _literal,
    language.TomogramHeader: _header,
}

_REFERRING: Mapping[type, Callable[..., Iterator[Hit]]] = {
    language.DestinationGlob: _destination_glob,
    language.DestinationFilter: _destination_filter,
}

FILTERED: Mapping[str, type[Document]] = {model.kind: model for model in (TiltSeries, Alignment, Tomogram)}
"""Kinds of items whose documents `destination_filter` reads."""
