"""``/thumbs/<key>?w=256``: small WebP copies of the archive's pictures, made once."""

from __future__ import annotations

import asyncio
import io
import secrets
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api.blob import Blob, BlobResponse, blob_of
from tomotheca.api.files import INERT, cache_control, headers_of, key_of
from tomotheca.errors import FormatError, NotFoundError, QueryError
from tomotheca.store.sources import at_path

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.files import FileRow

WIDTHS = (128, 256, 512)
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
"""Media types a thumbnail is made of, and the one decoder each may use."""

MOST_PIXELS = 64_000_000
MOST_BYTES = 64 << 20
QUALITY = 82


def routes(portal: Portal) -> list[Route]:
    """Give the route of thumbnails."""
    folder = portal.settings.state_folder / "thumbs"

    async def thumb(request: Request) -> BlobResponse | Response:
        width = _width(request.query_params.get("w", "256"))
        key, viewer = key_of(request.scope, "/thumbs/"), request.state.viewer
        file = await portal.lookup.find(key, viewer)
        if file.media_type not in PICTURES or file.size > MOST_BYTES:
            message = f"{key} is not a picture that a thumbnail can be made of."
            raise NotFoundError(message)
        path = folder / file.etag[:2] / f"{file.etag}-{width}.webp"
        if not path.is_file():
            source = (await blob_of(file, portal.files)).source
            picture = b"".join([piece async for piece in source.stream(0, file.size)])
            made = await asyncio.to_thread(_make, picture, file, width, path)
            if not path.is_file():
                return Response(made, headers={**INERT, **cache_control(viewer)}, media_type="image/webp")
        size, tag = path.stat().st_size, f'"{file.etag[:32]}-{width}"'
        blob = Blob(size, tag, "image/webp", file.mtime, at_path(key, path))
        return BlobResponse(blob, headers_of(request), {**INERT, **cache_control(viewer)})

    return [Route("/thumbs/{key:path}", thumb, methods=["GET"])]


def _width(text: str) -> int:
    if text not in map(str, WIDTHS):
        message = f"w: {text!r} is not offered; ask for {', '.join(map(str, WIDTHS[:-1]))} or {WIDTHS[-1]}"
        raise QueryError(message)
    return int(text)


def _make(picture: bytes, file: FileRow, width: int, path: Path) -> bytes:
    """Make a thumbnail, never wider than the picture; it is written beside where it belongs and put there in one step, if it can be kept."""
    data = shrink(picture, PICTURES[file.media_type], width, name=file.key.rpartition("/")[2])
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        temporary.write_bytes(data)
        temporary.replace(path)
    return data


def shrink(data: bytes, form: str, width: int, *, name: str) -> bytes:
    """Give a picture as WebP, at most so many pixels wide.

    Raises
    ------
    FormatError
        If it is no picture, is broken, or is enormous.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=[form]) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > MOST_PIXELS:
                raise FormatError(name, "the picture is too large for a thumbnail")
            picture.draft("RGB", (width * 2, width * 2 * picture.height // max(1, picture.width)))
            small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            if small.width > width:
                small = small.resize(
                    (width, max(1, round(small.height * width / small.width))), Image.Resampling.LANCZOS
                )
            out = io.BytesIO()
            small.save(out, "WEBP", quality=QUALITY, method=4)
            return out.getvalue()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(name, "the picture cannot be read") from error
