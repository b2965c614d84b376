"""Reading for rules: every file once, in small pieces, in a folder or a bucket; what cannot be read says why."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tomotheca.doctor import headers, values
from tomotheca.doctor.headers import BrokenHeaderError, Movie, Words
from tomotheca.errors import FindingsError, FormatError, NotFoundError, TomothecaError
from tomotheca.formats import mdoc, rawtlt
from tomotheca.formats.mrc.header import HEADER_BYTES
from tomotheca.store import layout, manifest

if TYPE_CHECKING:
    from tomotheca.store.files import Files
    from tomotheca.store.manifest import Entry

T = TypeVar("T")

LARGEST_TEXT = 64 << 20
"""Bytes of a text file or JSON document that is read whole."""

LARGEST_JSON = 16 << 20
"""Bytes of the metadata of an array."""

BLOCK = 1 << 16
PIECE = 8 << 20
"""Bytes of a list of points that are read at once."""

ABSENT = "is not there"


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that cannot be read."""

    reason: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What the document of a volume says of it."""

    stack: bool
    """Whether it holds projections, not a volume."""

    shape: values.Triple | None = None
    """z, y, x."""

    spacing: float | None = None
    """Å of the document or folder."""

    kind: str = ""
    """Shape of an annotation, such as ``InstanceSegmentationMask``; empty for tilt series and tomograms."""

    @property
    def label(self) -> bool:
        """Whether it is a mask."""
        return bool(self.kind)


@dataclass(frozen=True, slots=True)
class Mrc:
    """The header of an MRC file, and what its document says of it."""

    where: str
    words: Words | Broken
    size: int
    """Bytes of the file."""

    in_place: bool
    expected: Expected


@dataclass(frozen=True, slots=True)
class Array:
    """One level of a pyramid."""

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    """As numpy names it: ``float32``."""

    separator: str
    files: tuple[int, ...]
    """Voxels of a file; those of a chunk, where it does not hold several."""


@dataclass(frozen=True, slots=True)
class Image:
    """The metadata of an OME-Zarr image, and what its document says of it."""

    where: str
    broken: Broken | None
    in_place: bool
    expected: Expected
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside ``multiscales``."""

    arrays: Mapping[str, Array | Broken] = field(default_factory=dict)
    children: tuple[str, ...] = ()

    multiscale: Mapping[str, Any] = field(default_factory=dict)
    """The first multiscale image."""

    paths: tuple[str, ...] = ()
    """Paths of the levels, the finest first."""

    @property
    def levels(self) -> list[Array]:
        """The levels that can be read, the finest first."""
        found = (self.arrays.get(path) for path in self.paths)
        return [level for level in found if isinstance(level, Array)]


