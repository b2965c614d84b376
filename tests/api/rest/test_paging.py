"""A walk over the pages meets every row exactly once, in order, whatever it is sorted by and whatever happens meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.graphql.conftest import filled
from tests.api.rest.conftest import application
from tests.api.rest.test_lists import at
from tests.api.rest.truth import KINDS, public, rows

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import is_matrix

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.databases import Database

    from tomotheca.catalog.catalog import Catalog


def walk(client: TestClient, address: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Follow `next` to the end."""
    page = client.get(address, params=params).json()
    found = page["items"]
    while page["next"]:
        page = client.get(page["next"]).json()
        assert page["items"]
        found += page["items"]
        assert len(found) < 1000
    return found


def sort_keys(draw: random.Random, kind: str) -> list[tuple[str, bool]]:
    names = [c.name for c in public(kind) if not is_matrix(kind, c) and c.name != "id"]
    for relation in (r for r in SCHEMA.relations(kind).values() if not r.many):
        names += (f"{relation.name}.{c.name}" for c in public(relation.target) if not is_matrix(relation.target, c))
    return [(name, draw.random() < 0.5) for name in draw.sample(names, draw.randrange(1, 4))]


def place(row: dict[str, Any], keys: list[tuple[str, bool]], kind: str) -> tuple[Any, ...]:
    """Give what sorts rows: bytes of texts, enums as declared, nulls last."""
    found: list[Any] = []
    for name, descending in keys:
        value = row[name]
        *steps, last = name.split(".")
        column = SCHEMA.column(SCHEMA.relations(kind)[steps[0]].target if steps else kind, last)
        if value is not None and column.enum:
            value = column.choices.index(value)
        if isinstance(value, str):
            value = _Reversed(value.encode()) if descending else value.encode()
        elif value is not None and descending:
            value = -value
        found.append((value is None, 0 if value is None else value))
    return (*found, row["id"])


class _Reversed:
    def __init__(self, value: bytes) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


@given(draw=st.randoms(use_true_random=True), limit=st.integers(1, 7), curious=st.booleans())
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_pages_are_the_whole_list_in_order(
    http: TestClient, curator: TestClient, catalog: Catalog, draw: random.Random, limit: int, curious: bool
) -> None:
    client, viewer = (curator, CURATOR) if curious else (http, ANONYMOUS)
    kind = draw.choice(KINDS)
    keys = sort_keys(draw, kind)
    names = ",".join(dict.fromkeys(["id", *(name for name, _ in keys)]))
    sort = ",".join(f"{'-' if descending else ''}{name}" for name, descending in keys)
    found = walk(client, at(kind), {"sort": sort, "limit": limit, "fields": names})
    assert sorted(row["id"] for row in found) == [row["id"] for row in rows(catalog, kind, viewer)]
    assert found == sorted(found, key=lambda row: place(row, keys, kind))


def test_rows_that_come_meanwhile_move_nothing(database: Database, tmp_path: Path) -> None:
    catalog = filled(database.new())
    client, table = application(catalog.url, tmp_path), catalog.tables.kinds["run"]
    before = [row["id"] for row in client.get("/api/v1/runs?sort=-name&limit=1000").json()["items"]]
    with catalog.engine.begin() as connection:
        old = dict(connection.execute(table.select().where(table.c.id == before[0])).mappings().one())
    page = client.get("/api/v1/runs?sort=-name&limit=2&fields=id,name").json()
    found, number = page["items"], 1000
    while page["next"]:
        with catalog.engine.begin() as connection:
            for name in ("", "zzz", str(found[-1]["name"])) if number < 1012 else ():
                number += 1
                connection.execute(table.insert(), {**old, "id": number, "name": name})
        page = client.get(page["next"]).json()
        found += page["items"]
    ids = [row["id"] for row in found]
    assert [i for i in ids if i < 1000] == before
    assert len(ids) == len(set(ids))
    client.close()
    catalog.close()


def test_the_total_can_be_left_out(http: TestClient) -> None:
    assert "total" not in http.get("/api/v1/runs?total=false&limit=2").json()


@pytest.mark.parametrize("change", ["sort=name", "name=x", "sort=-id"])
def test_a_cursor_belongs_to_its_list(http: TestClient, change: str) -> None:
    following = http.get("/api/v1/runs?limit=2").json()["next"]
    assert http.get(following).status_code == 200
    assert "belongs to a list with other filters" in http.get(f"{following}&{change}").json()["error"]


@pytest.mark.parametrize("text", ["x", "é", "WzFd", "bm90IGpzb24", "W10", "e30", "A" * 50_000])
def test_what_is_no_cursor_is_refused(http: TestClient, text: str) -> None:
    answer = http.get("/api/v1/runs", params={"cursor": text})
    assert answer.status_code == 400
    assert "no cursor of this server" in answer.json()["error"]


def test_a_cursor_tells_nothing_of_hidden_rows(http: TestClient, curator: TestClient) -> None:
    """The curator's cursor, given to a visitor, only names a place."""
    following = curator.get("/api/v1/datasets?sort=title&limit=1").json()["next"]
    visible = {row["id"] for row in http.get("/api/v1/datasets?limit=1000").json()["items"]}
    assert {row["id"] for row in http.get(following + "&limit=1000").json().get("items", [])} <= visible


def test_the_total_follows_the_catalogue(database: Database, tmp_path: Path) -> None:
    """What was counted once is counted again when the catalogue's version has risen."""
    catalog = filled(database.new())
    client, table, meta = application(catalog.url, tmp_path), catalog.tables.kinds["run"], catalog.tables.meta
    before = client.get("/api/v1/runs?limit=1").json()["total"]
    assert client.get("/api/v1/runs?limit=1&sort=name").json()["total"] == before
    shown = client.get("/api/v1/runs?limit=1").json()["items"][0]["id"]
    with catalog.engine.begin() as connection:
        old = dict(connection.execute(table.select().where(table.c.id == shown)).mappings().one())
        connection.execute(table.insert(), {**old, "id": 5000})
        connection.execute(meta.insert(), {"name": "version", "value": "7"})
    deadline = time.monotonic() + 30
    while client.get("/api/v1/runs?limit=1").json()["total"] != before + 1:
        assert time.monotonic() < deadline
    client.close()
    catalog.close()
