"""Addresses that a value leads to: other databases, ontologies, people, and pages of this site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tomotheca.web.address import Address

PATHS = {
    "dataset": "/datasets", "run": "/runs", "deposition": "/depositions", "tiltseries": "/tilt-series", "tomogram": "/tomograms",
    "annotation": "/annotations", "alignment": "/alignments",
}  # fmt: skip
"""Page of each kind of entity that has one."""

OBO = "https://purl.obolibrary.org/obo/{prefix}_{accession}"
ONTOLOGIES = {
    "GO": "https://amigo.geneontology.org/amigo/term/GO:{accession}",
    "UNIPROTKB": "https://www.uniprot.org/uniprotkb/{accession}",
    "PDB": "https://www.rcsb.org/structure/{accession}",
    "NCBITAXON": "https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id={accession}",
    "CVCL": "https://www.cellosaurus.org/CVCL_{accession}",
    "WBSTRAIN": "https://www.wormbase.org/species/c_elegans/strain/WBStrain{accession}",
    "EFO": "https://www.ebi.ac.uk/efo/EFO_{accession}",
    "ORCID": "https://orcid.org/{accession}",
    "ROR": "https://ror.org/{accession}",
    **dict.fromkeys(
        ("CHEBI", "UBERON", "CL", "MONDO", "CLO", "HSAPDV", "BTO", "PATO", "FBBT", "WBBT", "ZFA", "PO"), OBO
    ),
}
"""Page of a term by the prefix of its identifier. An unknown prefix has none; the settings add prefixes, and replace pages."""

_LEADING: ContextVar[Mapping[str, str]] = ContextVar("leading", default=ONTOLOGIES)
IDENTIFIER = re.compile(r"^(?P<prefix>CVCL|WBStrain|[A-Za-z]+(?=[:_-]))[:_-]?(?P<accession>[A-Za-z0-9.-]+)$")
TOKEN = re.compile(
    r"(?P<empiar>\bEMPIAR-(\d+)\b)|(?P<emdb>\bEMD-(\d+)\b)|(?P<pdb>\bPDB-([0-9A-Za-z]{4,12})\b)"
    r"|(?P<doi>\b(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[^\s,;\"<>]+))|(?P<url>\bhttps?://[^\s,;\"<>]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, and where it leads."""

    text: str
    href: str = ""
    external: bool = False


@contextmanager
def leading(templates: Mapping[str, str]) -> Iterator[None]:
    """Let identifiers lead where the settings of a site say."""
    token = _LEADING.set({**ONTOLOGIES, **templates})
    try:
        yield
    finally:
        _LEADING.reset(token)


def is_ontology(prefix: str) -> bool:
    """Tell whether identifiers with a prefix lead somewhere."""
    return prefix.upper() in _LEADING.get()


def ontology(identifier: Any, prefix: str = "") -> str:
    """Give the page of an ontology term, or nothing for an identifier of unknown kind."""
    found = IDENTIFIER.match(f"{prefix}{identifier}")
    template = _LEADING.get().get(found["prefix"].upper()) if found else None
    return template.format(id=found[0], **found.groupdict()) if template and found else ""


def web_address(text: str | None) -> str:
    """Give an address that may be linked: of the web, nothing else."""
    return text if text and text.lower().startswith(("http://", "https://")) else ""


def pieces(value: str) -> tuple[Piece, ...]:
    """Cut a text into plain pieces and links to other databases."""
    return tuple(_pieces(value))


def _pieces(value: str) -> Iterator[Piece]:
    end = 0
    for found in TOKEN.finditer(value):
        if found.start() > end:
            yield Piece(value[end : found.start()])
        token = found[0].rstrip(".)]")
        yield _piece(found.lastgroup or "", token)
        end = found.start() + len(token)
    if end < len(value):
        yield Piece(value[end:])


def _piece(kind: str, token: str) -> Piece:
    match kind:
        case "empiar":
            return Piece(token, f"https://www.ebi.ac.uk/empiar/{token.upper()}/", external=True)
        case "emdb":
            return Piece(token, f"https://www.ebi.ac.uk/emdb/{token.upper()}", external=True)
        case "pdb":
            return Piece(token, f"https://www.rcsb.org/structure/{token[4:]}", external=True)
        case "doi":
            name = token[token.index("10.") :]
            return Piece(name, f"https://doi.org/{name}", external=True)
    return Piece(token, token, external=True)


def named(value: str | None, database: str) -> tuple[Piece, ...]:
    """Give the links of one database (``EMPIAR``) in a comma list."""
    return tuple(p for p in pieces(value or "") if p.href and p.text.upper().startswith(database))


def listed(value: str | None) -> tuple[Piece, ...]:
    """Give every token of a comma list, linked where a rule is known."""
    tokens = (t.strip() for t in (value or "").split(","))
    return tuple(p for t in tokens if t for p in pieces(t))


AUTHORED = {"dataset": "/browse-data/datasets", "deposition": "/browse-data/depositions"}
"""Listing that finds the authors of a kind; those of other kinds are found by a search."""


def author_page(name: str, orcid: str, kind: str = "dataset") -> str:
    """Give the page of an author's data."""
    if kind not in AUTHORED:
        return str(Address("/search", (("q", f'"{name}"'),)))
    return str(Address(AUTHORED[kind], (("author_orcid", orcid) if orcid else ("author", name),)))


def page(kind: str, identifier: int) -> str:
    """Give the page of a record."""
    return f"{PATHS[kind]}/{identifier}"


@lru_cache(4096)
def is_orcid(value: str | None) -> bool:
    """Tell whether the check digit of an ORCID is right."""
    digits = (value or "").replace("-", "").upper()
    if not re.fullmatch(r"\d{15}[\dX]", digits):
        return False
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return digits[-1] == ("X" if check == len(digits) - 6 else str(check))
