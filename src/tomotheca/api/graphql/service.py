"""GraphQL requests -> answers."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
from graphql import GraphQLError, OperationType

from tomotheca.api.graphql.answer import Answer, Operation, Planned, Ready
from tomotheca.api.graphql.cost import Costs
from tomotheca.api.graphql.documents import Document, Documents, FieldError, RequestError, UnliftableError, described
from tomotheca.api.graphql.plan import Plan, Run
from tomotheca.api.graphql.planner import Planner
from tomotheca.api.graphql.selection import Collector
from tomotheca.api.graphql.statements import positional
from tomotheca.api.graphql.types import build
from tomotheca.api.graphql.values import Shape, Variables, scope
from tomotheca.api.graphql.wire import Wire
from tomotheca.catalog.lanes import Pace
from tomotheca.catalog.viewer import ANONYMOUS, Viewer, now
from tomotheca.errors import QueryError, QueryTimeoutError, StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from tomotheca.api.graphql.lift import Lifted
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.query import Compiler
    from tomotheca.catalog.reading import Reading
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
        self.documents, self.costs = Documents(self.schema), Costs(settings.max_rows)

    def handle(self, request: Mapping[str, Any], viewer: Viewer) -> bytes:
        """Answer a request: ``query``, and where given ``variables`` and ``operationName``.

        Returns
        -------
        bytes
            The JSON answer. What is wrong with a request is said in it.
        """
        try:
            return b"".join(self._pieces(Ready(request, viewer)))
        except RequestError as error:
            return _errors(error.errors)

    def stream(self, request: Mapping[str, Any], viewer: Viewer, *, size: int = 1 << 20) -> Iterator[bytes]:
        """Answer a request piece by piece; long lists are never in memory as a whole. A short answer is one piece.

        Raises
        ------
        RequestError
            If something is wrong after the first `size` bytes: a client must not take what it has for the answer.
        """
        answer = self.begin(Ready(request, viewer), size=size)
        yield answer.take()
        while not answer.done:
            answer.fill(size)
            yield answer.take()

    def ready(self, request: Mapping[str, Any], viewer: Viewer) -> Ready:
        """Look up what is known of a request, without parsing or planning anything."""
        found = self.documents.known(request["query"])
        operation = found[0].plans.get(request.get("operationName") or "") if found else None
        if operation is None:
            return Ready(request, viewer, found)
        try:
            shape, _ = operation.variables.read(request.get("variables") or {})
        except RequestError:  # said when it is answered
            return Ready(request, viewer, found)
        return Ready(request, viewer, found, operation.planned.get((shape, viewer.curator)))

    def begin(self, ready: Ready, *, size: int) -> Answer:
        """Begin to answer: with the first `size` bytes, or what is wrong.

        Raises
        ------
        QueryTimeoutError
            If the request is in a hurry and the time for that is up.
        """
        pace = ready.planned.pace if ready.planned else Pace()
        try:
            return Answer(self._pieces(ready), pace).fill(size)
        except RequestError as error:
            return Answer(iter([_errors(error.errors)]), Pace(), wrong=True).fill(size)

    def _pieces(self, ready: Ready) -> Iterator[bytes]:
        text = ready.request["query"]
        document, lifted = ready.found or self.documents.get(text)
        try:
            with self.catalog.reading(seconds=ready.seconds) as reading:
                ready.reading = reading
                try:
                    plan, values = self._prepare(document, lifted, ready, reading)
                except UnliftableError:
                    document, lifted = self.documents.whole(text)
                    plan, values = self._prepare(document, lifted, ready, reading)
                yield from plan.pieces(Run(reading, values, self.settings.max_rows, self.settings.max_rows))
        except (RequestError, StorageError):
            raise
        except QueryError as error:
            late = error if isinstance(error, QueryTimeoutError) else error.__cause__
            if ready.seconds is not None and isinstance(late, QueryTimeoutError):
                raise late from error
            said = described(error, text, lifted) if isinstance(error, FieldError) else GraphQLError(str(error))
            raise RequestError([said]) from error
        except Exception as error:
            number = secrets.token_hex(4)
            log.exception(
                "GraphQL request %s failed: %s %s", number, text[:2000], str(ready.request.get("variables"))[:2000]
            )
            raise RequestError([GraphQLError(f"Internal error {number}")]) from error

    def _prepare(self, document: Document, lifted: Lifted, ready: Ready, reading: Reading) -> tuple[Plan, list[Any]]:
        """Give the plan of a request and the values it is run with, once it is known not to make too many nodes."""
        operation = self._operation(document, ready.request.get("operationName") or "")
        given = ready.request.get("variables") or {}
        shape, coerced = operation.variables.read(given)
        planned = self._planned(operation, (shape, ready.viewer.curator))
        plan = planned.plans.get(reading.all_open)
        if plan is None:
            compiler = replace(self.catalog.compiler(ready.viewer), all_open=reading.all_open)
            plan = self._plan(document, operation.variables, shape, given, compiler)
            planned.plans[reading.all_open] = plan
        values = [now(), None, *lifted.values, *coerced]
        stamp = self.catalog.watch.stamp(ANONYMOUS)
        if planned.weight is None or planned.weight.stamp != stamp:
            planned.weight = self.costs.weigh(plan, reading, stamp)
        self.costs.check(plan, planned.weight, values, reading)
        return plan, values

    def _planned(self, operation: Operation, key: tuple[Shape, bool]) -> Planned:
        found = operation.planned.get(key)
        if found is None:
            if len(operation.planned) >= MAX_PLANS:
                operation.planned.clear()
            found = operation.planned.setdefault(key, Planned())
        return found

    def _operation(self, document: Document, name: str) -> Operation:
        found: Operation | None = document.plans.get(name)
        if found is None:
            node = document.operation(name)
            if node.operation is not OperationType.QUERY:
                message = f"There is no {node.operation.value} here; this server only answers queries."
                raise RequestError([GraphQLError(message, node)])
            found = document.plans.setdefault(name, Operation(Variables(self.schema, node)))
        return found

    def _plan(
        self, document: Document, variables: Variables, shape: Shape, given: Mapping[str, Any], compiler: Compiler
    ) -> Plan:
        meaning = scope(document, variables, shape)
        if not self.settings.privacy_publish_emails:
            compiler = replace(compiler, private=self.catalog.schema.personal)
        collector = Collector(document, meaning, self.settings.max_depth)
        return Planner(self.schema, self.wire, compiler, self._dialect, document, meaning, collector, given).plan(
            variables.operation
        )

    @cached_property
    def _dialect(self) -> sa.Dialect:
        return positional(self.catalog.engine.dialect)


def _errors(errors: list[GraphQLError]) -> bytes:
    return orjson.dumps({"data": None, "errors": [error.formatted for error in errors]})
