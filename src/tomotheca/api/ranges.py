"""HTTP's conditions and ranges: what a request asks of a file that has an entity tag and a size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

Range = tuple[int, int]
"""First byte, and one past the last."""

MOST_RANGES = 64
_SPEC = re.compile(r"(\d*)-(\d*)")
_TAG = re.compile(r'(?:W/)?"[^"]*"|\*')


@dataclass(frozen=True, slots=True)
class Outcome:
    """How to answer: a status, and for 206 the ranges."""

    status: int
    ranges: tuple[Range, ...] = ()


def decide(headers: Mapping[str, str], *, etag: str, size: int, modified: float | None) -> Outcome:
    """Evaluate conditions in the order of RFC 9110, section 13.2.2, then the range.

    Parameters
    ----------
    headers : Mapping
        Request headers with names in lower case.
    etag : str
        Strong entity tag with its quotes.
    """
    if _fails(headers, etag, modified):
        return Outcome(412)
    if _not_modified(headers, etag, modified):
        return Outcome(304)
    wanted = headers.get("range")
    if wanted is None or not _same(headers.get("if-range"), etag, modified):
        return Outcome(200)
    ranges = parse(wanted, size)
    if ranges is None:
        return Outcome(200)
    return Outcome(206, ranges) if ranges else Outcome(416)


def parse(header: str, size: int) -> tuple[Range, ...] | None:
    """Read a ``Range`` header.

    Returns
    -------
    tuple of Range, or None
        Empty when nothing of it can be satisfied; None when it is to be ignored: malformed, another unit, or so many or
        overlapping ranges that the whole file is less work.
    """
    unit, _, specs = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    found: list[Range] = []
    parts = [part.strip() for part in specs.split(",") if part.strip()]
    if not parts or len(parts) > MOST_RANGES:
        return None
    for part in parts:
        match = _SPEC.fullmatch(part)
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if first and last and int(first) > int(last):
            return None
        if (one := _resolve(first, last, size)) is not None:
            found.append(one)
    if len(found) > 1 and sum(stop - start for start, stop in found) > size:
        return None
    return tuple(found)


def _resolve(first: str, last: str, size: int) -> Range | None:
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None


def http_date(moment: float) -> str:
    """Write seconds since 1970 as HTTP does."""
    return formatdate(moment, usegmt=True)


def _fails(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    if (wanted := headers.get("if-match")) is not None:
        return not _listed(wanted, etag, weak=False)
    moment = _moment(headers.get("if-unmodified-since"))
    return moment is not None and modified is not None and int(modified) > moment


def _not_modified(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    if (known := headers.get("if-none-match")) is not None:
        return _listed(known, etag, weak=True)
    moment = _moment(headers.get("if-modified-since"))
    return moment is not None and modified is not None and int(modified) <= moment


def _listed(header: str, etag: str, *, weak: bool) -> bool:
    tags = _TAG.findall(header) or [f'"{header.strip()}"']  # some S3 clients leave the quotes out
    return any(t in {"*", etag} or (weak and t.removeprefix("W/") == etag) for t in tags)


def _same(if_range: str | None, etag: str, modified: float | None) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == etag
    moment = _moment(if_range)
    return moment is not None and modified is not None and int(modified) == moment


def _moment(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return None
