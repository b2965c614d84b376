"""The short texts that go with every downloaded tree: licence, citation, a word on what is inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomotheca.api.portal import Portal
    from tomotheca.catalog.viewer import Viewer

LICENCES = {
    "CC0-1.0": ("CC0 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0 International", "https://creativecommons.org/licenses/by/4.0/"),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution-NonCommercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The dataset or deposition that the texts are about."""

    kind: str
    identifier: str
    title: str
    authors: tuple[str, ...]
    released: str
    """Date, YYYY-MM-DD."""

    licence: str
    publications: str
    url: str
    site: str


def subject(portal: Portal, kind: str, number: int, viewer: Viewer) -> Subject:
    """Gather what the texts say.

    Raises
    ------
    NotFoundError
        If the viewer sees no such dataset or deposition.
    """
    row = portal.catalog.get(kind, number, viewer)
    people = portal.catalog.find(
        f"{kind}_author", viewer, where={f"{kind}_id": {"_eq": number}}, order=[("author_list_order", "asc")]
    )
    entity = portal.catalog.schema.kinds[kind]
    return Subject(
        kind, f"{entity.prefix}{number}", str(row["title"]), tuple(str(p["name"]) for p in people), str(row["release_date"] or "")[:10],
        str(row.get("licence") or ""), str(row.get(f"{kind}_publications") or ""),
        f"{portal.catalog.public_url}/{kind}s/{number}", portal.settings.site_name,
    )  # fmt: skip


def licence(s: Subject) -> str:
    """Say what one may do with the data."""
    if not s.licence:
        return f"No licence is recorded for {s.identifier} ({s.url}).\nAsk its authors before you use it in other ways than the law allows.\n"
    name, address = LICENCES.get(s.licence, (s.licence, f"https://spdx.org/licenses/{s.licence}.html"))
    return f"{s.identifier}: {s.title}\n{s.url}\n\nLicence: {name}\nSPDX-License-Identifier: {s.licence}\n{address}\n"


def bibtex(s: Subject) -> str:
    """Cite in BibTeX."""
    fields = {
        "title": "{" + _tex(s.title) + "}", "author": " and ".join("{" + _tex(a) + "}" for a in s.authors), "year": s.released[:4],
        "publisher": _tex(s.site), "howpublished": f"\\url{{{s.url}}}", "note": _tex(s.publications),
    }  # fmt: skip
    inner = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value and value != "{}")
    return f"@misc{{{s.identifier},\n{inner}\n}}\n"


def citation(s: Subject) -> str:
    """Cite in the Citation File Format; JSON strings are YAML strings."""
    lines = [
        "cff-version: 1.2.0",
        "message: Please cite these data.",
        "type: dataset",
        f"title: {_yaml(s.title)}",
        "authors:",
    ]
    lines += [f"  - name: {_yaml(name)}" for name in s.authors or (s.site,)]
    lines.append(f"url: {_yaml(s.url)}")
    if s.licence:
        lines.append(f"license: {_yaml(s.licence)}")
    if s.released:
        lines.append(f"date-released: {_yaml(s.released)}")
    return "\n".join(lines) + "\n"


def readme(s: Subject) -> str:
    """Say what the folder holds and how to check it."""
    return (
        f"{s.title}\n{'=' * min(len(s.title), 100)}\n\n{s.identifier}, from {s.site}: {s.url}\n"
        f"Authors: {', '.join(s.authors) or 'not recorded'}\n"
        + (f"Publications and entries: {s.publications}\n" if s.publications else "")
        + "\nThe folders are those of the archive: one per run, below it Frames, Gains, TiltSeries, Alignments and Reconstructions.\n"
        "Every folder has a JSON document that describes its files. To check the files: sha256sum -c SHA256SUMS\n"
        "LICENSE.txt says what you may do with them, CITATION.bib and CITATION.cff how to cite them.\n"
    )


TEXTS: Mapping[str, Callable[[Subject], str]] = {
    "CITATION.bib": bibtex,
    "CITATION.cff": citation,
    "LICENSE.txt": licence,
    "README.txt": readme,
}


def _yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _tex(text: Any) -> str:
    plain = str(text)
    for char in "&%$#_{}":
        plain = plain.replace(char, f"\\{char}")
    return plain
