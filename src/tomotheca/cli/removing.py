"""From an identifier to the documents that go with it, and to those that depend on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tomotheca.errors import NotFoundError
from tomotheca.ingest import withdrawal
from tomotheca.ingest.removal import Goes, Paper, dependents, described, read, within
from tomotheca.schema import ENTITIES, Dataset, Deposition
from tomotheca.store import layout, tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tomotheca.cli.opened import Opened
    from tomotheca.ingest.withdrawal import Withdrawn
    from tomotheca.store.files import Files

PATTERN = re.compile(r"([A-Za-z]+-)([1-9][0-9]{0,9})")
PREFIXES = {e.prefix: e.kind for e in ENTITIES if e.prefix}
ALSO = {"DP-": "deposition"}
"""Another prefix that commands take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be removed."""

    name: str
    papers: tuple[Paper, ...]
    """What is meant itself, with everything below it."""

    dependents: tuple[Paper, ...]
    """What others have there, and what refers to it."""

    withdrawn: tuple[Withdrawn, ...] = ()
    """What a deposition has added to runs that are not its own."""

    def goes(self, files: Files, *, everything: bool) -> list[Goes]:
        """Say what goes."""
        return [described(files, p) for p in (*self.papers, *(self.dependents if everything else ()))]


def asked(text: str) -> tuple[str, int]:
    """Read an identifier such as ``TM-12``.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    match = PATTERN.fullmatch(text.strip().upper())
    kind = (PREFIXES | ALSO).get(match[1]) if match else None
    if match is None or kind is None:
        message = f"{text!r} is not an identifier; write one such as {', '.join(p + '12' for p in PREFIXES)}"
        raise typer.BadParameter(message)
    return kind, int(match[2])


def find(portal: Opened, text: str) -> Asked:
    """Find what an identifier means in the archive.

    Raises
    ------
    NotFoundError
        If it is not there.
    """
    kind, number = asked(text)
    if kind == "deposition":
        return _deposition(portal, number)
    for dataset in _places(portal.files, kind, number):
        papers = list(read(portal.files, tree.documents(portal.files, dataset)))
        found = next((p for p in papers if p.kind == kind and p.number == number), None)
        if found is not None:
            return _inside(portal.files, found, papers)
    grave = portal.desk.tombstone(kind, number)
    more = f": it was removed on {grave.buried_at[:10]}" if grave else ""
    message = f"there is no {kind} {number} in {portal.settings.archive_name}{more}"
    raise NotFoundError(message)


def _places(files: Files, kind: str, number: int) -> Iterable[int]:
    if kind != "dataset":
        return tree.datasets(files)
    return [number] if files.exists(layout.Dataset(number).document) else []


def _inside(files: Files, found: Paper, papers: list[Paper]) -> Asked:
    own = within(files, found)
    keys = {p.key for p in own}
    owner = papers[0].deposition
    if found.kind in {"dataset", "run"}:
        others = [p for p in own if p.deposition not in {None, owner}]
        return Asked(found.name, tuple(p for p in own if p not in others), tuple(others))
    run = [p for p in papers if p.place.run == found.place.run and p.key not in keys and p.kind != "run"]
    return Asked(found.name, tuple(own), tuple(dependents(own, run)))


def _deposition(portal: Opened, number: int) -> Asked:
    files, place = portal.files, layout.Deposition(number)
    own = list(read(files, [(Deposition, place.document)])) if files.exists(place.document) else []
    data = list(_of_deposition(files, number))
    added = tuple(withdrawal.find(files, number))
    if not own and not data and not added:
        message = f"there is no deposition {number} in {portal.settings.archive_name}"
        raise NotFoundError(message)
    name = own[0].name if own else f"deposition {number}"
    return Asked(name, tuple(own), tuple(data), added)


def _of_deposition(files: Files, number: int) -> Iterator[Paper]:
    """Give whole datasets of a deposition, and what it has added to others, with what refers to that."""
    for dataset in tree.datasets(files):
        papers = list(read(files, tree.documents(files, dataset)))
        if papers[0].model is Dataset and papers[0].deposition == number:
            yield from papers
            continue
        for name in sorted({p.place.run for p in papers if p.deposition == number}):
            run = [p for p in papers if p.place.run == name and p.kind != "run"]
            mine = [p for p in run if p.deposition == number]
            yield from mine
            yield from dependents(mine, run)
