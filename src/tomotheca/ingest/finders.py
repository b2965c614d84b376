"""Finders: what one source of a configuration finds below one parent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.formats import mrc
from tomotheca.ingest import language
from tomotheca.ingest.template import Value, fill

if TYPE_CHECKING:
    from tomotheca.ingest.config import Source
    from tomotheca.ingest.listing import Listing


@dataclass(frozen=True, slots=True)
class Hit:
    """Something a source found."""

    name: str
    path: str = ""
    """Below the source; empty for names given in the configuration."""

    picture: str | None = None
    """Address of a picture that a literal names."""


class FinderProblem(Exception):
    """A source cannot be looked for; the text says why."""


def find(source: Source, values: Mapping[str, Value], listing: Listing) -> list[Hit]:
    """Look for what a source describes.

    Raises
    ------
    FinderProblem
        If a pattern leaves the source, or a header cannot be read.
    UnknownVariableError
        If a pattern names a variable that has no value.
    """
    finder = _FINDERS.get(type(source.finder), _shape)
    return [hit for hit in finder(source.finder, values, listing) if not any(e.match(hit.name) for e in source.exclude)]


def _glob(pattern: str, values: Mapping[str, Value], listing: Listing) -> list[str]:
    try:
        return listing.glob(fill(pattern, values))
    except ValueError as error:
        raise FinderProblem(str(error)) from error


def _source_glob(finder: language.SourceGlob, values: Mapping[str, Value], listing: Listing) -> Iterator[Hit]:
    kept, name = re.compile(finder.match_regex), re.compile(finder.name_regex)
    for path in _glob(finder.list_glob, values, listing):
        if kept.search(listing.full(path)) and (found := name.match(path.rpartition("/")[2])) and found[1]:
            yield Hit(found[1], path)


def _source_multi_glob(
    finder: language.SourceMultiGlob, values: Mapping[str, Value], listing: Listing
) -> Iterator[Hit]:
    yield from (Hit(path, path) for path in _union(finder.list_globs, values, listing))


def _shape(finder: language.Shape, values: Mapping[str, Value], listing: Listing) -> Iterator[Hit]:
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
        if not kept.search(listing.full(path)):
            continue
        try:
            spacing = mrc.read_header(listing.local(path)).voxel_size[0]
        except FormatError as error:
            raise FinderProblem(str(error)) from error
        if spacing <= 0:
            raise FinderProblem(f"{listing.local(path)} has no voxel size in its header: give the spacing as a literal")
        yield Hit(str(spacing), path)


def _nothing(*_: object) -> Iterator[Hit]:
    return iter(())


_FINDERS: Mapping[type, Callable[..., Iterator[Hit]]] = {
    language.SourceGlob: _source_glob,
    language.SourceMultiGlob: _source_multi_glob,
    language.Literally: _literal,
    language.TomogramHeader: _header,
    language.DestinationGlob: _nothing,
    language.DestinationFilter: _nothing,
}
