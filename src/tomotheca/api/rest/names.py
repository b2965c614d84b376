"""How kinds, relations and fields are called in addresses, and what is meant by a name that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from tomotheca.catalog.query import MAX_FILTER_DEPTH
from tomotheca.errors import NotFoundError, QueryError
from tomotheca.schema.core import Column, is_matrix
from tomotheca.web.links import PATHS

if TYPE_CHECKING:
    from tomotheca.schema import Relation, Schema

LONGEST_NAME = 200
"""Characters of a name that a sentence repeats."""


def kebab(name: str) -> str:
    """Write ``annotationShapes`` and ``annotation_shapes`` as ``annotation-shapes``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", name).lower()


def quoted(text: str) -> str:
    """Show a text of a request in a sentence."""
    return repr(text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "...")


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant; nothing if none is near."""
    found = get_close_matches(name[:LONGEST_NAME], list(known), 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


@dataclass(frozen=True)
class Path:
    """A column, and the relations that lead to it."""

    relations: tuple[Relation, ...]
    column: Column

    @property
    def name(self) -> str:
        """The name as it is asked for and answered: ``dataset.title``."""
        return ".".join((*(r.name for r in self.relations), self.column.name))

    @property
    def kind(self) -> str:
        """Kind that the column is of."""
        return self.relations[-1].target if self.relations else ""


@dataclass(frozen=True)
class Names:
    """The names of one schema."""

    schema: Schema

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Kinds by their name in addresses."""
        return {kebab(entity.root): entity.kind for entity in self.schema}

    @cached_property
    def known_as(self) -> Mapping[str, str]:
        """Kinds by every name in addresses: that of their page too."""
        return {**{path[1:]: kind for kind, path in PATHS.items() if kind in self.schema.kinds}, **self.kinds}

    @cached_property
    def in_addresses(self) -> Mapping[str, str]:
        """Name in addresses of each kind."""
        return {kind: name for name, kind in self.kinds.items()}

    def kind(self, name: str) -> str:
        """Give the kind of a name in an address.

        Raises
        ------
        NotFoundError
            If there is no such kind.
        """
        if name not in self.known_as:
            message = f"There are no {quoted(name)} here{nearest(name, self.kinds)}; /api/v1 lists what there is."
            raise NotFoundError(message)
        return self.known_as[name]

    def relation(self, kind: str, name: str) -> Relation:
        """Give the relation of a name in an address.

        Raises
        ------
        NotFoundError
            If the kind has none of that name.
        """
        found = {kebab(r.name): r for r in self.schema.relations(kind).values()}
        if name not in found:
            message = (
                f"{self.in_addresses[kind]} have no {quoted(name)}{nearest(name, found)}; they have {', '.join(found)}."
            )
            raise NotFoundError(message)
        return found[name]

    def columns(self, kind: str) -> Mapping[str, Column]:
        """Give the public columns of a kind by name."""
        return self._columns[kind]

    @cached_property
    def _columns(self) -> Mapping[str, Mapping[str, Column]]:
        return {k: {c.name: c for c in self.schema.columns(k) if c.public} for k in self.schema.kinds}

    def comparable(self, kind: str) -> Iterator[Column]:
        """Give the columns of a kind that can be compared and sorted by."""
        return (c for c in self.columns(kind).values() if not is_matrix(kind, c))

    def to_one(self, kind: str, text: str, place: str) -> Path:
        """Give the path of a name such as ``name`` or ``run.dataset.title``, which leads over relations to one.

        Raises
        ------
        QueryError
            If it leads nowhere, or over a list.
        """
        *steps, last = text.split(".")
        relations: list[Relation] = []
        for step in steps:
            relation = self.schema.relations(kind).get(step)
            if relation is None or relation.many:
                raise QueryError(self._astray(kind, step, f"{place}: {quoted(text)}"))
            relations.append(relation)
            kind = relation.target
        if len(relations) > MAX_FILTER_DEPTH:
            message = f"{place}: {quoted(text)} follows more than {MAX_FILTER_DEPTH} relations"
            raise QueryError(message)
        column = self.columns(kind).get(last)
        if column is None:
            raise QueryError(self._astray(kind, last, f"{place}: {quoted(text)}"))
        return Path(tuple(relations), column)

    def _astray(self, kind: str, step: str, shown: str) -> str:
        relation = self.schema.relations(kind).get(step)
        if relation and relation.many:
            name = f"/api/v1/{self.in_addresses[kind]}/{{id}}/{kebab(relation.name)}"
            return f"{shown}: {relation.name} is a list; ask for it at {name}"
        if relation:
            return f"{shown}: {relation.name} is a record; ask for a field of it, such as {relation.name}.id"
        known = [*self.columns(kind), *(r.name for r in self.schema.relations(kind).values() if not r.many)]
        return f"{shown}: {kind} has no field {quoted(step)}{nearest(step, known)}"
