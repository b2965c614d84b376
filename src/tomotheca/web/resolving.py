"""From whatever somebody types or pastes to the page it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.catalog.files import find_entry
from tomotheca.errors import TomothecaError
from tomotheca.search.concepts import normal
from tomotheca.search.library import library
from tomotheca.web.address import Address
from tomotheca.web.links import ONTOLOGIES, PATHS, TOKEN, is_orcid, page
from tomotheca.web.pages.common import LARGEST, prefixed

if TYPE_CHECKING:
    from tomotheca.web.page import Asked

BROWSE = "/browse-data/datasets"
LONGEST = 300
ORCID = re.compile(r"^(?:https?://orcid\.org/|orcid:\s*)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])$", re.IGNORECASE)
ENTRY = re.compile(r"^(EMPIAR|EMD|PDB)[-_ :]?([0-9][0-9A-Za-z]{2,11})$", re.IGNORECASE)
DOI = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)$", re.IGNORECASE)
TERM = re.compile(r"^([A-Za-z]+)[:_ -]\s*([A-Za-z0-9.]+)$")
PARAMETERS = {"EMPIAR": "empiar_id", "EMD": "emdb_id", "PDB": "pdb_id"}
OTHER_VIEWS = {"/view/runs": "run", "/view/tomograms": "tomogram"}


@dataclass(frozen=True, slots=True)
class Place:
    """A record that has a number."""

    kind: str
    identifier: str
    href: str


def resolve(asked: Asked, given: str) -> str:
    """Give the page of whatever an identifier names; a search where it names nothing."""
    text = " ".join(given.split())[:LONGEST]
    for way in (_prefixed, _address, _entry, _orcid, _term, _number, _named):
        if found := way(asked, text):
            return found
    return str(Address("/search", (("q", text),) if text else ()))


def numbered(asked: Asked, text: str) -> tuple[Place, ...]:
    """Give every record that a bare number may mean."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        return ()
    catalog, number = asked.portal.catalog, int(text)
    return tuple(
        Place(catalog.schema.kinds[kind].title, asked.name(kind, number), page(kind, number))
        for kind in PATHS
        if catalog.count(kind, asked.viewer, {"id": {"_eq": number}})
    )


def _prefixed(asked: Asked, text: str) -> str:
    if text.isdigit():
        return ""
    return next((page(kind, n) for kind in PATHS if (n := prefixed(asked, kind, text)) is not None), "")


def _address(asked: Asked, text: str) -> str:
    """Follow an address of a page here or at another portal, or the path of a file."""
    path = re.sub(r"^(?:https?|s3)://[^/]+", "", text)
    for kind, start in PATHS.items():
        if found := re.fullmatch(rf"{start}/(\d{{1,10}})(?:\.json)?/?(?:[?#].*)?", path):
            return page(kind, int(found[1]))
    for start, kind in OTHER_VIEWS.items():
        if found := re.fullmatch(rf"{start}/(\d{{1,10}})/?(?:[?#].*)?", path):
            return page(kind, int(found[1]))
    if "/" not in path or DOI.match(text):
        return ""
    key = re.sub(r"^(?:files|s3)/", "", path.split("?")[0].split("#")[0].strip("/"))
    return _of_key(asked, key.removeprefix(f"{asked.portal.settings.bucket}/"))


def _of_key(asked: Asked, key: str) -> str:
    """Give the page of what a file or folder of the archive belongs to."""
    catalog = asked.portal.catalog
    for wanted in (key, f"{key}/"):
        try:
            entry = find_entry(catalog, wanted, asked.viewer)
        except TomothecaError:
            continue
        if entry["kind"] in PATHS and entry["entity_id"]:
            return page(entry["kind"], entry["entity_id"])
    dataset, _, below = key.partition("/")
    number = prefixed(asked, "deposition", below.partition("/")[0]) if dataset == "depositions_metadata" else None
    if number is not None:
        return page("deposition", number)
    if not (dataset.isascii() and dataset.isdigit()) or int(dataset) > LARGEST:
        return ""
    where = {"dataset_id": {"_eq": int(dataset)}, "name": {"_eq": below.partition("/")[0]}}
    runs = catalog.find("run", asked.viewer, where=where, limit=1) if below else []
    if runs:
        return page("run", runs[0]["id"])
    return (
        page("dataset", int(dataset)) if catalog.count("dataset", asked.viewer, {"id": {"_eq": int(dataset)}}) else ""
    )


def _entry(asked: Asked, text: str) -> str:
    """Give the one record with an entry of another database or a publication, or the list of datasets that have it."""
    if found := ENTRY.match(text):
        name, parameter = f"{found[1].upper()}-{found[2]}", PARAMETERS[found[1].upper()]
        if not TOKEN.fullmatch(name):
            return ""
    elif found := DOI.match(text):
        name, parameter = found[1].rstrip(".,;)"), "doi"
    else:
        return ""
    shelf = library(asked.portal.catalog)
    datasets = shelf.matching("dataset", f'"{name}"', asked.viewer)
    if len(datasets) == 1:
        return page("dataset", datasets[0])
    depositions = shelf.matching("deposition", f'"{name}"', asked.viewer)
    if not datasets and len(depositions) == 1:
        return page("deposition", depositions[0])
    return str(Address(BROWSE, ((parameter, name),))) if datasets else ""


def _orcid(asked: Asked, text: str) -> str:
    found = ORCID.match(text)
    if not found or not is_orcid(found[1]):
        return ""
    orcid = found[1].upper()
    if not library(asked.portal.catalog).matching("dataset", f'"{orcid}"', asked.viewer):
        return ""
    return str(Address(BROWSE, (("author_orcid", orcid),)))


def _term(asked: Asked, text: str) -> str:
    """Give the list of what an ontology term stands for: an object, or an organism."""
    found = TERM.match(text)
    if not found or found[1].upper() not in {*ONTOLOGIES, *asked.portal.settings.links}:
        return ""
    identifier = normal(text)
    if identifier.startswith("NCBITAXON:"):
        taxid = identifier.partition(":")[2]
        where = (
            {"organism_taxid": {"_eq": int(taxid)}}
            if taxid.isdigit() and int(taxid) <= LARGEST
            else {"id": {"_eq": -1}}
        )
        rows = asked.portal.catalog.find("dataset", asked.viewer, where=where, limit=1)
        if rows and rows[0]["organism_name"]:
            return str(Address(BROWSE, (("organism", rows[0]["organism_name"]),)))
    if library(asked.portal.catalog).objects(identifier, asked.viewer):
        return str(Address(BROWSE, (("object-id", identifier),)))
    return ""


def _number(asked: Asked, text: str) -> str:
    """Give the one record that has a number; the page that lists them where there are several."""
    places = numbered(asked, text)
    return places[0].href if len(places) == 1 else ""


def _named(asked: Asked, text: str) -> str:
    """Give the one run or dataset of exactly this name."""
    catalog = asked.portal.catalog
    runs = catalog.find("run", asked.viewer, where={"name": {"_eq": text}}, limit=2) if text else []
    if len(runs) == 1:
        return page("run", runs[0]["id"])
    pattern = re.sub(r"([\\%_])", r"\\\1", text)
    datasets = catalog.find("dataset", asked.viewer, where={"title": {"_ilike": pattern}}, limit=2) if text else []
    return page("dataset", datasets[0]["id"]) if len(datasets) == 1 and not runs else ""
