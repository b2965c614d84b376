"""One sound file for every reader, and what is done to it: the corpus of bad input and the fuzzing begin from here.

To add a reader, add a line to `cases`.
"""

import bz2
import importlib.util
import json
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tests.formats import picks, soundfiles
from tests.ingest import surfaces
from tests.ingest.conftest import configuration

from tomotheca.catalog import dumpread
from tomotheca.errors import FindingsError, NotFoundError, TomothecaError
from tomotheca.formats import (
    aretomo,
    cets,
    ctf,
    imod,
    mdoc,
    meshes,
    movies,
    mrc,
    ndjson,
    omezarr,
    rawtlt,
    star,
    tiffstack,
    warp,
)
from tomotheca.formats.omezarr import grid
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points
from tomotheca.ingest import maps
from tomotheca.ingest.check import check
from tomotheca.ingest.importers import objects
from tomotheca.ingest.language import Standardization
from tomotheca.ingest.listing import Listing
from tomotheca.schema import SCHEMA
from tomotheca.store import documents, manifest

MEMORY = 640 << 20
"""Bytes of addresses that one reader may take beyond what the process has; threads of zarr alone reserve a hundred."""

SECONDS = 10
"""One file may take, on a busy machine."""

SHARDED = omezarr.Form("0.5", chunk=16)
LONGEST = 1100
"""Characters of a sentence."""


@dataclass(frozen=True)
class Case:
    """A reader and the files that it reads."""

    name: str
    files: Mapping[str, bytes]
    """By name; the first is the one that is given to the reader, or all lie in the folder that is."""

    read: Callable[[Path], object]
    folder: str = ""
    """Name of the folder that is given to the reader, if it is not a file."""

    extra: tuple[bytes, ...] = ()
    """More sound forms of the first file, for fuzzing."""

    is_slow: bool = False
    """Whether each reading starts a process: fewer files are damaged."""

    is_finite: bool = True
    """Whether every number that comes out must be finite."""

    @property
    def is_text(self) -> bool:
        """Whether the file is text."""
        return all(byte >= 9 and byte != 127 for byte in next(iter(self.files.values())))

    def write(self, where: Path, files: Mapping[str, bytes] | None = None) -> Path:
        """Write the files, or damaged ones in their place; give what the reader takes."""
        base = where / self.folder if self.folder else where
        for name, content in (files or self.files).items():
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(content)
        return base if self.folder else base / next(iter(self.files))


def sound(case: Case, path: Path) -> None:
    """Read a file that is as it should be."""
    with bounded():
        _finite(case.read(path), case.name)


def outcome(case: Case, path: Path) -> str:
    """Read a damaged file: numbers that are finite, or sentences; empty, or what is wrong with the answer."""
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("error")
            value = case.read(path)
        if case.is_finite:
            _finite(value, case.name)
    except FindingsError as error:
        return next((bad for finding in error.findings if (bad := not_a_sentence(finding.message))), "")
    except TomothecaError as error:
        return not_a_sentence(str(getattr(error, "reason", error)))
    except BaseException as error:  # what a reader must not raise
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return f"{type(error).__name__}: {error}"
    return ""


def not_a_sentence(text: str) -> str:
    """Say what is wrong with a message; empty if it is one line of a bearable length."""
    if "\n" in text or not text.strip() or len(text) > LONGEST:
        return f"no sentence ({len(text)} characters): {text[:200]!r}"
    return "" if text.isprintable() else f"characters that do not print: {text[:200]!r}"


class TooSlowError(Exception):
    """A reader has taken more time than it may."""


@contextmanager
def bounded(memory: int = MEMORY, seconds: int = SECONDS) -> Iterator[None]:
    """Stop what takes too much memory (`MemoryError`) or time (`TooSlowError`)."""

    def stop(*_: object) -> None:
        raise TooSlowError(seconds)

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _finite(value: object, name: str) -> None:
    """Check every number of a result."""
    if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        assert np.isfinite(value).all(), f"{name} gives a number that is not finite"
    elif is_dataclass(value):
        for one in fields(value):
            _finite(getattr(value, one.name), name)
    elif isinstance(value, Mapping):
        _finite(tuple(value.values()), name)
    elif isinstance(value, tuple | list):
        for each in value:
            _finite(each, name)


# --- the readers -----------------------------------------------------------------------------------------------------


def _volume(path: Path) -> object:
    with mrc.Reader(path) as reader:
        assert sum(slab.size for slab in reader.slabs(3)) == np.prod(reader.shape)
        extended = mrc.read_extended(path, reader.header)
        assert len(extended) == reader.header.nsymbt
        return reader.voxel_size


