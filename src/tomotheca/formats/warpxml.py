"""The XML files of Warp and M: the numbers of each tilt and the grids that a reader asks for, in bounded memory.

The file of a tilt series has power spectra, settings and grids by the thousand beside what is wanted; elements are passed over
as they come, and no tree of them is built. A file with a DOCTYPE is refused, so nothing in it can be expanded or fetched.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.text import SHOWN, read_text

ROOT = "TiltSeries"
TEXTS = frozenset({"Angles", "Dose", "UseTilt", "AxisAngle", "AxisOffsetX", "AxisOffsetY", "MoviePath"})
"""Elements with one line for each tilt."""

DEFOCUS = ("GridCTF", "GridCTFDefocusDelta", "GridCTFDefocusAngle", "GridCTFPhase")
MOVEMENT = ("GridMovementX", "GridMovementY")
VOLUME_WARP = ("GridVolumeWarpX", "GridVolumeWarpY", "GridVolumeWarpZ")
GRIDS = frozenset((*DEFOCUS, *MOVEMENT, *VOLUME_WARP))
SIZES = ("Duration", "Depth", "Height", "Width")
"""Sizes of a grid, slow to fast; only those of volume warps have the first."""

PLACES = ("W", "Z", "Y", "X")
MOST = 100_000
"""Tilts of one file; more is a mistake."""

MOST_NODES = 1 << 20
"""Of all grids of one file."""

LARGEST = 1e9
"""No angle, shift, dose or defocus is larger."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Values at the nodes of a grid that spans the images, or the volume."""

    values: Floats = field(repr=False)
    """Shape ``(w, z, y, x)``: of images, z are the tilts; of volumes, w is the dose."""

    @property
    def is_constant(self) -> bool:
        """Whether all nodes have one value."""
        return bool(np.ptp(self.values) == 0)

    def of_tilts(self, count: int) -> Floats | None:
        """Give the mean of each tilt, shape ``(count,)``; None if the grid has other nodes than one for each."""
        means = self.values[0].mean(axis=(1, 2))
        if len(self.values) != 1 or len(means) not in {1, count}:
            return None
        return np.broadcast_to(means, (count,)).copy()

    @property
    def varies_in_images(self) -> bool:
        """Whether nodes of one tilt differ."""
        return bool(np.ptp(self.values, axis=(2, 3)).any())


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """What was asked for of a file."""

    path: Path
    attributes: Mapping[str, str]
    """Of the outermost element."""

    texts: Mapping[str, str]
    """What the elements of `TEXTS` hold, those that are there."""

    grids: Mapping[str, Grid]
    """Those of `GRIDS` that are there."""

    def numbers(self, name: str, count: int | None = None) -> Floats | None:
        """Give one number for each tilt, shape ``(n,)``; None if the element is not there or empty.

        Raises
        ------
        FormatError
            If a word is no number, or there are other than ``count``.
        """
        words = self.texts.get(name, "").split()
        if not words:
            return None
        self._counted(name, len(words), count)
        return np.array([number(self.path, name, word) for word in words], np.float64)

    def lines(self, name: str, count: int) -> tuple[str, ...]:
        """Give one line for each tilt, empty ones too; nothing if the element is not there or empty.

        Raises
        ------
        FormatError
            If there are other than ``count``.
        """
        text = self.texts.get(name, "")
        if not text.strip():
            return ()
        lines = text.split("\n")
        while len(lines) > count and not lines[-1].strip():
            lines.pop()
        while len(lines) > count and not lines[0].strip():
            lines.pop(0)
        self._counted(name, len(lines), count)
        return tuple(line.strip() for line in lines)

    def attribute(self, name: str) -> float:
        """Give a number of the outermost element; 0 where it does not stand.

        Raises
        ------
        FormatError
            If it is no number.
        """
        said = self.attributes.get(name, "").strip()
        return number(self.path, name, said) if said else 0.0

    def _counted(self, name: str, found: int, count: int | None) -> None:
        if count is None and found > MOST:
            raise FormatError(self.path, f"has {found} tilts, more than {MOST}: is it the right file?")
        if count is not None and found != count:
            raise FormatError(self.path, f"has {found} values in {name} for {count} tilts: is it a whole file?")


