"""SerialEM's ``.mdoc``: what the microscope noted of every image of a tilt series.

Source of the format: https://bio3d.colorado.edu/SerialEM/hlp/html/about_mdoc.htm. Lines are ``key = value``, titles are
``[T = text]``, and ``[ZValue = n]``, ``[FrameSet = n]`` or ``[MontSection = n]`` begins a section.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PureWindowsPath

from tomotheca.errors import FormatError
from tomotheca.formats.text import SHOWN, read_text

WORD = re.compile(r"\w+")
AXIS = re.compile(r"tilt axis angle\s*=\s*([-+]?[\d.]+)", re.IGNORECASE)
DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2,4})\s+(\d{1,2}):(\d{2}):(\d{2})")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SECTIONS = ("ZValue", "FrameSet", "MontSection")


@dataclass(frozen=True, slots=True)
class Section:
    """One section; every property is None where the file does not say, or says no number."""

    kind: str
    """``ZValue`` for an image, ``FrameSet`` for a frame file, ``MontSection`` for a montage."""

    number: int
    values: Mapping[str, str]
    """Keys and values as they stand."""

    line: int
    """Line of the file on which the section begins."""

    @property
    def tilt_angle(self) -> float | None:
        """Tilt of the stage in degrees."""
        return self.number_of("TiltAngle")

    @property
    def exposure_dose(self) -> float | None:
        """Dose of this image in electrons per Å²; SerialEM writes 0 when it is not calibrated."""
        return self.number_of("ExposureDose")

    @property
    def exposure_time(self) -> float | None:
        """Seconds."""
        return self.number_of("ExposureTime")

    @property
    def pixel_spacing(self) -> float | None:
        """Å per pixel."""
        return self.number_of("PixelSpacing")

    @property
    def rotation_angle(self) -> float | None:
        """Rotation of the image to the stage in degrees."""
        return self.number_of("RotationAngle")

    @property
    def sub_frame_path(self) -> str | None:
        """Path of the frames on the acquisition computer, as written."""
        return self.values.get("SubFramePath")

    @property
    def frame_name(self) -> str | None:
        """File name of the frames, without the folders of the acquisition computer."""
        name = PureWindowsPath(self.sub_frame_path).name if self.sub_frame_path else ""
        return name if name not in {"", ".", ".."} else None

    @property
    def num_sub_frames(self) -> int | None:
        """Frames in the file."""
        value = self.number_of("NumSubFrames")
        return None if value is None else round(value)

    @property
    def date_time(self) -> datetime | None:
        """When the image was taken, in the microscope's local time."""
        match = DATE.search(self.values.get("DateTime", ""))
        if match is None or match[2].lower() not in MONTHS:
            return None
        year = int(match[3]) + (2000 if len(match[3]) == 2 else 0)
        try:
            day = datetime(year, MONTHS.index(match[2].lower()) + 1, int(match[1]))
            return day.replace(hour=int(match[4]), minute=int(match[5]), second=int(match[6]))
        except ValueError:
            return None

    def number_of(self, key: str) -> float | None:
        """Give a value as a number."""
        return _number(self.values.get(key))


@dataclass(frozen=True, slots=True)
class Mdoc:
    """A whole file."""

    values: Mapping[str, str]
    """Keys and values before the first section."""

    titles: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def images(self) -> tuple[Section, ...]:
        """Sections that are an image: those that begin with ``ZValue`` or ``FrameSet``."""
        return tuple(section for section in self.sections if section.kind != "MontSection")

    @property
    def pixel_spacing(self) -> float | None:
        """Å per pixel: of the whole file, else of the first image."""
        own = _number(self.values.get("PixelSpacing"))
        return own if own is not None else next((s.pixel_spacing for s in self.images if s.pixel_spacing), None)

    @property
    def voltage(self) -> float | None:
        """Acceleration voltage in kV."""
        return _number(self.values.get("Voltage"))

    @property
    def tilt_axis(self) -> float | None:
        """Angle of the tilt axis to the y axis of the image, in degrees.

        A title says it; else it is the first image's ``RotationAngle`` less 90, brought to -180..180.
        """
        for title in self.titles:
            if match := AXIS.search(title):
                return _number(match[1])
        rotation = next((s.rotation_angle for s in self.images if s.rotation_angle is not None), None)
        return None if rotation is None else (rotation - 90 + 180) % 360 - 180


@dataclass(slots=True)
class _Draft:
    """A file while it is read."""

    values: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    sections: list[tuple[str, int, dict[str, str], int]] = field(default_factory=list)


def read(path: Path) -> Mdoc:
    """Read an mdoc file; lines that are neither heading nor ``key = value`` are skipped.

    Raises
    ------
    FormatError
        If it cannot be opened, has no section at all, or a section without a number.
    """
    draft = _Draft()
    for number, line in _lines(path):
        heading, said = _heading(line)
        key, separator, value = line.partition("=")
        if heading == "T":
            draft.titles.append(said)
        elif heading:
            draft.sections.append((heading, _section_number(path, number, said), {}, number))
        elif separator and key.strip() == "T":
            draft.titles.append(value.strip())
        elif separator:
            (draft.sections[-1][2] if draft.sections else draft.values)[key.strip()] = value.strip()
    sections = tuple(Section(*parts) for parts in draft.sections)
    if not any(section.kind in SECTIONS for section in sections):
        raise FormatError(path, "has no [ZValue = ...] section: is it an mdoc file?")
    return Mdoc(draft.values, tuple(draft.titles), sections)


def bare_name(name: str) -> str:
    """Give what stays of a movie's name when it was converted or packed since: ``a.tif`` and ``A.mrc.bz2`` have the same."""
    return name.lower().removesuffix(".bz2").rpartition(".")[0]


def dumps(document: Mdoc) -> str:
    """Give the text of an mdoc file, as SerialEM lays it out."""
    parts = ["".join(f"{key} = {value}\n" for key, value in document.values.items())]
    parts += [f"[T = {title}]\n" for title in document.titles]
    for section in document.sections:
        lines = "".join(f"{key} = {value}\n" for key, value in section.values.items())
        parts.append(f"[{section.kind} = {section.number}]\n{lines}")
    return "\n".join(parts)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines that are not empty, with their numbers."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped


def _heading(line: str) -> tuple[str, str]:
    """Take ``[word = text]`` apart, also without the last bracket; the word is empty if the line is something else."""
    word, separator, said = line[1:].removesuffix("]").partition("=")
    if not line.startswith("[") or not separator or not WORD.fullmatch(word.strip()):
        return "", ""
    return word.strip(), said.strip()


def _section_number(path: Path, line: int, text: str) -> int:
    """Read the number of a section."""
    try:
        return int(text)
    except ValueError:
        raise FormatError(path, f"line {line}: the section's number {text[:SHOWN]!r} is no whole number.") from None


def _number(text: str | None) -> float | None:
    """Read the first word as a number; what is not finite is none."""
    try:
        value = float(text.split(maxsplit=1)[0]) if text and not text.isspace() else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
