"""``/tomograms/{id}/slice.webp`` and ``/tilt-series/{id}/section.webp``: pictures of single planes, for pages without WebGL and for programs."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
from PIL import Image, WebPImagePlugin
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api.files import INERT, cache_control, headers_of
from tomotheca.api.overlays import Drawing, Overlay, draw, find_overlay
from tomotheca.api.planes import Kept, Planes, Volume
from tomotheca.api.ranges import decide
from tomotheca.errors import NotFoundError, QueryError
from tomotheca.formats import blosc, contrast
from tomotheca.web import slices
from tomotheca.web.page import Asked, ask
from tomotheca.web.pages.common import prefixed
from tomotheca.web.slices import AXES, Cut
from tomotheca.web.summaries import array_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.portal import Portal as Site

DRAWN = "1"
"""Part of every tag: another number when pictures of the same voxels look different."""

MOST_EDGE = 2048
MOST_READ = 512 << 20
"""Decoded bytes that one picture may go through."""

QUALITY, EFFORT = 80, 1
"""Noise, which tomograms are full of, takes half as many bytes with the first two efforts as with the others."""

FORMAT = WebPImagePlugin.WebPImageFile.format
"""Naming the plugin keeps Pillow from importing all of them for the first picture."""

MOST_PICTURES = 24 << 20
AT_ONCE = 3
NOT_MODIFIED = 304


@dataclass(frozen=True)
class Plan:
    """What to draw: the volume, the plane, what lies over it, and the tag of the picture."""

    key: str
    entry: str
    """Tag of the volume."""

    cut: Cut
    row: Row
    tag: str
    overlay: Overlay | None = None

    stack: bool = False
    """Whether it is a tilt series: sections differ in brightness, and are measured one by one."""


class Slices:
    """Makes pictures for one server process."""

    def __init__(self, portal: Portal, site: Site) -> None:
        self.site = site
        self.planes = Planes(portal)
        self._pictures: Kept[tuple[bytes, Cut]] = Kept(MOST_PICTURES)
        self._ranges: Kept[contrast.Range] = Kept(1024)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def tomogram(self, request: Request) -> Response:
        """Answer with a plane of a tomogram."""
        return await self._answer(request, plan_slice)

    async def section(self, request: Request) -> Response:
        """Answer with a section of a tilt series."""
        return await self._answer(request, plan_section)

    async def _answer(self, request: Request, planned: Any) -> Response:
        asked = await asyncio.to_thread(ask, self.site, request)
        plan: Plan = await asyncio.to_thread(planned, asked, request.path_params["id"])
        headers = {**INERT, **cache_control(asked.viewer), "etag": plan.tag}
        if decide(headers_of(request), etag=plan.tag, size=1, modified=None).status == NOT_MODIFIED:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        found = self._pictures.get(plan.tag)
        if found is None:
            async with self._turns:
                found = self._pictures.get(plan.tag) or await self._made(asked, plan)
        data, cut = found
        place = str(asked.address.without(asked.address.names).set(dict(replace(cut, contrast=cut.contrast).query())))
        return Response(data, headers={**headers, "content-location": place}, media_type="image/webp")

    async def _made(self, asked: Asked, plan: Plan) -> tuple[bytes, Cut]:
        volume = await self.planes.open(plan.key, plan.entry, asked.viewer)
        cut, plane = settle(volume, plan.cut)
        image = await self.planes.plane(volume, cut.level or 0, *plane)
        ends = await self._ends(volume, plan, (cut, plane), image)
        picture = await self.planes.run(lambda: _grey(image, ends))
        if plan.overlay is not None:
            drawing = Drawing(cut, volume.levels, plan.row["voxel_spacing"], image.shape[1])
            picture = await draw(self.planes, picture, plan.overlay, drawing)
        data = await self.planes.run(lambda: _webp(picture))
        return self._pictures.keep(plan.tag, (data, cut), len(data))

    async def _ends(self, volume: Volume, plan: Plan, where: tuple[Cut, tuple[int, int]], image: Any) -> contrast.Range:
        """Give what becomes black and white: the same for all planes of a level, measured on its middle one."""
        cut, plane = where
        if plan.stack:
            return await self.planes.run(partial(contrast.percentiles, image, cut.contrast))
        low, high = plan.row["statistics_p1"], plan.row["statistics_p99"]
        if cut.contrast == "volume" and low is not None and high is not None and high > low:
            return float(low), float(high)
        level = 0 if cut.contrast == "volume" and len(volume.levels) == 1 else cut.level or 0
        name, preset = (volume.key, volume.etag, level, cut.contrast), cut.contrast
        found = self._ranges.get(name)
        if found is None:
            middle = (0, volume.levels[level].shape[0] // 2)
            sample = image if plane == middle else await self.planes.plane(volume, level, *middle)
            preset = preset if preset in contrast.PRESETS else slices.DEFAULT_CONTRAST
            found = await self.planes.run(partial(contrast.percentiles, sample, preset))
            self._ranges.keep(name, found, 1)
        return found


def routes(portal: Portal, site: Site) -> list[Route]:
    """Give the routes of pictures of planes."""
    made = Slices(portal, site)
    made.planes.pool.submit(warm)
    return [
        Route("/tomograms/{id}/slice.webp", made.tomogram, methods=["GET"]),
        Route("/tilt-series/{id}/section.webp", made.section, methods=["GET"]),
    ]


def warm() -> None:
    """Draw a picture of nothing: libraries import parts of themselves when they are first used, which the first visitor would wait for."""
    frame = numcodecs.Blosc(cname="lz4").encode(np.zeros(8, np.uint8))
    values = np.frombuffer(blosc.decode(frame), np.uint8).reshape(2, 4)
    _webp(_grey(values, contrast.percentiles(values)))


def plan_slice(asked: Asked, given: str) -> Plan:
    """Read what is asked for of a tomogram.

    Raises
    ------
    QueryError
        If a parameter cannot be read.
    NotFoundError
        If there is no such tomogram, or its volume is not on this server.
    """
    row, key, entry = _volume(asked, "tomogram", given)
    axis = _one_of(asked, "axis", AXES, AXES[0])
    most = row[f"size_{axis}"] - 1
    cut = Cut(
        axis, _whole(asked, "index", most), _whole(asked, "level", 63), _one_of(asked, "contrast", tuple(slices.CONTRASTS), slices.DEFAULT_CONTRAST),
        _annotation(asked),
    )  # fmt: skip
    overlay = find_overlay(asked, row, cut.overlay) if cut.overlay else None
    return Plan(key, entry, cut, row, _tag(key, entry, cut, overlay.tag if overlay else "", row), overlay)


def plan_section(asked: Asked, given: str) -> Plan:
    """Read what is asked for of a tilt series.

    Raises
    ------
    QueryError
        If a parameter cannot be read.
    NotFoundError
        If there is no such tilt series, or its stack is not on this server.
    """
    row, key, entry = _volume(asked, "tiltseries", given)
    most = row["size_z"] - 1 if row["size_z"] else None
    presets = tuple(contrast.PRESETS)
    cut = Cut(
        "z", _whole(asked, "index", most), _whole(asked, "level", 63), _one_of(asked, "contrast", presets, presets[0])
    )
    return Plan(key, entry, cut, row, _tag(key, entry, cut, "", row), stack=True)


def _volume(asked: Asked, kind: str, given: str) -> tuple[Row, str, str]:
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else prefixed(asked, kind, given)  # noqa: PLR2004 - figures of an id
    if number is None:
        message = (
            f"There is no {asked.portal.catalog.schema.kinds[kind].title.lower()} with the identifier {given[:80]!r}."
        )
        raise NotFoundError(message)
    row = asked.get(kind, number)
    entry = array_entry(asked, row["s3_omezarr_dir"])
    if entry is None:
        message = f"{asked.name(kind, number)} has no volume on this server that can be shown."
        raise NotFoundError(message)
    return row, *entry


def _tag(*parts: Any) -> str:
    *told, row = parts
    measured = (row["statistics_p1"], row["statistics_p99"], row.get("voxel_spacing"))
    return f'"{hashlib.blake2b(repr((DRAWN, *told, measured)).encode(), digest_size=16).hexdigest()}"'


def _one_of(asked: Asked, name: str, offered: Sequence[str], default: str) -> str:
    given = asked.address.first(name, default)
    if given not in offered:
        message = f"{name}: {given[:80]!r} is not offered; ask for {', '.join(offered[:-1])} or {offered[-1]}"
        raise QueryError(message)
    return given


def _whole(asked: Asked, name: str, most: int | None) -> int | None:
    given = asked.address.first(name)
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 9) or (most is not None and int(given) > most):  # noqa: PLR2004 - figures of an index
        message = f"{name}: {given[:80]!r} is no whole number from 0 to {'the last' if most is None else most}"
        raise QueryError(message)
    return int(given)


def _annotation(asked: Asked) -> str:
    given = asked.address.first("overlay")
    if not given:
        return ""
    number = prefixed(asked, "annotation", given)
    if number is None:
        message = f"overlay: {given[:80]!r} is not the identifier of an annotation"
        raise QueryError(message)
    return asked.name("annotation", number)


def settle(volume: Volume, cut: Cut) -> tuple[Cut, tuple[int, int]]:
    """Fill in the level and the index; give also the axis as a number and the plane's index in that level.

    Raises
    ------
    QueryError
        If there is no such level or plane, or it is too large for a picture.
    """
    axis, shapes = AXES.index(cut.axis), [g.shape for g in volume.levels]
    if cut.level is not None and cut.level >= len(shapes):
        message = f"level: there are {len(shapes)} levels, 0 to {len(shapes) - 1}"
        raise QueryError(message)
    level = slices.level_for(shapes, cut.axis) if cut.level is None else cut.level
    while cut.level is None and level + 1 < len(shapes) and cost(volume, level, axis) > MOST_READ // 4:
        level += 1
    if max(slices.shown_edges(shapes[level], cut.axis)) > MOST_EDGE or cost(volume, level, axis) > MOST_READ:
        message = f"level: level {level} is too fine for a picture; ask for a coarser one"
        raise QueryError(message)
    index = shapes[0][axis] // 2 if cut.index is None else cut.index
    if index >= shapes[0][axis]:
        message = f"index: {index} is beyond the last slice, {shapes[0][axis] - 1}"
        raise QueryError(message)
    factor = max(1, round(shapes[0][axis] / shapes[level][axis]))
    return replace(cut, level=level, index=index), (axis, min(index // factor, shapes[level][axis] - 1))


def cost(volume: Volume, level: int, axis: int) -> int:
    """Give the bytes that must be decoded for a plane."""
    grid = volume.levels[level]
    across = [-(-n // c) for a, (n, c) in enumerate(zip(grid.shape, grid.chunks, strict=True)) if a != axis]
    part = grid.chunks[0] // 8 if axis == 0 and grid.is_blosc else 1
    return across[0] * across[1] * grid.chunk_bytes // max(1, part)


def _grey(image: Any, ends: contrast.Range) -> Image.Image:
    """Draw a plane; a small one is enlarged."""
    picture = Image.fromarray(contrast.stretched(image, ends))
    longest = max(picture.size)
    if longest >= slices.SMALLEST:
        return picture
    scale = slices.SMALLEST / longest
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _webp(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, FORMAT, quality=QUALITY, method=EFFORT)
    return out.getvalue()
