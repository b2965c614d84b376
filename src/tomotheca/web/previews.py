"""A tomogram as one sees it without a viewer: one plane, and links, forms and choices that lead to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.formats.omezarr.levels import ALWAYS
from tomotheca.web import slices
from tomotheca.web.address import Address, Pairs
from tomotheca.web.placed import placed
from tomotheca.web.slices import AXES, CONTRASTS, DEFAULT_CONTRAST, PLANES, SMALLEST, STEPS, Cut
from tomotheca.web.summaries import Picture, array_entries, array_entry, key_of
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

PARAMETERS = ("axis", "index", "contrast", "overlay")
"""Parameters of a page that choose what its preview shows; those of the pictures have the same names."""

ANCHOR = "#slices"
MOST_OVERLAYS = 60
SHOT, LEAST = 448, 24
"""Pixels of a volume's longest edge, and the fewest of any, in pictures beside each other: all have one scale."""

WORDS = {-10: "10 back", -1: "Previous", 1: "Next", 10: "10 on"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be chosen."""

    value: str
    text: str
    chosen: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """A plane with the way to the others."""

    src: str
    alt: str
    width: int
    height: int
    axis: str
    index: int
    last: int
    step: int
    steps: tuple[Choice, ...]
    axes: tuple[Choice, ...] = ()
    contrasts: tuple[Choice, ...] = ()
    overlays: tuple[Choice, ...] = ()
    pictures: str = ""
    """Address of the pictures, without parameters."""

    action: str = ""
    hidden: Pairs = ()
    href: str = ""
    """Where the picture leads."""

    noun: str = "Slice"
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shot:
    """A plane without choices: one of several beside each other."""

    src: str
    alt: str
    width: int
    height: int
    href: str
    text: str


def of_tomogram(
    asked: Asked, tomogram: Row | None, annotations: Mapping[int, str], *, href: str = "", overlay: str = ""
) -> Preview | None:
    """Make the preview of a tomogram; None where this server has no volume of it.

    Parameters
    ----------
    annotations
        Names by id of the annotations that can be drawn on it.
    href
        Where the picture leads.
    overlay
        Annotation that is drawn when the address names none.
    """
    if tomogram is None or array_entry(asked, tomogram["s3_omezarr_dir"]) is None:
        return None
    names = {asked.name("annotation", i): text for i, text in list(annotations.items())[:MOST_OVERLAYS]}
    shape = shape_of(tomogram)
    cut, ignored = _read(asked.address, shape, (names, overlay))
    step = step_of(tomogram, cut.axis)
    last = shape[AXES.index(cut.axis)] - 1
    base = asked.address.set(dict.fromkeys(PARAMETERS)).set(dict(cut.query()))
    width, height = size_of(shape, cut.axis)
    here, index = asked.name("tomogram", tomogram["id"]), cut.index or 0
    drawn = say(" with {}", names[cut.overlay]) if cut.overlay else ""
    return Preview(
        slices.picture(tomogram["id"], cut), say("Slice {} of {} across {} of {}{}", index + 1, last + 1, cut.axis, here, drawn), width, height, cut.axis, index, last, step,
        _steps(base, index, (last, step)), _axes(base, cut.axis), _listed(CONTRASTS, cut.contrast),
        _listed({"": say("No annotation"), **names}, cut.overlay) if names else (), f"/tomograms/{tomogram['id']}/slice.webp", asked.address.path + ANCHOR,
        _hidden(asked.address, cut), href, ignored=ignored,
    )  # fmt: skip


def of_series(asked: Asked, series: Row) -> Preview | None:
    """Make the preview of a tilt series: one section; None where this server has no stack of it."""
    if not series["size_z"] or array_entry(asked, series["s3_omezarr_dir"]) is None:
        return None
    given, last = asked.address.first("index"), series["size_z"] - 1
    index = int(given) if _is_index(given, last) else series["size_z"] // 2
    width, height = size_of(shape_of(series), "z")
    base = asked.address.set(dict.fromkeys(PARAMETERS)).set({"index": index})
    alt = say("Section {} of {} of {}", index + 1, last + 1, asked.name("tiltseries", series["id"]))
    ignored = (f"index={given[:80]}",) if given and not _is_index(given, last) else ()
    return Preview(
        slices.section(series["id"], index), alt, width, height, "z", index, last, 1, _steps(base, index, (last, 1)), pictures=f"/tilt-series/{series['id']}/section.webp",
        action=asked.address.path + ANCHOR, hidden=asked.address.without(PARAMETERS).pairs, noun="Section", ignored=ignored,
    )  # fmt: skip


def of_rows(asked: Asked, series: Sequence[Row]) -> dict[int, Picture]:
    """Give the middle section of tilt series, as tables show it; a drawing where this server has no stack."""
    keys = {s["id"]: f"{key_of(asked, s['s3_omezarr_dir']).rstrip('/')}/" for s in series if s["s3_omezarr_dir"]}
    there = array_entries(asked, list(keys.values()))
    found = {}
    for s in series:
        index, name = (s["size_z"] or 0) // 2, asked.name("tiltseries", s["id"])
        if s["size_z"] and keys.get(s["id"]) in there:
            found[s["id"]] = Picture(
                slices.section(s["id"], index), say("Section {} of {} of {}", index + 1, s["size_z"], name)
            )
        else:
            found[s["id"]] = Picture("", say("No picture: {}", name))
    return found


def shots(asked: Asked, tomogram: Row, overlay: str, at: Sequence[float] | None = None) -> tuple[Shot, ...]:
    """Make three planes across each other through a point, or through the middle.

    Parameters
    ----------
    at
        The point, x, y, z in voxels of the tomogram.
    """
    if array_entry(asked, tomogram["s3_omezarr_dir"]) is None:
        return ()
    shape, here = shape_of(tomogram), asked.name("tomogram", tomogram["id"])
    found, scale = [], SHOT / max(shape)
    for place, axis in ((0, "z"), (2, "x"), (1, "y")):
        middle = shape[place] // 2 if at is None else round(at[2 - place])
        cut = Cut(axis, min(max(middle, 0), shape[place] - 1), overlay=overlay)
        height, width = (max(LEAST, round(n * scale)) for n in slices.shown_edges(shape, axis))
        page = str(Address(f"/tomograms/{tomogram['id']}").set(dict(cut.query()))) + ANCHOR
        alt = say("{} plane of {} with {}", PLANES[axis], here, overlay)
        found.append(
            Shot(slices.picture(tomogram["id"], cut), alt, width, height, page, f"{PLANES[axis]}, {axis} = {cut.index}")
        )
    return tuple(found)


def drawable(asked: Asked, run: int, alignment: int | None) -> dict[int, str]:
    """Give the annotations of a run that can be drawn on tomograms of an alignment, ground truth first: identifier and name by id."""
    found = [a for a in placed(asked, run) if a.drawn & {None, alignment}]
    found.sort(key=lambda a: not a.ground_truth)
    return {a.id: f"{a.object_name} ({asked.name('annotation', a.id)})" for a in found}


def shape_of(row: Row) -> slices.Triple:
    """Give the size of a volume, z, y, x."""
    return row["size_z"] or 1, row["size_y"] or 1, row["size_x"] or 1


def levels_of(row: Row) -> list[dict[str, Any]]:
    """Give what is recorded of the levels of a pyramid, fine to coarse."""
    raw = row["levels"]
    found = orjson.loads(raw) if isinstance(raw, str) else raw
    return found if isinstance(found, list) else []


def step_of(row: Row, axis: str) -> int:
    """Give how many voxels lie between two slices that differ: the level that is shown is coarser."""
    shapes = slices.halved(shape_of(row), len(levels_of(row)) or ALWAYS)
    return int(2 ** slices.level_for(shapes, axis))


def size_of(shape: slices.Triple, axis: str) -> tuple[int, int]:
    """Give width and height at which a plane is shown, its longer edge always the same."""
    height, width = slices.shown_edges(shape, axis)
    scale = SMALLEST / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _is_index(text: str, last: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(last)) and int(text) <= last


def _read(address: Address, shape: slices.Triple, drawn: tuple[Mapping[str, str], str]) -> tuple[Cut, tuple[str, ...]]:
    """Read what the address asks for; what cannot be had is ignored, and said so."""
    names, overlay = drawn
    axis = address.first("axis", AXES[0])
    axis = axis if axis in AXES else AXES[0]
    last = shape[AXES.index(axis)] - 1
    index, chosen, contrast = (
        address.first("index"),
        address.first("overlay"),
        address.first("contrast", DEFAULT_CONTRAST),
    )
    cut = Cut(
        axis, int(index) if _is_index(index, last) else (last + 1) // 2, contrast=contrast if contrast in CONTRASTS else DEFAULT_CONTRAST,
        overlay=chosen if chosen in names else overlay if not chosen and overlay in names else "",
    )  # fmt: skip
    read = {"axis": cut.axis, "index": str(cut.index), "contrast": cut.contrast, "overlay": cut.overlay}
    return cut, tuple(
        f"{n}={address.first(n)[:80]}" for n in PARAMETERS if address.first(n) and address.first(n) != read[n]
    )


def _steps(base: Address, index: int, reach: tuple[int, int]) -> tuple[Choice, ...]:
    last, step = reach
    found = []
    for n in STEPS:
        target = index + n * step
        href = str(base.set({"index": target})) + ANCHOR if 0 <= target <= last else ""
        found.append(Choice(str(n * step), say(WORDS[n]), href=href))
    return tuple(found)


def _axes(base: Address, axis: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(a, PLANES[a], a == axis, str(base.set({"axis": a if a != AXES[0] else None, "index": None})) + ANCHOR)
        for a in AXES
    )


def _listed(options: Mapping[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, say(text), value == chosen) for value, text in options.items())


def _hidden(address: Address, cut: Cut) -> Pairs:
    axis = (("axis", cut.axis),) if cut.axis != AXES[0] else ()
    return (*address.without(PARAMETERS).pairs, *axis)
