"""What a tree in the portal's layout has: its documents, the files that go with each, and what does not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema import DOCUMENTS
from tomotheca.store import layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files, Stat

Kind = Literal["deposition", "dataset"]

ROLES = {"tiltseries": "tilt_series", "frames": "frame", "gain_file": "gain", "identified_object": "objects"}
"""Roles of files that are not called as the kind of what they belong to."""

TEXTS = {
    "tiltseries": (("_ctf.txt", "ctf"), ("_ctf.xml", "ctf"), (".rawtlt", "angles"), (".tlt", "angles")),
    "frames": ((".mdoc", "mdoc"),),
}
"""Roles by the end of a name, among the files of a kind."""

KINDS = frozenset({"tiltseries", "alignment", "tomogram", "annotation", *ROLES})
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Item:
    """A file, or an array directory with all that is in it."""

    key: str
    size: int
    mtime: int
    """Nanoseconds since 1970, of the newest member of a directory."""

    members: int | None = None

    @property
    def role(self) -> str:
        """What the file is for."""
        return role(self.key)


def role(key: str) -> str:
    """Say by its place what a file is for; see `tomotheca.store.manifest.Entry.role`."""
    parts = key.rstrip("/").split("/")
    if layout.IMAGES in parts[:-1]:
        return "image"
    if "NeuroglancerPrecompute" in parts[:-1]:
        return "viewer"
    place = layout.locate(key)
    if place.kind not in KINDS:
        return OTHER
    ending = next((word for end, word in TEXTS.get(place.kind, ()) if key.endswith(end)), None)
    return ending or ROLES.get(place.kind, place.kind)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document that was found, with the files that its manifest will list."""

    model: type[Document]
    key: str
    items: tuple[Item, ...] = ()
    is_new: bool = False
    """Whether there is no such document, and one is needed."""

    @property
    def folder(self) -> str:
        """Folder of its own, with a manifest; empty for a document whose files stand in the manifest of its run."""
        folder = self.key.rpartition("/")[0] + "/"
        return folder if layout.manifest_folder(self.key) == folder else ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A dataset or a deposition of the tree."""

    kind: Kind
    number: int
    sheets: tuple[Sheet, ...]
    """In the order in which rows need each other; the unit's own document first."""

    findings: tuple[Finding, ...] = ()

    @property
    def folder(self) -> str:
        """Folder of the unit."""
        return layout.Dataset(self.number).folder if self.kind == "dataset" else layout.Deposition(self.number).folder


@dataclass
class Left:
    """Counts what is left where it is, by reason."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def out(self, key: str, reason: str) -> None:
        """Leave something out."""
        self.counts[reason] += 1
        self.first.setdefault(reason, key)

    def findings(self) -> Iterator[Finding]:
        """Say what was left out: one finding for each reason, at the first place."""
        for reason, number in self.counts.items():
            more = f" ({number} files in all)" if number > 1 else ""
            yield Finding("warning", self.first[reason], f"left out: {reason}{more}.")


def units(files: Files) -> Iterator[Unit]:
    """Survey a tree; depositions come before datasets."""
    for number in tree.depositions(files):
        place = layout.Deposition(number)
        yield _unit(files, "deposition", number, [(_model("deposition"), place.document)])
    for number in tree.datasets(files):
        yield _unit(files, "dataset", number, list(tree.documents(files, number)))


def strays(files: Files) -> Iterator[Finding]:
    """Say what lies at the top of a tree and is no dataset and no deposition."""
    known = {str(n) for n in tree.datasets(files)}
    top = files.scan("")
    for name in top.folders:
        if name not in known and name != layout.DEPOSITIONS:
            why = (
                f"there is no {layout.Dataset(int(name)).document}"
                if _is_number(name)
                else "the folders of datasets have their numbers as names"
            )
            yield Finding("warning", f"{name}/", f"left out: {why}.")
    for name in top.files:
        yield Finding("note", name, "left out: it lies beside the datasets and belongs to none.")
    there = {str(n) for n in tree.depositions(files)}
    for name in files.scan(f"{layout.DEPOSITIONS}/").folders:
        if name not in there:
            why = "the folder of a deposition has its number as name and a deposition_metadata.json in it"
            yield Finding("warning", f"{layout.DEPOSITIONS}/{name}/", f"left out: {why}.")


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and str(int(name)) == name


def _model(kind: str) -> type[Document]:
    return next(model for model in DOCUMENTS if getattr(model, "kind", "") == kind)


def _unit(files: Files, kind: Kind, number: int, found: list[tuple[type[Document], str]]) -> Unit:
    left = Left()
    papers = [(model, key) for model, key in found if not _odd_spacing(key, left)]
    keys = {key for _, key in papers}
    folders = {key.rpartition("/")[0] + "/" for key in keys}
    home = layout.Dataset(number).folder if kind == "dataset" else layout.Deposition(number).folder
    grouped: dict[str, list[Item]] = {}
    for item in _items(files.stats(home)):
        owner = layout.manifest_folder(item.key)
        if item.key in keys or layout.is_private(item.key.rstrip("/")):
            continue
        if owner in folders:
            grouped.setdefault(owner, []).append(item)
        else:
            left.out(item.key, f"there is no document in {owner or home}")
    sheets = []
    for model, key in papers:
        folder = key.rpartition("/")[0] + "/"
        own = grouped.pop(folder, []) if layout.manifest_folder(key) == folder else []
        sheets.append(Sheet(model, key, tuple(own)))
    return Unit(kind, number, tuple(sheets), tuple(left.findings()))


def _odd_spacing(key: str, left: Left) -> bool:
    """Whether a document lies in the folder of a voxel spacing that is not written with three decimals."""
    spacing = layout.locate(key).spacing
    if not spacing or f"{float(spacing):.3f}" == spacing:
        return False
    left.out(key, f"the folder of a voxel spacing is named with three decimals, {layout.SPACING}{float(spacing):.3f}")
    return True


def _items(found: Iterable[tuple[str, Stat]]) -> Iterator[Item]:
    """Gather the files of array directories; keys come in byte order."""
    array, size, mtime, members = "", 0, 0, 0
    for key, stat in found:
        here = layout.array_key(key) or ""
        if array and here != array:
            yield Item(array, size, mtime, members)
            array = ""
        if not here:
            yield Item(key, stat.size, stat.mtime_ns)
            continue
        if here != array:
            array, size, mtime, members = here, 0, 0, 0
        size, mtime, members = size + stat.size, max(mtime, stat.mtime_ns), members + 1
    if array:
        yield Item(array, size, mtime, members)


def listed(files: Files, folder: str) -> dict[str, manifest.Entry]:
    """Give the entries of a manifest that is there; none where it cannot be read."""
    try:
        return {e.key: e for e in manifest.read(files, folder)}
    except InvalidDocumentError:
        return {}
