"""From a key back to the place it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tomotheca.store.layout.places import Dataset, Deposition, Run
from tomotheca.store.layout.words import (
    DEPOSITIONS,
    IMAGES,
    INTERNAL,
    LOOSE,
    MANIFEST,
    MEMBERS,
    RESERVED_RUN_NAMES,
    SECTIONS,
    SPACED_SECTIONS,
    SPACING,
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a key belongs to."""

    kind: str
    """Name as in the schema (``tomogram``), or ``frames`` and ``image`` where no row is meant; empty for what is not ours."""

    dataset: int | None = None
    deposition: int | None = None
    run: str = ""
    spacing: str = ""
    number: int | None = None
    """Number of the tilt series, alignment, tomogram or annotation."""

    rest: str = ""
    """What follows in the folder that the kind has."""

    @property
    def folder(self) -> str:
        """Folder whose manifest lists the key: that of the tomogram for its key photo, of the run for its frames."""
        if self.deposition is not None:
            return Deposition(self.deposition).folder
        if self.dataset is None:
            return ""
        if not self.run:
            return Dataset(self.dataset).folder
        run = Run(self.dataset, self.run)
        if self.number is None:
            return run.folder
        section = next((s for s, kind in (SECTIONS | SPACED_SECTIONS).items() if kind == self.kind), "")
        base = f"{run.folder}Reconstructions/{SPACING}{self.spacing}/" if self.spacing else run.folder
        return f"{base}{section}/{self.number}/"


def locate(key: str) -> Place:
    """Say what a key belongs to: ``10001/TS_1/Frames/a.tif`` to the frames of run TS_1 of dataset 10001."""
    head, _, rest = key.partition("/")
    if head == DEPOSITIONS:
        number, _, rest = rest.partition("/")
        return Place("deposition", deposition=int(number), rest=rest) if _is_number(number) else Place("", rest=key)
    if not _is_number(head):
        return Place("", rest=key)
    dataset = int(head)
    name, slash, inside = rest.partition("/")
    if not slash or name in RESERVED_RUN_NAMES:
        return Place("dataset", dataset, rest=rest)
    return _in_run(dataset, name, inside)


def _in_run(dataset: int, run: str, rest: str) -> Place:
    section, _, inside = rest.partition("/")
    if section in LOOSE and inside:
        return Place(LOOSE[section], dataset, run=run, rest=inside)
    number, slash, below = inside.partition("/")
    if section in SECTIONS and slash and _is_number(number):
        return Place(SECTIONS[section], dataset, run=run, number=int(number), rest=below)
    spacing, slash, below = inside.partition("/")
    if section == "Reconstructions" and slash and spacing.startswith(SPACING):
        return _in_spacing(Place("run", dataset, run=run, spacing=spacing.removeprefix(SPACING), rest=rest), below)
    return Place("run", dataset, run=run, rest=rest)


def _in_spacing(run: Place, inside: str) -> Place:
    section, _, below = inside.partition("/")
    number, slash, rest = below.partition("/")
    kind = SPACED_SECTIONS.get(section) or ("tomogram" if section == IMAGES else "")
    if section == "NeuroglancerPrecompute" and (match := re.match(r"(\d+)-(.*)", below, re.DOTALL)):
        number, rest, slash = match[1], below, "/"
        kind = "tomogram" if match[2] == "neuroglancer_config.json" else "annotation"
    if not (kind and slash and _is_number(number)):
        return run
    return Place(kind, run.dataset, run=run.run, spacing=run.spacing, number=int(number), rest=rest)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text


def manifest_folder(key: str) -> str:
    """Folder whose manifest lists a key; empty for what no manifest lists."""
    return locate(key).folder


def members_key(key: str) -> str:
    """Key of the list of members of an array directory."""
    return f"{manifest_folder(key)}{MEMBERS}/{key.rstrip('/').rpartition('/')[2]}"


def is_array(folder: str) -> bool:
    """Say whether a folder is an array directory, which is one entry and is never looked into."""
    parent, _, name = folder.rstrip("/").rpartition("/")
    if parent.endswith("/NeuroglancerPrecompute"):
        return True
    return name.endswith(".zarr") and parent.count("/") > 1


def array_key(key: str) -> str | None:
    """Key of the array directory that a file lies in, or None: ``…/TS_1.zarr/0/1/2/3`` lies in ``…/TS_1.zarr/``."""
    parts = key.split("/")
    folders = ("/".join(parts[:end]) + "/" for end in range(1, len(parts)))
    return next((folder for folder in folders if is_array(folder)), None)


def is_private(key: str) -> bool:
    """Say whether a key is for the program alone: manifests, lists of members, everything in ``.tomotheca/``."""
    parts = key.split("/")
    return parts[0] == INTERNAL or parts[-1] == MANIFEST or MEMBERS in parts
