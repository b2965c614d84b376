"""People as pages show them. E-mail addresses never come this far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.web.links import author_page, is_orcid

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

FIRST = 3


@dataclass(frozen=True, slots=True)
class Person:
    """An author."""

    name: str
    primary: bool = False
    corresponding: bool = False
    orcid: str = ""
    affiliation: str = ""
    kaggle: str = ""
    href: str = ""
    """Page of the author's data."""


@dataclass(frozen=True, slots=True)
class People:
    """Authors in their order, and the few that stand for them in a list."""

    everyone: tuple[Person, ...] = ()
    few: tuple[Person, ...] = ()
    more: int = 0


def people(rows: Sequence[Row], kind: str = "dataset") -> People:
    """Give the authors of one thing."""
    everyone = tuple(_person(r, kind) for r in sorted(rows, key=lambda r: (r["author_list_order"], r["id"])))
    leading = [p for p in everyone if p.primary] + [p for p in everyone if p.corresponding and not p.primary]
    chosen = (leading + [p for p in everyone if p not in leading])[:FIRST]
    few = tuple(p for p in everyone if p in chosen)
    return People(everyone, few, len(everyone) - len(few))


def _person(row: Row, kind: str) -> Person:
    orcid = row["orcid"] if is_orcid(row["orcid"]) else ""
    return Person(
        row["name"], bool(row["primary_author_status"]), bool(row["corresponding_author_status"]), orcid,
        row["affiliation_name"] or "", row["kaggle_id"] or "", author_page(row["name"], orcid, kind),
    )  # fmt: skip


def find_people(asked: Asked, kind: str, ids: Sequence[int]) -> dict[int, People]:
    """Give the authors of several things of one kind."""
    key = f"{kind}_id"
    found: dict[int, list[Row]] = {i: [] for i in ids}
    for row in (
        asked.portal.catalog.find(f"{kind}_author", asked.viewer, where={key: {"_in": list(ids)}}) if ids else []
    ):
        found[row[key]].append(row)
    return {i: people(rows, kind) for i, rows in found.items()}