def _image(path: Path) -> object:
    with omezarr.Reader(path) as reader:
        z, y, x = reader.shape
        size = reader.voxel_size
        reader.read((slice(0, min(z, 4)), slice(0, min(y, 5)), slice(0, min(x, 6))))
    omezarr.read_level(path, -1)
    omezarr.central_slab(path, level=1)
    return size


def _levels(path: Path) -> object:
    """Read what the server reads of an image."""

    def read(name: str) -> bytes:
        try:
            return (path / name).read_bytes()
        except (OSError, ValueError) as error:
            raise NotFoundError(name) from error

    for level in grid.read_levels(grid.read_first(read, "", grid.GROUPS)):
        found = grid.read_grid(level, grid.read_first(read, f"{level}/", grid.ARRAYS))
        if np.prod(found.shape, dtype=float) * found.dtype.itemsize <= 1 << 20:
            grid.read_whole(found, read)
    return 0


def _mdoc(path: Path) -> object:
    found = mdoc.read(path)
    names = [name for name, value in vars(mdoc.Section).items() if isinstance(value, property)]
    of_sections = [getattr(section, name) for section in found.sections for name in names]
    mdoc.dumps(found)
    return found.pixel_spacing, found.voltage, found.tilt_axis, of_sections


def _alignment(path: Path) -> object:
    found = aretomo.read(path)
    return found, found.matrices, found.places(), found.places([-3.0, 0.0, 3.0], count=3)


def _tilts(read: Callable[[Path], warp.TiltSeries]) -> Callable[[Path], object]:
    def of(path: Path) -> object:
        found = read(path)
        stack, movies_ = [-3.0, 0.0, 3.0], ["a_001.tif", "a_000.tif", "a_002.tif"]
        places = found.places(), found.places(stack), found.places(stack, movies_), found.places(count=2)
        return found, found.tilts, found.matrices, found.shifts, places

    return of


def _aligned(path: Path) -> object:
    found = cets.read_alignment(path, ("TS_1",))
    return found, found.matrices


def _transforms(path: Path) -> object:
    found = imod.read_xf(path)
    return found, found.rotations, found.inverse(path)


