"""Random valid queries get the answers that graphql-core's own `execute` gives over plain resolvers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.graphql.oracle import Oracle
from tests.api.graphql.queries import Writer

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer

if TYPE_CHECKING:
    import random

    from tomotheca.api.graphql import GraphQL
    from tomotheca.catalog.catalog import Catalog


@pytest.fixture(scope="module")
def oracles(catalog: Catalog) -> dict[Viewer, Oracle]:
    return {viewer: Oracle(catalog, viewer) for viewer in (ANONYMOUS, CURATOR)}


@given(draw=st.randoms(use_true_random=True), viewer=st.sampled_from([ANONYMOUS, CURATOR]))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_those_of_plain_resolvers(
    service: GraphQL, oracles: dict[Viewer, Oracle], draw: random.Random, viewer: Viewer
) -> None:
    oracle = oracles[viewer]
    text, variables = Writer(draw, oracle.schema, oracle.wire).query()
    wanted = orjson.dumps({"data": oracle.answer(text, variables)})
    answer = service.handle({"query": text, "variables": variables}, viewer)
    assert orjson.dumps(orjson.loads(answer)) == wanted, (text, variables)
    assert b"".join(service.stream({"query": text, "variables": variables}, viewer, size=0)) == answer
