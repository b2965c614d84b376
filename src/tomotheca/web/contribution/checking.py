"""Whether what was typed can be used: one sentence for each answer that cannot."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tomotheca.search.concepts import by_identifier, normal
from tomotheca.web import format as formats
from tomotheca.web.contribution.asking import Ask, repeated, single
from tomotheca.web.links import TOKEN, is_ontology, is_orcid
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.contribution.typed import Row, Typed

EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
LONGEST_EMAIL = 254
ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])")
SIZE = re.compile(r"\d+(?:[.,]\d+)?\s*(?:[kKMGTP]i?B|B|bytes)")
SENTENCE = re.compile(r"(?<=\w\w)[.!?]+(?=\s+[^a-z\s]|\s*$)")
SHORTEST_TITLE, MOST_SENTENCES, MOST_RELATED = 20, 5, 20
NUMBER, ACCESSION = r"\d{7}", r"(?:[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(?:-\d+)?"
FORMS: Mapping[str, str] = {
    **dict.fromkeys(("GO", "EFO", "UBERON", "CL", "MONDO", "CLO", "HSAPDV", "BTO", "PATO", "PO"), NUMBER),
    "UNIPROTKB": ACCESSION, "PDB": r"[0-9][A-Z0-9]{3}|PDB_[0-9A-Z]{8}", "CHEBI": r"\d+", "NCBITAXON": r"\d+", "CVCL": r"[A-Z0-9]{4}",
}  # fmt: skip
"""What follows the prefix of an ontology's identifier; a prefix that is known and not here may be followed by anything."""

CONDITIONS = {
    "tissue": ("tissue_name",),
    "cell": ("cell_name", "cell_strain_name"),
    "cell_line": ("cell_name", "cell_strain_name"),
    "primary_cell_culture": ("cell_name", "tissue_name"),
    "organelle": ("cell_component_name",),
}
"""By the code of the sample type: fields of which one must be filled in."""

WITHOUT_ORGANISM = frozenset({"in_vitro", "in_silico", "other"})
Exists = Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that cannot be used."""

    name: str
    """Name of its field."""

    label: str
    message: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rules depend on besides the form."""

    exists: Exists
    """Whether a record of a kind is here and can be seen."""

    identify: Callable[[str], tuple[str, int] | None]
    """Reads the identifier of a dataset or run."""

    latest: date
    """Last day of an embargo."""

    today: date


def check(typed: Typed, rules: Rules) -> tuple[Problem, ...]:
    """Give every problem, in the order of the form."""
    found = [*_asks(typed), *_authors(typed), *_related(typed, rules), *_sample(typed), *_tilts(typed), *_objects(typed), *_release(typed, rules)]  # fmt: skip
    order = [a.name for a in single()]
    for section in repeated():
        place = order.index("description") + 1 if section.each == "author" else order.index("runs")
        order[place:place] = [f"{section.each}-{n}-{a.name}" for n in range(1, section.most + 1) for a in section.asks]
    kept = {p.name: p for p in reversed(found)}
    return tuple(sorted(kept.values(), key=lambda p: order.index(p.name)))


def _asks(typed: Typed) -> Iterator[Problem]:
    for ask in single():
        values = typed.all(ask.name)
        if sentence := _one(ask, values):
            yield Problem(ask.name, ask.label, sentence)
    for section in repeated():
        for number, row in typed.filled(section.each):
            for ask in section.asks:
                value = row.get(ask.name, "")
                if sentence := _one(ask, (value,) if value else ()):
                    yield Problem(
                        f"{section.each}-{number}-{ask.name}",
                        say("{} of {} {}", say(ask.label), say(section.each), number),
                        sentence,
                    )


def _one(ask: Ask, values: tuple[str, ...]) -> str:
    """Say what is wrong with the answers to one question, by what it asks."""
    if not values:
        return (
            {"tick": say("Tick this to go on."), "checks": say("Choose at least one.")}.get(ask.widget, "Fill this in.")
            if ask.required
            else ""
        )
    value = values[0]
    if ask.choices and any(v not in dict(ask.choices) for v in values):
        return say("Choose from the list.")
    if len(value) > ask.longest:
        return say("Write at most {} characters; these are {}.", formats.count(ask.longest), formats.count(len(value)))
    if ask.widget == "email":
        return (
            ""
            if EMAIL.fullmatch(value) and len(value) <= LONGEST_EMAIL
            else say("Write an e-mail address, such as name@example.org.")
        )
    if ask.widget == "number":
        return _number(ask, value)
    if special := SPECIAL.get(ask.name):
        return special(value)
    return ""


