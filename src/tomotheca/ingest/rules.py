"""What a configuration should be beyond its grammar: cross rules, and what this release does not carry out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tomotheca.doctor.core import At
from tomotheca.doctor.rules.pages import same_conditions, title_problem
from tomotheca.doctor.subjects import Collection
from tomotheca.formats.warp import TOMOSTAR
from tomotheca.ingest import language
from tomotheca.schema.annotation import AnnotationMethodLink
from tomotheca.schema.blocks import Author
from tomotheca.schema.dataset import DatasetFunding

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.config import Configuration, Entry, Source
    from tomotheca.ingest.yamlsource import Location

INGEST_ID = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*-[0-9]+$")
ORCID = re.compile(r"^\d{4}-\d{4}-\d{4}-\d{3}[0-9X]$")
ROR = re.compile(r"^0[a-z0-9]{8}$")
DOI = re.compile(r"^(doi:|https?://doi\.org/)?10\.[0-9]{4,9}/\S+$", re.IGNORECASE)
ACCESSION = re.compile(r"^(EMPIAR-\d{5,}|EMD-\d{4,5}|PDB-[0-9a-zA-Z]{4,8})$")
ONTOLOGY = re.compile(
    r"^(BTO|UBERON|CL|GO|EFO|NCBITaxon|CVCL_|CC-|WBStrain|WBls|WBbt|HsapDv|MmusDv|ZFS|ZFA|FBdv|FBbt|MONDO|PATO|UniProtKB|CHEBI|CDPO|PDB-|OBI)"
)
CAMERAS = {
    "manufacturer": {"Gatan", "FEI", "TFS", "simulated"},
    "model": {"FALCON IV", "FALCON 4i", "K2", "K2 SUMMIT", "K3", "K3 BIOQUANTUM", "UltraCam", "UltraScan", "simulated"},
}
NEEDED_TERMS = {
    "organism": "tissue", "organoid": "tissue", "tissue": "tissue", "cell_line": "cell_strain", "primary_cell_culture": "cell_type",
    "organelle": "cell_component", "virus": "cell_component",
}  # fmt: skip
LONGEST_TITLE = 150
REQUIRED = {"alignment": ("format",), "frame": ("dose_rate",), "tomogram": ("dates", "tomogram_version")}
"""By kind: fields that documents may lack and configurations must have."""


class _Notes:
    """Collects findings about one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self.text = configuration.text

    def warning(self, location: Location, message: str) -> Finding:
        return self.text.finding("warning", location, message)

    def error(self, location: Location, message: str) -> Finding:
        return self.text.finding("error", location, message)


def rules(configuration: Configuration) -> Iterator[Finding]:
    """Give every finding that needs the configuration as a whole."""
    notes = _Notes(configuration)
    yield from _needs(configuration, notes)
    yield from _deposition(configuration, notes)
    yield from _conditions(configuration, notes)
    ingest_ids: dict[str, Location] = {}
    for entries in configuration.entries.values():
        for entry in entries:
            yield from _not_carried(entry, notes)
            metadata = entry.metadata or {}
            place = (*entry.location, "metadata")
            yield from _required(entry, place, notes)
            yield from _people(entry.container.kind, metadata, place, notes)
            yield from _dates(metadata, place, notes)
            yield from _references(metadata, place, notes)
            match entry.container.kind:
                case "dataset":
                    yield from _dataset(metadata, place, notes)
                case "tiltseries":
                    yield from _tiltseries(metadata, place, notes)
                case "annotation":
                    yield from _annotation(metadata, place, notes, ingest_ids)
                    yield from _shapes(entry, notes)


def _required(entry: Entry, place: Location, notes: _Notes) -> Iterator[Finding]:
    """Ask for what documents of other portals may lack and configurations must say."""
    for name in REQUIRED.get(entry.container.kind, ()):
        if entry.metadata is not None and entry.metadata.get(name) is None:
            yield notes.error((*place, name), f"{name} is missing: it is required.")


def _needs(configuration: Configuration, notes: _Notes) -> Iterator[Finding]:
    if configuration.of("collection_metadata") and not configuration.of("frames"):
        message = "collection_metadata is given without frames: add frames, with the literal default where there are no files."
        yield notes.warning(("collection_metadata",), message)
    angles = [pattern for entry in configuration.of("rawtilts") for one in entry.sources for pattern in one.globs]
    recorded = configuration.of("collection_metadata") or any(pattern.endswith(TOMOSTAR) for pattern in angles)
    if configuration.of("tiltseries") and not recorded:
        message = "tiltseries are given without collection_metadata: doses and orders of acquisition will be missing."
        yield notes.warning(("tiltseries",), message)


