"""``/s3/<bucket>/<key>``: the archive as a bucket that S3 clients read, path style, anonymous or with the curator's key."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api import s3_list
from tomotheca.api.blob import BlobResponse, blob_of
from tomotheca.api.errors import problems
from tomotheca.api.files import CORS, INERT, cache_control, elsewhere, key_of
from tomotheca.api.ranges import decide
from tomotheca.api.s3_xml import S3Error, document, error
from tomotheca.api.sigv4 import Asked, claim, problem
from tomotheca.catalog.viewer import CURATOR, Viewer
from tomotheca.errors import ChangedSourceError, NotFoundError, StorageError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from tomotheca.api.portal import Portal
    from tomotheca.api.who import Identity

REGION = "us-east-1"
ACCESS_KEY = "curator"
MOST_DRAINED = 1 << 20
PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "*, Authorization",
    "access-control-max-age": "86400",
}
SUBRESOURCES = {
    "acl", "attributes", "cors", "encryption", "legal-hold", "lifecycle", "logging", "notification", "object-lock", "policy", "replication",
    "retention", "tagging", "torrent", "uploads", "versions", "website",
}  # fmt: skip
REFUSALS = {412: "PreconditionFailed", 416: "InvalidRange"}


class Door:
    """Answers everything below ``/s3``."""

    def __init__(self, portal: Portal, identity: Identity) -> None:
        self.portal, self.identity = portal, identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, errors as XML."""
        request_id, begun = scope["state"]["request_id"], False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = [(b"x-amz-request-id", request_id.encode()), (b"access-control-allow-origin", b"*")]
                names = {name for name, _ in message["headers"]}
                message = {**message, "headers": [*message["headers"], *(pair for pair in own if pair[0] not in names)]}
            await send(message)

        if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
            await _drain(receive)
        try:
            response = await self._answer(scope)
            await response(scope, receive, sent)
        except S3Error as failed:
            await error(failed, scope["path"], request_id)(scope, receive, sent)
        except StorageError as failed:
            if begun:
                raise
            problems.error("request %s: %s", request_id, scope["path"], exc_info=failed)
            refused = S3Error("OperationAborted" if isinstance(failed, ChangedSourceError) else "ServiceUnavailable")
            await error(refused, scope["path"], request_id)(scope, receive, sent)

    async def _answer(self, scope: Scope) -> Response | BlobResponse:
        method = scope["method"]
        if method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        if method not in {"GET", "HEAD"}:
            raise S3Error("MethodNotAllowed")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        viewer = self._viewer(scope)
        bucket, _, key = key_of(scope, "/s3/").partition("/")
        if not bucket:
            return self._buckets()
        if bucket != self.portal.settings.bucket:
            raise S3Error("NoSuchBucket")
        if unknown := SUBRESOURCES & query.keys():
            raise S3Error("NotImplemented", f"This server does not offer ?{min(unknown)}.")
        if key:
            return await self._object(scope, key, viewer)
        if method == "HEAD":
            return Response(headers={"x-amz-bucket-region": REGION})
        if "location" in query:
            return document("LocationConstraint", "")
        if "versioning" in query:
            return document("VersioningConfiguration", "")
        return await asyncio.to_thread(s3_list.answer, self.portal, query, viewer)  # others must not wait for it

    def _viewer(self, scope: Scope) -> Viewer:
        """Give the viewer: the curator's key must be signed well, other keys count as nobody's."""
        asked = Asked(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), scope["state"]["headers"]
        )
        signed = claim(asked)
        if signed is None or signed.access_key != ACCESS_KEY or not self.identity.token:
            found: Viewer = scope["state"]["viewer"]
            return found
        if wrong := problem(asked, signed, self.identity.token):
            raise S3Error(wrong)
        return CURATOR

    def _buckets(self) -> Response:
        bucket = [("Name", self.portal.settings.bucket), ("CreationDate", s3_list.iso(0))]
        owner = [("ID", "tomotheca"), ("DisplayName", "tomotheca")]
        return document("ListAllMyBucketsResult", [("Owner", owner), ("Buckets", [("Bucket", bucket)])])

    async def _object(self, scope: Scope, key: str, viewer: Viewer) -> BlobResponse:
        request = scope["state"]["headers"]
        try:
            file = await self.portal.lookup.find(key, viewer)
            blob = await blob_of(file, self.portal.files)
        except NotFoundError as missing:
            raise S3Error("NoSuchKey") from missing
        outcome = decide(request, etag=blob.etag, size=blob.size, modified=blob.modified)
        if outcome.status in REFUSALS:
            raise S3Error(REFUSALS[outcome.status])
        whole = {}
        if request.get("x-amz-checksum-mode", "").upper() == "ENABLED" and file.sha256:
            digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
            whole = {"x-amz-checksum-sha256": digest, "x-amz-checksum-type": "FULL_OBJECT"}
        headers = {**CORS, **INERT, **cache_control(viewer)}
        return BlobResponse(blob, request, headers, whole, elsewhere=elsewhere(self.portal, key, blob))


async def _drain(receive: Receive) -> None:
    """Take what a client sends, up to a point: one that is still sending would not read the answer."""
    taken = 0
    while taken < MOST_DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def routes(portal: Portal, identity: Identity) -> list[Route]:
    """Give the routes of the bucket."""
    door, methods = Door(portal, identity), ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE", "PATCH"]
    paths = ("/s3", "/s3/", "/s3/{bucket}", "/s3/{bucket}/{key:path}")
    return [Route(path, door, methods=methods) for path in paths]
