"""Read an ingest configuration: all problems at once, each with file, line, path and a sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from tomotheca.ingest import language, yamlsource
from tomotheca.ingest.language import (
    CONTAINERS,
    AnnotationSource,
    Container,
    Filters,
    ParentFilters,
    Standardization,
)
from tomotheca.ingest.language_shapes import Shape
from tomotheca.ingest.todo import TODO_SAID, is_todo
from tomotheca.schema.configuration import TEMPLATE, Strict, names, nested, relaxed

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.yamlsource import Location

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One source of an entry."""

    location: Location
    finder: Strict
    """A finder of `language.FINDERS`, or the shape of an annotation."""

    filters: ParentFilters
    exclude: tuple[re.Pattern[str], ...]
    shape: str = ""
    """Name of the annotation's shape; empty for the others."""

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns below the source that it looks for."""
        match self.finder:
            case Shape():
                return self.finder.globs
            case language.SourceMultiGlob():
                return tuple(self.finder.list_globs)
            case language.SourceGlob() | language.TomogramHeader():  # a DestinationGlob too
                return (self.finder.list_glob,)
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One item of a container's list."""

    container: Container
    name: str
    """Of the container, such as ``tomograms``."""

    location: Location
    metadata: Mapping[str, Any] | None
    """As written, templates unfilled; None where there is none."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that could be read; `findings` says what is wrong with it."""

    text: yamlsource.Source
    standard: Standardization | None
    entries: Mapping[str, tuple[Entry, ...]]
    findings: tuple[Finding, ...] = field(repr=False)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.text.path

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended before anything can be done."""
        return tuple(f for f in self.findings if f.severity == "error")

    def of(self, container: str) -> tuple[Entry, ...]:
        """Give the entries of a container."""
        return self.entries.get(container, ())


def read(path: Path) -> Configuration:
    """Read a configuration and check its grammar.

    Raises
    ------
    ConfigurationError
        If it cannot be read at all: no file, no UTF-8, no YAML.
    """
    text = yamlsource.read(path)
    reader = _Reader(text)
    entries = reader.container_lists()
    standard = reader.standardization()
    return Configuration(text, standard, entries, (*text.findings, *reader.findings))


class _Reader:
    """Takes the plain values of a configuration apart and collects findings."""

    def __init__(self, text: yamlsource.Source) -> None:
        self.text = text
        self.findings: list[Finding] = []
        self.data: Mapping[Any, Any] = text.data if isinstance(text.data, dict) else {}
        if not isinstance(text.data, dict):
            self.error((), "is not a configuration: it has no keys such as version, depositions, datasets and runs.")
            return
        self._top()

    def error(self, location: Location, message: str) -> None:
        self.findings.append(self.text.finding("error", location, message))

    def _top(self) -> None:
        known = ["version", "standardization_config", *CONTAINERS]
        for key in self.data:
            if key not in known:
                self.error((key,), f"the key {key} is unknown{meant(str(key), known)}")
        required = ["version", "standardization_config", *(n for n, c in CONTAINERS.items() if c.required)]
        for key in required:
            if self.data.get(key) is None:
                self.error((), f"{key} is missing: every configuration has it.")
        version = self.data.get("version")
        if version is not None and str(version) not in language.VERSIONS:
            self.error(
                ("version",),
                f"version {version} is unknown; {language.VERSIONS[0]} to {language.VERSIONS[-1]} are read.",
            )

    def standardization(self) -> Standardization | None:
        """Read what holds for the whole configuration."""
        given = self.data.get("standardization_config")
        if given is None:
            return None
        return self.validate(Standardization, given, ("standardization_config",))

    def container_lists(self) -> dict[str, tuple[Entry, ...]]:
        """Read every list of entries."""
        found = {}
        for name, container in CONTAINERS.items():
            given = self.data.get(name)
            if given is None:
                continue
            if not isinstance(given, list):
                self.error((name,), f"{name} must be a list, each item with sources.")
                continue
            found[name] = tuple(self._entry(name, container, item, (name, i)) for i, item in enumerate(given))
        return found

    def _entry(self, name: str, container: Container, item: Any, location: Location) -> Entry:
        if not isinstance(item, dict):
            self.error(location, f"an item of {name} must have sources, and metadata where it is described.")
            return Entry(container, name, location, None, ())
        for key in item:
            if key not in {"metadata", "sources"}:
                self.error((*location, key), f"the key {key} is unknown{meant(str(key), ['metadata', 'sources'])}")
        sources = tuple(self._sources(name, item.get("sources"), (*location, "sources")))
        metadata = item.get("metadata")
        if metadata is None and not container.optional_metadata and any(not refers(s) for s in sources):
            self.error(location, f"an item of {name} needs metadata.")
        elif metadata is not None:
            metadata = self._metadata(container, metadata, (*location, "metadata"))
        return Entry(container, name, location, metadata, sources)

    def _metadata(self, container: Container, given: Any, location: Location) -> dict[str, Any] | None:
        if not isinstance(given, dict):
            self.error(location, "metadata must be a mapping of names to values.")
            return None
        written = relaxed(container.kind, given)
        self.validate(container.metadata, written, location, templated=container.templated)
        return written

    def _sources(self, name: str, given: Any, location: Location) -> Iterator[Source]:
        if not isinstance(given, list) or not given:
            self.error(location, "sources must be a list with at least one source.")
            return
        for i, item in enumerate(given):
            place = (*location, i)
            if name == "annotations":
                if (shaped := self.validate(AnnotationSource, item, place)) is not None:
                    shape = next(s for s in language.SHAPES if getattr(shaped, s) is not None)
                    yield self._source(place, getattr(shaped, shape), shaped, shape)
            elif (plain := self.validate(language.Source, item, place)) is not None:
                finder = next(f for f in language.FINDERS if getattr(plain, f) is not None)
                yield self._source(place, getattr(plain, finder), plain, "")

    def _source(
        self, location: Location, finder: Strict, given: language.Source | AnnotationSource, shape: str
    ) -> Source:
        return Source(location, finder, given.parent_filters, tuple(re.compile(r) for r in given.exclude), shape)

    def validate(self, model: type[M], given: Any, location: Location, *, templated: bool = False) -> M | None:
        """Validate a block; every problem becomes a finding. None if there was one."""
        try:
            return model.model_validate(given)
        except ValidationError as error:
            for problem in problems(error, model, given, templated=templated):
                self.error((*location, *problem.location), problem.message)
        return None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value of a block."""

    location: Location
    message: str


