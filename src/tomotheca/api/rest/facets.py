"""How often each value occurs among the rows that the filters leave; the filter on a field itself is left out for its own counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.api.rest.query import Query, both
from tomotheca.web.facets import COUNTED, GROUPS, Scope, count_options
from tomotheca.web.filtering import LEVELS, Filter, Level
from tomotheca.web.filters import Active, compose, option_label

if TYPE_CHECKING:
    from tomotheca.api.rest.plans import Plans
    from tomotheca.api.rest.query import Reader
    from tomotheca.catalog.query import Clause
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.schema.core import Column
    from tomotheca.web.portal import Portal

MOST_VALUES = 1000
"""Values of one facet that are given, the most frequent first."""


@dataclass(frozen=True)
class Facets:
    """Counts values."""

    site: Portal
    plans: Plans
    reader: Reader

    def count(self, query: Query, viewer: Viewer) -> list[dict[str, Any]]:
        """Give the facets of a list, each with the parameter that filters by it and the number of rows for each value."""
        if query.kind in GROUPS:
            return list(self._of_pages(query, viewer))
        return [self._facet(query, viewer, facet) for facet in self._own(query)]

    def _of_pages(self, query: Query, viewer: Viewer) -> Iterator[dict[str, Any]]:
        """Count as the panel of the page does, so that both show the same numbers."""
        scope = Scope(self.site, query.kind, viewer, self.site.catalog.stamp(viewer))
        filters = self.reader.filters(query.kind)
        active = query.active
        if rest := query.rest():
            active = (*active, Active(_condition(query.kind, rest), ("",), ("",)))
        counts = count_options(scope, filters, active)
        for f in filters:
            if f.parameter in counts:
                yield _written(f.parameter, f.label, f, counts[f.parameter])

    def _own(self, query: Query) -> Iterator[_Facet]:
        """Give what is counted of a kind without such a panel: its filters, or else its flags and words from a list."""
        filters = [f for f in self.reader.filters(query.kind) if f.widget in COUNTED and f.kind]
        for f in filters:
            clause = both(
                [query.rest(), _composed(query, [a for a in query.active if a.filter.parameter != f.parameter])]
            )
            yield _Facet(f.parameter, f.label, f, f.kind, self.reader.names.columns(f.kind)[f.column], clause)
        if filters:
            return
        for column in self.reader.names.columns(query.kind).values():
            if column.facet or column.enum or column.type is bool:
                clause = both([query.rest(column.name), _composed(query, query.active)])
                yield _Facet(column.name, column.label, None, query.kind, column, clause)

    def _facet(self, query: Query, viewer: Viewer, facet: _Facet) -> dict[str, Any]:
        c = self.plans.compiler(viewer)
        row = c.table(query.kind)
        terms = [*c.visible(query.kind, row), *c.where(query.kind, row, facet.clause)]
        owner = row
        if facet.kind != query.kind:
            relation = self.reader.names.schema.relations(query.kind)[LEVELS[facet.kind][1]]
            owner = c.table(relation.target)
            terms += c.join(relation, row, owner), *c.visible(relation.target, owner)
        value = c.missing(facet.column, owner).label("value")
        number = sa.func.count(sa.distinct(row.c.id)).label("number")
        statement = sa.select(value, number).where(*terms).group_by(value).order_by(number.desc()).limit(MOST_VALUES)
        counts = {row.value: row.number for row in self.plans.catalog.rows(statement)}
        return _written(facet.name, facet.label, facet.filter, counts, facet.column)


@dataclass(frozen=True)
class _Facet:
    """One facet of a kind that is counted by the database."""

    name: str
    label: str
    filter: Filter | None
    kind: str
    column: Column
    clause: Clause


def _composed(query: Query, active: Any) -> Clause:
    return compose(query.kind, active) if active else {}


def _condition(kind: str, clause: Clause) -> Filter:
    """Give a clause as a filter of the listed rows themselves."""
    level: Level = LEVELS[kind][0]
    return Filter("", "where", "", "", level, "text", str, lambda _: clause)


def _written(
    name: str, label: str, f: Filter | None, counts: Mapping[Any, int], column: Column | None = None
) -> dict[str, Any]:
    def said(value: Any) -> str:
        if f is not None and f.widget == "list":
            return f.words(value) if value is not None else option_label(None, None)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return option_label(column, value)

    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0] is None, str(item[0])))
    values = [{"value": _plain(v), "label": said(v), "count": n} for v, n in ordered]
    return {"parameter": name, "label": label, "values": values}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


__all__ = ["Facets"]
