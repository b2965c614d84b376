"""GraphQL requests -> answers."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from graphql import GraphQLError, OperationType

from tomotheca.api.graphql.documents import Document, Documents, FieldError, RequestError, UnliftableError, described
from tomotheca.api.graphql.plan import Plan, Run
from tomotheca.api.graphql.planner import Planner
from tomotheca.api.graphql.selection import Collector
from tomotheca.api.graphql.statements import positional
from tomotheca.api.graphql.types import build
from tomotheca.api.graphql.values import Shape, Variables, scope
from tomotheca.api.graphql.wire import Wire
from tomotheca.catalog.viewer import Viewer, now

if TYPE_CHECKING:
    from tomotheca.api.graphql.lift import Lifted
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.settings import Settings

MAX_PLANS = 200
"""Plans kept of one document."""

log = logging.getLogger(__name__)


class GraphQL:
    """Answers GraphQL requests from a catalogue.

    Parameters
    ----------
    catalog : Catalog
        Where the rows are.
    settings : Settings
        Limits, and whether e-mail addresses are public.
    """

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self.catalog, self.settings = catalog, settings
        self.schema = build(catalog.schema)
        self.wire = Wire(catalog.schema)
        self.documents = Documents(self.schema)

    def handle(self, request: Mapping[str, Any], viewer: Viewer) -> bytes:
        """Answer a request: ``query``, and where given ``variables`` and ``operationName``.

        Returns
        -------
        bytes
            The JSON answer. What is wrong with a request is said in it.
        """
        try:
            return b"".join(self._answer(request, viewer))
        except RequestError as error:
            return _errors(error.errors)

    def stream(self, request: Mapping[str, Any], viewer: Viewer, *, size: int = 1 << 20) -> Iterator[bytes]:
        """Answer a request piece by piece; long lists are never in memory as a whole. A short answer is one piece.

        Raises
        ------
        RequestError
            If something is wrong after the first `size` bytes: a client must not take what it has for the answer.
        """
        pieces = self._answer(request, viewer)
        begun: list[bytes] = []
        length = 0
        try:
            for piece in pieces:
                begun.append(piece)
                length += len(piece)
                if length > size:
                    break
        except RequestError as error:
            begun = [_errors(error.errors)]
        yield b"".join(begun)
        yield from pieces

    def _answer(self, request: Mapping[str, Any], viewer: Viewer) -> Iterator[bytes]:
        text, given = request["query"], request.get("variables") or {}
        document, lifted = self.documents.get(text)
        try:
            try:
                plan, values = self._prepare(document, lifted, request, viewer)
            except UnliftableError:
                document, lifted = self.documents.whole(text)
                plan, values = self._prepare(document, lifted, request, viewer)
            yield from self._run(plan, values)
        except FieldError as error:
            raise RequestError([described(error, text, lifted)]) from error
        except RequestError:
            raise
        except Exception as error:
            number = secrets.token_hex(4)
            log.exception("GraphQL request %s failed: %s %s", number, text[:2000], str(given)[:2000])
            raise RequestError([GraphQLError(f"Internal error {number}")]) from error

    def _prepare(
        self, document: Document, lifted: Lifted, request: Mapping[str, Any], viewer: Viewer
    ) -> tuple[Plan, list[Any]]:
        name = request.get("operationName") or ""
        variables, plans = self._operation(document, name)
        given = request.get("variables") or {}
        shape, values = variables.read(given)
        key = (shape, viewer.curator)
        plan = plans.get(key)
        if plan is None:
            plan = self._plan(document, variables, shape, given, viewer)
            if len(plans) >= MAX_PLANS:
                plans.clear()
            plans[key] = plan
        return plan, [now(), None, *lifted.values, *values]

    def _operation(self, document: Document, name: str) -> tuple[Variables, dict[Any, Plan]]:
        found = document.plans.get(name)
        if found is None:
            operation = document.operation(name)
            if operation.operation is not OperationType.QUERY:
                raise RequestError(
                    [
                        GraphQLError(
                            f"There is no {operation.operation.value} here; this server only answers queries.",
                            operation,
                        )
                    ]
                )
            found = document.plans.setdefault(name, (Variables(self.schema, operation), {}))
        variables, plans = found
        return variables, plans

    def _plan(
        self, document: Document, variables: Variables, shape: Shape, given: Mapping[str, Any], viewer: Viewer
    ) -> Plan:
        meaning = scope(document, variables, shape)
        compiler, dialect = self.catalog.compiler(viewer), positional(self.catalog.engine.dialect)
        if not self.settings.privacy_publish_emails:
            compiler = replace(compiler, private=self.catalog.schema.personal)
        collector = Collector(document, meaning, self.settings.max_depth)
        return Planner(self.schema, self.wire, compiler, dialect, document, meaning, collector, given).plan(
            variables.operation
        )

    def _run(self, plan: Plan, values: list[Any]) -> Iterator[bytes]:
        pooled = self.catalog.engine.raw_connection()
        try:
            connection = pooled.driver_connection
            if connection is None:
                message = "the catalogue is closed"
                raise ConnectionError(message)
            connection.execute("BEGIN")  # every statement of one answer sees the same catalogue
            yield from plan.pieces(Run(connection, values, self.settings.max_rows, self.settings.max_rows))
        finally:
            pooled.close()


def _errors(errors: list[GraphQLError]) -> bytes:
    return orjson.dumps({"data": None, "errors": [error.formatted for error in errors]})
