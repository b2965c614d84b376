"""What a single file says of itself in its headers: under which licence it may be used, and how to cite what it belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tomotheca.export.citing import FORMS
from tomotheca.export.texts import licence_address

if TYPE_CHECKING:
    from tomotheca.api.portal import Portal
    from tomotheca.catalog.viewer import Viewer

PLACE = re.compile(r"(?:(?P<dataset>\d{1,9})|depositions_metadata/(?P<deposition>\d{1,9}))/")
MOST_KEPT = 10_000
SAFE = re.compile(r"[A-Za-z0-9.+-]+")


def place_of(key: str) -> tuple[str, int] | None:
    """Give kind and number of the dataset or deposition in whose folder a key lies."""
    place = PLACE.match(key)
    return (place.lastgroup or "", int(place[place.lastgroup or ""])) if place else None


def links_of(portal: Portal, key: str, viewer: Viewer) -> dict[str, str]:
    """Give the ``Link`` header for a file that the viewer sees, by its key; nothing where no document says what it belongs to."""
    place = place_of(key)
    if place is None:
        return {}
    question = (*place, portal.catalog.watch.stamp(viewer))
    if question not in portal.links:
        if len(portal.links) >= MOST_KEPT:
            portal.links.clear()
        portal.links[question] = _header(portal, *place, viewer)
    return {"link": found} if (found := portal.links[question]) else {}


def _header(portal: Portal, kind: str, number: int, viewer: Viewer) -> str:
    rows = portal.catalog.find(kind, viewer, where={"id": {"_eq": number}})
    if not rows:
        return ""
    page, licence = f"{portal.catalog.public_url}/{kind}s/{number}", str(rows[0]["licence"] or "")
    made = [
        f'<{page}>; rel="cite-as"',
        f'<{page}/cite.bib>; rel="describedby"; type="{FORMS["bib"][0].partition(";")[0]}"',
    ]
    if SAFE.fullmatch(licence):
        made.insert(0, f'<{licence_address(licence)}>; rel="license"')
    return ", ".join(made)
