"""What planners share: the configuration over its source and archive, and one run of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from tomotheca.errors import Finding, Severity
from tomotheca.formats.omezarr import DEFAULT, Form
from tomotheca.ingest.config import Configuration, Entry, problems
from tomotheca.ingest.discover import Discovery, Item
from tomotheca.ingest.pictures import Elsewhere
from tomotheca.ingest.template import UnknownVariableError, expand
from tomotheca.ingest.work import Input, Origin
from tomotheca.schema import SCHEMA
from tomotheca.schema.configuration import relaxed
from tomotheca.schema.core import fields
from tomotheca.schema.markers import Rows

if TYPE_CHECKING:
    from tomotheca.ingest.archive import RunArchive
    from tomotheca.ingest.inplace import Staying
    from tomotheca.ingest.listing import Listing
    from tomotheca.ingest.maps import Maps
    from tomotheca.store import layout
    from tomotheca.store.files import Files

PLACE = re.compile(r"\{[^{}'\"]+\}")
"""A column that is to be filled in, in the words of a metadata block; its own braces are followed by quotes."""

SUFFIXES = (
    ".mdoc", ".mrc", ".st", ".ali", ".mrcs", ".tif", ".tiff", ".rec", ".map", ".zarr", ".rawtlt", ".tlt", ".xf", ".xtilt", ".tltx", ".aln", ".com",
    ".tomostar", ".xml", ".cets.json", ".json",
    ".ctf", ".defocus", "_ctf.txt", "_ctffind.txt", "_gctf.txt", ".txt",
)  # fmt: skip
"""Taken off a name to find what belongs together."""


@dataclass(slots=True)
class Scene:
    """One ingest while it is planned."""

    configuration: Configuration
    listing: Listing
    maps: Maps
    discovery: Discovery
    files: Files
    origin: Origin
    findings: list[Finding] = field(default_factory=list)
    private: bool = False
    alone: bool = False
    """Whether there is no archive to compare with: what is referred to is taken to be there."""
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    memory: int = 1 << 30
    """Bytes that reading a file may take."""
    staying: Staying | None = None
    """The wish that volumes stay where they are."""
    form: Form = DEFAULT
    """How OME-Zarr images are written."""
    archives: dict[str, RunArchive] = field(default_factory=dict)
    """What the archive has of each planned run, by folder."""
    _metadata: dict[tuple[Entry, str], dict[str, Any] | None] = field(default_factory=dict)
    _templated: dict[Entry, bool] = field(default_factory=dict)
    _inputs: dict[str, Input | None] = field(default_factory=dict)

    def add(self, severity: Severity, item: Item | Entry, message: str) -> None:
        """Report something about an item, at the place in the configuration that named it."""
        location = item.source.location if isinstance(item, Item) else item.location
        finding = self.configuration.text.finding(severity, location, message)
        if finding not in self.findings:
            self.findings.append(finding)

    def input(self, path: str) -> Input | None:
        """Look at a file of the source; None, with a finding, if it is gone or not readable."""
        if path not in self._inputs:
            local = self.listing.local(path)
            try:
                stamp = self.listing.stamp(path)
            except OSError as error:
                self.findings.append(Finding("error", str(local), f"cannot be read: {error.strerror or error}."))
                self._inputs[path] = None
            else:
                self._inputs[path] = Input(path, local, stamp.size, stamp.mtime)
        return self._inputs[path]

    def metadata(self, entry: Entry, run: str = "") -> dict[str, Any] | None:
        """Give the metadata of an entry for a run: templates filled, validated, in the form documents have.

        None, with findings, if it cannot be: nothing of the entry is then planned. Empty where the entry has none.
        """
        if entry.metadata is None:
            return {}
        name = run if entry.container.templated and self._is_templated(entry) else ""
        if (entry, name) not in self._metadata:
            self._metadata[entry, name] = self._settle(entry, name)
        return self._metadata[entry, name]

    def _is_templated(self, entry: Entry) -> bool:
        """Whether the metadata of an entry may differ from run to run."""
        if entry not in self._templated:
            self._templated[entry] = PLACE.search(repr(entry.metadata)) is not None
        return self._templated[entry]

    def _settle(self, entry: Entry, run: str) -> dict[str, Any] | None:
        given: Any = entry.metadata
        if entry.container.templated:
            try:
                given = expand(given, self.maps.of(run))
            except UnknownVariableError as unknown:
                self.add(
                    "error",
                    entry,
                    f"run {run} has no {unknown.name} in the map file {self.maps.file or '(none is named)'}: add it or exclude the run.",
                )
                return None
            except ValueError as error:
                self.add("error", entry, f"run {run}: a value of the map file is no number ({error}).")
                return None
        return self._validated(entry, relaxed(entry.container.kind, given), run)

    def _validated(self, entry: Entry, given: dict[str, Any], run: str) -> dict[str, Any] | None:
        model = entry.container.metadata
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            for problem in problems(error, model, given):
                location = (*entry.location, "metadata", *problem.location)
                message = f"run {run}: {problem.message}" if run else problem.message
                self.findings.append(self.configuration.text.finding("error", location, message))
            return None
        plain = made.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return without_twins(entry.container.kind, plain)


def without_twins(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """Leave out list items whose natural key an earlier one has: rows have one identifier each."""
    model: type[BaseModel] | None = SCHEMA.kinds.get(kind)
    for name, f in fields(model).items() if model else ():
        rows: Rows | None = f.find(Rows)
        items = document.get(name)
        if rows is None or rows.make is not None or not isinstance(items, list):
            continue
        natural = SCHEMA.kinds[rows.kind].natural
        if natural is not None:
            kept = {natural(i if isinstance(i, Mapping) else {"value": i}): i for i in reversed(items)}
            document[name] = (
                [i for i in items if any(i is k for k in kept.values())] if len(kept) < len(items) else items
            )
    return document


@dataclass(slots=True)
class RunScene:
    """One run while it is planned."""

    scene: Scene
    item: Item
    place: layout.Run
    deposition: int
    archive: RunArchive
    owned: bool
    """Whether the dataset comes from this configuration."""

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.item.name

    def of(self, container: str, parent: Item | None = None) -> tuple[Item, ...]:
        """Give the items of a container below the run, or below one of its items, that are to be taken in.

        A voxel spacing is a place and nothing that is taken in: those of the archive count too.
        """
        found = self.scene.discovery.of(parent or self.item, container)
        return found if container == "voxel_spacings" else tuple(i for i in found if not i.referred)

    def referred(self, container: str, parent: Item | None = None) -> tuple[Item, ...]:
        """Give those that are in the archive and only referred to; their paths are archive keys."""
        return tuple(i for i in self.scene.discovery.of(parent or self.item, container) if i.referred)

    def metadata(self, item: Item) -> dict[str, Any] | None:
        """Give the metadata of an item of this run."""
        return self.scene.metadata(item.entry, self.name)

    def add(self, severity: Severity, item: Item, message: str) -> None:
        """Report something about an item of this run."""
        self.scene.add(severity, item, f"run {self.name}: {message}")

    def about(self, severity: Severity, path: Path | str, message: str) -> None:
        """Report something about a file of the source, with its line where that is known (``picks.csv:12``)."""
        finding = Finding(severity, str(path), message)
        if finding not in self.scene.findings:
            self.scene.findings.append(finding)


def stem(path: str) -> str:
    """Give the name of a file without the suffixes of the field: ``TS_01.st.mdoc`` -> ``TS_01``."""
    name = path.rstrip("/").rpartition("/")[2]
    while (suffix := next((s for s in SUFFIXES if name.lower().endswith(s)), "")) and len(name) > len(suffix):
        name = name[: -len(suffix)]
    return name
