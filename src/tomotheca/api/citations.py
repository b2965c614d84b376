"""``/datasets/<id>/cite.bib`` and the like: how to cite a record, for reference managers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api.files import CORS, cache_control, disposition
from tomotheca.errors import GoneError, NotFoundError
from tomotheca.export.citing import FORMS, KINDS, cite

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tomotheca.api.portal import Portal


def routes(portal: Portal) -> list[Route]:
    """Give the routes of citations."""
    return [
        Route(f"/{path}/{{id:int}}/cite.{form}", _endpoint(portal, kind, form))
        for kind, path in KINDS.items()
        for form in FORMS
    ]


def _endpoint(portal: Portal, kind: str, form: str) -> Callable[[Request], Response]:
    media_type, write = FORMS[form]

    def endpoint(request: Request) -> Response:
        number, viewer = request.path_params["id"], request.state.viewer
        try:
            found = cite(portal, kind, number, viewer)
        except NotFoundError:
            if (grave := portal.desk.tombstone(kind, number)) is None:
                raise
            message = f"{portal.catalog.schema.kinds[kind].prefix}{number} was removed: {grave.title}"
            raise GoneError(message) from None
        data = write(found).encode()
        named = disposition(f"{found.identifier}.{form}", save=form != "txt")
        headers = {**CORS, **cache_control(viewer), **named}
        return Response(data, headers=headers, media_type=media_type)

    return endpoint