def number_of(text: str) -> float | None:
    """Read a number; a minus sign and a decimal comma are understood."""
    try:
        value = float(text.replace("\u2212", "-").replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _number(ask: Ask, text: str) -> str:
    value = number_of(text)
    unit = f" {ask.unit}" if ask.unit else ""
    if value is None:
        return say("Write a number in {}.", ask.unit) if unit else say("Write a number.")
    if ask.whole and value != int(value):
        return say("Write a whole number.")
    if ask.bounds and not ask.bounds[0] <= value <= ask.bounds[1]:
        low, high = (f"{b:,.12g}".replace("-", "\u2212") for b in ask.bounds)
        return say("Write a number from {} to {}{}.", low, high, unit)
    return ""


def _title(text: str) -> str:
    short = len(" ".join(text.split())) < SHORTEST_TITLE
    return say("Write at least {} characters; these are {}.", SHORTEST_TITLE, len(text)) if short else ""


def sentences(text: str) -> int:
    """Count sentences; ``S. pombe`` and ``e.g. this`` end none."""
    return len(SENTENCE.findall(text)) + (not text.endswith((".", "!", "?")))


def _description(text: str) -> str:
    number = sentences(text)
    return say("Write at most {} sentences; these are {}.", MOST_SENTENCES, number) if number > MOST_SENTENCES else ""


def _orcid(text: str) -> str:
    found = ORCID.fullmatch(text)
    if not found:
        return say("Write the ORCID as four groups of four, such as 0000-0002-1825-0097.")
    return (
        ""
        if is_orcid(found[1])
        else say("The last digit of this ORCID does not fit the others; see that it was copied right.")
    )


def term(text: str) -> str:
    """Say what is wrong with an ontology's identifier."""
    prefix, number = split(text)
    if not number:
        return say("Write a prefix and an identifier, such as GO:0005840.")
    if not is_ontology(prefix) or prefix in {"ORCID", "ROR"}:
        return say(
            "{} is no ontology known here; write one of GO, UniProtKB, PDB, CHEBI, NCBITaxon, CL or UBERON.", prefix
        )
    form = FORMS.get(prefix)
    if form and not re.fullmatch(form, number):
        return say(
            "An identifier of {} does not look like this; such as {}.",
            prefix,
            EXAMPLES.get(prefix, prefix + ":0005840"),
        )
    return ""


EXAMPLES = {
    "UNIPROTKB": "UniProtKB:P0A7V0",
    "PDB": "PDB:4V6X",
    "CHEBI": "CHEBI:16247",
    "NCBITAXON": "NCBITaxon:4896",
    "CVCL": "CVCL_0030",
}


def split(text: str) -> tuple[str, str]:
    """Give prefix and number of an ontology's identifier, in capitals."""
    plain = normal(text).replace("CVCL_", "CVCL:")
    prefix, _, number = plain.partition(":")
    return prefix, number


def _taxid(text: str) -> str:
    return (
        ""
        if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31
        else say("Write the number of the organism in the NCBI taxonomy, such as 4896.")
    )


def _size(text: str) -> str:
    return "" if SIZE.fullmatch(text) else say("Write a number with its unit, such as 1.5 TB or 300 GB.")


def _entries(text: str) -> str:
    for part in filter(None, (p.strip() for p in re.split(r"[,\n]", text))):
        found = TOKEN.fullmatch(part)
        if not found or found.lastgroup == "url":
            return say("{!r} is not a DOI, EMPIAR-n, EMD-n or PDB-x.", part[:80])
    return ""


SPECIAL: Mapping[str, Callable[[str], str]] = {
    "contact-orcid": _orcid, "orcid": _orcid, "title": _title, "description": _description, "organism_taxid": _taxid, "object_id": term,
    "size": _size, "related_database_entries": _entries,
}  # fmt: skip
"""Rules of single questions."""


def _authors(typed: Typed) -> Iterator[Problem]:
    authors = typed.filled("author")
    if not authors:
        yield Problem("author-1-name", say("Authors"), say("Name at least one author."))
        return
    if not any(row.get("corresponding_author_status") for _, row in authors):
        yield Problem(
            f"author-{authors[0][0]}-corresponding_author_status",
            say("Authors"),
            say("Tick at least one corresponding author."),
        )
    seen: dict[str, int] = {}
    for number, row in authors:
        for key in _keys(row):
            if key in seen and seen[key] != number:
                yield Problem(
                    f"author-{number}-name",
                    say("Author {}", number),
                    say("This is author {} again; name everybody once.", seen[key]),
                )
            seen.setdefault(key, number)


def _keys(row: Row) -> Iterator[str]:
    if orcid := ORCID.fullmatch(row.get("orcid", "")):
        yield orcid[1].upper()
    elif name := " ".join(row.get("name", "").casefold().split()):
        yield name


def _related(typed: Typed, rules: Rules) -> Iterator[Problem]:
    words = [w for w in re.split(r"[\s,;]+", typed.first("related")) if w]
    needed = bool({"annotations", "tomograms"}.intersection(typed.all("kind")))
    sentence = say("Name the datasets or runs that they belong to.") if needed and not words else ""
    if len(words) > MOST_RELATED:
        sentence, words = say("Name at most {}, or the dataset in place of its runs.", MOST_RELATED), []
    for word in words:
        found = rules.identify(word)
        if found is None:
            sentence = say("{!r} is not the identifier of a dataset or run; write DS-10001 or RN-4512.", word[:40])
        elif not rules.exists(*found):
            sentence = say("There is no {} here.", word[:40])
        if sentence:
            break
    if sentence:
        yield Problem("related", next(a.label for a in single() if a.name == "related"), sentence)


def _sample(typed: Typed) -> Iterator[Problem]:
    labels = {a.name: a.label for a in single()}
    kind, organism, taxid = typed.first("sample_type"), typed.first("organism_name"), typed.first("organism_taxid")
    if "datasets" in typed.all("kind"):
        if not kind:
            yield Problem("sample_type", labels["sample_type"], say("Choose the kind of sample."))
        if not organism and kind not in WITHOUT_ORGANISM:
            yield Problem("organism_name", labels["organism_name"], say("Name the organism."))
        wanted = CONDITIONS.get(kind, ())
        if wanted and not any(map(typed.first, wanted)):
            words = say(" or ").join(say(labels[w]).lower() for w in wanted)
            yield Problem(wanted[0], labels[wanted[0]], say("This sample needs its {}.", words))
    known = by_identifier().get(f"NCBITAXON:{taxid}")
    if known and organism and organism.casefold() not in {n.casefold() for n in known.names}:
        yield Problem(
            "organism_taxid", labels["organism_taxid"], say("{} is {}, not {}.", taxid, known.name, organism[:80])
        )


def _tilts(typed: Typed) -> Iterator[Problem]:
    low, high = (number_of(typed.first(name)) for name in ("tilt_min", "tilt_max"))
    if low is not None and high is not None and low >= high:
        yield Problem(
            "tilt_max",
            next(a.label for a in single() if a.name == "tilt_max"),
            say("Write an angle above the lowest one."),
        )


def _objects(typed: Typed) -> Iterator[Problem]:
    rows = typed.filled("object")
    if "annotations" in typed.all("kind") and not rows:
        yield Problem("object-1-object_name", say("Annotated objects"), say("Name at least one object."))
    for number, row in rows:
        for name in ("object_name", "object_id", "shape_type", "method_type"):
            if not row.get(name) and "annotations" in typed.all("kind"):
                section = next(s for s in repeated() if s.each == "object")
                label = next(a.label for a in section.asks if a.name == name)
                yield Problem(
                    f"object-{number}-{name}", say("{} of object {}", say(label), number), say("Fill this in.")
                )


def _release(typed: Typed, rules: Rules) -> Iterator[Problem]:
    given, label = typed.first("release-date"), next(a.label for a in single() if a.name == "release-date")
    if typed.first("release") != "date":
        return
    try:
        day = date.fromisoformat(given)
    except ValueError:
        yield Problem("release-date", label, say("Write a date as YYYY-MM-DD."))
        return
    if not rules.today < day <= rules.latest:
        first = rules.today + timedelta(days=1)
        yield Problem("release-date", label, say("Choose a date from {} to {}.", first, rules.latest))


def months_after(day: date, months: int) -> date:
    """Give the day some months later, or the last one of a shorter month."""
    year, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + year, month + 1)[1]
    return date(day.year + year, month + 1, min(day.day, last))
