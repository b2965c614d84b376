"""The list of files that a server gives for an entity."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tomotheca.cli.fetch.server import BROKEN, TRIES, BusyError, Server, patience, pause
from tomotheca.errors import FormatError, StorageError, UnsafePathError

if TYPE_CHECKING:
    from tomotheca.cli.fetch.ids import Wanted


@dataclass(frozen=True, slots=True)
class Item:
    """One file to download."""

    path: str
    size: int
    sha256: str | None
    url: str

    def below(self, folder: Path) -> Path:
        """Give the place of the file below a folder.

        Raises
        ------
        UnsafePathError
            If the server names a place elsewhere.
        """
        parts = self.path.split("/")
        if any(p in {"", ".", ".."} or "\\" in p or ":" in p[1:2] or "\0" in p for p in parts):
            message = f"the server names {self.path!r}, which is not a path below {folder}; nothing is written there"
            raise UnsafePathError(message)
        return folder.joinpath(*parts)


def fetch(server: Server, wanted: Wanted, asks: Mapping[str, str] | None = None) -> list[Item]:
    """Ask a server for the files of an entity.

    Parameters
    ----------
    asks : mapping, optional
        Parameters that choose among them, such as ``only`` and ``format``.

    Raises
    ------
    NotFoundError
        If it has no such entity.
    StorageError
        If it cannot be reached.
    FormatError
        If it answers something else than a list of files.
    """
    query = urlencode({name: value for name, value in (asks or {}).items() if value})
    url = f"{server.base}/api/v1/{wanted.kinds}/{wanted.number}/manifest.json{'?' + query if query else ''}"
    for attempt in range(TRIES):
        try:
            with server.get(url) as response:
                return list(_items(server, url, response.read()))
        except (BusyError, *BROKEN) as error:
            if isinstance(error, StorageError) and not isinstance(error, BusyError):
                raise
            last: BaseException = error
            pause(patience(attempt, error))
    message = f"{url}: the list of files cannot be read: {last}"
    raise StorageError(message)


def _items(server: Server, url: str, body: bytes) -> Iterator[Item]:
    try:
        found = json.loads(body)
        origin = str(found["server"])
        for f in found["files"]:
            address = str(f["url"])
            if origin and address.startswith(origin + "/"):
                address = server.base + address[len(origin) :]
            yield Item(str(f["path"]), int(f["size"]), f["sha256"], address)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(url, "the server does not answer with a list of files; is it a Tomotheca server?") from error
