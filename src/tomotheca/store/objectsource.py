"""Bytes of an object on their way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.store.connection import store_errors
from tomotheca.store.sources import pieces, unreadable

if TYPE_CHECKING:
    from obstore.store import S3Store

PIECE = 4 << 20
"""Bytes of one request while a long stretch is streamed; the next piece is on its way while one is being sent."""


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """Bytes of an object. What is short is one request; what is long is fetched piece by piece, so that a slow reader holds no connection open."""

    store: S3Store
    key: str
    size: int
    """Bytes that the catalogue knows; an object of another size is another object."""

    def path(self, size: int) -> None:
        """Give nothing: it is not on this machine."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        return (await self._fetch(start, stop))[0]

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces; the next one is fetched while one is being sent."""
        tag: str | None = None
        ahead: asyncio.Task[tuple[bytes, str | None]] | None = None
        try:
            for a, b in pieces(start, stop, PIECE):
                data, tag = await (ahead or self._fetch(a, b, tag))
                ahead = asyncio.create_task(self._fetch(b, min(b + PIECE, stop), tag)) if b < stop else None
                yield data
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _fetch(self, start: int, stop: int, tag: str | None = None) -> tuple[bytes, str | None]:
        """Read a stretch, of the object with this tag if one is given."""
        import obstore  # noqa: PLC0415 - an extra

        with store_errors(self.key, listed=True):
            options: Any = {"range": (start, stop), **({"if_match": tag} if tag else {})}
            found = await obstore.get_async(self.store, self.key, options=options)
            if found.meta["size"] != self.size:
                raise unreadable(self.key)
            data = (await found.bytes_async()).to_bytes()
        if len(data) != stop - start:
            raise unreadable(self.key)
        return data, found.meta["e_tag"]
