"""How to cite a record: as text, BibTeX, RIS, CSL-JSON and the Citation File Format, from one description.

Formats: BibTeX as the LaTeX bibliography programs read it (UTF-8), RIS as https://en.wikipedia.org/wiki/RIS_(file_format) describes it,
CSL-JSON after https://citeproc-js.readthedocs.io/en/latest/csl-json/markup.html, CFF 1.2.0 after https://citation-file-format.github.io.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tomotheca.schema.vocabulary import label

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog, Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.settings import Settings

KINDS: Mapping[str, str] = {
    "dataset": "datasets", "run": "runs", "deposition": "depositions", "tomogram": "tomograms", "annotation": "annotations",
}  # fmt: skip
"""Kinds of record that have a citation, with their path."""

PARTICLES = frozenset({"van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "la", "le", "ten", "ter", "zu", "al", "el"})  # fmt: skip
"""Words that belong to the family name behind them."""

DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;\"<>]+", re.IGNORECASE)


class Site(Protocol):
    """What a running server has open."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue."""

    @property
    def settings(self) -> Settings:
        """The settings."""


@dataclass(frozen=True, slots=True)
class Author:
    """A person who is cited."""

    family: str
    given: str = ""
    orcid: str = ""

    @property
    def inverted(self) -> str:
        """Name with the family name first."""
        return f"{self.family}, {self.given}" if self.given else self.family


@dataclass(frozen=True, slots=True)
class Citation:
    """Everything that a citation says."""

    identifier: str
    title: str
    authors: tuple[Author, ...]
    site: str
    url: str
    released: str = ""
    """Date, YYYY-MM-DD."""

    version: str = ""
    """Date of the last change, where it is not that of the release."""

    licence: str = ""
    also: tuple[str, ...] = ()
    """What to cite as well: publications, and records that this one is part of."""

    @property
    def year(self) -> str:
        """Year of the release."""
        return self.released[:4]


def author(name: str, orcid: str | None = None) -> Author:
    """Split a name as people write it: ``Ada van der Frost``, or ``Frost, Ada``."""
    words = " ".join(name.split())
    if "," in words:
        family, _, given = (part.strip() for part in words.partition(","))
        return Author(family, given, orcid or "")
    parts = words.split(" ")
    first = len(parts) - 1
    while first > 1 and parts[first - 1].lower() in PARTICLES:
        first -= 1
    return Author(" ".join(parts[first:]), " ".join(parts[:first]), orcid or "")


def cite(site: Site, kind: str, number: int, viewer: Viewer) -> Citation:
    """Describe how a record is cited.

    Raises
    ------
    NotFoundError
        If the viewer sees no such record.
    """
    row = site.catalog.get(kind, number, viewer)
    return MAKERS[kind](_Records(site, viewer), row)


@dataclass(frozen=True)
class _Records:
    """Reads what citations are made of."""

    site: Site
    viewer: Viewer

    def authors(self, kind: str, number: int) -> tuple[Author, ...]:
        where = {f"{kind}_id": {"_eq": number}}
        order = [("author_list_order", "asc"), ("id", "asc")]
        found = self.site.catalog.find(f"{kind}_author", self.viewer, where=where, order=order)
        return tuple(author(str(p["name"]), p["orcid"]) for p in found)

    def row(self, kind: str, number: int | None) -> Row | None:
        found = self.site.catalog.find(kind, self.viewer, where={"id": {"_eq": number}}) if number is not None else []
        return found[0] if found else None

    def name(self, kind: str, number: int) -> str:
        kinds = self.site.catalog.schema.kinds
        prefix = self.site.settings.deposition_prefix if kind == "deposition" else kinds[kind].prefix
        return f"{prefix}{number}"

    def url(self, kind: str, number: int) -> str:
        return f"{self.site.catalog.public_url}/{KINDS[kind]}/{number}"

    def made(self, kind: str, number: int, title: str, authors: tuple[Author, ...], **more: Any) -> Citation:
        dated: Row = more.pop("dated")
        released, changed = (str(dated[name] or "")[:10] for name in ("release_date", "last_modified_date"))
        version = changed if changed != released else ""
        return Citation(
            self.name(kind, number), title, authors, self.site.settings.site_name, self.url(kind, number), released, version, **more
        )  # fmt: skip

    def record(self, kind: str, row: Row) -> str:
        """Mention a dataset or deposition in one line."""
        people = "; ".join(a.inverted for a in self.authors(kind, row["id"]))
        return f"{people + '. ' if people else ''}{row['title']}. {self.name(kind, row['id'])}, {self.url(kind, row['id'])}"


