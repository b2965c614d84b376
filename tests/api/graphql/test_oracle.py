"""Random valid queries get the answers that graphql-core's own `execute` gives over plain resolvers."""

from __future__ import annotations

import math
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


def alike(ours: object, theirs: object) -> bool:
    """Equal, keys in one order; sums of floating-point numbers to twelve digits."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(alike(value, theirs[key]) for key, value in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)
    return type(ours) is type(theirs) and ours == theirs


@pytest.fixture(scope="module")
def oracles(catalog: Catalog) -> dict[Viewer, Oracle]:
    return {viewer: Oracle(catalog, viewer) for viewer in (ANONYMOUS, CURATOR)}


@given(draw=st.randoms(use_true_random=True), viewer=st.sampled_from([ANONYMOUS, CURATOR]))
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_those_of_plain_resolvers(
    service: GraphQL, oracles: dict[Viewer, Oracle], draw: random.Random, viewer: Viewer
) -> None:
    oracle = oracles[viewer]
    text, variables = Writer(draw, oracle.schema, oracle.wire).query()
    wanted = orjson.loads(orjson.dumps({"data": oracle.answer(text, variables)}))
    answer = service.handle({"query": text, "variables": variables}, viewer)
    assert alike(orjson.loads(answer), wanted), (text, variables)
    assert b"".join(service.stream({"query": text, "variables": variables}, viewer, size=0)) == answer
