"""Go through one run, dataset or deposition and collect what rules are about, reading only what somebody asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tomotheca import schema
from tomotheca.doctor import images, media, subjects, values
from tomotheca.doctor.look import Broken, Expected, Image, Look, Mrc
from tomotheca.doctor.shelves import shelved
from tomotheca.doctor.subjects import Data, Subject
from tomotheca.schema.core import Document, Entity
from tomotheca.store import layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.doctor.headers import Movie
    from tomotheca.formats.mdoc import Mdoc
    from tomotheca.store.files import Files

Paper = tuple[type[Document], str, Data | Broken]

FACTS = ("microscope", "camera", "acceleration_voltage", "pixel_spacing", "tilt_series_quality")
"""Fields of tilt series that rules of datasets compare."""

MOVIES = (".mrc", ".mrcs", ".st", ".tif", ".tiff", ".eer")
"""Movies and gain references whose headers are read."""


def run_places(files: Files, dataset: int) -> list[layout.Run]:
    """Give the runs of a dataset."""
    return list(tree.runs(files, dataset))


def numbers(papers: Sequence[Paper]) -> Iterator[tuple[str, int, str]]:
    """Give every identifier that documents carry: kind, number, key."""
    for model, key, data in papers:
        if isinstance(data, Broken):
            continue
        own = values.whole(data, "id")
        if issubclass(model, Entity) and own is not None:
            yield model.kind, own, key
        for kind, given in values.mapping(data, "ids").items():
            for natural in values.mapping(given):
                if (number := values.whole(given, natural)) is not None:
                    yield kind, number, key


class _Visit:
    """What visits of runs and of pages share."""

    def __init__(self, files: Files, depositions: frozenset[int], *, thorough: bool) -> None:
        self.files, self.depositions, self.thorough = files, depositions, thorough
        self.look = Look(files)
        self.papers: list[Paper] = []
        self._good: dict[type[Document], list[tuple[str, Data]]] = {}

    def numbers(self) -> list[tuple[str, int, str]]:
        """Give every identifier of the documents."""
        return list(numbers(self.papers))

    def good(self, model: type[Document]) -> list[tuple[str, Data]]:
        """Give the documents of a kind that can be read."""
        if model not in self._good:
            found = [(key, data) for m, key, data in self.papers if m is model and not isinstance(data, Broken)]
            self._good[model] = found
        return self._good[model]

    def paper(self, one: Paper) -> subjects.Paper:
        """Make the subject of a document."""
        model, key, data = one
        folder = key.rpartition("/")[0] + "/"
        digest: str | None = ""
        if layout.manifest_folder(key) == folder:
            raw = self.look.once("bytes", folder, lambda: self.look.range(folder + layout.MANIFEST, 0, 1 << 30))
            digest = None if isinstance(raw, Broken) else hashlib.sha256(raw).hexdigest()
        return subjects.Paper(key, model, data, layout.locate(key), self.depositions, digest)

    def listed(self, folder: str) -> subjects.Listed:
        """Make the subject of a manifest."""
        found = self.look.once("entries", folder, lambda: manifest.read(self.files, folder))
        return subjects.Listed(folder + layout.MANIFEST, found, self.files, self.thorough)

    def folders(self) -> list[str]:
        """Give the folders whose documents have a manifest."""
        found = (key.rpartition("/")[0] + "/" for _, key, _ in self.papers)
        return [folder for folder in dict.fromkeys(found) if layout.manifest_folder(folder + "x") == folder]

    def pictures(self, key: str, data: Data, field: str) -> subjects.Pictures | None:
        """Make the subject of the pictures that a document names."""
        named = {size: path for size in ("snapshot", "thumbnail") if (path := values.text(data, field, size))}
        mine = {size: path for size, path in named.items() if "://" not in path}
        found = {path: media.picture(self.look, path) for path in mine.values()}
        return subjects.Pictures(key, mine, found) if mine else None


class RunVisit(_Visit):
    """One run."""

    def __init__(
        self, files: Files, place: layout.Run, depositions: frozenset[int], *, thorough: bool, wanted: frozenset[type]
    ) -> None:
        super().__init__(files, depositions, thorough=thorough)
        self.place, self.wanted = place, wanted
        self.papers = [(model, key, self.look.document(key)) for model, key in tree.run_documents(files, place)]

    def give(self) -> Iterator[Subject]:
        """Give everything that there are rules for."""
        if subjects.Paper in self.wanted:
            yield from map(self.paper, self.papers)
        if subjects.Listed in self.wanted:
            yield from map(self.listed, self.folders())
        if subjects.Shelved in self.wanted:
            yield shelved(self.look, self.place.folder, [key for _, key, _ in self.papers])
        if self.wanted & {Mrc, Image, subjects.Volume}:
            yield from self._volumes()
        if self.wanted & {subjects.Movies, subjects.Acquisition}:
            yield from self._frames()
        if subjects.Series in self.wanted:
            yield from (self._series(key, data) for key, data in self.good(schema.TiltSeries))
        if subjects.Aligned in self.wanted:
            yield from (self._aligned(key, data) for key, data in self.good(schema.Alignment))
        yield from self._spaced()
        yield from self._whole()

    def facts(self) -> list[tuple[str, Data]]:
        """Give what rules of datasets need of the tilt series."""
        return [
            (key, {name: data[name] for name in FACTS if name in data}) for key, data in self.good(schema.TiltSeries)
        ]

    # --- volumes ---------------------------------------------------------------------------------------------------

    def _volumes(self) -> Iterator[Subject]:
        for model, field in ((schema.TiltSeries, "pixel_spacing"), (schema.Tomogram, "voxel_spacing")):
            for key, data in self.good(model):
                volume = self._volume(key, data, field, stack=model is schema.TiltSeries)
                yield from (part for part in (volume.mrc, volume.image) if part is not None)
                yield volume
        for key, data in self.good(schema.Annotation):
            yield from self._masks(key, data)

    def _volume(self, key: str, data: Data, field: str, *, stack: bool) -> subjects.Volume:
        listed = frozenset(self.look.entries(key.rpartition("/")[0] + "/"))
        expected = Expected(stack, values.zyx(data, "size"), values.number(data, field))
        mrc_key, zarr_key = values.text(data, "mrc_file"), values.text(data, "omezarr_dir")
        mrc = self.look.mrc(mrc_key, expected) if mrc_key else None
        image = None
        if zarr_key and self.wanted & {Image, subjects.Volume}:
            image = images.read(self.look, f"{zarr_key.rstrip('/')}/", expected)
        name = "" if stack and len(self.good(schema.TiltSeries)) > 1 else self.place.name
        return subjects.Volume(key, data, name, mrc, image, stack, listed)

    def _masks(self, key: str, data: Data) -> Iterator[Mrc | Image]:
        try:
            spacing: float | None = float(layout.locate(key).spacing)
        except ValueError:
            spacing = None
        for item in values.blocks(data, "files"):
            path, shape = values.text(item, "path"), values.text(item, "shape")
            expected = Expected(stack=False, spacing=spacing, kind=shape or "mask")
            if path.endswith(".mrc"):
                yield self.look.mrc(path, expected)
            elif path.rstrip("/").endswith(".zarr"):
                yield images.read(self.look, f"{path.rstrip('/')}/", expected)

    # --- acquisition -----------------------------------------------------------------------------------------------

    def _frames_document(self) -> tuple[str, Data] | None:
        return next(iter(self.good(schema.Frames)), None)

    def _acquired(self) -> dict[str, Mdoc | Broken]:
        document = self._frames_document()
        if document is None:
            return {}
        named = values.array(document[1], "frames_acquisition_files") or [document[1].get("frames_acquisition_file")]
        return {key: self.look.mdoc(key) for key in named if isinstance(key, str) and key}

    def _movie_keys(self, folder: str) -> list[str]:
        listed = self.look.entries(self.place.folder)
        return [k for k in listed if k.startswith(folder) and not k.endswith((".mdoc", ".json"))]

    def _movies(self, folder: str) -> dict[str, Movie | Broken | None]:
        keys = self._movie_keys(folder)
        return {key: self.look.movie(key) if key.lower().endswith(MOVIES) else None for key in keys}

    def _frames(self) -> Iterator[Subject]:
        document, acquired = self._frames_document(), self._acquired()
        if document is None:
            return
        sections = [s for found in acquired.values() if not isinstance(found, Broken) for s in found.images]
        if subjects.Movies in self.wanted:
            yield subjects.Movies(
                document[0],
                document[1],
                self._movies(self.place.frame("")),
                self._movies(self.place.gain("")),
                frozenset(s.frame_name for s in sections if s.frame_name),
                {s.frame_name: s.num_sub_frames for s in sections if s.frame_name and s.num_sub_frames},
                max(1, len(self.good(schema.TiltSeries))),
            )
        names = frozenset(key.rpartition("/")[2] for key in self._movie_keys(self.place.frame("")))
        count = len(values.blocks(document[1], "frames"))
        yield from (subjects.Acquisition(key, found, count, names) for key, found in acquired.items())

    def _mdoc_of(self, data: Data) -> Mdoc | None:
        """Find the mdoc file of a tilt series: the only one, or that of its name."""
        good = {key: m for key, m in self._acquired().items() if not isinstance(m, Broken)}
        if len(good) == 1 and len(self.good(schema.TiltSeries)) == 1:
            return next(iter(good.values()))
        name = values.text(data, "source").rpartition("/")[2]
        stems = {key.rpartition("/")[2].removesuffix(".mdoc"): found for key, found in good.items()}
        own = [stem for stem in stems if name == stem or name.startswith(f"{stem}.")]
        return stems[max(own, key=len)] if own else None

    def _series(self, key: str, data: Data) -> subjects.Series:
        angles_key, mrc_key = values.text(data, "raw_tlt_path"), values.text(data, "mrc_file")
        angles = self.look.angles(angles_key) if angles_key else None
        document = self._frames_document()
        movies = self._movies(self.place.frame("")).values()
        sizes = (m.spacing[0] for m in movies if m is not None and not isinstance(m, Broken) and m.spacing)
        return subjects.Series(
            key,
            data,
            self.place.name,
            self.look.mrc(mrc_key, Expected(stack=True)) if mrc_key else None,
            None if isinstance(angles, Broken) and angles.absent else angles,
            angles_key,
            self._mdoc_of(data),
            values.blocks(document[1], "frames") if document else (),
            next(sizes, None),
            len(self.good(schema.TiltSeries)) == 1,
        )

    def _aligned(self, key: str, data: Data) -> subjects.Aligned:
        tilts, series = values.text(data, "tilt_path"), values.text(data, "tiltseries_path")
        found = dict(self.good(schema.TiltSeries)).get(series, {})
        angles = self.look.angles(tilts) if tilts.endswith((".tlt", ".rawtlt")) else None
        listed = frozenset(self.look.entries(key.rpartition("/")[0] + "/"))
        return subjects.Aligned(key, data, angles, found, self._mdoc_of(found) if found else None, listed)

    # --- volumes as wholes -----------------------------------------------------------------------------------------

    def _spaced(self) -> Iterator[Subject]:
        alignments = frozenset(key for model, key, _ in self.papers if model is schema.Alignment)
        if subjects.Spaced in self.wanted:
            yield from self._spacings()
        for key, data in self.good(schema.Tomogram):
            if subjects.Reconstructed in self.wanted:
                yield subjects.Reconstructed(key, data, layout.locate(key).spacing, self.place.name, alignments)
            if subjects.Pictures in self.wanted and (found := self.pictures(key, data, "key_photo")):
                yield found
            scene = values.text(data, "neuroglancer_config_path")
            if subjects.Scene in self.wanted and scene:
                yield subjects.Scene(scene, self.look.json(scene))
        if subjects.Labelled in self.wanted:
            yield from (self._labelled(key, data, alignments) for key, data in self.good(schema.Annotation))

    def _spacings(self) -> Iterator[subjects.Spaced]:
        known = values.mapping(self._run_document(), "ids", "tomogram_voxel_spacing")
        for name in self.files.scan(f"{self.place.folder}Reconstructions/").folders:
            if name.startswith(layout.SPACING):
                spacing = name.removeprefix(layout.SPACING)
                folder = f"{self.place.folder}Reconstructions/{name}/"
                empty = not any(key.startswith(folder) for _, key, _ in self.papers)
                yield subjects.Spaced(folder, spacing, spacing in known, empty)

    def _labelled(self, key: str, data: Data, alignments: frozenset[str]) -> subjects.Labelled:
        folder = f"{key.partition('/Annotations/')[0]}/"
        near = [d for k, d in self.good(schema.Tomogram) if k.startswith(folder)]
        same = [d for d in near if d.get("alignment_metadata_path") == data.get("alignment_metadata_path")] or near
        sizes = [size for d in same if (size := values.zyx(d, "size")) is not None]
        paths = [path for item in values.blocks(data, "files") if (path := values.text(item, "path"))]
        points = {p: media.points(self.look, p, sizes) for p in paths if p.endswith(".ndjson")}
        others = {p: media.other(self.look, p) for p in paths if p.endswith((".glb", ".json"))}
        listed = frozenset(self.look.entries(key.rpartition("/")[0] + "/"))
        return subjects.Labelled(key, data, alignments, sizes, points, list(self._masks(key, data)), others, listed)

    def _run_document(self) -> Data:
        return next((data for _, data in self.good(schema.Run)), {})

    def _whole(self) -> Iterator[subjects.Whole]:
        if subjects.Whole in self.wanted:
            yield subjects.Whole(
                self.place.document,
                self.place.name,
                self._run_document(),
                len(self.good(schema.TiltSeries)),
                dict(self.good(schema.Tomogram)),
                dict(self.good(schema.Annotation)),
                self._frames_document() is not None,
            )


class PageVisit(_Visit):
    """A dataset or deposition, without its runs."""

    def __init__(
        self, files: Files, place: layout.Dataset | layout.Deposition, depositions: frozenset[int], *, thorough: bool
    ) -> None:
        super().__init__(files, depositions, thorough=thorough)
        self.place = place
        model: type[Document] = schema.Dataset if isinstance(place, layout.Dataset) else schema.Deposition
        self.papers = [(model, place.document, self.look.document(place.document))]

    def give(self, runs: int, series: Sequence[tuple[str, Data]]) -> Iterator[Subject]:
        """Give everything that rules may be about."""
        yield self.paper(self.papers[0])
        yield self.listed(self.place.folder)
        deep = isinstance(self.place, layout.Deposition)
        yield shelved(self.look, self.place.folder, [self.place.document], deep=deep)
        _, key, data = self.papers[0]
        if isinstance(data, Broken):
            return
        if found := self.pictures(key, data, "key_photos"):
            yield found
        if isinstance(self.place, layout.Dataset):
            yield subjects.Collection(key, data, runs, series)
        else:
            yield subjects.Submission(key, data)
