"""Links of the public portal into its download dialog, brought to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.web.page import Asked

OPENERS = ("download-step", "download-config")
"""What a link has when a dialog is open."""

GONE = frozenset(
    {*OPENERS, "download-tab", "download-tomogram", "file-format", "ref-tomogram", "annotation_id", "annotation_name", "object_shape"}
)  # fmt: skip
WHAT: Mapping[str, str] = {"tomogram": "tomogram", "allannotations": "annotations"}
FORMATS: Mapping[str, str] = {"mrc": "mrc", "zarr": "zarr", "omezarr": "zarr", "ndjson": "ndjson"}
TABS: Mapping[str, str] = {
    "aws": "aws", "api": "api", "curl": "curl", "download": "direct", "direct": "direct", "portalcli": "cli", "cli": "cli",
}  # fmt: skip
MOST_DIGITS = 9
PAGES: Mapping[str, str] = {"datasets": "dataset", "runs": "run", "depositions": "deposition"}


def moved(asked: Asked) -> str:
    """Give the address of our own dialog for a link to theirs; nothing for every other link."""
    a = asked.address
    if not any(a.first(name) for name in OPENERS) or a.first("dl"):
        return ""
    kept = a.without(GONE)
    target = _target(asked)
    if not target:
        return str(kept)
    tab = TABS.get(_plain(a.first("download-tab")), "")
    asks = {
        "dl": target, "dl-what": _what(asked, target), "dl-tomogram": _tomogram(asked, target),
        "dl-format": "" if target.startswith("AN") else _format(asked),
        "dl-step": "how" if _plain(a.first("download-step")) == "download" else "", "dl-tab": tab if tab != "cli" else "",
    }  # fmt: skip
    return str(kept.set({name: value or None for name, value in asks.items()}))


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _digits(text: str) -> int | None:
    digits = text.upper().lstrip("ANTM-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS else None


def _target(asked: Asked) -> str:
    """Give the identifier of what the dialog is for: an annotation, else what the page is about."""
    if (number := _digits(asked.address.first("annotation_id"))) is not None:
        return asked.name("annotation", number)
    parts = asked.address.path.strip("/").removesuffix(".json").split("/")
    kind, number = PAGES.get(parts[0]), _digits(parts[-1])
    return asked.name(kind, number) if kind and number is not None else ""


def _what(asked: Asked, target: str) -> str:
    a = asked.address
    if not target.startswith("AN"):
        return WHAT.get(_plain(a.first("download-config")), "")
    shape, form = a.first("object_shape"), _format(asked)
    where = {"annotation_shape": {"annotation_id": {"_eq": _digits(target)}}}
    found = asked.portal.catalog.find("annotation_file", asked.viewer, where=where, order=[("id", "asc")])
    shapes = {
        s["id"]: s["shape_type"]
        for s in asked.portal.catalog.find(
            "annotation_shape", asked.viewer, where={"annotation_id": {"_eq": _digits(target)}}
        )
    }
    fitting = [
        f"{shapes[f['annotation_shape_id']]}.{f['format']}.{f['id']}"
        for f in found
        if f["annotation_shape_id"] in shapes
        and (not shape or shapes[f["annotation_shape_id"]] == shape)
        and (not form or f["format"] == form)
    ]
    return fitting[0] if fitting else ""


def _format(asked: Asked) -> str:
    return FORMATS.get(_plain(asked.address.first("file-format")), "")


def _tomogram(asked: Asked, target: str) -> str:
    number = _digits(asked.address.first("download-tomogram"))
    return asked.name("tomogram", number) if number is not None and not target.startswith("AN") else ""