def _points(file_format: str, shape: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        wanted = picks.FILTERS.get(file_format, "")
        options = Options(spacing=picks.SPACING, size=picks.SIZE, filter_value=wanted, memory=1 << 26)
        return read_points(path, file_format, options, shape=shape)

    return read


def _mesh(file_format: str) -> Callable[[Path], object]:
    return lambda path: meshes.read(path, file_format, memory=1 << 28)


def _stack(path: Path) -> object:
    with closing(tiffstack.Reader(path)) as reader:
        z, y, x = reader.shape
        reader.read((slice(0, min(z, 2)), slice(0, min(y, 64)), slice(0, min(x, 64))))
        return reader.voxel_size


def _rows(path: Path) -> object:
    return list(ndjson.rows(path)), ndjson.read(path)


def _table(path: Path) -> object:
    return objects.read(path, (0, time.monotonic_ns()))


def _maps(path: Path) -> object:
    standard = Standardization(
        deposition_id=1, source_prefix="", run_data_map_file=path.name, run_to_tomo_map_csv=path.name
    )
    return _raised(maps.read(standard, Listing(path.parent)).findings)


def _configuration(path: Path) -> object:
    return _raised(check(path))


def _dump(path: Path) -> object:
    reader = dumpread.Reader(SCHEMA, path)
    reader.check_names()
    list(reader.blocks("run"))
    return _raised(reader.findings.found)


def _raised(findings: Sequence[Any]) -> object:
    """Turn findings into the error that they would become."""
    if findings:
        raise FindingsError(findings)
    return None


def _document(path: Path) -> object:
    return documents.parse(path.read_bytes(), path.name)


def _manifest(path: Path) -> object:
    return manifest.decode(path.read_bytes())


def cases() -> dict[str, Case]:
    """Every reader, by name."""
    with TemporaryDirectory() as folder:
        return {case.name: case for case in _cases(Path(folder))}


def _cases(folder: Path) -> list[Case]:
    plain = yaml.safe_dump(configuration(), sort_keys=False).encode()
    eer, classic, other = soundfiles.tiff(big=True, pages=5), soundfiles.tiff(), soundfiles.tiff(order=">")

    def text(name: str, file: str, content: str, read: Callable[[Path], object], *extra: str, **more: Any) -> Case:
        return Case(name, {file: content.encode()}, read, extra=tuple(each.encode() for each in extra), **more)

    made = [
        Case(
            "mrc",
            {"a.mrc": soundfiles.volume(folder)},
            _volume,
            extra=(soundfiles.volume(folder, "i1", extended=b"ab" * 8), soundfiles.volume(folder, ">i2")),
        ),
        Case("omezarr", soundfiles.image(folder), _image, folder="a.zarr"),
        Case("omezarr 0.5", soundfiles.image(folder, SHARDED), _image, folder="a.zarr"),
        Case("levels", soundfiles.image(folder), _levels, folder="a.zarr", is_finite=False),
        Case("levels 0.5", soundfiles.image(folder, SHARDED), _levels, folder="a.zarr", is_finite=False),
        Case("movie tif", {"a.tif": classic}, movies.look, extra=(other, eer)),
        Case("movie eer", {"a.eer": eer}, movies.look),
        Case("movie mrc", {"a.mrc": soundfiles.volume(folder, "i2")}, movies.look),
        Case("movie bz2", {"a.mrc.bz2": bz2.compress(soundfiles.volume(folder, "i2"))}, movies.look),
        text("mdoc", "a.mdoc", soundfiles.MDOC, _mdoc),
        text("rawtlt", "a.rawtlt", "-3.0\n 0\n3.01\n", rawtlt.read),
        text("xf", "a.xf", "1.0 0.5 -0.5 1.0 2.5 -1\n" * 3, _transforms),
        text("tilt.com", "tilt.com", soundfiles.TILT_COM, imod.read_tilt_com),
        text("aln", "a.aln", soundfiles.ALN, _alignment),
        text("warp xml", "a.xml", soundfiles.WARP, _tilts(warp.read_xml)),
        text("tomostar", "a.tomostar", soundfiles.TOMOSTAR, _tilts(warp.read_tomostar)),
        text("cets alignment", "a.json", soundfiles.CETS, _aligned),
        text("ctf CTFFIND", "a.txt", soundfiles.CTFFIND, lambda path: ctf.read(path, "CTFFIND"), soundfiles.CTFFIND_5),
        text("ctf Gctf", "a.txt", soundfiles.GCTF, lambda path: ctf.read(path, "Gctf"), soundfiles.CTFFIND),
        text(
            "ctf IMOD", "a.defocus", soundfiles.DEFOCUS, lambda path: ctf.read(path, "IMOD"), soundfiles.PLAIN_DEFOCUS
        ),
        text("star", "a.star", soundfiles.STAR, star.read),
        *(
            text(f"ndjson {kind}", "a.ndjson", rows, _rows, "".join(soundfiles.ROWS.values()))
            for kind, rows in soundfiles.ROWS.items()
        ),
        text("identified objects", "a.csv", 'run_name,object_id,object_name\nTS_1,GO:1,"a, b"\n', _table),
        text("map file", "a.csv", "run_name,voltage\nTS_1,300\n", _maps, "TS_1,a\nTS_2,b\n"),
        Case("configuration", {"a.yaml": plain}, _configuration),
        text("dump", "run.ndjson", json.dumps(soundfiles.RUN) + "\n", _dump, folder="dump"),
        text(
            "document",
            "run_metadata.json",
            json.dumps({"run_name": "TS_1", "id": 1}, indent=2),
            _document,
            is_finite=False,
        ),
        text("manifest", "manifest.ndjson", json.dumps(soundfiles.ENTRY) + "\n", _manifest, is_finite=False),
    ]
    for name in ("obj", "stl", "stl-text", "vtk", "vtk-binary", "vtk-5", "glb"):
        file_format, write = surfaces.WRITERS[name]
        write(folder / "surface")
        made.append(Case(f"mesh {name}", {"a.mesh": (folder / "surface").read_bytes()}, _mesh(file_format)))
    if importlib.util.find_spec("h5py"):
        surfaces.hff(folder / "surface.hff")
        content = {"a.hff": (folder / "surface.hff").read_bytes()}
        made.append(Case("mesh hff", content, lambda path: meshes.read(path, "hff", name="membrane"), is_slow=True))
    if importlib.util.find_spec("tifffile"):
        Image.fromarray(np.arange(30, dtype=np.uint16).reshape(5, 6)).save(folder / "sound.tif")
        made.append(Case("tiff stack", {"a.tif": (folder / "sound.tif").read_bytes()}, _stack))
    oriented = {file_format for shape, file_format in picks.CASES if shape == "OrientedPoint"}
    for shape, file_format in picks.CASES:
        if shape == "Point" and file_format in oriented - {"mod"}:  # the same reader
            continue
        content = picks.content(shape, file_format)
        raw = content if isinstance(content, bytes) else content.encode()
        made.append(Case(f"{shape} {file_format}", {"a.picks": raw}, _points(file_format, shape)))
    return made
