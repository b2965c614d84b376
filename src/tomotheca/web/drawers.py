"""Metadata drawers: the same sections as a panel over a page, and as the page of a single record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError
from tomotheca.web import citing, links
from tomotheca.web import format as formats
from tomotheca.web.once import once
from tomotheca.web.page import Asked, Crumb
from tomotheca.web.recordparts import EXTRA
from tomotheca.web.records import record
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.values import Section

PARAMETERS = frozenset({"metadata", "metadata-id", "tab"})
KINDS: Mapping[str, str] = {
    "dataset": "dataset", "run": "run", "tilt-series": "tiltseries", "tomogram": "tomogram", "annotation": "annotation",
    "alignment": "alignment", "deposition": "deposition",
}  # fmt: skip
"""Value of the parameter `metadata` -> kind of entity."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """An open drawer."""

    kind: str
    label: str
    identifier: str
    title: str
    tabs: tuple[Crumb, ...]
    tab: str
    sections: tuple[Section, ...]
    close: str
    page: str
    link: str
    """Whole address of the page with this drawer open, to be copied."""

    previous: Crumb | None = None
    next: Crumb | None = None
    form: str = "drawer"


def link(asked: Asked, kind: str, identifier: int | None = None) -> str:
    """Give the address of this page with the drawer of something open."""
    word = next(w for w, k in KINDS.items() if k == kind)
    name = asked.name(kind, identifier) if identifier is not None else None
    return str(
        asked.address.without([name for name in asked.address.names if name == "dl" or name.startswith("dl-")]).set(
            {"metadata": word, "metadata-id": name, "tab": None}
        )
    )


def open_drawer(asked: Asked, own: tuple[str, int] | None = None) -> tuple[Drawer | None, tuple[str, ...]]:
    """Give the drawer that the address asks for, and what of it could not be understood.

    Parameters
    ----------
    own : (str, int)
        Kind and id of the page's own entity, for an address that names no id.
    """
    word = asked.address.first("metadata")
    if not word:
        return None, ()
    kind, given = KINDS.get(word), asked.address.first("metadata-id")
    digits = "".join(c for c in given if c.isascii() and c.isdigit())[:10]
    identifier = int(digits) if digits else own[1] if own and own[0] == kind and not given else None
    if kind is None or identifier is None:
        return None, (f"metadata={word} {given}".strip()[:80],)
    asked = once(asked)
    try:
        row = asked.get(kind, identifier)
    except NotFoundError:
        return None, (f"metadata-id={given}"[:80],)
    return _drawer(asked, kind, row), ()


def _drawer(asked: Asked, kind: str, row: Row) -> Drawer:
    chosen = asked.address.first("tab")
    tabs = (*TABS.get(kind, PLAIN), citing.TAB)
    tab = chosen if any(t == chosen for t, _ in tabs) else "metadata"
    shown = tuple(
        Crumb(say(text), str(asked.address.set({"tab": name if name != "metadata" else None}))) for name, text in tabs
    )
    made = _sections(asked, kind, row, tab)
    entity = asked.portal.catalog.schema.kinds[kind]
    closed = str(asked.address.without(PARAMETERS))
    current = next((say(text) for name, text in tabs if name == tab), "")
    return Drawer(
        kind,
        say(entity.title),
        asked.name(kind, row["id"]),
        heading(kind, row),
        shown,
        current,
        made,
        closed,
        links.page(kind, row["id"]),
        asked.origin + str(asked.address.set({"metadata-id": asked.name(kind, row["id"])})),
    )


def beside(asked: Asked, overlay: Any, identifiers: Iterable[str]) -> Any:
    """Give an open drawer its neighbours in the order of the table behind it."""
    found = list(dict.fromkeys(identifiers)) if isinstance(overlay, Drawer) else []
    if not isinstance(overlay, Drawer) or overlay.identifier not in found:
        return overlay
    place = found.index(overlay.identifier)
    before, after = found[max(place - 1, 0) : place], found[place + 1 : place + 2]
    steps = [
        [Crumb(name, str(asked.address.set({"metadata-id": name}))) for name in names] for names in (before, after)
    ]
    return replace(overlay, previous=next(iter(steps[0]), None), next=next(iter(steps[1]), None))


def _sections(asked: Asked, kind: str, row: Row, tab: str) -> tuple[Section, ...]:
    if tab == citing.TAB[0]:
        return citing.sections(asked, kind, row)
    return record(asked, kind, row) if tab == "metadata" else EXTRA[tab](asked, row)


def cite_link(asked: Asked, kind: str, identifier: int | None = None) -> str:
    """Give the address of this page with the drawer open that says how to cite something."""
    path, _, query = link(asked, kind, identifier).partition("?")
    return f"{path}?{query}&tab={citing.TAB[0]}"


def heading(kind: str, row: Row) -> str:
    """Give the name of a record."""
    match kind:
        case "dataset" | "deposition":
            return str(row["title"])
        case "annotation":
            return str(row["object_name"])
        case "tomogram":
            return f"{row['name'] or say('Tomogram')}, {formats.quantity(row['voxel_spacing'], 'Å')}"
        case "tiltseries":
            return formats.tilt_range(row["tilt_range"], row["tilt_min"], row["tilt_max"])
        case "alignment":
            return label("alignment_type_enum", row["alignment_type"] or "Alignment")
    return str(row["name"])


PLAIN = (("metadata", "Metadata"),)
TABS: Mapping[str, Sequence[tuple[str, str]]] = {
    "run": (("metadata", "Metadata"), ("objectOverview", "Object overview")),
    "tiltseries": (("metadata", "Metadata"), ("sections", "Sections")),
    "deposition": (("metadata", "Metadata"), ("methodSummary", "Methods")),
}
