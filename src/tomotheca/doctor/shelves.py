"""What lies in a folder and in no manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tomotheca.doctor.subjects import Shelved
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.doctor.look import Look
    from tomotheca.store.files import Files


def shelved(look: Look, folder: str, documents: Sequence[str], *, deep: bool = True) -> Shelved:
    """Compare a folder with the manifests of its documents; without `deep` the folders of runs are left out."""
    known = set(documents)
    owners = {layout.manifest_folder(key) for key in documents}
    unlisted, unfinished = [], dict[str, None]()
    for key in _keys(look.files, folder, deep=deep):
        if key in known or layout.is_private(key.rstrip("/")):
            continue
        owner = layout.manifest_folder(key)
        if owner not in owners:
            unfinished.setdefault(owner or key)
        elif key not in look.entries(owner):
            unlisted.append(key)
    lost = [] if deep else _without_document(look.files, folder)
    return Shelved(folder, tuple(unlisted), (*unfinished, *lost))


def _keys(files: Files, folder: str, *, deep: bool) -> Iterator[str]:
    """Give every file and array directory, never what lies in one."""
    found = files.scan(folder)
    yield from (folder + name for name in found.files)
    for name in found.folders:
        below = f"{folder}{name}/"
        if layout.is_array(below):
            yield below
        elif deep or name in layout.RESERVED_RUN_NAMES:
            yield from _keys(files, below, deep=True)


def _without_document(files: Files, folder: str) -> list[str]:
    """Give the folders of a dataset that should be runs and have no document."""
    number = layout.locate(folder + "x").dataset
    names = [name for name in files.scan(folder).folders if name not in layout.RESERVED_RUN_NAMES]
    runs = [layout.Run(number, name) for name in names] if number is not None else []
    return [run.folder for run in runs if not files.exists(run.document) and any(_keys(files, run.folder, deep=True))]


def without_dataset(files: Files) -> Iterator[str]:
    """Give the folders of the archive that should be datasets and have no document."""
    for name in files.scan("").folders:
        if name.isascii() and name.isdecimal() and str(int(name)) == name:
            place = layout.Dataset(int(name))
            if not files.exists(place.document) and any(_keys(files, place.folder, deep=True)):
                yield place.folder