def publications(text: str | None) -> tuple[str, ...]:
    """Give what a list of publications and entries names, DOIs as addresses."""
    parts = [part.strip() for part in (text or "").split(",")]
    return tuple(f"https://doi.org/{found[0]}" if (found := DOI.search(p)) else p for p in parts if p)


def _dataset(r: _Records, row: Row) -> Citation:
    number = row["id"]
    return r.made(
        "dataset", number, str(row["title"]), r.authors("dataset", number), dated=row, licence=row["licence"] or "",
        also=publications(row["dataset_publications"]),
    )  # fmt: skip


def _deposition(r: _Records, row: Row) -> Citation:
    number = row["id"]
    return r.made(
        "deposition", number, str(row["title"]), r.authors("deposition", number), dated=row, licence=row["licence"] or "",
        also=publications(row["deposition_publications"]),
    )  # fmt: skip


def _parents(r: _Records, run_id: int) -> tuple[Row, Row]:
    run = r.site.catalog.get("run", run_id, r.viewer)
    return run, r.site.catalog.get("dataset", run["dataset_id"], r.viewer)


def _run(r: _Records, row: Row) -> Citation:
    _, dataset = _parents(r, row["id"])
    title = f"Run {row['name']} of: {dataset['title']}"
    also = (r.record("dataset", dataset), *publications(dataset["dataset_publications"]))
    people = r.authors("dataset", dataset["id"])
    return r.made("run", row["id"], title, people, dated=dataset, licence=dataset["licence"] or "", also=also)


def _tomogram(r: _Records, row: Row) -> Citation:
    run, dataset = _parents(r, row["run_id"])
    processing = label("tomogram_processing_enum", row["processing"]).lower()
    title = f"Tomogram of run {run['name']} ({row['voxel_spacing']:g} Å, {processing}) of: {dataset['title']}"
    own = publications(row["publications"]) or publications(dataset["dataset_publications"])
    also = (r.record("dataset", dataset), *_part_of(r, row, dataset), *own)
    people = r.authors("tomogram", row["id"]) or r.authors("dataset", dataset["id"])
    dated = row if row["release_date"] else dataset
    return r.made("tomogram", row["id"], title, people, dated=dated, licence=dataset["licence"] or "", also=also)


def _annotation(r: _Records, row: Row) -> Citation:
    run, dataset = _parents(r, row["run_id"])
    title = f"Annotation of {row['object_name']} in run {run['name']} of: {dataset['title']}"
    also = (*_part_of(r, row, dataset), r.record("dataset", dataset), *publications(row["annotation_publication"]))
    people = r.authors("annotation", row["id"]) or r.authors("dataset", dataset["id"])
    return r.made("annotation", row["id"], title, people, dated=row, licence=dataset["licence"] or "", also=also)


def _part_of(r: _Records, row: Row, dataset: Row) -> tuple[str, ...]:
    """Mention the deposition of a record, unless it is a tomogram's that came with the dataset."""
    if row["deposition_id"] == dataset["deposition_id"] and "object_name" not in row:
        return ()
    found = r.row("deposition", row["deposition_id"])
    return (r.record("deposition", found),) if found else ()


MAKERS: Mapping[str, Callable[[_Records, Row], Citation]] = {
    "dataset": _dataset, "run": _run, "deposition": _deposition, "tomogram": _tomogram, "annotation": _annotation,
}  # fmt: skip


def as_text(c: Citation) -> str:
    """Write a citation for people."""
    people = "; ".join(a.inverted for a in c.authors)
    dated = f" ({c.year})" if c.year else ""
    version = f" Version of {c.version}." if c.version else ""
    lines = [f"{people or c.site}{dated}. {c.title}.{version} {c.site}. {c.identifier}. {c.url}"]
    lines += [f"Please also cite: {one}" for one in c.also]
    lines.append(f"Licence: {c.licence or 'No licence stated'}")
    return "\n".join(lines) + "\n"


