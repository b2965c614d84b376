"""HTTP request -> what GraphQL is asked: a query, its variables, the name of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MAX_BODY = 8 << 20
"""Most bytes of a request: clients send lists of thousands of identifiers."""

TEXT, JSON = "application/graphql", "application/graphql+json"
PARAMETERS = {"query", "variables", "operationName"}
TOO_LARGE = 413
TOO_LONG = f"the request is longer than {MAX_BODY} bytes; ask in several requests"


class BadRequestError(Exception):
    """A request that is not one."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def is_whole(message: Message, length: str) -> bool:
    """Say whether a message has all of a body whose length the request gives: to ask for more would be a change of thread for nothing."""
    return length.isdecimal() and len(message.get("body", b"")) == int(length)


async def rest_of(message: Message, receive: Receive) -> Message:
    """Take the rest of a request's body; give the message that has all of it, or says that the client has gone.

    Raises
    ------
    BadRequestError
        If it is too long.
    """
    parts, size = [message.get("body", b"")], len(message.get("body", b""))
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise BadRequestError(TOO_LONG, TOO_LARGE)
    return {**message, "body": b"".join(parts)}


def is_text(content_type: str) -> bool:
    """Say whether a body is the query itself."""
    return content_type.startswith(TEXT) and not content_type.startswith(JSON)


def posted(body: bytes, *, text: bool) -> dict[str, Any]:
    """Read a body: JSON, or the query itself.

    Raises
    ------
    BadRequestError
        If it is too long, or not one.
    """
    if len(body) > MAX_BODY:
        raise BadRequestError(TOO_LONG, TOO_LARGE)
    try:
        return checked({"query": body.decode()} if text else orjson.loads(body))
    except UnicodeDecodeError as error:
        message = f"the request is not UTF-8: {error}"
        raise BadRequestError(message) from error
    except orjson.JSONDecodeError as error:
        message = f"the request is not JSON: {error}"
        raise BadRequestError(message) from error


def in_address(query_string: bytes) -> dict[str, Any]:
    """Read what is asked in an address.

    Raises
    ------
    BadRequestError
        If it is no query.
    """
    asked: dict[str, Any] = {k: v for k, v in parse_qsl(query_string.decode("latin-1")) if k in PARAMETERS}
    if given := asked.pop("variables", ""):
        try:
            asked["variables"] = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            message = f"variables are not JSON: {error}"
            raise BadRequestError(message) from error
    return checked(asked)


def checked(asked: Any) -> dict[str, Any]:
    """Check the parts of a request.

    Raises
    ------
    BadRequestError
        If one is missing or of the wrong type.
    """
    if isinstance(asked, list):
        message = "one query per request, please: batches are not supported"
        raise BadRequestError(message)
    if not isinstance(asked, Mapping) or not isinstance(asked.get("query"), str) or not asked["query"].strip():
        message = "there is no query in the request"
        raise BadRequestError(message)
    variables, name = asked.get("variables"), asked.get("operationName")
    if not isinstance(variables, dict | None) or not isinstance(name, str | None):
        message = "variables must be an object and operationName a string"
        raise BadRequestError(message)
    return {"query": asked["query"], "variables": variables, "operationName": name}
