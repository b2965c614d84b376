"""Sources of layers: images, label images, in which each number has its own colour, and meshes.

Coordinates: a label image lies where its OME-Zarr metadata says, as any volume does, a voxel centred on its index. A mesh is in nm from the
centre of the first voxel. Neither needs a shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomotheca.errors import TomothecaError
from tomotheca.formats.omezarr.grid import GROUPS, read_attributes, read_first
from tomotheca.store.members import find_member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomotheca.web.page import Asked

MOST_COLOURS = 500
"""Labels whose colours stand in a state; an image with more has the viewer's own, which are fixed by number too."""

SEED = 1
MESH_SEGMENT = "1"


def image(asked: Asked, key: str) -> str:
    """Give the address by which the viewer opens an image; it names the version of Zarr, so that no document of the other is asked for."""
    folder, files = f"{key.rstrip('/')}/", asked.portal.files

    def answer() -> str:
        try:
            return "zarr3" if files is not None and find_member(files, folder, GROUPS[1]) else "zarr2"
        except (TomothecaError, OSError):
            return "zarr2"

    return f"{asked.portal.memory.get(('zarr', key, asked.version), answer)}:///files/{folder}"


def label_layer(asked: Asked, key: str, count: int | None) -> dict[str, Any]:
    """Make the layer of a label image; ``key`` is that of its directory."""
    colours = _colours(asked, key) if (count or 0) <= MOST_COLOURS else {}
    return {
        "type": "segmentation",
        "source": image(asked, key),
        "segments": [],
        "selectedAlpha": 0.5,
        "colorSeed": SEED,
        **({"segmentColors": colours} if colours else {}),
    }


def mesh_layer(folder: str, *, colour: str) -> dict[str, Any]:
    """Make the layer of a mesh from the folder that the viewer opens."""
    return {
        "type": "segmentation",
        "source": f"precomputed:///files/{folder}",
        "segments": [MESH_SEGMENT],
        "segmentColors": {MESH_SEGMENT: colour},
        "objectAlpha": 0.8,
    }


def _colours(asked: Asked, key: str) -> dict[str, str]:
    """Read the colours of labels from the metadata of an image; none if they cannot be read."""

    def answer() -> dict[str, str]:
        if asked.portal.files is None:
            return {}
        try:
            text = read_first(asked.portal.files.read_bytes, f"{key.rstrip('/')}/", GROUPS)
            given = read_attributes(text)["image-label"].get("colors", ())
            return dict(_pair(item) for item in given[:MOST_COLOURS])
        except (TomothecaError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}

    return asked.portal.memory.get(("labels", key, asked.version), answer)


def _pair(item: Mapping[str, Any]) -> tuple[str, str]:
    red, green, blue = (int(part) & 255 for part in item["rgba"][:3])
    return str(int(item["label-value"])), f"#{red:02x}{green:02x}{blue:02x}"