class Look:
    """Reads files of one archive (or source) for one process."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._kept: dict[tuple[str, str], Any] = {}

    @property
    def count(self) -> int:
        """Number of files that were read, or tried to."""
        return len(self._kept)

    def once(self, what: str, key: str, read: Callable[[], T]) -> T | Broken:
        """Read something the first time it is asked for, and remember it, or why it cannot be."""
        place = (what, key)
        if place not in self._kept:
            self._kept[place] = _attempt(read)
        found: T | Broken = self._kept[place]
        return found

    def entries(self, folder: str) -> Mapping[str, Entry]:
        """Give the manifest of a folder by key; empty where it cannot be read."""
        found = self.once("manifest", folder, lambda: {e.key: e for e in manifest.read(self.files, folder)})
        return {} if isinstance(found, Broken) else found

    def entry(self, key: str) -> Entry | None:
        """Give the entry of a file or array directory."""
        return self.entries(layout.manifest_folder(key)).get(key)

    def document(self, key: str) -> Mapping[str, Any] | Broken:
        """Read a JSON object."""
        return self.once("json", key, lambda: _object(self._whole(key, LARGEST_TEXT)))

    def json(self, key: str) -> Any:
        """Read any JSON value, or give `Broken`."""
        return self.once("value", key, lambda: orjson.loads(self._whole(key, LARGEST_JSON)))

    def size(self, key: str) -> int:
        """Give the bytes of a file; an error of ours where there is none."""
        place = self._place(key)
        return self.files.stat(key).size if place is None else place.stat().st_size

    def range(self, key: str, start: int, length: int) -> bytes:
        """Read a stretch of a file."""
        place = self._place(key)
        if place is None:
            return self.files.read_range(key, start, length)
        with place.open("rb") as stream:
            return os.pread(stream.fileno(), length, start)

    def mrc(self, key: str, expected: Expected) -> Mrc:
        """Read the header of an MRC file."""
        entry = self.entry(key)
        found = self.once("mrc", key, lambda: (headers.mrc_words(self.range(key, 0, HEADER_BYTES)), self.size(key)))
        words, size = (found, 0) if isinstance(found, Broken) else found
        in_place = entry is not None and entry.source is not None
        return Mrc(key, words, size, in_place, expected)

    def mdoc(self, key: str) -> mdoc.Mdoc | Broken:
        """Read an mdoc file."""
        return self.once("mdoc", key, lambda: self._parsed(key, mdoc.read))

    def angles(self, key: str) -> tuple[float, ...] | Broken:
        """Read a list of angles."""
        return self.once("angles", key, lambda: self._parsed(key, rawtlt.read))

    def movie(self, key: str) -> Movie | Broken:
        """Read size and pages of a movie or gain reference from its header."""

        def read() -> Movie:
            if key.lower().endswith((".mrc", ".mrcs", ".st")):
                return headers.movie_of_mrc(headers.mrc_words(self.range(key, 0, HEADER_BYTES)))
            return headers.movie_of_tiff(_Blocks(lambda start, length: self.range(key, start, length)).read)

        return self.once("movie", key, read)

    def pieces(self, key: str) -> Iterator[bytes]:
        """Give a file of lines piece by piece, each of whole lines."""
        offset, rest = 0, b""
        while data := self.range(key, offset, PIECE):
            offset += len(data)
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield whole
            elif len(rest) > PIECE:
                raise FormatError(key, "has a line that is longer than any format has")
        if rest:
            yield rest

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Give a path that a parser can open: that of the file, or of a copy of a small one."""
        place = self._place(key) or self.files.local_path(key)
        if place is not None:
            if self.size(key) > LARGEST_TEXT:
                raise FormatError(key, f"is larger than {LARGEST_TEXT >> 20} MiB, which no such file is")
            yield place
            return
        data = self._whole(key, LARGEST_TEXT)
        with tempfile.TemporaryDirectory(prefix="tomotheca-doctor-") as folder:
            copy = Path(folder) / (key.rpartition("/")[2] or "file")
            copy.write_bytes(data)
            yield copy

    def _parsed(self, key: str, read: Callable[[Path], T]) -> T:
        with self.path(key) as path:
            return read(path)

    def _whole(self, key: str, most: int) -> bytes:
        data = self.range(key, 0, most + 1)
        if len(data) > most:
            raise FormatError(key, f"is larger than {most >> 20} MiB, which no such file is")
        return data

    def _place(self, key: str) -> Path | None:
        """Path of a file whose bytes are not in the archive; None for those that are."""
        outer = layout.array_key(key)
        entry = self.entry(outer or key)
        if entry is None or entry.source is None:
            return None
        if "://" in entry.source:
            raise FormatError(key, "lies at a URL, where it is not looked at")
        if not outer:
            return Path(entry.source)
        # Where the source is a file, it is the finest level: what describes it lies in the archive.
        return Path(entry.source, key.removeprefix(outer)) if Path(entry.source).is_dir() else None


class _Blocks:
    """Reads small stretches of a file through blocks, of which the last few are kept."""

    def __init__(self, read: headers.Read) -> None:
        self._read = read
        self._kept: dict[int, bytes] = {}

    def read(self, start: int, length: int) -> bytes:
        """Give a stretch."""
        if length > BLOCK:
            return self._read(start, length)
        numbers = range(start // BLOCK, (start + max(length, 1) - 1) // BLOCK + 1)
        data = b"".join(self._block(number) for number in numbers)
        return data[start % BLOCK : start % BLOCK + length]

    def _block(self, number: int) -> bytes:
        if number not in self._kept:
            if len(self._kept) > 3:  # noqa: PLR2004 - a few
                self._kept.clear()
            self._kept[number] = self._read(number * BLOCK, BLOCK)
        return self._kept[number]


def _attempt(read: Callable[[], T]) -> T | Broken:
    try:
        return read()
    except NotFoundError:
        return Broken(ABSENT, absent=True)
    except FileNotFoundError:
        return Broken(ABSENT, absent=True)
    except FormatError as error:
        return Broken(error.reason.rstrip("."))
    except BrokenHeaderError as error:
        return Broken(str(error))
    except FindingsError as error:
        return Broken("; ".join(f.message for f in error.findings[:3]).rstrip("."))
    except (orjson.JSONDecodeError, json.JSONDecodeError) as error:
        return Broken(f"is not JSON ({error})")
    except (TomothecaError, OSError, ValueError, RecursionError) as error:
        return Broken(f"cannot be read ({' '.join(str(error).split())})")


def _object(data: bytes) -> Mapping[str, Any]:
    found = orjson.loads(data)
    if not isinstance(found, dict):
        message = "is not a JSON object"
        raise FormatError("", message)
    return found
