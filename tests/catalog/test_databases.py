"""Addresses, drivers, servers that do not answer, lists of any length, and time limits: on both databases."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import databases
from tests.api.serving import run_cli

from tomotheca.api.graphql import GraphQL
from tomotheca.catalog import postgres, swap
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.later import among
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import QueryError, QueryTimeoutError, SettingsError, StorageError
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tests.databases import Database, Server

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n"
COUNTING = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i, i * 2 FROM n ORDER BY i"
)
SECRET = "correct-horse"


@pytest.fixture
def catalog(database: Database) -> Iterator[Catalog]:
    opened = Catalog(database.new(), query_seconds=20)
    yield opened
    opened.close()


@pytest.fixture
def hurried(catalog: Catalog) -> Iterator[Catalog]:
    """The same database for people in a hurry."""
    opened = Catalog(catalog.url, query_seconds=0.4)
    yield opened
    opened.close()


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"oracle://ada:{SECRET}@host/db", "not a database that the catalogue can use"),
        (f"postgresql+psycopg2://ada:{SECRET}@host/db", "cannot use the driver 'psycopg2'"),
        (f"postgresql://ada:{SECRET}@host:port/db", "not a database URL"),
        ("://", "not a database URL"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_sentence(address: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _ = Catalog(address).engine
    assert reason in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_server_that_does_not_answer_is_a_sentence_without_the_password(free_port: int) -> None:
    catalog = Catalog(f"postgresql://ada:{SECRET}@127.0.0.1:{free_port}/tomotheca?connect_timeout=5")
    for ask in (lambda: catalog.version, lambda: catalog.reading().__enter__()):
        with pytest.raises(StorageError, match="cannot be reached") as refused:
            ask()
        assert "\n" not in str(refused.value)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("words", [["serve"], ["index"], ["desk", "backup", "copy"]])
@pytest.mark.parametrize("setting", ["TOMOTHECA_CATALOG_URL", "TOMOTHECA_DESK_URL"])
def test_every_command_says_that_the_server_does_not_answer(
    words: list[str], setting: str, tmp_path: Path, free_port: int
) -> None:
    (tmp_path / "archive").mkdir()
    env = {setting: f"postgresql://ada:{SECRET}@127.0.0.1:{free_port}/x", "TOMOTHECA_ROOT": str(tmp_path)}
    done = run_cli(*words, cwd=tmp_path, **env)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout
    if (setting == "TOMOTHECA_CATALOG_URL") == (words[0] != "desk"):
        assert "cannot be" in done.stderr.splitlines()[-1]


def test_a_missing_driver_is_a_sentence_that_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from tomotheca.catalog.catalog import Catalog\n"
        "from tomotheca.errors import SettingsError\n"
        "try: Catalog('postgresql://ada@host/db').engine\n"
        "except SettingsError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tomotheca[postgres]'" in done.stdout


def test_a_database_that_cannot_hold_every_character_is_refused(postgresql: Server) -> None:
    postgresql.execute("CREATE DATABASE odd ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(SettingsError, match="has the encoding SQL_ASCII"):
        _ = Catalog(postgresql.url("odd")).version


def test_a_server_that_was_started_anew_is_found_again() -> None:
    with databases.running() as server:
        catalog = Catalog(server.new())
        with swap.writing(catalog.engine, catalog.tables, whole=True) as connection:
            connection.execute(catalog.tables.meta.insert().values(name="version", value="5"))
        assert catalog.version == 5
        server.stop()
        with pytest.raises(StorageError, match="cannot be reached"):
            _ = catalog.version
        server.start()
        assert catalog.version == 5
        with catalog.reading() as reading:
            assert reading.execute("SELECT value FROM meta").fetchall() == [("5",)]
        catalog.close()


# --- lists -----------------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@settings(max_examples=60)
@given(value=words | st.sampled_from(['"', "\\", "NULL", "a,b", "{}"]), items=st.lists(words | st.none(), max_size=6))
def test_a_list_of_words_is_the_same_list_in_the_database(
    postgresql: Server, value: str, items: list[str | None]
) -> None:
    for catalog in both(postgresql):
        found = catalog.rows(
            sa.select(among(sa.literal(value, sa.Text()), [*items, value]), among(sa.literal(value, sa.Text()), items))
        )
        assert bool(found[0][0])
        assert bool(found[0][1]) == (value in items)


_both: list[Catalog] = []


def both(postgresql: Server) -> list[Catalog]:
    return _both or _both.extend([Catalog("sqlite://"), Catalog(postgresql.new())]) or _both


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    for catalog in _both:
        catalog.close()
    _both.clear()


def test_thousands_of_words_are_looked_up_and_not_compared_one_by_one(catalog: Catalog) -> None:
    tables = catalog.tables
    with swap.writing(catalog.engine, tables, whole=True) as connection:
        rows = [(n, f"run {n}", 1, "", "", 1) for n in range(20_000)]
        names = ["id", "name", "dataset_id", "s3_prefix", "https_prefix", "_owner"]
        swap.insert(connection, tables.kinds["run"], names, rows)
    wanted = [f"run {n * 7}" for n in range(10_000)]
    for order in ("name", "id"):  # compared one by one this would take longer than a query may
        found = catalog.find("run", ANONYMOUS, where={"name": {"_in": wanted}}, order=[(order, "asc")], limit=3)
        assert len(found) == 3
    query = "query A($names: [String!]) { runsAggregate(where: {name: {_in: $names}}) { aggregate { count } } }"
    service = GraphQL(catalog, Settings())
    for number in (3, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 3):
        answer = orjson.loads(service.handle({"query": query, "variables": {"names": wanted[:number]}}, ANONYMOUS))
        assert answer["data"]["runsAggregate"]["aggregate"][0]["count"] == min(number, 2858)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_statement_that_never_ends_is_stopped_and_the_next_one_runs(hurried: Catalog) -> None:
    with pytest.raises(QueryTimeoutError, match=r"stopped after 0\.4 s; ask for less"):
        hurried.rows(sa.text(ENDLESS))
    assert hurried.rows(sa.text("SELECT 1")) == [(1,)]
    with pytest.raises(QueryTimeoutError), hurried.reading() as reading:
        reading.execute(ENDLESS).fetchall()
    with hurried.reading() as reading:
        assert reading.execute("SELECT 1").fetchall() == [(1,)]


def test_the_time_is_that_of_all_statements_together_and_not_that_of_the_reader(catalog: Catalog) -> None:
    with catalog.reading(seconds=3) as reading:
        rows = reading.stream(COUNTING)
        assert rows.fetchmany(400) == [(n, 2 * n) for n in range(1, 401)]
        time.sleep(3.2)  # somebody who reads slowly
        assert rows.fetchmany(400)[-1] == (800, 1600)
        assert reading.execute("SELECT 2").fetchone() == (2,)
        assert rows.fetchall()[-1] == (5000, 10000)
    slow = COUNTING.replace("5000", "300000")
    with pytest.raises(QueryTimeoutError), catalog.reading(seconds=0.3) as reading:
        all(reading.execute(slow).fetchall() for _ in range(1000))


def test_a_slow_query_is_an_answer_and_the_service_goes_on(catalog: Catalog, hurried: Catalog) -> None:
    tables = catalog.tables
    with swap.writing(catalog.engine, tables, whole=True) as connection:
        rows = [(n, f"run {n}", 1, "", "", 1) for n in range(20_000)]
        names = ["id", "name", "dataset_id", "s3_prefix", "https_prefix", "_owner"]
        swap.insert(connection, tables.kinds["run"], names, rows)
    service = GraphQL(hurried, Settings())
    alternatives = ", ".join(f'{{name: {{_iregex: "(r|u|n)+ x{n}"}}}}' for n in range(300))
    slow = f"{{ runs(where: {{_or: [{alternatives}]}}, limitOffset: {{limit: 5}}) {{ name }} }}"
    answer = orjson.loads(service.handle({"query": slow}, ANONYMOUS))
    assert answer["data"] is None
    assert "stopped after 0.4 s" in answer["errors"][0]["message"]
    assert answer["errors"][0]["path"] == ["runs"]
    quick = {"query": "{ runs(limitOffset: {limit: 1}) { name } }"}
    assert orjson.loads(service.handle(quick, ANONYMOUS)) == {"data": {"runs": [{"name": "run 0"}]}}


def test_a_transaction_whose_end_is_stopped_is_nobody_elses_trouble(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = postgres.Session.end

    def too_late(session: postgres.Session, connection: Any) -> None:
        connection.pgconn.send_query(b"SELECT pg_sleep(60); COMMIT")
        session.is_ending = True

    monkeypatch.setattr(postgres.Session, "end", too_late)
    with catalog.reading(seconds=0.2) as reading:
        assert reading.execute("SELECT 1").fetchall() == [(1,)]
    monkeypatch.setattr(postgres.Session, "end", ended)
    for _ in range(3):
        with catalog.reading() as reading:
            assert reading.execute("SELECT 1").fetchall() == [(1,)]


def test_a_number_that_no_column_holds_is_refused_or_finds_nothing(database: Database, catalog: Catalog) -> None:
    with swap.writing(catalog.engine, catalog.tables, whole=True):
        pass
    number = {"id": {"_eq": 1 << 40}}
    if database.kind == "sqlite":
        assert catalog.find("run", ANONYMOUS, where=number) == []
    else:
        with pytest.raises(QueryError, match="not one that a database can hold"):
            catalog.find("run", ANONYMOUS, where=number)
