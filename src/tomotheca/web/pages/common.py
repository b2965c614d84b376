"""What several pages do: read an identifier, open what lies over the page, sort rows that are already read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError
from tomotheca.web import downloads, drawers
from tomotheca.web.downloads import overlay
from tomotheca.web.page import Asked, Moved
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.address import Address

TABLE = ("page", "sort", "per-page")
OVERLAYS = drawers.PARAMETERS | downloads.PARAMETERS
LARGEST = (1 << 31) - 1


def identifier(asked: Asked, kind: str) -> int | Moved:
    """Give the number in the path; a prefixed one moves to the number's page.

    Raises
    ------
    NotFoundError
        If it is no identifier.
    """
    given = asked.path["id"]
    if given.isascii() and given.isdigit() and given == str(int(given)) and int(given) <= LARGEST:
        return int(given)
    digits = prefixed(asked, kind, given)
    if digits is None:
        message = say(
            "There is no {} with the identifier {!r}.",
            asked.portal.catalog.schema.kinds[kind].title.lower(),
            given[:80],
        )
        raise NotFoundError(message)
    before, _, after = asked.address.path.rpartition(given)
    return Moved(str(asked.address.at(f"{before}{digits}{after}")), 301)


def prefixed(asked: Asked, kind: str, text: str) -> int | None:
    """Read an identifier with prefix, in whatever case and spacing."""
    prefixes = [asked.name(kind, 0)[:-1], *(["CZCDP-"] if kind == "deposition" else [])]
    if text.startswith("-"):
        return None
    flat = "".join(text.upper().split()).replace("-", "")
    for prefix in prefixes:
        digits = flat.removeprefix(prefix.upper().replace("-", ""))
        if digits.isascii() and digits.isdigit() and len(digits) <= len(str(LARGEST)) and int(digits) <= LARGEST:
            return int(digits)
    return None


def over(asked: Asked, own: tuple[str, int] | None = None) -> tuple[Any, tuple[str, ...]]:
    """Give the drawer or dialog that is open, and what could not be understood."""
    drawer, ignored = drawers.open_drawer(asked, own)
    return overlay(asked, drawer, ignored)


def unknown(address: Address, known: Iterable[str]) -> tuple[str, ...]:
    """Give the parameters that the page does not know."""
    names = {*known, *OVERLAYS}
    return tuple(f"{n}={address.first(n)[:80]}" for n in address.names if n not in names)


def only(ids: Iterable[int]) -> Mapping[str, Any]:
    """Give the clause that names these rows."""
    return {"id": {"_in": list(ids)}}
