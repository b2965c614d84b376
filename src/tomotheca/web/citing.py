"""The tab "How to cite" of drawers: the citation in words, the same for reference managers, and the licence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomotheca.export.citing import FORMS, KINDS, Citation, as_bibtex, as_csl, as_ris, as_text, cite
from tomotheca.export.texts import licence_address
from tomotheca.web import links
from tomotheca.web.values import Field, Section, Value, field, plain
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

TAB = ("howToCite", "How to cite")
NAMES = {"txt": "Text", "bib": "BibTeX", "ris": "RIS", "json": "CSL-JSON"}
PART_OF = {"tiltseries": ("run", "run_id"), "alignment": ("run", "run_id")}
"""Kinds that are cited as what they are part of, with the column that names it."""


def sections(asked: Asked, kind: str, row: Row) -> tuple[Section, ...]:
    """Give the sections of the tab for a record of any kind."""
    if kind in PART_OF:
        kind, column = PART_OF[kind]
        row = asked.get(kind, row[column])
    if kind not in KINDS:
        return ()
    found = cite(asked.portal, kind, row["id"], asked.viewer)
    files = [plain(say(NAMES[form]), href=f"{links.page(kind, row['id'])}/cite.{form}") for form in FORMS]
    return (
        Section(
            "How to cite",
            (
                field("Citation", plain(as_text(found).split("\n")[0], style="citation")),
                *_also(found),
                field("Files", files),
            ),
        ),
        Section("Licence", (field("Licence", _licence(found.licence)),)),
        *(
            Section(name, (field(name, plain(text.replace("\r", ""), style="matrix")),), open=form == "bib")
            for form, name, text in (
                ("bib", "BibTeX", as_bibtex(found)),
                ("ris", "RIS", as_ris(found)),
                ("json", "CSL-JSON", as_csl(found)),
            )
        ),
    )


def _also(found: Citation) -> tuple[Field, ...]:
    return (field("Please also cite", [plain(one) for one in found.also]),) if found.also else ()


def _licence(identifier: str) -> Value:
    if not identifier:
        return plain(
            say("No licence stated"),
            style="missing",
            help=say("Ask the authors before you use the data in other ways than the law allows."),
        )
    return plain(identifier, href=licence_address(identifier), external=True)
