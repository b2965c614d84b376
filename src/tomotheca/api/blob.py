"""Bytes on their way out: whole, in part, or not at all."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.api.ranges import Range, decide, http_date
from tomotheca.errors import StorageError
from tomotheca.store.documents import public_bytes

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tomotheca.catalog.files import FileRow
    from tomotheca.store.files import Files

AT_ONCE = 1 << 20
"""Bytes that are read in one go; larger answers are streamed in pieces of this size."""

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that can be sent, on the disk or in memory."""

    size: int
    etag: str
    media_type: str
    modified: float | None = None
    path: Path | None = None
    data: bytes | None = None
    key: str = ""


def blob_of(file: FileRow, files: Files) -> Blob:
    """Find the bytes of a file; documents lose the e-mail addresses here.

    Raises
    ------
    StorageError
        If the bytes are not on this machine's disks.
    """
    if file.redacted:
        data = public_bytes(files.read_bytes(file.key))
        return Blob(len(data), f'"{file.etag}"', file.media_type, file.mtime, data=data, key=file.key)
    path = (
        Path(file.source)
        if file.source and "://" not in file.source
        else None
        if file.source
        else files.local_path(file.key)
    )
    if path is None:
        message = f"{file.key}: its bytes are not on this server; ask its operator"
        raise StorageError(message)
    return Blob(file.size, f'"{file.etag}"', file.media_type, file.mtime, path=path, key=file.key)


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        blob = self.blob
        outcome = decide(self.request, etag=blob.etag, size=blob.size, modified=blob.modified)
        if outcome.status == 206 and len(outcome.ranges) > 1:  # noqa: PLR2004 - Partial Content
            await self._send_many(scope, send, outcome.ranges)
            return
        headers = {"etag": blob.etag, "accept-ranges": "bytes", **self.headers}
        if blob.modified is not None:
            headers["last-modified"] = http_date(blob.modified)
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

    async def _send(self, scope: Scope, send: Send, status: int, headers: Mapping[str, str], wanted: Range) -> None:
        start, stop = wanted
        begin = {"type": "http.response.start", "status": status, "headers": encoded(headers)}
        if scope["method"] == "HEAD" or start == stop:
            await send(begin)
            await send({"type": "http.response.body", "body": b""})
        elif stop - start <= AT_ONCE:
            body = self._read(start, stop)
            await send(begin)
            await send({"type": "http.response.body", "body": body})
        else:
            pieces = self._stream(start, stop)
            first = await anext(pieces)  # so that a missing file is still an error and not half an answer
            await send(begin)
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _send_many(self, scope: Scope, send: Send, ranges: tuple[Range, ...]) -> None:
        blob, boundary = self.blob, secrets.token_hex(12)
        heads = [
            f"--{boundary}\r\nContent-Type: {blob.media_type}\r\nContent-Range: {content_range(r, blob.size)}\r\n\r\n".encode()
            for r in ranges
        ]
        last = f"--{boundary}--\r\n".encode()
        length = sum(len(head) + stop - start + 2 for head, (start, stop) in zip(heads, ranges, strict=True)) + len(
            last
        )
        headers = {
            "etag": blob.etag, "accept-ranges": "bytes", **self.headers,
            "content-type": f"multipart/byteranges; boundary={boundary}", "content-length": str(length),
        }  # fmt: skip
        if blob.modified is not None:
            headers["last-modified"] = http_date(blob.modified)
        await send({"type": "http.response.start", "status": 206, "headers": encoded(headers)})
        if scope["method"] != "HEAD":
            for head, (start, stop) in zip(heads, ranges, strict=True):
                await send({"type": "http.response.body", "body": head, "more_body": True})
                async for piece in self._stream(start, stop):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"\r\n", "more_body": True})
        await send({"type": "http.response.body", "body": last if scope["method"] != "HEAD" else b""})

    def _read(self, start: int, stop: int) -> bytes:
        if self.blob.data is not None:
            return self.blob.data[start:stop]
        with _opened(self.blob) as source:
            return source.read(start, stop)

    async def _stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        if self.blob.data is not None:
            yield self.blob.data[start:stop]
            return
        with _opened(self.blob) as source:
            for a, b in _pieces(start, stop):
                yield await asyncio.to_thread(source.read, a, b)


@dataclass
class _opened:  # noqa: N801 - a context manager
    """An open file that gives exactly what is asked of it, or an error."""

    blob: Blob
    descriptor: int = -1

    def __enter__(self) -> _opened:
        try:
            self.descriptor = os.open(self.blob.path or "", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(self.blob) from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def read(self, start: int, stop: int) -> bytes:
        data = os.pread(self.descriptor, stop - start, start)
        while len(data) < stop - start:
            more = os.pread(self.descriptor, stop - start - len(data), start + len(data))
            if not more:
                raise _unreadable(self.blob)
            data += more
        return data


def _unreadable(blob: Blob) -> StorageError:
    return StorageError(
        f"{blob.key} is listed but cannot be read from the disk; its operator can run `tomotheca index` or restore it"
    )


def _pieces(start: int, stop: int) -> Iterator[Range]:
    for a in range(start, stop, AT_ONCE):
        yield a, min(a + AT_ONCE, stop)


def content_range(r: Range, size: int) -> str:
    """Write a ``Content-Range``."""
    return f"bytes {r[0]}-{r[1] - 1}/{size}"


def encoded(headers: Mapping[str, str]) -> list[Header]:
    """Give headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
