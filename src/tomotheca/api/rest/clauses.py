"""Checked clauses: a ``where`` in JSON, and conditions of parameters, as the catalogue's clause language has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tomotheca.api.rest.names import Names, nearest, quoted
from tomotheca.api.rest.values import from_json, from_text, operators
from tomotheca.catalog.query import LISTS, MAX_FILTER_DEPTH, TALLY
from tomotheca.catalog.sizes import MAX_NESTING
from tomotheca.errors import QueryError
from tomotheca.schema.core import Column, is_matrix

WANTED = frozenset({"_eq", "_in"})
"""Operators that name the wanted values of a field."""

MAX_WRITTEN = MAX_NESTING - 2
"""Levels of a clause that somebody writes; the others are for what joins it with parameters."""


@dataclass(frozen=True)
class Checker:
    """Checks clauses of one schema."""

    names: Names

    def parsed(self, kind: str, text: str, place: str) -> dict[str, Any]:
        """Read a clause in JSON.

        Raises
        ------
        QueryError
            If it is no JSON, or names or compares what is not there.
        """
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            message = f'{place} is not JSON ({error}); write for example {{"id": {{"_eq": 1}}}}'
            raise QueryError(message) from error
        return self.clause(kind, found, place)

    def clause(self, kind: str, given: Any, place: str, level: int = 0) -> dict[str, Any]:
        """Check a clause."""
        if not isinstance(given, dict):
            message = f"{place} must be an object of conditions"
            raise QueryError(message)
        if level > MAX_WRITTEN:
            message = f"where is nested more than {MAX_WRITTEN} levels deep"
            raise QueryError(message)
        return {name: self._term(kind, name, value, f"{place}.{name}", level + 1) for name, value in given.items()}

    def _term(self, kind: str, name: str, value: Any, place: str, level: int) -> Any:
        relations = self.names.schema.relations(kind)
        if name in {"_and", "_or"}:
            if not isinstance(value, list):
                message = f"{place} must be a list of objects"
                raise QueryError(message)
            return [self.clause(kind, part, f"{place}[{number}]", level) for number, part in enumerate(value)]
        if name == "_not":
            return self.clause(kind, value, place, level)
        if name in relations:
            return self.clause(relations[name].target, value, place, level)
        if (relation := relations.get(name.removesuffix(TALLY))) and relation.many and name.endswith(TALLY):
            return self._tally(relation.target, value, place, level)
        return self._comparisons(self.column(kind, name, place), value, place)

    def column(self, kind: str, name: str, place: str) -> Column:
        """Give a column that can be compared.

        Raises
        ------
        QueryError
            If there is none of that name.
        """
        found = self.names.columns(kind).get(name)
        if found is None:
            known = [*self.names.columns(kind), *self.names.schema.relations(kind)]
            message = f"{place}: {kind} has no field {quoted(name)}{nearest(name, known)}"
            raise QueryError(message)
        if is_matrix(kind, found):
            message = f"{place}: {name} is a list of lists and cannot be compared"
            raise QueryError(message)
        return found

    @staticmethod
    def _comparisons(column: Column, given: Any, place: str) -> dict[str, Any]:
        if not isinstance(given, dict):
            message = f'{place} must be an object of comparisons, such as {{"_eq": ...}}'
            raise QueryError(message)
        found = {}
        for operator, value in given.items():
            found[check_operator(column, operator, place)] = from_json(column, operator, value, f"{place}.{operator}")
        return found

    def _tally(self, kind: str, given: Any, place: str, level: int) -> dict[str, Any]:
        inner = given.get("count") if isinstance(given, dict) and given.keys() == {"count"} else None
        if not isinstance(inner, dict) or not inner.keys() <= {"arguments", "distinct", "filter", "predicate"}:
            message = f'{place} must be {{"count": {{"arguments", "distinct", "filter", "predicate"}}}}'
            raise QueryError(message)
        found: dict[str, Any] = {}
        if (name := inner.get("arguments")) is not None:
            found["arguments"] = self.column(kind, str(name), f"{place}.count.arguments").name
        if not isinstance(inner.get("distinct"), bool | None):
            message = f"{place}.count.distinct must be true or false"
            raise QueryError(message)
        if inner.get("distinct"):
            if "arguments" not in found:
                message = f"{place}.count: distinct needs arguments, the field whose values are counted"
                raise QueryError(message)
            found["distinct"] = True
        if inner.get("filter") is not None:
            found["filter"] = self.clause(kind, inner["filter"], f"{place}.count.filter", level)
        if inner.get("predicate") is not None:
            found["predicate"] = self._comparisons(NUMBER, inner["predicate"], f"{place}.count.predicate")
        return {"count": found}


NUMBER = Column("count", int, nullable=False)
"""What a predicate compares."""


def check_operator(column: Column, operator: str, place: str) -> str:
    """Give an operator that fits a column.

    Raises
    ------
    QueryError
        If it does not.
    """
    if operator not in operators(column):
        known = operators(column)
        message = f"{place}: there is no operator {quoted(operator)} here{nearest(operator, known)}; there are {', '.join(known)}"
        raise QueryError(message)
    return operator


@dataclass
class Conditions:
    """Conditions of parameters: those of one relation hold for one and the same related row."""

    kind: str
    terms: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """Values by field and operator."""

    below: dict[str, Conditions] = field(default_factory=dict)

    def add(self, checker: Checker, name: str, value: str) -> None:
        """Add ``field``, ``field._operator`` or ``relation.field._operator``.

        Raises
        ------
        QueryError
            If the name leads nowhere, or the value does not fit.
        """
        *steps, last = name.split(".")
        operator = "_eq"
        if steps and last.startswith("_"):
            operator = last
            *steps, last = steps
        self._at(checker, steps, name)._add(checker, last, operator, name, value)

    def _at(self, checker: Checker, steps: Iterable[str], name: str) -> Conditions:
        here = self
        for depth, step in enumerate(steps):
            relations = checker.names.schema.relations(here.kind)
            if step not in relations:
                message = f"{quoted(name)}: {here.kind} has no relation {quoted(step)}{nearest(step, relations)}"
                raise QueryError(message)
            if depth == MAX_FILTER_DEPTH:
                message = f"{quoted(name)} follows more than {MAX_FILTER_DEPTH} relations"
                raise QueryError(message)
            here = here.below.setdefault(step, Conditions(relations[step].target))
        return here

    def _add(self, checker: Checker, last: str, operator: str, name: str, value: str) -> None:
        place = name[:100]
        if last in checker.names.schema.relations(self.kind):
            message = f"{place}: {last} is not a field; compare a field of it, such as {last}.id"
            raise QueryError(message)
        column = checker.column(self.kind, last, place)
        check_operator(column, operator, place)
        self.terms.setdefault((last, operator), []).append(from_text(column, operator, value, place))

    def clause(self, without: str = "") -> dict[str, Any]:
        """Give the clause: every condition holds; the wanted values of one field can be left out."""
        found: list[dict[str, Any]] = [
            {n: c}
            for (n, op), values in self.terms.items()
            if n != without or op not in WANTED
            for c in _joined(op, values)
        ]
        found += ({relation: inner.clause()} for relation, inner in self.below.items())
        return found[0] if len(found) == 1 else {"_and": found} if found else {}


def _joined(operator: str, values: list[Any]) -> Iterator[dict[str, Any]]:
    """Give the comparisons of a parameter that is there several times: `_eq` any of them, a list all together, others each."""
    if operator in LISTS:
        yield {operator: [v for part in values for v in part]}
    elif operator == "_eq" and len(values) > 1:
        yield {"_in": values}
    else:
        yield from ({operator: v} for v in values)
