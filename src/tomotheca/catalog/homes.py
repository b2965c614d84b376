"""Where rows of a dump belong: what is replaced with them, whose deposition must be visible, and their run. It follows from foreign keys."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.schema.core import Document

if TYPE_CHECKING:
    from tomotheca.catalog.dumpread import Block
    from tomotheca.schema import Ref, Schema

ROOTS = ("dataset", "deposition")


class Home(NamedTuple):
    """Where one row belongs."""

    owner: int
    """The dataset, or the deposition for what is a deposition's own."""

    gate: int | None
    """Deposition that must be visible for the row to be."""

    run: int | None
    document: tuple[str, int]
    """Kind and identifier of the entity whose document the row would stand in."""


class Homes:
    """Finds the home of every row; parents must come before their children."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._known: dict[str, dict[int, Home]] = {kind: {} for kind in schema.kinds if _has_children(schema, kind)}
        self._same: dict[Home, Home] = {}
        self._gate = cache(self._gate_column)

    def known(self, kind: str) -> dict[int, Home]:
        """Give the homes of a kind's rows by identifier; nothing for kinds that no foreign key points at."""
        return self._known.get(kind, {})

    def of(self, block: Block) -> list[Home | None]:
        """Give the home of each row; None where no foreign key leads to a dataset or deposition of the dump."""
        found = list(self._homes(block))
        if block.kind in self._known:
            known = self._known[block.kind]
            known.update((n, h) for n, h in zip(block.columns["id"], found, strict=True) if h is not None)
        return found

    def _homes(self, block: Block) -> Iterable[Home | None]:
        kind, ids = block.kind, block.columns["id"]
        own = block.columns.get(self._gate(kind)) or [None] * len(ids)
        if kind in ROOTS:
            gates = own if kind not in OWN_DEPOSITION else [None] * len(ids)
            return [Home(n, g, None, (kind, n)) for n, g in zip(ids, gates, strict=True)]
        parents = [(self._known[ref.kind], block.columns[ref.column]) for ref in self.owners(kind)]
        own_document = issubclass(self.schema.kinds[kind], Document)
        out: list[Home | None] = []
        for position, identifier in enumerate(ids):
            above = next((h for known, keys in parents if (h := known.get(keys[position])) is not None), None)
            if above is None:
                out.append(None)
                continue
            gate = block.gates[position] or own[position] or (None if own_document else above.gate)
            run = identifier if kind == "run" else above.run
            home = Home(above.owner, gate, run, (kind, identifier) if own_document else above.document)
            out.append(self._same.setdefault(home, home))
        return out

    def _gate_column(self, kind: str) -> str:
        """Give the column that names a row's deposition, if the row is not the deposition's own."""
        refs = () if kind in OWN_DEPOSITION else self.schema.kinds[kind].refs
        return next((ref.column for ref in refs if ref.kind == "deposition"), "")

    def owners(self, kind: str) -> list[Ref]:
        """Give the foreign keys that say whose a row is, the nearest parent first: a file of an annotation is the annotation's."""
        refs = [r for r in self.schema.kinds[kind].refs if kind in OWN_DEPOSITION or r.kind != "deposition"]
        place = {ref.column: number for number, ref in enumerate(refs)}
        return sorted(refs, key=lambda ref: (-_depth(self.schema, ref.kind), -place[ref.column]))


def _has_children(schema: Schema, kind: str) -> bool:
    return any(ref.kind == kind for entity in schema for ref in entity.refs)


@cache
def _depth(schema: Schema, kind: str) -> int:
    above = [ref.kind for ref in schema.kinds[kind].refs if ref.kind != "deposition"]
    return 1 + max((_depth(schema, k) for k in above), default=0)


def missing_parents(homes: Homes, block: Block) -> Iterable[tuple[int, Ref, Any]]:
    """Give the foreign keys of rows that name nothing in the dump, as ``(position, key, value)``."""
    for ref in homes.schema.kinds[block.kind].refs:
        known = homes.known(ref.kind)
        for position, value in enumerate(block.columns[ref.column]):
            if value is not None and value not in known:
                yield position, ref, value
