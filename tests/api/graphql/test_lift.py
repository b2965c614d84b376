"""Queries that differ only in literals share one plan, and literals keep their places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.api.graphql.lift import lift
from tomotheca.catalog.viewer import ANONYMOUS

if TYPE_CHECKING:
    from tomotheca.api.graphql import GraphQL

values = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.lists(st.integers(-5, 5), min_size=1), st.lists(st.text(), min_size=1)
)  # fmt: skip


@given(st.lists(values, min_size=1))
def test_literals_come_out_and_the_rest_stays(found: list[object]) -> None:
    text = "{ " + ' # 5 "\n'.join(f"a{n}x1(y: {json.dumps(v)}) " for n, v in enumerate(found)) + "}"
    lifted = lift(text)
    assert list(lifted.values) == found
    parse(lifted.text)
    for place, value in zip(lifted.places, found, strict=True):
        assert text[lifted.original(place) :].startswith(json.dumps(value))


def test_numbers_out_of_range_blocks_and_names_stay() -> None:
    text = '{ s3Prefix x1: scale0Dimensions(a: 99999999999, b: """5 "" 6""", c: $v1, d: []) # 7\n }'
    assert lift(text).text == text


def test_one_plan_for_all_ids(service: GraphQL) -> None:
    made = [
        service.documents.get(
            f'{{ runs(where: {{id: {{_in: {list(range(n + 1))}}}, name: {{_eq: "{n}"}}}}) {{ id }} }}'
        )[0]
        for n in range(5)
    ]
    assert len({id(document) for document in made}) == 1
    for n in (1, 2):
        assert (
            service.handle({"query": f"{{ runs(limitOffset: {{limit: {n}}}) {{ id }} }}"}, ANONYMOUS).count(b'"id"')
            == n
        )