def _deposition(configuration: Configuration, notes: _Notes) -> Iterator[Finding]:
    """Check that the deposition is one and the same in both places."""
    named = [
        str(v)
        for e in configuration.of("depositions")
        for s in e.sources
        if isinstance(s.finder, language.Literally)
        for v in s.finder.value
    ]
    given = configuration.standard.deposition_id if configuration.standard else None
    if given is not None and named and str(given) not in named:
        place = ("standardization_config", "deposition_id")
        yield notes.warning(
            place, f"deposition_id is {given}, the depositions are {', '.join(named)}: those are taken."
        )


def _conditions(configuration: Configuration, notes: _Notes) -> Iterator[Finding]:
    """Check that the runs of the dataset were imaged in one way."""
    series = [(f"entry {i}", entry.metadata or {}) for i, entry in enumerate(configuration.of("tiltseries"))]
    if len(configuration.of("datasets")) <= 1:
        for said in same_conditions(Collection("", {}, 1, series)):
            message = said.message if isinstance(said, At) else said
            yield notes.warning(("tiltseries",), f"{message}: runs of one dataset share sample and imaging conditions.")


def _people(kind: str, metadata: Mapping[str, Any], place: Location, notes: _Notes) -> Iterator[Finding]:
    if kind not in {"annotation", "dataset", "deposition", "tomogram"} or not isinstance(metadata.get("authors"), list):
        return
    authors = [(a, (*place, "authors", i)) for i, a in enumerate(metadata["authors"]) if isinstance(a, dict)]
    for status in ("primary", "corresponding"):
        if authors and not any(a.get(f"{status}_author_status") is True for a, _ in authors):
            yield notes.warning(
                (*place, "authors"), f"no author is marked as {status} author: set {status}_author_status: true on one."
            )
    seen: set[str] = set()
    for author, where in authors:
        if (orcid := author.get("ORCID")) and not ORCID.match(str(orcid)):
            yield notes.warning((*where, "ORCID"), f"{orcid} does not look like an ORCID (0000-0000-0000-0000).")
        if (ror := author.get("affiliation_identifier")) and not ROR.match(str(ror).rpartition("/")[2]):
            yield notes.warning(
                (*where, "affiliation_identifier"),
                f"{ror} does not look like a ROR identifier (0 and eight characters).",
            )
        if author.get("name"):
            natural = Author.natural(author)
            if natural in seen:
                yield notes.warning(where, f"{natural} stands twice among the authors: the second is left out.")
            seen.add(natural)


def _dates(metadata: Mapping[str, Any], place: Location, notes: _Notes) -> Iterator[Finding]:
    dates = metadata.get("dates")
    if isinstance(dates, dict):
        deposited, released = (str(dates.get(key) or "") for key in ("deposition_date", "release_date"))
        if deposited and released and deposited > released:
            yield notes.warning(
                (*place, "dates"), f"the release date {released} is before the deposition date {deposited}."
            )


def _references(metadata: Mapping[str, Any], place: Location, notes: _Notes) -> Iterator[Finding]:
    references = metadata.get("cross_references")
    given = dict(references) if isinstance(references, dict) else {}
    where = {key: (*place, "cross_references", key) for key in given}
    if metadata.get("annotation_publications"):
        given["annotation_publications"] = metadata["annotation_publications"]
        where["annotation_publications"] = (*place, "annotation_publications")
    for key in ("publications", "related_database_entries", "annotation_publications"):
        for word in str(given.get(key) or "").split(","):
            if word.strip() and not (DOI.match(word.strip()) or ACCESSION.match(word.strip())):
                yield notes.warning(
                    where[key], f"{word.strip()} is neither a DOI nor an EMPIAR, EMDB or PDB accession."
                )


def _dataset(metadata: Mapping[str, Any], place: Location, notes: _Notes) -> Iterator[Finding]:
    title = str(metadata.get("dataset_title") or "")
    if len(title) > LONGEST_TITLE:
        yield notes.warning(
            (*place, "dataset_title"), f"the title has {len(title)} characters: keep it below {LONGEST_TITLE}."
        )
    if metadata and (problem := title_problem(metadata)):
        yield notes.warning(
            (*place, "dataset_title"),
            f"{problem}: sum the experiment up, such as S. pombe cryo-FIB lamellae acquired with defocus-only.",
        )
    needed = NEEDED_TERMS.get(str(metadata.get("sample_type")))
    term = metadata.get(needed) if needed else None
    if needed and not (isinstance(term, dict) and term.get("name") and term.get("id")):
        yield notes.warning(place, f"a sample of type {metadata['sample_type']} should have {needed} with name and id.")
    stage = metadata.get("development_stage")
    if isinstance(stage, dict) and (stage.get("name") == "unknown") != (stage.get("id") == "unknown"):
        yield notes.warning(
            (*place, "development_stage"), "unknown should stand for both the name and the id, or for neither."
        )
    for key, block in metadata.items():
        identifier = str(block.get("id") or "") if isinstance(block, dict) else ""
        if identifier and identifier not in {"unknown", "not_reported"} and not ONTOLOGY.match(identifier):
            yield notes.warning((*place, key, "id"), f"{identifier} is in no ontology that is known here.")
    yield from _twice(metadata.get("funding"), DatasetFunding.natural, (*place, "funding"), notes)


