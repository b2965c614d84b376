"""What a request for a list asks, read from its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tomotheca.api.rest.clauses import Checker, Conditions
from tomotheca.api.rest.names import Names, Path, nearest, quoted
from tomotheca.api.rest.values import LARGEST, WHOLE
from tomotheca.catalog.sizes import check_size
from tomotheca.errors import QueryError
from tomotheca.schema.core import is_matrix
from tomotheca.schema.vocabulary import QUALITY
from tomotheca.web.address import Address
from tomotheca.web.filters import Active, compose, registry
from tomotheca.web.filterset import DATA_TYPES
from tomotheca.web.grammar import NONE
from tomotheca.web.knowing import resolved
from tomotheca.web.page import MAX_VALUES
from tomotheca.web.panel import canonical

if TYPE_CHECKING:
    from tomotheca.catalog.masks import Masks
    from tomotheca.catalog.query import Clause
    from tomotheca.settings import Weights
    from tomotheca.web.filtering import Filter

Pairs = Sequence[tuple[str, str]]

PAGE, MAX_PAGE = 50, 1000
"""Items of a page when nothing is said, and at most."""

MAX_KEYS = 8
"""Most sort keys."""

MAX_JOINS = 12
"""Most related records whose fields are shown or sorted by."""

CONTROLS = ("fields", "sort", "limit", "cursor", "total", "where")
"""Parameters that are no filters."""

PAGE_ONLY = {
    "page": "follow `next` instead",
    "per-page": "use limit",
    "tab": "leave it out",
    "table-tab": "leave it out",
}
"""Parameters of pages that mean nothing here, and what to do."""


@dataclass(frozen=True)
class Key:
    """One sort key."""

    path: Path
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """A list that was asked for."""

    kind: str
    paths: tuple[Path, ...]
    order: tuple[Key, ...]
    """Ends with ``id``."""

    clause: Clause
    active: tuple[Active, ...] = ()
    """Filters of pages that are set; the clause has them too."""

    fixed: tuple[Clause, ...] = ()
    """What holds besides filters and conditions: the parent of a related list, and ``where``."""

    conditions: Conditions | None = None
    """Conditions on fields."""

    limit: int | None = None
    cursor: str = ""
    total: bool = True

    def rest(self, without: str = "") -> Clause:
        """Give the clause without the filters of pages, and without the wanted values of one field."""
        conditions = self.conditions.clause(without) if self.conditions else {}
        return both([*self.fixed, conditions])


def found_in(query: Query, masks: Masks, weights: Weights) -> Query:
    """Let what is known of rows beyond their fields, such as the words of `search`, choose rows as it does for pages."""
    if not any(a.filter.rows for a in query.active):
        return query
    active = resolved(masks, query.active, weights)
    return replace(query, active=active, clause=both([query.rest(), compose(query.kind, active)]))


@dataclass(frozen=True)
class Reader:
    """Reads the parameters of requests for rows of one schema."""

    names: Names

    @cached_property
    def checker(self) -> Checker:
        """The checker of clauses."""
        return Checker(self.names)

    def filters(self, kind: str) -> tuple[Filter, ...]:
        """Give the filters that the page of a kind has."""
        return self._filters[kind]

    @cached_property
    def _filters(self) -> Mapping[str, tuple[Filter, ...]]:
        return {kind: registry(self.names.schema, kind) for kind in self.names.schema.kinds}

    def read(self, kind: str, pairs: Pairs, controls: Sequence[str] = CONTROLS, base: Clause | None = None) -> Query:
        """Read all parameters.

        Parameters
        ----------
        kind : str
            Kind of the rows.
        pairs : sequence of (str, str)
            Parameters in their order.
        controls : sequence of str
            Names of the parameters, besides filters, that are possible here.
        base : mapping
            A condition that holds anyway.

        Raises
        ------
        QueryError
            If a parameter is unknown or its value cannot be used.
        """
        given = self._controls(pairs, controls)
        filters = self.filters(kind)
        pairs = canonical(Address("", tuple(p for p in pairs if p[0] not in controls)), filters).pairs
        active = _active(self.names, kind, filters, pairs)
        known = {f.parameter for f in filters}
        conditions = self._conditions(kind, [p for p in pairs if p[0] not in known], (*controls, *sorted(known)))
        where = self.checker.parsed(kind, given["where"], "where") if "where" in given else {}
        clause = both([base or {}, where, conditions.clause(), compose(kind, active) if active else {}])
        check_size(self.names.schema, kind, clause)
        return Query(
            kind, self.fields(kind, given.get("fields")), self.order(kind, given.get("sort")), clause, active, (base or {}, where),
            conditions, _limit(given.get("limit")), given.get("cursor", ""), _truth(given.get("total", "true")),
        )  # fmt: skip

    @staticmethod
    def _controls(pairs: Pairs, controls: Sequence[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, value in pairs:
            if name in controls:
                if name in found or not value.strip():
                    message = f"{name} {'is there twice; give it once' if name in found else 'is empty; leave it out'}"
                    raise QueryError(message)
                found[name] = value
        return found

    def _conditions(self, kind: str, pairs: Pairs, known: Sequence[str]) -> Conditions:
        conditions, checker = Conditions(kind), self.checker
        fields = self.names.columns(kind)
        for name, value in pairs:
            if "." not in name and name not in fields:
                known = [*known, *fields, *self.names.schema.relations(kind)]
                hint = f"; that is of pages: {PAGE_ONLY[name]}" if name in PAGE_ONLY else nearest(name, known)
                message = f"there is no parameter {quoted(name)} for {self.names.in_addresses[kind]}{hint}"
                raise QueryError(message)
            conditions.add(checker, name, value)
        return conditions

    def fields(self, kind: str, text: str | None) -> tuple[Path, ...]:
        """Read ``fields``: names of fields, also of related records; without, all of the kind's own.

        Raises
        ------
        QueryError
            If there is no such field.
        """
        if text is None:
            return tuple(Path((), c) for c in self.names.columns(kind).values())
        found = [self.names.to_one(kind, name, "fields") for name in dict.fromkeys(n.strip() for n in text.split(","))]
        _check_joins(found, "fields")
        return tuple(found)

    def order(self, kind: str, text: str | None) -> tuple[Key, ...]:
        """Read ``sort``: names of fields, ``-`` before those that descend; ``id`` comes last anyway.

        Raises
        ------
        QueryError
            If there is no such field, or it cannot be sorted by.
        """
        found: list[Key] = []
        for given in text.split(",") if text else ():
            name = given.strip()
            path = self.names.to_one(kind, name.removeprefix("-"), "sort")
            if is_matrix(path.relations[-1].target if path.relations else kind, path.column):
                message = f"sort: {path.name} is a list of lists and cannot be sorted by"
                raise QueryError(message)
            found.append(Key(path, name.startswith("-")))
            if path.name == "id":
                break
        else:
            found.append(Key(self.names.to_one(kind, "id", "sort")))
        if len(found) > MAX_KEYS + 1:
            message = f"sort: give at most {MAX_KEYS} fields"
            raise QueryError(message)
        _check_joins([k.path for k in found], "sort")
        return tuple(found)


def both(clauses: Sequence[Clause]) -> Clause:
    """Give the clause that all of these hold."""
    found = [c for c in clauses if c]
    return {"_and": found} if len(found) > 1 else found[0] if found else {}


def _check_joins(paths: Sequence[Path], place: str) -> None:
    related = {p.relations[:end] for p in paths for end in range(1, len(p.relations) + 1)}
    if len(related) > MAX_JOINS:
        message = f"{place}: fields of more than {MAX_JOINS} related records are asked for"
        raise QueryError(message)


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not WHOLE.fullmatch(text) or not 1 <= int(text) <= LARGEST:
        message = f"limit: {quoted(text)} cannot be used; give a whole number from 1"
        raise QueryError(message)
    return int(text)


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        message = f"total: {quoted(text)} cannot be used; give true or false"
        raise QueryError(message)
    return text == "true"


def _active(names: Names, kind: str, filters: Sequence[Filter], pairs: Pairs) -> tuple[Active, ...]:
    """Read the filters of pages, which take the same texts as there; blank ones are not set.

    Raises
    ------
    QueryError
        If a text cannot be read.
    """
    found = []
    for f in filters:
        texts = tuple(v.strip() for n, v in pairs if n == f.parameter and v.strip())
        if len(texts) > MAX_VALUES:
            message = f"{f.parameter} is there more than {MAX_VALUES} times"
            raise QueryError(message)
        if texts:
            found.append(Active(f, texts, tuple(_parsed(names, f, text) for text in texts)))
    return tuple(found)


def _parsed(names: Names, f: Filter, text: str) -> Any:
    try:
        value = f.parse(text)
    except ValueError as error:
        message = f"{f.parameter}: {quoted(text)} cannot be read; give {describe(names, f)}"
        raise QueryError(message) from error
    counts = f.parameter == "runs" or (f.kind and names.schema.column(f.kind, f.column).type is int)
    if f.widget in {"range", "least"} and counts and any(not isinstance(n, int) for _, n in value.comparisons):
        message = f"{f.parameter}: {quoted(text)} cannot be used; give whole numbers up to {LARGEST}"
        raise QueryError(message)
    return value


def describe(names: Names, f: Filter) -> str:
    """Say what a filter of pages takes."""
    if f.widget in {"range", "least"}:
        return "a number, >=5, >5, <=5, <5 or 5..10"
    if f.widget == "flag":
        return "true"
    if codes := choices(names, f):
        return f"one of {', '.join(codes)}"
    return "numbers, separated by commas" if f.parameter == "dataset_id" else "text of at most 500 characters"


def choices(names: Names, f: Filter) -> tuple[str, ...]:
    """Give what a filter of pages takes, where that is known beforehand."""
    if f.parameter == "files":
        return tuple(DATA_TYPES)
    if f.parameter == "quality_score":
        return (*map(str, QUALITY), NONE)
    found = names.schema.column(f.kind, f.column).choices if f.kind and f.widget == "list" else ()
    return (*found, NONE) if found else ()
