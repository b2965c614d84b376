"""Pictures, lists of points, meshes and captions, as far as rules look into them."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from tomotheca.doctor import points as lists
from tomotheca.doctor.look import LARGEST_TEXT, Broken
from tomotheca.errors import FormatError

if TYPE_CHECKING:
    from tomotheca.doctor.look import Look
    from tomotheca.doctor.points import Points
    from tomotheca.doctor.values import Triple

KINDS = ("PNG", "JPEG", "GIF", "WEBP")
GLB = b"glTF"
GLB_HEADER = 12


def picture(look: Look, key: str) -> tuple[int, int] | Broken:
    """Read width and height of a picture."""
    return look.once("picture", key, lambda: _size(look, key))


def _size(look: Look, key: str) -> tuple[int, int]:
    data = look.range(key, 0, LARGEST_TEXT)
    try:
        with Image.open(io.BytesIO(data), formats=KINDS) as opened:
            width, height = opened.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise FormatError(key, "is no PNG, JPEG, GIF or WebP picture") from error
    return width, height


def points(look: Look, key: str, shapes: Sequence[Triple]) -> Points | Broken:
    """Look through a list of points."""
    return look.once("points", key, lambda: lists.read(look, key, shapes))


def other(look: Look, key: str) -> Broken | None:
    """Look at a mesh or a caption; None when it can be read."""
    if key.endswith(".json"):
        found = look.json(key)
        return found if isinstance(found, Broken) else None
    checked = look.once("mesh", key, lambda: _mesh(look, key))
    return checked if isinstance(checked, Broken) else None


def _mesh(look: Look, key: str) -> bool:
    """Check the header of a binary glTF file; source: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html."""
    head = look.range(key, 0, GLB_HEADER)
    if len(head) < GLB_HEADER or head[:4] != GLB:
        raise FormatError(key, "is no binary glTF file")
    version, length = struct.unpack("<II", head[4:])
    if version != 2 or length != look.size(key):  # noqa: PLR2004 - glTF 2.0
        raise FormatError(key, f"is a damaged glTF file: it says version {version}, {length} bytes")
    return True