def as_bibtex(c: Citation) -> str:
    """Write a citation as BibTeX."""
    fields = {
        "title": "{" + _tex(c.title) + "}",
        "author": " and ".join(_tex_name(a) for a in c.authors) or "{" + _tex(c.site) + "}",
        "year": c.year,
        "date": c.released,
        "version": c.version,
        "publisher": _tex(c.site),
        "howpublished": f"\\url{{{c.url}}}",
        "url": c.url,
        "note": _tex(_note(c)),
    }
    inner = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{c.identifier},\n{inner}\n}}\n"


def _tex_name(a: Author) -> str:
    """Write a name so that "and" and commas in it do no harm."""
    family = "{" + _tex(a.family) + "}" if " " in a.family else _tex(a.family)
    return f"{family}, {_tex(a.given)}" if a.given else "{" + _tex(a.family) + "}"


def _note(c: Citation) -> str:
    told = [
        c.identifier,
        *(f"Please also cite: {one}" for one in c.also),
        f"Licence: {c.licence or 'No licence stated'}",
    ]
    return ". ".join(one.rstrip(".") for one in told)


def as_ris(c: Citation) -> str:
    """Write a citation as RIS; lines end as its readers expect them."""
    lines = [("TY", "DATA"), ("ID", c.identifier), ("TI", c.title)]
    lines += [("AU", a.inverted) for a in c.authors] or [("AU", c.site)]
    lines += [("PY", c.year), ("DA", c.released.replace("-", "/")), ("ET", c.version), ("PB", c.site)]
    lines += [("AN", c.identifier), ("UR", c.url), *(("N1", f"Please also cite: {one}") for one in c.also)]
    lines.append(("C1", f"Licence: {c.licence or 'No licence stated'}"))
    return "".join(f"{tag}  - {_line(value)}\r\n" for tag, value in lines if value) + "ER  - \r\n"


def as_csl(c: Citation) -> str:
    """Write a citation as CSL-JSON: a list with one item."""
    item: dict[str, Any] = {
        "id": c.identifier, "type": "dataset", "title": c.title, "author": [_csl_name(a) for a in c.authors] or [{"literal": c.site}],
        "publisher": c.site, "number": c.identifier, "URL": c.url, "note": _note(c),
    }  # fmt: skip
    if c.released:
        item["issued"] = {"date-parts": [[int(part) for part in c.released.split("-")]]}
    if c.version:
        item["version"] = c.version
    return json.dumps([item], ensure_ascii=False, indent=2) + "\n"


def _csl_name(a: Author) -> dict[str, str]:
    return {"family": a.family, "given": a.given} if a.given else {"literal": a.family}


def as_cff(c: Citation) -> str:
    """Write a citation in the Citation File Format; JSON strings are YAML strings."""
    lines = [
        "cff-version: 1.2.0",
        "message: Please cite these data.",
        "type: dataset",
        f"title: {_yaml(c.title)}",
        "authors:",
    ]
    for a in c.authors or (Author(c.site),):
        names = [f"family-names: {_yaml(a.family)}", f"given-names: {_yaml(a.given)}"]
        names = names if a.given else [f"name: {_yaml(a.family)}"]
        if a.orcid and a.given:
            names.append(f"orcid: {_yaml('https://orcid.org/' + a.orcid.rpartition('/')[2])}")
        lines += [f"{'  - ' if not i else '    '}{name}" for i, name in enumerate(names)]
    lines.append(f"url: {_yaml(c.url)}")
    if c.version:
        lines.append(f"version: {_yaml(c.version)}")
    if c.licence:
        lines.append(f"license: {_yaml(c.licence)}")
    if c.released:
        lines.append(f"date-released: {_yaml(c.released)}")
    return "\n".join(lines) + "\n"


FORMS: Mapping[str, tuple[str, Callable[[Citation], str]]] = {
    "txt": ("text/plain; charset=utf-8", as_text),
    "bib": ("application/x-bibtex; charset=utf-8", as_bibtex),
    "ris": ("application/x-research-info-systems; charset=utf-8", as_ris),
    "json": ("application/vnd.citationstyles.csl+json", as_csl),
}
"""Forms of a citation by their ending, with media type and writer."""


def _yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(text.split())


TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " ",
    }
)  # fmt: skip


def _tex(text: str) -> str:
    return text.translate(TEX)
