"""Rows of a dataset from any server that speaks the portal's GraphQL, page by page, as the files of a dump."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.api.graphql.wire import type_name
from tomotheca.catalog.dumpread import SUFFIX
from tomotheca.catalog.homes import Homes
from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.cli.fetch.server import BROKEN, TRIES, BusyError, Server, patience, pause
from tomotheca.errors import FormatError, NotFoundError, StorageError
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import camel

if TYPE_CHECKING:
    from tomotheca.schema.core import Column

PAGE = 1000
"""Rows that one question asks for."""

ASKED = 500
"""Identifiers that one question names."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Remote:
    """The rows of another server."""

    server: Server

    @property
    def url(self) -> str:
        """Address of its GraphQL."""
        return f"{self.server.base}/graphql"

    def ask(self, query: str) -> Mapping[str, Any]:
        """Ask one question, with patience for a server that is busy.

        Raises
        ------
        StorageError
            If the server cannot be reached or refuses the question.
        FormatError
            If it answers something else than GraphQL.
        """
        body = json.dumps({"query": query}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        for attempt in range(TRIES):
            try:
                with self.server.get(self.url, headers, body) as response:
                    return self._data(response.read())
            except (BusyError, *BROKEN) as error:
                if isinstance(error, StorageError) and not isinstance(error, BusyError):
                    raise
                last: BaseException = error
                pause(patience(attempt, error))
        message = f"{self.url} does not answer: {last}; run the command again later"
        raise StorageError(message)

    def _data(self, body: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(body)
            errors, data = found.get("errors"), found.get("data")
        except (ValueError, AttributeError) as error:
            raise FormatError(
                self.url, "the server does not answer as GraphQL does; give the address of a portal"
            ) from error
        if errors:
            message = f"{self.url} refuses a question: {errors[0].get('message', errors[0])}"
            raise StorageError(message)
        if not isinstance(data, dict):
            raise FormatError(self.url, "the server's answer has no data; give the address of a portal")
        return data

    @cached_property
    def columns(self) -> Mapping[str, tuple[Column, ...]]:
        """Columns of each kind that the server has too; nothing for a kind that it does not have."""
        asked = " ".join(f'{kind}: __type(name: "{type_name(kind)}") {{ fields {{ name }} }}' for kind in SCHEMA.kinds)
        data = self.ask(f"{{ {asked} }}")
        there = {kind: {f["name"] for f in (data.get(kind) or {}).get("fields") or ()} for kind in SCHEMA.kinds}
        return {
            kind: tuple(c for c in SCHEMA.columns(kind) if c.public and not c.personal and c.graphql in there[kind])
            for kind in SCHEMA.kinds
        }

    def rows(self, kind: str, column: str, values: Iterable[int]) -> Iterator[Row]:
        """Give the rows whose column has one of some values, by identifier within each part of the list."""
        wanted = sorted(set(values))
        columns = self.columns[kind]
        if not columns:
            return
        root, fields = SCHEMA.kinds[kind].root, " ".join(c.graphql for c in columns)
        for start in range(0, len(wanted), ASKED):
            named = f"_in: {json.dumps(wanted[start : start + ASKED])}"
            behind = 0
            while True:
                after = f"_gt: {behind}"
                terms = (
                    f"id: {{{named}, {after}}}" if column == "id" else f"{camel(column)}: {{{named}}}, id: {{{after}}}"
                )
                page = f"where: {{{terms}}}, orderBy: [{{id: asc}}], limitOffset: {{limit: {PAGE}, offset: 0}}"
                found = self.ask(f"{{ {root}({page}) {{ {fields} }} }}")[root]
                yield from (_row(columns, row) for row in found)
                if len(found) < PAGE:
                    break
                behind = found[-1]["id"]


def _row(columns: tuple[Column, ...], row: Row) -> Row:
    """Give a row its names in a dump; a value that stands for "nothing" on the wire is nothing."""
    found = {c.name: row[c.graphql] for c in columns}
    for c in columns:
        if c.missing is not None and found[c.name] == c.missing:
            found[c.name] = None
    return found


@dataclass(frozen=True)
class Collected:
    """A dataset with everything below it, and the depositions that its rows name."""

    remote: Remote
    dataset: int
    say: Callable[[str], None] = lambda _: None

    def write(self, folder: Path) -> dict[str, int]:
        """Write the rows as a dump, and give their number by kind.

        Raises
        ------
        NotFoundError
            If the server has no such dataset.
        """
        rows = self._below()
        named = {row["deposition_id"] for found in rows.values() for row in found.values() if row.get("deposition_id")}
        rows |= self._depositions(named)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in SCHEMA.kinds:
            ordered = (rows[kind][number] for number in sorted(rows[kind]))
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ordered)
            (folder / f"{kind}{SUFFIX}").write_text(text, encoding="utf-8")
        return {kind: len(found) for kind, found in rows.items()}

    def _below(self) -> dict[str, dict[int, Row]]:
        rows: dict[str, dict[int, Row]] = {}
        homes = Homes(SCHEMA)
        for kind in SCHEMA.kinds:
            if kind in OWN_DEPOSITION:
                continue
            self.say(f"{SCHEMA.kinds[kind].title or kind} rows of dataset {self.dataset}")
            rows[kind] = {}
            if kind == "dataset":
                asked = [("id", [self.dataset])]
            else:
                refs = homes.owners(kind)
                certain = [ref for ref in refs if not ref.nullable]
                asked = [(ref.column, list(rows[ref.kind])) for ref in (certain[-1:] or refs)]
            for column, values in asked:
                rows[kind].update((row["id"], row) for row in self.remote.rows(kind, column, values))
            if kind == "dataset" and not rows[kind]:
                message = f"{self.remote.server.base} has no dataset {self.dataset}"
                raise NotFoundError(message)
        return rows

    def _depositions(self, named: set[int]) -> dict[str, dict[int, Row]]:
        rows: dict[str, dict[int, Row]] = {}
        for kind in (k for k in SCHEMA.kinds if k in OWN_DEPOSITION):
            refs = SCHEMA.kinds[kind].refs
            column = refs[0].column if refs else "id"
            rows[kind] = {row["id"]: row for row in self.remote.rows(kind, column, named)}
        return rows
