"""One file: continued where it stopped, verified, then put in its place."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tomotheca.cli.fetch.server import BROKEN, TRIES, BusyError, Server, patience, pause
from tomotheca.errors import StorageError

if TYPE_CHECKING:
    import threading

    from tomotheca.cli.fetch.listing import Item

BLOCK = 1 << 20
PARTIAL = 206
Outcome = Literal["downloaded", "verified"]
Advance = Callable[[int], None]


class MismatchError(StorageError):
    """What arrived is not what the server announced."""


class StoppedError(StorageError):
    """The work was called off."""


def transfer(server: Server, item: Item, folder: Path, *, advance: Advance, stop: threading.Event) -> Outcome:
    """Bring one file; one that is there and right stays as it is.

    Raises
    ------
    MismatchError
        If it arrives twice with another digest than announced.
    StorageError
        If it cannot be brought.
    """
    target = item.below(folder)
    if target.is_file() and target.stat().st_size == item.size and item.sha256 and digest(target) == item.sha256:
        advance(item.size)
        return "verified"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for second in (False, True):
        _complete(server, item, part, advance=advance, stop=stop)
        if item.sha256 is None or digest(part) == item.sha256:
            break
        part.unlink()
        advance(-item.size)
        if second:
            message = f"{item.path}: what arrives is not what the server announces; tell its operator"
            raise MismatchError(message)
    part.replace(target)
    return "downloaded"


def _complete(server: Server, item: Item, part: Path, *, advance: Advance, stop: threading.Event) -> None:
    """Fill the partial file up, with patience for a server or network that breaks off."""
    counted = part.stat().st_size if part.is_file() else 0
    if counted > item.size:
        part.unlink()
        counted = 0
    advance(counted)
    failures = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        if before == item.size and part.is_file():
            return
        try:
            _receive(server, item, part, before, advance=advance, stop=stop)
        except (BusyError, *BROKEN) as error:
            if isinstance(error, StorageError) and not (isinstance(error, BusyError) or _is_network(error)):
                raise
            now = part.stat().st_size if part.is_file() else 0
            failures = 0 if now > before else failures + 1
            if failures >= TRIES:
                message = f"{item.path}: cannot be brought: {error}; run the command again to continue"
                raise StorageError(message) from error
            pause(patience(failures, error), stop)


def _is_network(error: BaseException) -> bool:
    return isinstance(error.__cause__, BROKEN)


def _receive(server: Server, item: Item, part: Path, have: int, *, advance: Advance, stop: threading.Event) -> None:
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and item.sha256:
        headers["If-Range"] = f'"{item.sha256}"'
    with server.get(item.url, headers) as response:
        if response.status != PARTIAL and have:
            advance(-have)
            have = 0
        with part.open("r+b" if have else "wb") as out:
            out.seek(have)
            while block := response.read(BLOCK):
                if stop.is_set():
                    raise StoppedError("stopped")
                if have + len(block) > item.size:
                    message = f"{item.path}: more arrives than the server announces"
                    raise MismatchError(message)
                out.write(block)
                have += len(block)
                advance(len(block))
        if have < item.size:
            raise http.client.IncompleteRead(b"", item.size - have)


def digest(path: Path) -> str:
    """Give the sha256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
