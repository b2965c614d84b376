"""Which format an answer has: that of the address, or else the one that the client likes best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from tomotheca.catalog.writers import WRITERS

if TYPE_CHECKING:
    from starlette.requests import Request

NOT_ACCEPTABLE = 406

ALSO = {"application/ndjson": "ndjson", "application/jsonl": "ndjson", "application/x-parquet": "parquet"}
"""Other names that clients have for our formats."""

MEDIA_TYPES = {**{writer.media_type: name for name, writer in WRITERS.items()}, **ALSO}
LISTS = tuple(WRITERS)
"""Formats of lists."""


def negotiated(request: Request, offered: Sequence[str] = LISTS) -> str:
    """Give the format of an answer, ``json`` when the client does not care.

    Raises
    ------
    HTTPException
        If the client takes none of those offered (406).
    """
    accept = request.headers.get("accept", "").strip()
    best, quality = "", 0.0
    for part in accept.split(",") if accept else ("*/*",):
        name, q = _part(part, offered)
        if name and q > quality:
            best, quality = name, q
    if not best:
        types = ", ".join(WRITERS[name].media_type for name in offered)
        raise HTTPException(NOT_ACCEPTABLE, f"This address answers with {types}; ask for one of them.")
    return best


def _part(part: str, offered: Sequence[str]) -> tuple[str, float]:
    kind, *parameters = (p.strip() for p in part.split(";"))
    quality = next((p[2:] for p in parameters if p.lower().startswith("q=")), "1")
    try:
        q = float(quality)
    except ValueError:
        q = 0.0
    wanted = kind.lower()
    if wanted in {"*/*", "application/*"}:
        return offered[0], q
    if wanted == "text/*":
        return ("csv" if "csv" in offered else ""), q
    name = MEDIA_TYPES.get(wanted, "")
    return (name if name in offered else ""), q
