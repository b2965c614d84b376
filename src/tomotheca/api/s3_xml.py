"""XML that S3 clients read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

from starlette.responses import Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Written(str):
    """XML that is written already."""

    __slots__ = ()


Node = tuple[str, "str | Iterable[Node]"] | Written
"""An element: its name, and its text or children."""

ERRORS: Mapping[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access denied."),
    "InvalidArgument": (400, "An argument cannot be used."),
    "InvalidRange": (416, "The range lies outside the object."),
    "MethodNotAllowed": (405, "This archive can only be read."),
    "NoSuchBucket": (404, "There is no such bucket."),
    "NoSuchKey": (404, "There is no such key."),
    "NotImplemented": (501, "This server does not offer that."),
    "OperationAborted": (409, "The object lies outside the archive and has changed since it was taken in."),
    "PreconditionFailed": (412, "A condition of the request does not hold."),
    "RequestTimeTooSkewed": (403, "The clocks of client and server differ by more than 15 minutes."),
    "ServiceUnavailable": (503, "The object is listed but cannot be read now."),
    "SignatureDoesNotMatch": (403, "The signature is not that of the secret key; check the key and the clock."),
}


class S3Error(Exception):
    """A request that is answered with an S3 error."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code, self.message = code, message or ERRORS[code][1]
        super().__init__(code)


def written(node: Node) -> str:
    """Write an element."""
    if isinstance(node, Written):
        return node
    name, content = node
    inner = escape(content) if isinstance(content, str) else "".join(map(written, content))
    return f"<{name}>{inner}</{name}>"


def document(name: str, content: Iterable[Node] | str) -> Response:
    """Answer with a document in S3's namespace."""
    inner = escape(content) if isinstance(content, str) else "".join(map(written, content))
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'
    return Response(text, media_type="application/xml")


def error(failed: S3Error, resource: str, request_id: str) -> Response:
    """Answer with an error."""
    nodes: list[Node] = [
        ("Code", failed.code),
        ("Message", failed.message),
        ("Resource", resource),
        ("RequestId", request_id),
    ]
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + written(("Error", nodes))
    return Response(text, ERRORS[failed.code][0], media_type="application/xml")
