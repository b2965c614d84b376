"""What a search found -> what the page shows of it: name, where it leads, why it was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.search.fields import CODES, KINDS, LABELS
from tomotheca.search.marking import Piece, marked, snippet
from tomotheca.search.writing import written
from tomotheca.web.address import Address
from tomotheca.web.format import plural
from tomotheca.web.links import author_page, page
from tomotheca.web.pages.common import only
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.search.engine import Outcome
    from tomotheca.web.page import Asked

MOST_SNIPPETS = 3
NAMED_OBJECTS = 4
AUTHORS_OF = {"dataset": "dataset_author", "deposition": "deposition_author"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A field in which something was found."""

    label: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found."""

    kind: str
    title: tuple[Piece, ...]
    href: str
    identifier: str = ""
    facts: tuple[str, ...] = ()
    found_in: tuple[str, ...] = ()
    snippets: tuple[Snippet, ...] = ()


@dataclass
class Maker:
    """Makes what a page shows of one outcome."""

    asked: Asked
    outcome: Outcome

    def hits(self, kind: str, docs: Sequence[int]) -> tuple[Hit, ...]:
        """Give the hits of one kind in the order of the documents."""
        frame = self.outcome.view.frame
        made: Callable[[Sequence[int]], Mapping[int, Hit]] = {
            "dataset": self._records, "deposition": self._records, "run": self._runs, "object": self._objects, "author": self._authors, "doc": self._docs,
        }[kind]  # fmt: skip
        found = made([d for d in docs if frame.kinds[d] == CODES[kind]])
        return tuple(found[d] for d in docs if d in found)

    @cached_property
    def _terms(self) -> frozenset[str]:
        return self.outcome.terms

    def _rows(self, kind: str, docs: Sequence[int]) -> dict[int, Row]:
        frame = self.outcome.view.frame
        ids = {int(frame.ids[d]): d for d in docs}
        found = self.asked.portal.catalog.find(kind, self.asked.viewer, where=only(ids)) if ids else []
        return {ids[r["id"]]: r for r in found}

    def _labels(self, doc: int) -> tuple[str, ...]:
        fields = self.outcome.fields(doc)
        return tuple(LABELS[f] for f in fields)

    def _records(self, docs: Sequence[int]) -> dict[int, Hit]:
        """Make hits of datasets, or of depositions."""
        if not docs:
            return {}
        kind = KINDS[self.outcome.view.frame.kinds[docs[0]]]
        rows = self._rows(kind, docs)
        people = self._people(kind, [r["id"] for r in rows.values()])
        objects = self._named_objects([r["id"] for r in rows.values()]) if kind == "dataset" else {}
        return {doc: self._record(kind, doc, row, people[row["id"]], objects.get(row["id"], [])) for doc, row in rows.items()}  # fmt: skip

    def _record(self, kind: str, doc: int, row: Row, people: list[str], objects: list[str]) -> Hit:
        known = list(self._values(kind, row))
        known += [("authors", ", ".join(people)), ("objects", ", ".join(objects))]
        fields = self.outcome.fields(doc)
        found = [(name, snippet(text, self._terms)) for name, text in known if name in fields and name != "title"]
        snippets = tuple(Snippet(LABELS[name], pieces) for name, pieces in found if pieces)[:MOST_SNIPPETS]
        facts = [
            f
            for f in (row.get("organism_name"), ", ".join(objects[:NAMED_OBJECTS]), str(row["release_date"])[:10])
            if f
        ]
        return Hit(
            kind, marked(row["title"], self._terms), page(kind, row["id"]), self.asked.name(kind, row["id"]), tuple(facts),
            self._labels(doc) or (say("names of runs"),), snippets,
        )  # fmt: skip

    def _values(self, kind: str, row: Row) -> Iterator[tuple[str, str]]:
        """Give the text of each searched field of a row."""
        found: dict[str, list[str]] = defaultdict(list)
        for c in self.asked.portal.catalog.schema.columns(kind):
            if c.search and row[c.name] not in {None, ""}:
                found[c.search].append(written(c, row[c.name]))
        yield from ((name, ", ".join(texts)) for name, texts in found.items())

    def _people(self, kind: str, ids: Sequence[int]) -> defaultdict[int, list[str]]:
        found: defaultdict[int, list[str]] = defaultdict(list)
        rows = self.asked.portal.catalog.find(
            AUTHORS_OF[kind], self.asked.viewer, where={f"{kind}_id": {"_in": list(ids)}}, order=[("author_list_order", "asc")]
        )  # fmt: skip
        for row in rows:
            found[row[f"{kind}_id"]].append(" ".join(filter(None, (row["name"], row["orcid"]))))
        return found

    def _named_objects(self, datasets: Sequence[int]) -> dict[int, list[str]]:
        """Give the objects annotated in datasets, those with the most annotations first."""
        catalog = self.asked.portal.catalog
        c = catalog.compiler(self.asked.viewer)
        counts = c.counts("annotation", catalog.schema.by_name["annotation"]["object_name"])
        assert counts is not None
        listed = (
            sa.select(counts.c._owner, counts.c.object_name, sa.func.sum(counts.c._count).label("number"))
            .where(counts.c._owner.in_(datasets), *c.visible("annotation", counts))
            .group_by(counts.c._owner, counts.c.object_name)
        )
        found: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for row in catalog.rows(listed):
            found[row._owner].append((-row.number, row.object_name))
        return {owner: [name for _, name in sorted(objects)] for owner, objects in found.items()}

    def _runs(self, docs: Sequence[int]) -> dict[int, Hit]:
        rows = self._rows("run", docs)
        wanted = sorted({r["dataset_id"] for r in rows.values()})
        titles = {d["id"]: d for d in self.asked.portal.catalog.find("dataset", self.asked.viewer, where=only(wanted))}
        found = {}
        for doc, row in rows.items():
            dataset = titles[row["dataset_id"]]
            labels = self._labels(doc) or ("dataset",)
            facts = (f"{self.asked.name('dataset', dataset['id'])} {dataset['title']}", dataset["organism_name"] or "")
            found[doc] = Hit(
                "run", marked(row["name"], self._terms), page("run", row["id"]), self.asked.name("run", row["id"]), tuple(f for f in facts if f), labels,
            )  # fmt: skip
        return found

    def _objects(self, docs: Sequence[int]) -> dict[int, Hit]:
        frame = self.outcome.view.frame
        names = {d: frame.names[frame.ids[d]] for d in docs}
        numbers = annotated(self.asked, [n.words[0] for n in names.values()]) if names else {}
        found = {}
        for doc, name in names.items():
            word, identifier = name.words
            annotations, datasets = numbers.get(word, (0, 0))
            facts = (
                (say("{} in {}", plural(annotations, "annotation"), plural(datasets, "dataset")),)
                if annotations
                else (say("identified, not annotated"),)
            )
            found[doc] = Hit(
                "object", marked(word, self._terms), object_page(word), identifier, facts, self._labels(doc)
            )
        return found

    def _authors(self, docs: Sequence[int]) -> dict[int, Hit]:
        frame, view = self.outcome.view.frame, self.outcome.view
        found = {}
        for doc in docs:
            word, orcid = frame.names[frame.ids[doc]].words
            parts = frame.piece_part[(frame.piece_doc == doc) & view.pieces]
            datasets = len(set(frame.owners[parts[frame.owner_kinds[parts]]].tolist()))
            facts = (plural(datasets, "dataset"),) if datasets else ()
            found[doc] = Hit(
                "author", marked(word, self._terms), author_page(word, orcid), orcid, facts, self._labels(doc)
            )
        return found

    def _docs(self, docs: Sequence[int]) -> dict[int, Hit]:
        frame = self.outcome.view.frame
        found = {}
        for doc in docs:
            name = frame.names[frame.ids[doc]]
            title, text = name.words
            pieces = snippet(text, self._terms)
            snippets = (Snippet(LABELS["description"], pieces),) if pieces else ()
            found[doc] = Hit("doc", marked(title, self._terms), name.key, "", (), self._labels(doc), snippets)
        return found


def object_page(name: str) -> str:
    """Give the page of what is annotated under a name."""
    return str(Address("/browse-data/datasets", (("object", name),)))


def annotated(asked: Asked, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Count the annotations of objects, and the datasets that have them."""
    catalog = asked.portal.catalog
    c = catalog.compiler(asked.viewer)
    counts: Any = c.counts("annotation", catalog.schema.by_name["annotation"]["object_name"])
    listed = (
        sa.select(
            counts.c.object_name,
            sa.func.sum(counts.c._count).label("number"),
            sa.func.count(sa.distinct(counts.c._owner)).label("datasets"),
        )
        .where(counts.c.object_name.in_(names), *c.visible("annotation", counts))
        .group_by(counts.c.object_name)
    )
    return {row.object_name: (int(row.number), int(row.datasets)) for row in catalog.rows(listed)}
