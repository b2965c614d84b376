"""Whether the catalogue has changed, asked so seldom that every request can know."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import make_url

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer

FRESH = 0.05
"""Seconds for which a stamp is not read again: what a curator does is seen by everyone this soon."""


HERE = {"localhost", "127.0.0.1", "::1"}
"""Names of this machine."""


@dataclass(slots=True)
class _Read:
    """A stamp and the moment its reading began."""

    stamp: str = ""
    began: float = float("-inf")


class Watch:
    """Gives the catalogue's stamp, read at most every `FRESH` seconds for each sort of viewer.

    Whoever keeps an answer takes the stamp before the answer is made: an answer may then be newer than its stamp, never older.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._lock = catalog, Lock()
        self._reads = {False: _Read(), True: _Read()}
        self.near = catalog.url.startswith("sqlite") or _is_here(catalog.url)
        """The database works in the thread that asks, or beside it on this machine: asking takes no network, so that a short question need not be asked in a thread."""

    def known(self, viewer: Viewer) -> str | None:
        """Give the stamp if it has just been read, else None."""
        read = self._reads[viewer.curator]
        return read.stamp if time.monotonic() - read.began < FRESH else None

    def stamp(self, viewer: Viewer) -> str:
        """Give a word that changes whenever what this viewer sees changes; see `Catalog.stamp`."""
        if (found := self.known(viewer)) is not None:
            return found
        with self._lock:
            if (found := self.known(viewer)) is not None:
                return found
            began = time.monotonic()
            stamp = self._catalog.stamp(viewer)
            self._reads[viewer.curator] = _Read(stamp, began)
            return stamp


def _is_here(url: str) -> bool:
    """Say whether a database server is on this machine."""
    address = make_url(url)
    host = address.host or str(address.query.get("host", ""))
    return not host or host.startswith("/") or host in HERE
