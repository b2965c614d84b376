"""Walk a configuration over its source: deposition, dataset, run, and everything below, with parents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.errors import ConfigurationError
from tomotheca.ingest import language
from tomotheca.ingest.config import Configuration, Entry, Source, listed, refers
from tomotheca.ingest.expressions import ExpressionError, search
from tomotheca.ingest.finders import FinderProblem, Hit, Places, excluded, find
from tomotheca.ingest.language import CONTAINERS
from tomotheca.ingest.template import UnknownVariableError, Value, expand, named
from tomotheca.store import layout, names

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.listing import Listing, Stored
    from tomotheca.ingest.maps import Maps

COLLAPSING = {"depositions", "datasets", "runs", "voxel_spacings"}
"""Containers in which equal names are one item."""

SERIES_VARIABLE = "tiltseries_"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Something that was found: a run, a tomogram, one shape of an annotation."""

    container: str
    name: str
    entry: Entry = field(repr=False)
    source: Source = field(repr=False)
    parent: Item | None = field(default=None, repr=False)
    paths: tuple[str, ...] = ()
    """Files below the source; several for an alignment or a set of frames."""

    picture: str | None = None
    """Address of a picture that the configuration names."""

    @property
    def kind(self) -> str:
        """Name in format variables and filters."""
        return self.entry.container.kind

    @property
    def path(self) -> str:
        """The first file; empty where there is none."""
        return self.paths[0] if self.paths else ""

    @property
    def referred(self) -> bool:
        """Whether it is in the archive already, and only referred to."""
        return refers(self.source)

    def line(self) -> Iterator[Item]:
        """Give this item and its parents, outwards."""
        item: Item | None = self
        while item is not None:
            yield item
            item = item.parent

    def ancestor(self, kind: str) -> Item | None:
        """Give the parent of a kind, or itself."""
        return next((i for i in self.line() if i.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Discovery:
    """Everything a configuration finds in its source."""

    children: Mapping[Item | None, tuple[Item, ...]]
    matched: frozenset[str]
    """Files that some entry matched."""

    collapsed: tuple[str, ...]
    """Sentences about equal names that became one item."""

    skipped: tuple[str, ...]
    """Sentences about what was found and left out."""

    findings: tuple[Finding, ...]

    def of(self, parent: Item | None, container: str) -> tuple[Item, ...]:
        """Give the items of a container below a parent."""
        return tuple(i for i in self.children.get(parent, ()) if i.container == container)

    def all(self, container: str) -> Iterator[Item]:
        """Give every item of a container."""
        return (i for items in self.children.values() for i in items if i.container == container)


def discover(configuration: Configuration, listing: Listing, maps: Maps, archive: Stored | None = None) -> Discovery:
    """Find everything; problems become findings, in the words of decision 22 of the design.

    Without an archive, what a configuration refers to in it is not looked for.
    """
    walk = _Walk(configuration, listing, maps, archive)
    walk.down(None, "")
    walk.judge()
    return Discovery(
        {parent: tuple(items) for parent, items in walk.children.items()},
        frozenset(walk.matched),
        tuple(walk.collapsed),
        tuple(walk.skipped),
        tuple(walk.findings),
    )


class _Walk:
    """The walk down the tree of parents."""

    def __init__(self, configuration: Configuration, listing: Listing, maps: Maps, archive: Stored | None) -> None:
        self.configuration, self.listing, self.maps, self.archive = configuration, listing, maps, archive
        self.children: dict[Item | None, list[Item]] = {}
        self.matched: set[str] = set()
        self.collapsed: list[str] = []
        self.skipped: dict[str, None] = {}
        self.findings: list[Finding] = []
        self._known: dict[Item | None, dict[str, Value]] = {}
        self._looked: dict[Source, list[tuple[Item | None, int]]] = {}

    def error(self, source: Source, message: str) -> None:
        finding = self.configuration.text.finding("error", source.location, message)
        if finding not in self.findings:
            self.findings.append(finding)

    def down(self, parent: Item | None, container: str) -> None:
        """Find what lies below an item, and below that."""
        for name, below in CONTAINERS.items():
            if below.parent != container:
                continue
            for item in self._find(parent, name):
                self.children.setdefault(parent, []).append(item)
                self.down(item, name)

    def _find(self, parent: Item | None, container: str) -> Iterator[Item]:
        known: dict[str, Item] = {}
        for entry in self.configuration.of(container):
            for source in entry.sources:
                for item in self._of_source(parent, entry, source):
                    if container in COLLAPSING and item.name in known:
                        self._collapse(known[item.name], item)
                        continue
                    known[item.name] = item
                    yield item

    def _collapse(self, kept: Item, other: Item) -> None:
        if kept.path != other.path:
            self.collapsed.append(
                f"{kept.kind} {kept.name}: {kept.path or 'literal'} and {other.path or 'literal'} are one"
            )

    def _of_source(self, parent: Item | None, entry: Entry, source: Source) -> Iterator[Item]:
        try:
            yield from self._all_of_source(parent, entry, source)
        except ExpressionError as slow:  # at once: every other parent would take as long
            raise ConfigurationError([self.configuration.text.finding("error", source.location, f"{slow}.")]) from slow

    def _all_of_source(self, parent: Item | None, entry: Entry, source: Source) -> Iterator[Item]:
        if not allowed(source, parent):
            return
        for owner in self._owners(parent, entry, source):
            found = self._hits(owner, entry, source)
            if found is None:
                continue
            if not refers(source):
                self.matched.update(hit.path for hit in found if hit.path)
            hits = [hit for hit in found if not excluded(source, hit)]
            self._skip(entry, [hit for hit in found if excluded(source, hit)])
            self._looked.setdefault(source, []).append((owner, len(hits)))
            yield from self._items(owner, entry, source, hits)

    def _skip(self, entry: Entry, hits: list[Hit]) -> None:
        kind = entry.container.kind
        self.skipped.update({f"{kind} {hit.path or hit.name}: exclude leaves it out": None for hit in hits})

    def _owners(self, parent: Item | None, entry: Entry, source: Source) -> tuple[Item | None, ...]:
        """Give the parent, or its tilt series where the patterns name them."""
        per_series = entry.container.per_series and any(
            v.startswith(SERIES_VARIABLE) for g in source.globs for v in named(g)
        )
        if not per_series:
            return (parent,)
        return tuple(i for i in self.children.get(parent, ()) if i.container == "tiltseries")

    def _hits(self, owner: Item | None, entry: Entry, source: Source) -> list[Hit] | None:
        places = Places(self.listing, self.archive, entry.container.kind)
        try:
            return find(source, self._variables(owner), places)
        except FinderProblem as problem:
            self.error(source, f"{problem}.")
        except UnknownVariableError as unknown:
            self._unknown(owner, source, unknown.name)
        return None

    def _variables(self, owner: Item | None) -> dict[str, Value]:
        if owner not in self._known:
            self._known[owner] = variables(owner, self.maps)
        return self._known[owner]

    def _unknown(self, owner: Item | None, source: Source, name: str) -> None:
        run = owner.ancestor("run") if owner else None
        if run is not None and name in self.maps.known:
            self.error(
                source,
                f"run {run.name} has no row with {name} in the map file {self.maps.file}: add it or exclude the run.",
            )
            return
        known = ", ".join(sorted(variables(owner, self.maps)))
        self.error(source, f"the variable {{{name}}} is unknown here; known are {known}.")

    def _items(self, owner: Item | None, entry: Entry, source: Source, hits: list[Hit]) -> Iterator[Item]:
        grouped = entry.container.grouped and any(hit.path for hit in hits) and not refers(source)
        if grouped:
            paths = tuple(hit.path for hit in hits)
            yield Item(entry.name, hits[0].name, entry, source, owner, paths)
            return
        for hit in hits:
            if (name := self._name(owner, entry, source, hit)) is not None:
                yield Item(entry.name, name, entry, source, owner, (hit.path,) if hit.path else (), hit.picture)

    def _name(self, owner: Item | None, entry: Entry, source: Source, hit: Hit) -> str | None:
        """Check and bring into form the names that become folders."""
        match entry.container.kind:
            case "voxel_spacing":
                return self._spacing(owner, source, hit.name)
            case "run":
                if problem := names.run_name_problem(hit.name):
                    self.error(source, f"{hit.path or hit.name}: {problem}.")
                    return None
            case "dataset" | "deposition":
                if not re.fullmatch(r"[1-9][0-9]{0,8}", hit.name):
                    self.error(source, f"{hit.name} cannot identify a {entry.container.kind}: give a whole number.")
                    return None
        return hit.name

    def _spacing(self, owner: Item | None, source: Source, name: str) -> str | None:
        run = owner.ancestor("run") if owner else None
        try:
            given = name.removeprefix(layout.SPACING)
            spacing = float(expand(given, self.maps.of(run.name if run else "")))
            if not 0.001 <= spacing < 1e6:  # noqa: PLR2004  # Å, what a folder's name can say
                raise ValueError
        except UnknownVariableError as unknown:
            self._unknown(owner, source, unknown.name)
        except (TypeError, ValueError):
            self.error(source, f"{name} is not a voxel spacing: give a number in Å.")
        else:
            return f"{spacing:.3f}"
        return None

    def judge(self) -> None:
        """Report sources that found nothing: in every parent an error, in some a note."""
        for entries in self.configuration.entries.values():
            for entry in entries:
                for source in entry.sources:
                    if self.archive is not None or not refers(source):
                        self._judge(entry, source)

    def _judge(self, entry: Entry, source: Source) -> None:
        looked = self._looked.get(source)
        text = self.configuration.text
        if looked is None:
            if source.filters.model_fields_set and self._any(entry.container.parent):
                self.findings.append(
                    text.finding(
                        "warning",
                        source.location,
                        "the parent_filters of this source let no parent through: nothing is taken.",
                    )
                )
            return
        if isinstance(source.finder, language.Literally) or not looked:
            return
        empty = [owner for owner, count in looked if not count]
        if len(empty) < len(looked):
            for owner in empty:
                where = (
                    " of ".join(f"{i.kind} {i.name}" for i in owner.line() if i.kind not in {"dataset", "deposition"})
                    if owner
                    else ""
                )
                where = where or "the source"
                self.findings.append(text.finding("note", source.location, f"nothing found for {where}."))
            return
        patterns = " or ".join(source.globs) or "the filter"
        where = (
            f"{len(looked)} {entry.container.parent}"
            if entry.container.parent and len(looked) > 1
            else self._one(looked)
        )
        below = "in the archive: take it in first" if refers(source) else f"below {self.listing.root}"
        message = f"{patterns} matches nothing{f' in {where}' if where else ''} {below}, or correct the pattern."
        self.findings.append(text.finding("error", source.location, message))

    def _any(self, container: str) -> bool:
        return any(i.container == container for items in self.children.values() for i in items)

    @staticmethod
    def _one(looked: list[tuple[Item | None, int]]) -> str:
        owner = looked[0][0]
        return f"{owner.kind} {owner.name}" if owner else ""


def allowed(source: Source, parent: Item | None) -> bool:
    """Whether the parent filters of a source let a parent through; `alignment` is decided later."""
    line = {i.kind: i.name for i in parent.line()} if parent else {}
    for kind, patterns in listed(source.filters.include):
        if kind in line and not any(search(p, line[kind]) for p in patterns):
            return False
    return not any(
        kind in line and any(search(p, line[kind]) for p in patterns)
        for kind, patterns in listed(source.filters.exclude)
    )


def variables(owner: Item | None, maps: Maps) -> dict[str, Value]:
    """Give the format variables that hold below an item."""
    values: dict[str, Value] = {}
    for item in owner.line() if owner else ():
        values[f"{item.kind}_name"] = item.name
        values[f"{item.kind}_path"] = item.path
        values[f"{item.kind}_id"] = item.name
        if item.name.isdecimal():
            values[f"int_{item.kind}_name"] = int(item.name)
        values[f"{item.kind}_output_path"] = output_path(item)
    if owner is not None:
        values["output_path"] = output_path(owner)
        run = owner.ancestor("run")
        values |= maps.of(run.name) if run else {}
    return values


def output_path(item: Item) -> str:
    """Give the folder of an item in the archive, without a final slash; that of its nearest parent that has one."""
    dataset, run, spacing = (item.ancestor(kind) for kind in ("dataset", "run", "voxel_spacing"))
    if dataset is None:
        deposition = item.ancestor("deposition")
        return layout.Deposition(int(deposition.name)).folder.rstrip("/") if deposition else ""
    if run is None:
        return layout.Dataset(int(dataset.name)).folder.rstrip("/")
    place = layout.Run(int(dataset.name), run.name)
    return (place.spacing(float(spacing.name)).folder if spacing else place.folder).rstrip("/")
