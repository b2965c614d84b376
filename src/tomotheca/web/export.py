"""Tables of pages as CSV and TSV: every row that the filters leave, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tomotheca.catalog.writers import gathered
from tomotheca.web.format import Badge, Confidence
from tomotheca.web.page import Moved, ask, guard
from tomotheca.web.people import People
from tomotheca.web.summaries import Objects, Picture

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.web.page import Asked
    from tomotheca.web.portal import Portal

SEPARATORS = {"csv": ",", "tsv": "\t"}
TYPES = {"csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8"}
BETWEEN = "; "
LINKS = frozenset({"view", "download", "info"})
"""Fields that only lead to other pages."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet would run."""

NOT_KEPT = "no-store"
"""For a table that says more than the catalogue knows, and so has no entity tag."""

Rows = Callable[["Asked"], "Iterable[Any] | Moved"]


def routes(portal: Portal, path: str, rows: Rows) -> list[Route]:
    """Give the routes of a page's table as CSV and TSV."""
    return [Route(f"{path}.{form}", _endpoint(portal, rows, form)) for form in SEPARATORS]


def _endpoint(portal: Portal, rows: Rows, form: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        asked = ask(portal, request)
        found = rows(asked)
        if isinstance(found, Moved):
            return RedirectResponse(found.location, found.status)
        name = asked.address.path.strip("/").replace("/", "-")
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        if asked.beyond:
            headers["cache-control"] = NOT_KEPT
        return guard(StreamingResponse(gathered(lines(found, form)), headers=headers, media_type=TYPES[form]))

    return endpoint


def lines(rows: Iterable[Any], form: str) -> Iterator[bytes]:
    """Write rows; the names of the first are the head."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=SEPARATORS[form])
    head: list[str] = []
    for row in rows:
        cells = dict(flat(row))
        if not head:
            head = list(cells)
            writer.writerow(head)
        writer.writerow([_safe(cells.get(name, "")) for name in head])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def flat(row: Any) -> Iterator[tuple[str, Any]]:
    """Give a row's values by name; what only a picture can say is left out."""
    named: Mapping[str, Any] = row if isinstance(row, Mapping) else {f.name: getattr(row, f.name) for f in fields(row)}
    for name, value in named.items():
        if isinstance(value, Picture) or name.endswith("href") or name in LINKS:
            continue
        if is_dataclass(value) and not isinstance(value, People | Objects | Badge):
            yield from ((n, v) for n, v in flat(value) if n not in named)
        elif (text := _text(value)) is not None:
            yield name, text


def _text(value: Any) -> Any:
    if isinstance(value, People):
        return BETWEEN.join(p.name for p in value.everyone)
    if isinstance(value, Objects):
        return BETWEEN.join(o.name for o in (*value.few, *value.more))
    if isinstance(value, Confidence) and value.stored is not None:
        return value.stored
    if isinstance(value, Badge):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        parts = [getattr(v, "text", v) for v in value]
        return BETWEEN.join(map(str, parts)) if all(isinstance(p, str | int | float) for p in parts) else None
    return "" if value is None else value


def _safe(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
