"""What the form asks, top to bottom. Fields of the schema bring their own labels, units and choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tomotheca.schema import SCHEMA
from tomotheca.schema.vocabulary import label
from tomotheca.web.values import title

KINDS = {
    "datasets": "New dataset or datasets",
    "annotations": "Annotations for data that are here",
    "tomograms": "Tomograms for data that are here",
}
RELEASES = {"now": "As soon as they are ready", "publication": "When the paper is published", "date": "On a date"}
YES = {"yes": "Yes"}
LONG, SHORT = 2_000, 300
VOLTS = 1_000
TRAP = "website"
"""Field that people do not see and only machines fill in."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of the form."""

    name: str
    label: str
    widget: str = "text"
    """text, email, number, date, area, choice (one of), checks (several of) or tick (yes)."""

    help: str = ""
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    required: bool = False
    bounds: tuple[float, float] | None = None
    """Smallest and largest number."""

    whole: bool = False
    longest: int = SHORT
    suggests: str = ""
    """List of suggestions: objects, object-ids, organisms."""

    complete: str = ""
    """What a browser may fill in."""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of questions; a repeated one is asked for several things of the same kind."""

    id: str
    title: str
    asks: tuple[Ask, ...]
    help: str = ""
    each: str = ""
    """Word for one of the things, such as author; nothing when the group is asked once."""

    most: int = 100


def of(kind: str, column: str, ask: Ask | None = None, **changes: object) -> Ask:
    """Ask for a field of the schema."""
    found = next(c for c in SCHEMA.columns(kind) if c.name == column)
    choices = tuple(sorted(((code, label(found.enum, code)) for code in found.choices), key=lambda pair: pair[1]))
    made = ask or Ask(column, title(found), help=found.description, unit=found.unit, choices=choices)
    widget = (
        "choice" if choices else "number" if found.type in {int, float} else "tick" if found.type is bool else "text"
    )
    given = {"widget": widget, "whole": found.type is int, **changes}
    return replace(made, **given)  # type: ignore[arg-type]  # names and types are those of Ask


SECTIONS = (
    Section("kind", "What you offer", (
        Ask("kind", "Kind", "checks", "One or more.", choices=tuple(KINDS.items()), required=True),
    )),
    Section("contact", "Contact", (
        Ask("contact-name", "Your name", required=True, complete="name"),
        Ask("contact-email", "Your e-mail address", "email", "Seen by the curators alone and never shown on a page.", required=True, complete="email"),
        Ask("contact-affiliation", "Your institution", complete="organization"),
        Ask("contact-orcid", "Your ORCID", help="Such as 0000-0002-1825-0097."),
    )),
    Section("about", "About the data", (
        of("dataset", "title", required=True, help="Sums up the experiment in at least 20 characters."),
        of("dataset", "description", widget="area", longest=LONG, required=True, help="One to five sentences, at most 2,000 characters."),
    )),
    Section("authors", "Authors", (
        of("dataset_author", "name", required=True), of("dataset_author", "orcid"),
        of("dataset_author", "email", widget="email", help="Seen by the curators alone."),
        of("dataset_author", "affiliation_name"), of("dataset_author", "primary_author_status"), of("dataset_author", "corresponding_author_status"),
    ), "In the order in which they are to be cited; at least one of them corresponding.", each="author"),
    Section("place", "Where the data belong", (
        Ask("related", "Datasets or runs here", help="For annotations and tomograms: identifiers such as DS-10001 or RN-4512, separated by commas.", longest=LONG),
    )),
    Section("sample", "Sample", (
        of("dataset", "sample_type"), of("dataset", "organism_name", suggests="organisms"), of("dataset", "organism_taxid", widget="text"),
        of("dataset", "tissue_name", help="For tissue."), of("dataset", "cell_name", help="For cells, cell lines and primary cultures."),
        of("dataset", "cell_strain_name", help="For cell lines, and wherever a strain is known."),
        of("dataset", "cell_component_name", help="For intact organelles."),
    ), "For new datasets."),
    Section("preparation", "Preparation and imaging", (
        of("dataset", "sample_preparation", widget="area", longest=LONG), of("dataset", "grid_preparation", widget="area", longest=LONG),
        of("tiltseries", "microscope_model"), of("tiltseries", "camera_model"),
        of("tiltseries", "acceleration_voltage", unit="kV", bounds=(60, 400)),
        of("tiltseries", "tilt_min", bounds=(-90, 90)), of("tiltseries", "tilt_max", bounds=(-90, 90)), of("tiltseries", "tilt_step", bounds=(0, 90)),
        of("tiltseries", "tilting_scheme"), of("tiltseries", "total_flux", bounds=(0, 10_000)), of("tiltseries", "pixel_spacing", bounds=(0.1, 100)),
    ), "What you know already; the rest can follow."),
    Section("objects", "Annotated objects", (
        of("annotation", "object_name", suggests="objects"), of("annotation", "object_id", help="Such as GO:0005840 or UniProtKB:P0A7V0.", suggests="object-ids"),
        of("annotation_shape", "shape_type"), of("annotation", "method_type"), of("annotation", "ground_truth_status"),
    ), "For annotations.", each="object", most=50),
    Section("files", "Files", (
        Ask("runs", "Number of runs", "number", whole=True, bounds=(1, 1_000_000)),
        Ask("formats", "Formats", help="Such as MRC, OME-Zarr, EER, star."),
        Ask("size", "Total size", help="An estimate, such as 1.5 TB or 300 GB.", required=True),
        Ask("location", "Where the data are", help="A path, an address, an EMPIAR identifier, or: will upload. Nothing is fetched now.", longest=LONG),
    )),
    Section("references", "Publications, entries elsewhere, funding", (
        of("dataset", "related_database_entries", help="DOI, EMPIAR-n, EMD-n or PDB-x, separated by commas.", longest=LONG),
        Ask("funding", "Funding", help="Agencies and grants, one in a line.", widget="area", longest=LONG),
    )),
    Section("release", "Licence and release", (
        Ask("release", "Release", "choice", choices=tuple(RELEASES.items())),
        Ask("release-date", "Date of release", "date", "Only for a release on a date."),
        Ask("consent", "I may give these data away, and do so under the licence above", "tick", required=True),
    )),
)  # fmt: skip
"""Every question."""

PERSONAL = frozenset({"contact-email", "email"})
"""Answers that only contributor and curators see."""


def single() -> Iterator[Ask]:
    """Give the questions that are asked once."""
    return (ask for section in SECTIONS if not section.each for ask in section.asks)


def repeated() -> Iterator[Section]:
    """Give the groups that are asked several times."""
    return (section for section in SECTIONS if section.each)
