"""What is in an archive: its datasets, depositions and documents, found by looking into folders and never into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tomotheca import schema
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files

Found = tuple[type["Document"], str]
CAPTIONS = ("_globalcaption.json", "_caption.json")


def datasets(files: Files) -> Iterator[int]:
    """Give the identifier of every dataset that has a document, in order."""
    for number in _numbers(files.scan("").folders):
        if files.exists(layout.Dataset(number).document):
            yield number


def depositions(files: Files) -> Iterator[int]:
    """Give the identifier of every deposition that has a document, in order."""
    for number in _numbers(files.scan(f"{layout.DEPOSITIONS}/").folders):
        if files.exists(layout.Deposition(number).document):
            yield number


def runs(files: Files, dataset: int) -> Iterator[layout.Run]:
    """Give the place of every run that has a document, in byte order of the names."""
    for name in files.scan(layout.Dataset(dataset).folder).folders:
        run = layout.Run(dataset, name)
        if name not in layout.RESERVED_RUN_NAMES and files.exists(run.document):
            yield run


def documents(files: Files, dataset: int) -> Iterator[Found]:
    """Give every document of a dataset with its model, in the order in which rows need each other.

    The dataset, then run by run: run, frames, tilt series, alignments, identified objects, tomograms, annotations. What lies
    below a folder without a document was not finished, and is left out.
    """
    place = layout.Dataset(dataset)
    if not files.exists(place.document):
        return
    yield schema.Dataset, place.document
    for run in runs(files, dataset):
        yield from run_documents(files, run)


def run_documents(files: Files, run: layout.Run) -> Iterator[Found]:
    """Give the documents of one run; see `documents`."""
    yield schema.Run, run.document
    yield from _present(files, schema.Frames, run.frames_document)
    for number in _numbers(files.scan(f"{run.folder}TiltSeries/").folders):
        yield from _present(files, schema.TiltSeries, run.tilt_series(number).document)
    for number in _numbers(files.scan(f"{run.folder}Alignments/").folders):
        yield from _present(files, schema.Alignment, run.alignment(number).document)
    yield from _present(files, schema.IdentifiedObjects, run.identified_objects_document)
    places = list(spacings(files, run))
    for spacing in places:
        for number in _numbers(files.scan(f"{spacing.folder}Tomograms/").folders):
            yield from _present(files, schema.Tomogram, spacing.tomogram(number).document)
    for spacing in places:
        for number in _numbers(files.scan(f"{spacing.folder}Annotations/").folders):
            folder = spacing.annotation(number).folder
            yield from ((schema.Annotation, folder + name) for name in files.scan(folder).files if is_annotation(name))


def spacings(files: Files, run: layout.Run) -> Iterator[layout.Spacing]:
    """Give the place of every voxel spacing of a run, the finest first."""
    found = [
        n.removeprefix(layout.SPACING)
        for n in files.scan(f"{run.folder}Reconstructions/").folders
        if n.startswith(layout.SPACING)
    ]
    for name in sorted(filter(_is_spacing, found), key=lambda text: (float(text), text)):
        yield layout.Spacing(run, name)


def is_annotation(name: str) -> bool:
    """Tell the document of an annotation from captions, which are JSON too."""
    return name.endswith(".json") and not name.endswith(CAPTIONS)


def _present(files: Files, model: type[Document], key: str) -> Iterator[Found]:
    if files.exists(key):
        yield model, key


def _numbers(names: tuple[str, ...]) -> list[int]:
    """Give the numbers among names, in order; ``007`` and ``backup`` are not ours."""
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal() and str(int(name)) == name)


def _is_spacing(text: str) -> bool:
    whole, _, decimals = text.partition(".")
    return whole.isdecimal() and decimals.isdecimal() and text.isascii()
