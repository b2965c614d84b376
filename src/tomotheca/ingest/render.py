"""Key photos: the central slab of a tomogram with contrast, default points and a scale bar; made once and scaled."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from tomotheca.errors import FormatError
from tomotheca.formats import mrc, omezarr
from tomotheca.ingest import pyramid

SLAB = 40
"""Sections of level 0 that are averaged."""

WIDTHS = {"snapshot": 512, "thumbnail": 134, "expanded": 1024}
RATIO = 4 / 3
BASE = 1024
"""Least width in pixels of the picture from which the others are made."""

LARGEST = 2048
"""Most pixels along an edge of the uncropped picture."""

CONTRAST = (0.5, 99.7)
"""Percentiles that become black and white."""

BAR_SHARE = 0.22
"""Share of the width that a scale bar takes at most."""

BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""Lengths of scale bars in nm."""

PALETTE = (
    (242, 142, 43),
    (78, 167, 222),
    (225, 87, 133),
    (118, 200, 102),
    (237, 201, 72),
    (176, 122, 201),
    (255, 157, 167),
    (102, 205, 190),
)
MOST_DISCS = 20_000
"""Points of one annotation that are drawn one by one."""

MAX_PIXELS = 100_000_000
"""Pixels that a given picture may have."""

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Points of one annotation."""

    locations: npt.NDArray[np.float64]
    """Shape ``(n, 3)``, x, y, z in voxels of level 0."""


@dataclass(frozen=True, slots=True)
class Slab:
    """The central slab of a tomogram."""

    image: Grey
    """``(y, x)``."""

    factor: float
    """Voxels of level 0 per pixel."""

    spacing: float
    """Å per voxel of level 0."""

    depth: int
    """Sections of level 0 in the tomogram."""


def photos(slab: Slab, overlays: Sequence[Overlay] = ()) -> dict[str, bytes]:
    """Make the four pictures of a tomogram.

    Parameters
    ----------
    slab
        What they show; see `slab_of_zarr` and `slab_of_source`.
    overlays
        Points to draw, those within the slab.

    Returns
    -------
    dict
        PNG files by size: original (uncropped), snapshot, thumbnail, expanded.
    """
    plain = _upscaled(Image.fromarray(contrast(slab.image)))
    scale = plain.width / slab.image.shape[1] / slab.factor
    drawn = _with_points(plain.convert("RGB"), overlays, slab, scale)
    pixels_per_nm = scale / slab.spacing * 10
    return {"original": _png(_with_bar(drawn, pixels_per_nm)), **_cropped(drawn, pixels_per_nm)}


def from_picture(path: Path) -> dict[str, bytes]:
    """Make the four pictures from a given one.

    Raises
    ------
    FormatError
        If it is no picture.
    """
    given = picture(path)
    return {"original": _png(given), **_cropped(_upscaled(given), None)}


def picture(path: Path) -> Image.Image:
    """Read a picture, whatever its format.

    Raises
    ------
    FormatError
        If it is no picture, or an enormous one.
    """
    try:
        with path.open("rb") as file, Image.open(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise FormatError(path, f"has {opened.width} x {opened.height} pixels: give a smaller picture.")
            return opened.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError(path, "is no picture that can be read: give a PNG or JPEG file.") from error


def png(path: Path, width: int | None = None) -> bytes:
    """Give a picture as PNG, at most so many pixels wide."""
    given = picture(path)
    if width and given.width > width:
        given = given.resize((width, max(1, round(given.height * width / given.width))), Image.Resampling.LANCZOS)
    return _png(given)


def contrast(image: Grey) -> npt.NDArray[np.uint8]:
    """Stretch a picture between two percentiles."""
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, CONTRAST) if finite.size else (0.0, 1.0)
    span = max(float(high - low), 1e-12)
    return np.asarray(np.clip((np.nan_to_num(image, nan=float(low)) - low) / span, 0, 1) * 255, np.uint8)


def slab_of_zarr(zarr: Path, spacing: float) -> Slab:
    """Read the slab from an OME-Zarr directory; ``spacing`` is the edge of a voxel in Å."""
    with omezarr.Reader(zarr) as volume:
        depth, height, width = volume.shape
    number, factor = level(height, width)
    return Slab(omezarr.central_slab(zarr, level=number, depth=SLAB), factor, spacing, depth)


def slab_of_source(source: Path, spacing: float) -> Slab | None:
    """Read the slab from the file that became level 0, plane by plane; None where it is no such MRC file of this machine, or a coarser level is shown."""
    if not isinstance(source, Path):  # it lies in a bucket
        return None
    with closing(pyramid.open_source(source)) as opened:
        depth, height, width = opened.shape
        number, factor = level(height, width)
        if number or pyramid.hindrance(opened):
            return None
    return Slab(mrc.central_slab(source, depth=SLAB), factor, spacing, depth)


def level(height: int, width: int) -> tuple[int, int]:
    """Choose the level that pictures are made from; give it with how much coarser it is than level 0."""
    number, factor = 0, 1
    while max(width, height) / (2 * factor) >= BASE:
        number, factor = number + 1, factor * 2
    return number, factor


def _upscaled(image: Image.Image) -> Image.Image:
    """Bring a picture to a size at which lines and text look well."""
    factor = max(1.0, BASE / min(image.width, round(image.height * RATIO)))
    factor = min(factor, LARGEST / max(image.size)) if max(image.size) * factor > LARGEST else factor
    if abs(factor - 1) < 1e-6:  # noqa: PLR2004  # as it is
        return image
    return image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))), Image.Resampling.BICUBIC
    )


def _with_points(image: Image.Image, overlays: Sequence[Overlay], slab: Slab, scale: float) -> Image.Image:
    """Draw points of the slab as translucent discs, one colour for each annotation."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    radius = max(3.0, image.width / 110)
    for overlay, colour in zip(overlays, PALETTE * (1 + len(overlays) // len(PALETTE)), strict=False):
        near = overlay.locations[np.abs(overlay.locations[:, 2] - (slab.depth - 1) / 2) <= SLAB / 2]
        for x, y in _told_apart((near[:, :2] + 0.5) * scale, radius / 2).tolist():
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                fill=(*colour, 70),
                outline=(*colour, 235),
                width=max(1, round(radius / 4)),
            )
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _told_apart(places: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Of very many discs keep the first in each square of some pixels: the others could not be seen.

    ``places`` has shape ``(n, 2)``, x and y in pixels, as has the result.
    """
    if len(places) <= MOST_DISCS:
        return places
    squares = np.floor(np.clip(places, -(1 << 20), 1 << 20) / step).astype(np.int64)
    _, first = np.unique(squares[:, 0] * (1 << 32) + squares[:, 1], return_index=True)
    kept: npt.NDArray[np.float64] = places[np.sort(first)]
    return kept


def _cropped(image: Image.Image, pixels_per_nm: float | None) -> dict[str, bytes]:
    """Cut the middle in the ratio 4:3 and scale it; the smallest has no bar, it could not be read."""
    width = min(image.width, round(image.height * RATIO))
    height = min(image.height, round(width / RATIO))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    middle = image.crop((left, top, left + width, top + height))
    made = {}
    for size, wanted in WIDTHS.items():
        scaled = middle.resize((wanted, round(wanted / RATIO)), Image.Resampling.LANCZOS)
        if pixels_per_nm is not None and size != "thumbnail":
            scaled = _with_bar(scaled, pixels_per_nm * wanted / width)
        made[size] = _png(scaled)
    return made


def _with_bar(image: Image.Image, pixels_per_nm: float) -> Image.Image:
    """Draw a scale bar of a round length into the lower left corner."""
    fitting = [n for n in BAR_LENGTHS if n * pixels_per_nm <= BAR_SHARE * image.width]
    if not fitting:
        return image
    length, unit = fitting[-1] * pixels_per_nm, image.width / 64
    left, bottom, thick = 1.6 * unit, image.height - 1.6 * unit, max(2.0, unit / 3.2)
    text = f"{fitting[-1]} nm" if fitting[-1] < 1000 else f"{fitting[-1] // 1000} µm"  # noqa: PLR2004
    font = ImageFont.load_default(max(11, round(1.7 * unit)))
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    box = draw.textbbox((left, bottom - thick - 0.6 * unit), text, font=font, anchor="ls")
    pad = 0.7 * unit
    frame = (left - pad, box[1] - pad, max(left + length, box[2]) + pad, bottom + pad)
    draw.rounded_rectangle(frame, radius=0.7 * unit, fill=(0, 0, 0, 110))
    draw.rectangle((left, bottom - thick, left + length, bottom), fill=(255, 255, 255, 255))
    draw.text((left, bottom - thick - 0.6 * unit), text, font=font, fill=(255, 255, 255, 255), anchor="ls")
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    grey = image.convert("L") if _is_grey(image) else image
    grey.save(data, "PNG", compress_level=4)
    return data.getvalue()


def _is_grey(image: Image.Image) -> bool:
    if image.mode != "RGB":
        return image.mode == "L"
    values = np.asarray(image)
    return bool((values[..., 0] == values[..., 1]).all() and (values[..., 1] == values[..., 2]).all())


def sizes(made: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    """Give width and height of pictures, for tests and reports."""
    return {name: Image.open(io.BytesIO(data)).size for name, data in made.items()}
