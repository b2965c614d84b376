"""What a page says of its record to machines that read pages: search engines, reference managers, chats that draw a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.web import links

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked
    from tomotheca.web.people import People
    from tomotheca.web.summaries import Picture

LICENCES = "https://spdx.org/licenses/{}.html"
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Written in another way, so that no text of the data can end the block of JSON."""


@dataclass(frozen=True, slots=True)
class Meta:
    """Words about a record for programs."""

    image: str = ""
    """Whole address of a picture."""

    citation: tuple[tuple[str, str], ...] = ()
    """Names and values of Highwire's tags."""

    linked: Mapping[str, Any] = field(default_factory=dict)
    """The record in the words of schema.org."""

    @property
    def json_ld(self) -> str:
        """Give the block of JSON-LD, safe inside a page."""
        text = orjson.dumps(self.linked).decode()
        for character, escape in ESCAPES.items():
            text = text.replace(character, escape)
        return text


def describe(asked: Asked, kind: str, row: Row, words: tuple[str, str], **around: Any) -> Meta:
    """Describe a record.

    Parameters
    ----------
    words
        Title and description.
    around
        ``people``: its authors; ``picture``; ``part_of``: kind and row of what it belongs to; ``licence``: SPDX identifier.
    """
    people: People | None = around.get("people")
    picture: Picture | None = around.get("picture")
    title, description = words
    name, address = asked.name(kind, row["id"]), asked.origin + links.page(kind, row["id"])
    image = asked.origin + picture.src if picture and picture.src else ""
    released = (row.get("release_date") or "")[:10]
    dois = [
        p.text
        for n, v in row.items()
        if n.endswith(("publications", "publication")) and isinstance(v, str)
        for p in links.pieces(v)
        if p.text.startswith("10.")
    ]
    linked: dict[str, Any] = {
        "@context": "https://schema.org", "@type": "Dataset", "@id": address, "url": address, "identifier": name, "name": title, "description": description or title,
        "includedInDataCatalog": {"@type": "DataCatalog", "name": asked.portal.settings.site_name, "url": asked.origin + "/"}, "isAccessibleForFree": True,
    }  # fmt: skip
    more = {
        "image": image, "datePublished": released, "dateModified": (row.get("last_modified_date") or "")[:10],
        "license": LICENCES.format(around["licence"]) if around.get("licence") else "", "creator": [_person(p) for p in people.everyone] if people else [],
        "isPartOf": _part_of(asked, around.get("part_of")), "citation": [f"https://doi.org/{d}" for d in dict.fromkeys(dois)],
    }  # fmt: skip
    linked |= {key: value for key, value in more.items() if value}
    tags = [("citation_title", title), *(("citation_author", p.name) for p in (people.everyone if people else ()))]
    tags += [("citation_publication_date", released.replace("-", "/"))] if released else []
    tags += [("citation_publisher", asked.portal.settings.site_name), ("citation_public_url", address)]
    return Meta(image, tuple(tags), linked)


def _person(person: Any) -> dict[str, Any]:
    found = {"@type": "Person", "name": person.name}
    if person.orcid:
        found["@id"] = f"https://orcid.org/{person.orcid}"
    if person.affiliation:
        found["affiliation"] = {"@type": "Organization", "name": person.affiliation}
    return found


def _part_of(asked: Asked, owner: tuple[str, Row] | None) -> dict[str, str]:
    if owner is None:
        return {}
    kind, row = owner
    return {
        "@type": "Dataset",
        "@id": asked.origin + links.page(kind, row["id"]),
        "name": str(row.get("title") or row.get("name")),
    }
