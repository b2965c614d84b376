"""``/api/v1/<kinds>/<id>/download.zip``: a tree as one file of known length, made while it is sent and continued after a break."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.routing import Route

from tomotheca.api.blob import Blob, BlobResponse, blob_of
from tomotheca.api.counting import Counted
from tomotheca.api.files import CORS, INERT, cache_control, disposition, headers_of
from tomotheca.api.manifests import entity_of
from tomotheca.errors import QueryError
from tomotheca.export.selection import Selection, amount, select
from tomotheca.export.tree import Tree
from tomotheca.export.zipping import Member, Plan, descriptor, local
from tomotheca.store.sources import MemorySource, Source

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.files import FileRow
    from tomotheca.catalog.viewer import Viewer

TOGETHER = 1 << 18
"""Bytes of the central directory that are sent at once."""

MOST_SUMS = 200_000
MOST_PLANS = 4


class Sums:
    """CRC-32 of files that were sent or read, by their digest, so that a broken download need not read them again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, int] = OrderedDict()

    def get(self, member: Member) -> int | None:
        """Give what is known."""
        return self._kept.get(f"{member.tag}:{member.size}")

    def keep(self, member: Member, crc: int) -> int:
        """Remember one."""
        self._kept[f"{member.tag}:{member.size}"] = crc
        if len(self._kept) > MOST_SUMS:
            self._kept.popitem(last=False)
        return crc


@dataclass(frozen=True)
class ZipSource:
    """The bytes of a ZIP archive that does not exist."""

    portal: Portal
    plan: Plan
    content: tuple[FileRow | bytes, ...]
    """What each member holds."""

    sums: Sums

    def path(self, size: int) -> None:
        """Give nothing: there is no such file."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        return b"".join([piece async for piece in self.stream(start, stop)])

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces; files are read as they are sent."""
        first, behind = self.plan.at(start), self.plan.starts
        for number in range(first, len(self.plan.members)):
            if behind[number] >= stop:
                return
            async for piece in self._member(number, start - behind[number], stop - behind[number]):
                yield piece
        if stop > behind[-1]:
            async for piece in self._directory(max(0, start - behind[-1]), stop - behind[-1]):
                yield piece

    async def _member(self, number: int, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give header, bytes and descriptor of a member between two offsets, which may lie outside."""
        member = self.plan.members[number]
        head = local(member)
        if part := head[max(0, start) : max(0, stop)]:
            yield part
        begin, end = max(0, start - len(head)), min(member.size, stop - len(head))
        if begin < end:
            async for piece in self._data(number, begin, end):
                yield piece
        tail = len(head) + member.size
        if stop > tail:
            yield descriptor(member, await self._sum(number))[max(0, start - tail) : stop - tail]

    async def _data(self, number: int, start: int, stop: int) -> AsyncIterator[bytes]:
        member, crc = self.plan.members[number], 0
        source = await self._source(number)
        async for piece in source.stream(start, stop):
            crc = zlib.crc32(piece, crc) if start == 0 else 0
            yield piece
        if start == 0 and stop == member.size:
            self.sums.keep(member, crc)

    async def _sum(self, number: int) -> int:
        """Give the CRC-32 of a member; one that was neither sent nor read lately is read for it."""
        member, crc = self.plan.members[number], 0
        if (known := self.sums.get(member)) is not None:
            return known
        if member.size:
            async for piece in (await self._source(number)).stream(0, member.size):
                crc = zlib.crc32(piece, crc)
        return self.sums.keep(member, crc)

    async def _directory(self, start: int, stop: int) -> AsyncIterator[bytes]:
        sums = [await self._sum(number) for number in range(len(self.plan.members))]
        waiting, at = bytearray(), 0
        for entry in self.plan.directory(sums):
            waiting += entry[max(0, start - at) : max(0, stop - at)]
            at += len(entry)
            if len(waiting) >= TOGETHER:
                yield bytes(waiting)
                waiting.clear()
        if waiting:
            yield bytes(waiting)

    async def _source(self, number: int) -> Source:
        content = self.content[number]
        if isinstance(content, bytes):
            return MemorySource(content)
        return (await blob_of(content, self.portal.files)).source


@dataclass
class Plans:
    """The last few archives that were planned, for those who continue one."""

    portal: Portal
    kept: OrderedDict[object, ZipSource] = field(default_factory=OrderedDict)
    sums: Sums = field(default_factory=Sums)

    def get(self, selection: Selection, viewer: Viewer) -> ZipSource:
        """Plan an archive.

        Raises
        ------
        QueryError
            If it would be larger than this server sends.
        """
        limit, found = self.portal.settings.zip_limit, amount(self.portal.catalog, selection, viewer)
        if found.size > limit:
            message = f"this is {found.size} bytes, and a ZIP has at most {limit} here; use `tomotheca download`, the AWS CLI or curl"
            raise QueryError(message)
        question = (selection, viewer, self.portal.catalog.watch.stamp(viewer), self.portal.catalog.public_url)
        if question not in self.kept:
            self.kept[question] = self._make(selection, viewer)
            while len(self.kept) > MOST_PLANS:
                self.kept.popitem(last=False)
        return self.kept[question]

    def _make(self, selection: Selection, viewer: Viewer) -> ZipSource:
        found = list(Tree(self.portal, selection, viewer).contents())
        plan = Plan([member for member, _ in found])
        return ZipSource(self.portal, plan, tuple(content for _, content in found), self.sums)


def routes(portal: Portal) -> list[Route]:
    """Give the route of ZIP archives."""
    plans = Plans(portal)

    async def archive(request: Request) -> Counted:
        viewer = request.state.viewer
        kind, number = await asyncio.to_thread(entity_of, portal, request)
        selection = select(kind, number, request.query_params)
        source = await asyncio.to_thread(plans.get, selection, viewer)
        headers = {**CORS, **INERT, **cache_control(viewer), **disposition(file_name(portal, selection), save=True)}
        blob = Blob(source.plan.size, f'"{source.plan.tag}"', "application/zip", None, source)
        return Counted(BlobResponse(blob, headers_of(request), headers), portal.counts, kind, number)

    return [Route("/api/v1/{kinds}/{id:int}/download.zip", archive, methods=["GET", "HEAD"])]


def file_name(portal: Portal, selection: Selection) -> str:
    """Name an archive."""
    settings, kinds = portal.settings, portal.catalog.schema.kinds
    prefix = settings.deposition_prefix if selection.kind == "deposition" else kinds[selection.kind].prefix
    words: Mapping[str, str] = selection.query()
    return "-".join([f"{prefix}{selection.id}", *(w.replace(",", "-") for w in words.values())]) + ".zip"