def problems(error: ValidationError, model: type[BaseModel], given: Any, *, templated: bool = False) -> list[Problem]:
    """Say what pydantic found in sentences; values that are filled in later are left out if `templated`."""
    found: dict[tuple[Location, str], Problem] = {}
    for detail in error.errors(include_url=False):
        location = _inside(given, detail["loc"], missing=detail["type"] == "missing")
        if templated and isinstance(detail.get("input"), str) and TEMPLATE.match(detail["input"]):
            continue
        message = _sentence(detail, location, model)
        found[location, message] = Problem(location, message)
    return list(found.values())


def _inside(given: Any, location: Sequence[str | int], *, missing: bool) -> Location:
    """Keep the parts of a pydantic location that are keys of the value: unions add names of their members."""
    kept: list[str | int] = []
    value = given
    for part in location:
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inside, dict) and part in inside:
            value = inside[part]
            kept.append(part)
    return (*kept, location[-1]) if missing else tuple(kept)


def _sentence(detail: Any, location: Location, model: type[BaseModel]) -> str:
    key = location[-1] if location else "this block"
    match detail["type"]:
        case "extra_forbidden":
            return f"the key {key} is unknown{meant(str(key), _siblings(model, location))}"
        case "missing":
            return f"{key} is missing: it is required."
        case kind if is_todo(detail.get("input")):
            expected = (
                f": give one of {_choices(detail)}." if kind == "literal_error" else ": give a value of its kind here."
            )
            return f"{key} {TODO_SAID}{expected}"
        case "literal_error":
            expected = _choices(detail)
            return f"{key} is {short(detail['input'])}, which is none of {expected}{meant(str(detail['input']), expected.split(', '))}"
        case "value_error":
            return f"{key}: {str(detail['msg']).removeprefix('Value error, ')}."
    text = str(detail["msg"]).removeprefix("Input should be ").removeprefix("a valid ")
    text = text.replace("Input should ", "").replace("valid ", "")
    return f"{key} is {short(detail.get('input'))}; it should be {text[:1].lower()}{text[1:]}."


def _choices(detail: Any) -> str:
    """List the codes of which a value should be one."""
    return str(detail["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")


def short(value: Any) -> str:
    """Quote a value so that it fits a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004  # what fits a line


def _siblings(model: type[BaseModel], location: Location) -> list[str]:
    """List the keys that are known where an unknown one stands."""
    current: type[BaseModel] | None = model
    for part in location[:-1]:
        if isinstance(part, str) and current is not None:
            current = nested(current, part)
    return names(current) if current is not None else []


def meant(word: str, known: Sequence[str]) -> str:
    """End a sentence about a wrong word: with the known one that is like it, if there is one."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {lowered[close[0]]}?" if close else "."


def refers(source: Source) -> bool:
    """Whether what a source finds is in the archive already, and only referred to."""
    return isinstance(source.finder, language.DestinationGlob | language.DestinationFilter)


def listed(filters: Filters) -> Iterator[tuple[str, list[str]]]:
    """Give the kinds of parents that a filter names, with their expressions."""
    for kind in Filters.model_fields:
        if patterns := getattr(filters, kind):
            yield kind, patterns