def _twice(items: Any, natural: Any, place: Location, notes: _Notes) -> Iterator[Finding]:
    """Warn of list items with one natural key: only the first is kept."""
    seen: set[str] = set()
    for i, item in enumerate(items if isinstance(items, list) else []):
        try:
            key = natural(item)
        except (KeyError, TypeError, AttributeError):
            continue
        if key in seen:
            yield notes.warning(
                (*place, i),
                f"{key.replace('|', ', ').strip(', ') or 'an empty item'} stands twice: the second is left out.",
            )
        seen.add(key)


def _tiltseries(metadata: Mapping[str, Any], place: Location, notes: _Notes) -> Iterator[Finding]:
    camera = metadata.get("camera")
    for key, known in CAMERAS.items():
        value = camera.get(key) if isinstance(camera, dict) else None
        if isinstance(value, str) and value not in known and "{" not in value:
            yield notes.warning(
                (*place, "camera", key), f"{value} is not among the known cameras ({', '.join(sorted(known))})."
            )
    angles = metadata.get("tilt_range")
    if isinstance(angles, dict):
        low, high = angles.get("min"), angles.get("max")
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            yield notes.error((*place, "tilt_range"), f"min {low} is larger than max {high}.")


def _annotation(
    metadata: Mapping[str, Any], place: Location, notes: _Notes, seen: dict[str, Location]
) -> Iterator[Finding]:
    ingest_id = metadata.get("annotation_ingest_id")
    where = (*place, "annotation_ingest_id")
    if isinstance(ingest_id, str):
        if ingest_id in seen:
            first = notes.text.where(seen[ingest_id])
            yield notes.error(
                where, f"{ingest_id} is used twice, first at {first}: give each annotation an id of its own."
            )
        elif not INGEST_ID.match(ingest_id):
            yield notes.warning(
                where, f"{ingest_id} should be small letters and digits with hyphens, ending in -<number>."
            )
        seen.setdefault(ingest_id, where)
    if metadata.get("ground_truth_status") is True and metadata.get("method_type") == "automated":
        yield notes.warning((*place, "ground_truth_status"), "an automated annotation is not a ground truth.")
    confidence = metadata.get("confidence")
    if (
        isinstance(confidence, dict)
        and not confidence.get("ground_truth_used")
        and any(confidence.get(k) is not None for k in ("precision", "recall"))
    ):
        yield notes.warning(
            (*place, "confidence"), "precision and recall need ground_truth_used: say what they were measured against."
        )
    yield from _twice(metadata.get("method_links"), AnnotationMethodLink.natural, (*place, "method_links"), notes)


def _shapes(entry: Entry, notes: _Notes) -> Iterator[Finding]:
    """Check that one shape is given once for each parent."""
    counts = Counter(s.shape for s in entry.sources)
    for shape, count in counts.items():
        unfiltered = [s for s in entry.sources if s.shape == shape and not s.filters.model_fields_set]
        if count > 1 and unfiltered:
            yield notes.error(
                unfiltered[0].location, f"{shape} is given {count} times: tell them apart with parent_filters."
            )


def _not_carried(entry: Entry, notes: _Notes) -> Iterator[Finding]:
    """Say clearly what is understood and not yet done."""
    for source in entry.sources:
        yield from _source_not_carried(source, notes)


def _source_not_carried(source: Source, notes: _Notes) -> Iterator[Finding]:
    if not source.shape:
        return
    formats = language.CARRIED_FORMATS.get(source.shape)
    if formats is None:
        yield notes.error((*source.location, source.shape), f"this release does not take in the shape {source.shape}.")
    elif (form := getattr(source.finder, "file_format", "")) not in formats:
        done = ", ".join(sorted(formats))
        yield notes.error(
            (*source.location, source.shape, "file_format"),
            f"this release does not read {source.shape} from {form}, only from {done}.",
        )
