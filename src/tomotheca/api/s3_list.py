"""S3 listings, made from the catalogue and never from the disk."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from tomotheca.api.s3_xml import Node, S3Error, Written, document
from tomotheca.catalog.files import BEHIND, FileRow
from tomotheca.catalog.listing import Level

if TYPE_CHECKING:
    from starlette.responses import Response

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.viewer import Viewer

PAGE = 1000
OWNER = "<Owner><ID>tomotheca</ID><DisplayName>tomotheca</DisplayName></Owner>"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a listing was asked for."""

    prefix: str
    delimiter: str
    after: str
    most: int
    url: bool
    """Keys are written as in a URL."""

    version: int
    """2, or 1 for old clients."""

    owner: bool = False
    """Each file names its owner."""


@dataclass
class Page:
    """One page of a listing."""

    files: list[FileRow] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    last: str = ""
    more: bool = False


def ask(query: Mapping[str, str]) -> Ask:
    """Read the parameters of a listing.

    Raises
    ------
    S3Error
        If a parameter cannot be used.
    """
    version = 2 if query.get("list-type") == "2" else 1
    most = query.get("max-keys") or str(PAGE)
    if not most.isdecimal():
        raise S3Error("InvalidArgument", "max-keys is not a number.")
    if version == 1:
        after = query.get("marker", "")
    elif "continuation-token" in query:
        after = _from_token(query["continuation-token"])
    else:
        after = query.get("start-after", "")
    return Ask(
        query.get("prefix", ""),
        query.get("delimiter", ""),
        after,
        min(int(most), PAGE),
        query.get("encoding-type") == "url",
        version,
        version == 1 or query.get("fetch-owner") == "true",
    )


def collect(portal: Portal, wanted: Ask, viewer: Viewer) -> Page:
    """Gather one page: keys, and what they have in common up to the delimiter, together in byte order."""
    page = Page()
    if wanted.most == 0:
        return page
    level = Level(portal.catalog, portal.files, viewer, wanted.prefix, wanted.delimiter)
    for name, file in level.items(after=wanted.after, most=wanted.most + 1):
        if len(page.files) + len(page.folders) == wanted.most:
            page.more = True
            break
        if file is None:
            page.folders.append(name)
            page.last = name + BEHIND
        else:
            page.files.append(file)
            page.last = name
    return page


def answer(portal: Portal, query: Mapping[str, str], viewer: Viewer) -> Response:
    """Answer ListObjectsV2, or ListObjects for old clients."""
    wanted = ask(query)
    page = collect(portal, wanted, viewer)

    def shown(text: str) -> str:
        return quote(text, safe="/") if wanted.url else text

    nodes: list[Node] = [("Name", portal.settings.bucket), ("Prefix", shown(wanted.prefix))]
    if wanted.version == 1:
        nodes.append(("Marker", shown(wanted.after)))
        if page.more:
            nodes.append(("NextMarker", shown(page.last.removesuffix(BEHIND))))
    else:
        nodes.append(("KeyCount", str(len(page.files) + len(page.folders))))
        nodes += [
            (name, text)
            for name, text in (
                ("ContinuationToken", query.get("continuation-token")),
                ("StartAfter", query.get("start-after")),
            )
            if text
        ]
        if page.more:
            nodes.append(("NextContinuationToken", _token(page.last)))
    nodes += [("MaxKeys", str(wanted.most)), ("IsTruncated", "true" if page.more else "false")]
    if wanted.delimiter:
        nodes.append(("Delimiter", shown(wanted.delimiter)))
    if wanted.url:
        nodes.append(("EncodingType", "url"))
    nodes += [_contents(file, shown(file.key), OWNER if wanted.owner else "") for file in page.files]
    nodes += [("CommonPrefixes", [("Prefix", shown(name))]) for name in page.folders]
    return document("ListBucketResult", nodes)


def _contents(file: FileRow, key: str, owner: str) -> Written:
    """Write what is said of one file; a page has a thousand of them."""
    return Written(
        f"<Contents><Key>{escape(key)}</Key><LastModified>{iso(file.mtime)}</LastModified><ETag>&quot;{file.etag}&quot;</ETag>"
        f"<Size>{file.size}</Size>{owner}<StorageClass>STANDARD</StorageClass></Contents>"
    )


def iso(moment: float | None) -> str:
    """Write seconds since 1970 as S3 does."""
    return f"{datetime.fromtimestamp(int(moment or 0), UTC).isoformat()[:19]}.000Z"


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise S3Error("InvalidArgument", "The continuation token is not one of ours.") from error
