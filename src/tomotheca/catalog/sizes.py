"""How large a clause may be, whoever asks: what a database can read and join has an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.query import LISTS, TALLY
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.schema import Schema

MAX_CONDITIONS = 400
"""Most comparisons in one filter."""

MAX_FOLLOWED = 30
"""Most relations in one filter, all together: SQLite joins 64 tables."""

MAX_NESTING = 14
"""Levels of `_and`, `_or`, `_not` and relations in one clause. SQLite's parser is at its end with fewer than twenty."""

JOINING = frozenset({"_and", "_or", "_not"})


def check_size(schema: Schema, kind: str, clause: Mapping[str, Any]) -> None:
    """Refuse a filter that makes too many comparisons, follows relations too often or is nested too deep.

    Parameters
    ----------
    schema : Schema
        Where the names come from.
    kind : str
        Kind of entity that is filtered.
    clause : mapping
        In the catalogue's clause language.

    Raises
    ------
    QueryError
        If it does.
    """
    sizes = _Sizes(schema)
    sizes.measure(kind, clause, 0)
    if sizes.nested > MAX_NESTING:
        message = f"the filter is nested more than {MAX_NESTING} levels deep"
        raise QueryError(message)
    if sizes.followed > MAX_FOLLOWED:
        message = f"a filter may follow a relation at most {MAX_FOLLOWED} times; put conditions on one record together"
        raise QueryError(message)
    if sizes.compared > MAX_CONDITIONS:
        message = f"a filter may make at most {MAX_CONDITIONS} comparisons; use _in for many values of one field"
        raise QueryError(message)


class _Sizes:
    """Counts what is in a clause."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.compared = self.followed = self.nested = 0

    def measure(self, kind: str, clause: Mapping[str, Any], level: int) -> None:
        """Count everything below a level; what lies too deep is not looked at."""
        self.nested = max(self.nested, level)
        if level > MAX_NESTING:
            return
        relations = self.schema.relations(kind)
        for name, value in clause.items():
            if name in JOINING:
                for part in value if isinstance(value, list) else [value]:
                    self.measure(kind, part, level + 1)
            elif name in relations:
                self.followed += 1
                self.measure(relations[name].target, value or {}, level + 1)
            elif (relation := relations.get(name.removesuffix(TALLY))) is not None:
                self.followed += 1
                self.compared += len(value["count"].get("predicate") or ())
                self.measure(relation.target, value["count"].get("filter") or {}, level + 1)
            else:
                self._compare(value)

    def _compare(self, comparisons: Any) -> None:
        for operator, value in (comparisons or {}).items():
            self.compared += len(value) if isinstance(value, list) and operator not in LISTS else 1