def read(path: Path) -> Document:
    """Read the file of a tilt series.

    Raises
    ------
    FormatError
        If it is no XML, has a DOCTYPE, is the file of something else, or a grid is not whole.
    """
    text = read_text(path)
    if "<!DOCTYPE" in text:
        raise FormatError(path, "has a DOCTYPE, which no file of Warp has: such files are not read.")
    target = _Target(path)
    parser = ElementTree.XMLParser(target=target)
    try:
        parser.feed(text)
        parser.close()
    except ElementTree.ParseError as error:
        raise FormatError(path, f"line {error.position[0]} is no XML: is it a file of Warp?") from error
    grids = {name: _grid(path, name, *found) for name, found in target.nodes.items()}
    return Document(path, target.attributes, {name: "".join(parts) for name, parts in target.texts.items()}, grids)


def number(path: Path, name: str, word: str) -> float:
    """Turn a word into a number of bearable size.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST or "_" in word:
        raise FormatError(path, f"{word[:SHOWN]!r} in {name} is not a number that belongs there.")
    return value


class _Target:
    """Takes elements as the parser comes to them, and keeps those that are wanted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.attributes: dict[str, str] = {}
        self.texts: dict[str, list[str]] = {}
        self.nodes: dict[str, tuple[dict[str, str], array[float]]] = {}
        self._depth = self._count = 0
        self._inside = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._depth += 1
        if self._depth == 1:
            self._begin(tag, attributes)
        elif self._depth == 2:  # child of the outermost
            self._inside = tag
            if tag in TEXTS:
                self.texts.setdefault(tag, [])
            elif tag in GRIDS:
                self.nodes[tag] = attributes, array("d")
        elif self._depth == 3 and tag == "Node" and self._inside in GRIDS:  # child of a grid
            self._node(attributes)

    def end(self, _tag: str) -> None:
        """End an element."""
        self._depth -= 1
        if self._depth == 1:
            self._inside = ""

    def data(self, text: str) -> None:
        """Take text between marks."""
        if self._depth == 2 and self._inside in TEXTS:  # directly in the element
            self.texts[self._inside].append(text)

    def close(self) -> None:
        """End the file."""

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != ROOT:
            said = f"is a file of {tag[:SHOWN]!r}, not of a {ROOT}"
            raise FormatError(self.path, f"{said}: name the one of the tilt series.")
        self.attributes = attributes

    def _node(self, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_NODES:
            raise FormatError(self.path, f"has more than {MOST_NODES} nodes in its grids: is it the right file?")
        words = [*(attributes.get(place, "0") for place in PLACES), attributes.get("Value", "")]
        self.nodes[self._inside][1].extend(number(self.path, self._inside, word) for word in words)


def _grid(path: Path, name: str, attributes: Mapping[str, str], nodes: array[float]) -> Grid:
    """Put the nodes of a grid into their places."""
    size = tuple(int(number(path, name, attributes.get(word, "1"))) for word in SIZES)
    table = np.array(nodes, np.float64).reshape(-1, len(PLACES) + 1)
    if min(size) < 1 or math.prod(size) != len(table):
        raise FormatError(path, f"has {len(table)} nodes in {name}, which is said to be {' x '.join(map(str, size))}.")
    places, limits = table[:, :-1], np.array(size)
    if not ((places >= 0) & (places < limits) & (places == np.floor(places))).all():
        raise FormatError(path, f"has a node in {name} that lies outside its {' x '.join(map(str, size))}.")
    values = np.full(size, np.nan)
    values[tuple(places.astype(np.int64).T)] = table[:, -1]
    if np.isnan(values).any():
        raise FormatError(path, f"has a node in {name} twice.")
    return Grid(values)
