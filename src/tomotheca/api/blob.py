"""Bytes on their way out: whole, in part, or not at all."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.api.ranges import Outcome, Range, decide, http_date
from tomotheca.errors import StorageError
from tomotheca.store.documents import public_bytes
from tomotheca.store.held import held, stretch_of
from tomotheca.store.sources import AT_ONCE, MemorySource, Source, in_place

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from tomotheca.catalog.files import FileRow
    from tomotheca.store.files import Files

OK = 200
PATHSEND = "http.response.pathsend"
"""Message by which a server that can do it is asked to send a whole file itself."""

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that can be sent, and what is said of them."""

    size: int
    etag: str
    media_type: str
    modified: float | None
    source: Source
    in_archive: bool = False
    """Whether they are, byte for byte, what the archive has under the key."""


async def blob_of(file: FileRow, files: Files) -> Blob:
    """Find the bytes of a file; documents lose the e-mail addresses here.

    Raises
    ------
    StorageError
        If the bytes are not in the archive and not on this machine.
    ChangedSourceError
        If they are a volume that stays in its place, and it is not the one that was taken in.
    """
    tag = f'"{file.etag}"'
    if file.redacted:
        stored = await files.source(file.key, file.stored_size).read(0, file.stored_size)
        data = public_bytes(stored)
        return Blob(len(data), tag, file.media_type, file.mtime, MemorySource(data))
    if file.source is None:
        return Blob(file.size, tag, file.media_type, file.mtime, files.source(file.key, file.size), in_archive=True)
    if "://" in file.source:
        message = f"{file.key}: its bytes are not on this server; ask its operator"
        raise StorageError(message)
    if file.whole is None:
        return Blob(file.size, tag, file.media_type, file.mtime, in_place(file.key, file.source))
    source = stretch_of(held(file.key, file.source, file.whole, file.mtime or 0.0), file.offset)
    source.check()  # also where no byte is sent: to HEAD and 304
    return Blob(file.size, tag, file.media_type, file.mtime, source)


@dataclass
class BlobResponse:
    """Answers GET and HEAD for a blob: conditions, one range or several, whole; HEAD has the headers of GET."""

    blob: Blob
    request: Mapping[str, str]
    """Headers of the request, names in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to add to answers with bytes and to 304."""

    whole_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to add to 200 only."""

    elsewhere: str = ""
    """Address inside a proxy where it finds the bytes itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        blob = self.blob
        outcome = decide(self.request, etag=blob.etag, size=blob.size, modified=blob.modified)
        headers = {"etag": blob.etag, "accept-ranges": "bytes", **self.headers}
        if blob.modified is not None:
            headers["last-modified"] = http_date(blob.modified)
        if self.elsewhere and _proxy_agrees(self.request, outcome):
            await self._send_elsewhere(send, headers, outcome)
            return
        if len(outcome.ranges) > 1:
            await self._send_many(scope, send, headers, outcome.ranges)
            return
        start, stop = 0, 0
        match outcome.status:
            case 200:
                stop = blob.size
                headers |= {"content-type": blob.media_type, "content-length": str(blob.size), **self.whole_headers}
            case 206:
                start, stop = outcome.ranges[0]
                headers |= {
                    "content-type": blob.media_type,
                    "content-length": str(stop - start),
                    "content-range": content_range((start, stop), blob.size),
                }
            case 416:
                headers |= {"content-length": "0", "content-range": f"bytes */{blob.size}"}
            case 412:
                headers |= {"content-length": "0"}
        await self._send(scope, send, outcome.status, headers, (start, stop))

    async def _send_elsewhere(self, send: Send, headers: Mapping[str, str], outcome: Outcome) -> None:
        """Leave bytes and ranges to the proxy, once it is certain that they are there."""
        await self.blob.source.read(max(0, self.blob.size - 1), self.blob.size)
        whole = self.whole_headers if outcome.status == OK else {}
        more = {"content-type": self.blob.media_type, "content-length": "0", "x-accel-redirect": self.elsewhere}
        headers = {name: value for name, value in headers.items() if name != "accept-ranges"}  # the proxy says it too
        await send({"type": "http.response.start", "status": 200, "headers": encoded({**headers, **whole, **more})})
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, scope: Scope, send: Send, status: int, headers: Mapping[str, str], wanted: Range) -> None:
        start, stop = wanted
        begin = {"type": "http.response.start", "status": status, "headers": encoded(headers)}
        if scope["method"] == "HEAD" or start == stop:
            await send(begin)
            await send({"type": "http.response.body", "body": b""})
        elif status == OK and PATHSEND in scope.get("extensions", ()) and (path := self.blob.source.path(stop)):
            await send(begin)
            await send({"type": PATHSEND, "path": path})
        elif stop - start <= AT_ONCE:
            body = await self.blob.source.read(start, stop)
            await send(begin)
            await send({"type": "http.response.body", "body": body})
        else:
            await _deliver(send, begin, self.blob.source.stream(start, stop))

    async def _send_many(self, scope: Scope, send: Send, headers: Mapping[str, str], ranges: tuple[Range, ...]) -> None:
        blob, boundary = self.blob, secrets.token_hex(12)
        heads = [
            f"--{boundary}\r\nContent-Type: {blob.media_type}\r\nContent-Range: {content_range(r, blob.size)}\r\n\r\n".encode()
            for r in ranges
        ]
        last = f"--{boundary}--\r\n".encode()
        length = len(last) + sum(
            len(head) + stop - start + 2 for head, (start, stop) in zip(heads, ranges, strict=True)
        )
        more = {"content-type": f"multipart/byteranges; boundary={boundary}", "content-length": str(length)}
        begin = {"type": "http.response.start", "status": 206, "headers": encoded({**headers, **more})}
        if scope["method"] == "HEAD":
            await send(begin)
            await send({"type": "http.response.body", "body": b""})
            return
        await _deliver(send, begin, self._parts(heads, ranges, last))

    async def _parts(self, heads: list[bytes], ranges: tuple[Range, ...], last: bytes) -> AsyncIterator[bytes]:
        """Give heads and ranges; short ones are read where the request is answered, and sent together."""
        waiting: list[bytes] = []
        length = 0
        for head, (start, stop) in zip(heads, ranges, strict=True):
            waiting.append(head)
            if stop - start <= AT_ONCE:
                waiting.append(await self.blob.source.read(start, stop))
                length += stop - start
            else:
                async for piece in self.blob.source.stream(start, stop):
                    yield b"".join([*waiting, piece])
                    waiting, length = [], 0
            waiting.append(b"\r\n")
            if length >= AT_ONCE:
                yield b"".join(waiting)
                waiting, length = [], 0
        yield b"".join([*waiting, last])


async def _deliver(send: Send, begin: Message, pieces: AsyncIterator[bytes]) -> None:
    """Send an answer in pieces; nothing of it before the first is there, so that a missing file is an error and not half an answer."""
    first = await anext(pieces)
    await send(begin)
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _proxy_agrees(request: Mapping[str, str], outcome: Outcome) -> bool:
    """Whether a proxy would decide as we did: nginx looks at conditions again and knows neither our tag nor our ranges."""
    if "if-match" in request or "if-unmodified-since" in request:
        return False
    return bool(outcome.ranges) or (outcome.status == OK and "range" not in request)


def content_range(r: Range, size: int) -> str:
    """Write a ``Content-Range``."""
    return f"bytes {r[0]}-{r[1] - 1}/{size}"


def encoded(headers: Mapping[str, str]) -> list[Header]:
    """Give headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
