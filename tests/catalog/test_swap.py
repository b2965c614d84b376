"""A new catalogue takes the place of the old one at once; whoever reads goes on with the old one; a killed build leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.catalog.archive import put_dataset
from tests.catalog.world import World, everything

from tomotheca.catalog import swap
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import FindingsError

if TYPE_CHECKING:
    from tests.databases import Database

KILLED = """
import os, signal, sys
from pathlib import Path
from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.store.files import LocalFiles

folder, url, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = []

def progress(word):
    seen.append(word)
    if len(seen) == last:
        os.kill(os.getpid(), signal.SIGKILL)

indexer = Indexer(LocalFiles(folder / "archive"), Desk.open(folder / "desk.sqlite"), url, progress=progress)
indexer.rebuild()
"""


def schemas(world: World) -> list[str]:
    """The catalogues that there are beside one another."""
    home = world.catalog()
    if world.database.kind == "sqlite":
        return ["the file"]
    found = home.rows(
        sa.text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, (SELECT split_part(:url, '%3D', 2)) || '_') ORDER BY 1").bindparams(
            url=world.url
        )
    )  # fmt: skip
    return [name for (name,) in found]


def titles(world: World) -> list[str]:
    return [row["title"] for row in world.catalog().find("dataset", ANONYMOUS)]


def test_a_reader_keeps_the_catalogue_that_it_began_with(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    question = "SELECT title FROM dataset ORDER BY id"
    with catalog.reading() as before:
        old = before.execute("SELECT name FROM run ORDER BY id").fetchall()
        for turn in range(2):
            put_dataset(world.files, 10001, 10300, runs=turn + 3, dataset_title=f"Title {turn}")
            world.indexer().replace([10001])
        with catalog.reading() as after:
            assert ("Title 1",) in after.execute(question).fetchall()
        assert ("Title 1",) not in before.execute(question).fetchall()
        assert before.execute("SELECT name FROM run ORDER BY id").fetchall() == old
    assert titles(world) == ["Title 1", "Dataset 10002"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_whole_build_waits_for_no_reader_and_the_next_one_clears_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "PATIENCE", 0.1)
    world.indexer().rebuild()
    catalog = world.catalog()
    with catalog.reading() as before:
        assert len(before.execute("SELECT id FROM dataset").fetchall()) == 2
        put_dataset(world.files, 10001, 10300, runs=3, dataset_title="Another title")
        world.indexer().rebuild()
        assert titles(world) == ["Another title", "Dataset 10002"]
        assert len(schemas(world)) == 2, "the old one is still being read"
        assert before.execute("SELECT title FROM dataset ORDER BY id").fetchall()[0] == ("Dataset 10001",)
        assert len(before.execute("SELECT id FROM run").fetchall()) == 3, (
            "a table that the reader had not touched before"
        )
    world.indexer().rebuild()
    assert len(schemas(world)) == 1


def test_a_killed_build_leaves_the_old_catalogue(world: World) -> None:
    world.indexer().rebuild()
    before = everything(world.url)
    put_dataset(world.files, 10001, 10300, runs=3, dataset_title="Another title")
    command = [sys.executable, "-c", KILLED, str(world.folder), world.url]
    done = subprocess.run([*command, "3"], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert everything(world.url) == before
    assert len(schemas(world)) == 1
    subprocess.run([*command, "0"], check=True)
    assert titles(world) == ["Another title", "Dataset 10002"]
    assert len(schemas(world)) == 1


def test_writers_wait_for_each_other(world: World) -> None:
    command = [sys.executable, "-c", KILLED, str(world.folder), world.url, "0"]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert titles(world) == ["Dataset 10001", "Dataset 10002"]
    assert len(schemas(world)) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_value_that_does_not_fit_its_column_is_a_sentence(database: Database, world: World) -> None:
    catalog = world.catalog()
    tables = catalog.tables
    with (
        pytest.raises(FindingsError, match="does not fit its column"),
        swap.writing(catalog.engine, tables, whole=True) as connection,
    ):
        swap.insert(connection, tables.kinds["run"], ["id", "name", "_owner"], [(1, "a", 1), ("many", "b", 1)])
    assert schemas(world) == []
