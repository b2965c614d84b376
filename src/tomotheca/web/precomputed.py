"""Points as the viewer has them: rows of their files, and layers that it opens piece by piece, how they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from tomotheca.errors import TomothecaError
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.web.page import Asked

POINT_BYTES = 4 << 20
"""Bytes that are read of a file of points."""

SIZE = "#uicontrol float size slider(min=2, max=24, default=10)\n"
POINT_SHADER = f"""{SIZE}void main() {{
  setColor(defaultColor());
  setPointMarkerSize(size);
  setPointMarkerBorderWidth(1.0);
}}
"""
ARROW_SHADER = f"""{SIZE}void main() {{
  setColor(defaultColor());
  setLineWidth(2.5);
  setEndpointMarkerSize(size, 0.0);
  setEndpointMarkerBorderWidth(1.0, 0.0);
}}
"""
INSTANCE_SHADER = f"""{SIZE}void main() {{
  float hue = fract(float(prop_instance() % 4096u) * 0.61803398875);
  vec3 wheel = abs(fract(hue + vec3(0.0, 2.0 / 3.0, 1.0 / 3.0)) * 6.0 - 3.0);
  setColor(mix(vec3(1.0), clamp(wheel - 1.0, 0.0, 1.0), 0.75));
  setPointMarkerSize(size);
  setPointMarkerBorderWidth(1.0);
}}
"""
"""Neighbouring numbers get colours far apart."""


def folder_of(key: str, shape: str, *, of: str = "") -> str:
    """Give the key of the folder that goes with a file of points or a mesh; empty for a file of another layout.

    Parameters
    ----------
    of
        What the folder has, where that is not the shape itself: ``layout.MESHES_AT_POINTS``.
    """
    place = layout.locate(key)
    shape, suffix = ("TriangularMesh", ".glb") if shape == "Mesh" else (shape, ".ndjson")
    end = f"_{layout.shape_name(shape)}{suffix}"
    if place.kind != "annotation" or place.number is None or "/" in place.rest or not place.rest.endswith(end):
        return ""
    spacing = layout.Spacing(layout.Run(place.dataset or 0, place.run), place.spacing)
    return spacing.annotation(place.number).precomputed(place.rest.removesuffix(end), of or shape)


def there(asked: Asked, keys: Iterable[str]) -> frozenset[str]:
    """Give those folders that the archive has and the viewer may see."""
    wanted = [key for key in keys if key]
    if not wanted:
        return frozenset()
    f = asked.portal.catalog.tables.file
    terms = asked.portal.catalog.compiler(asked.viewer).visible("file", f)
    rows = asked.portal.catalog.execute(sa.select(f.c.key).where(f.c.key.in_(wanted), f.c.members.is_not(None), *terms))
    return frozenset(r["key"] for r in rows)


def layer(asked: Asked, key: str, *, colour: str) -> dict[str, Any] | None:
    """Make the layer of a folder of precomputed annotations; None if they cannot be read."""
    info = _info(asked, key)
    if not info:
        return None
    return {
        "type": "annotation",
        "source": f"precomputed:///files/{key}",
        "annotationColor": colour,
        "shader": _shader(info),
        "crossSectionAnnotationSpacing": 1,
    }


def read_points(asked: Asked, key: str) -> list[Mapping[str, Any]]:
    """Read an annotation's points; a file that cannot be read has none."""
    if asked.portal.files is None:
        return []
    try:
        data = asked.portal.files.read_range(key, 0, POINT_BYTES)
        lines = data.splitlines() if len(data) < POINT_BYTES else data.splitlines()[:-1]
        return [orjson.loads(line) for line in lines if line.strip()]
    except (TomothecaError, OSError, orjson.JSONDecodeError):
        return []


def _shader(info: dict[str, Any]) -> str:
    if str(info.get("annotation_type")).lower() == "line":
        return ARROW_SHADER
    properties = info.get("properties")
    named = {p.get("id"): p.get("type") for p in properties} if isinstance(properties, list) else {}
    return INSTANCE_SHADER if named.get("instance") == "uint32" else POINT_SHADER


def _info(asked: Asked, key: str) -> dict[str, Any]:
    if asked.portal.files is None:
        return {}
    try:
        found = orjson.loads(asked.portal.files.read_bytes(f"{key}info"))
    except (TomothecaError, OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
