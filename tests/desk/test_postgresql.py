"""The desk in PostgreSQL: the same promises."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.desk.test_desk import OTHER_PROCESS

from tomotheca.desk import Desk, engine, export_marks, import_marks
from tomotheca.desk.tables import METADATA
from tomotheca.errors import Finding, SettingsError, StorageError
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.databases import Server


def reserve_often(where: str, times: int) -> list[int]:
    with Desk.open(where) as desk:
        return [number for turn in range(times) for number in desk.reserve("run", 1 + turn % 3)]


def test_processes_never_get_the_same_identifier(postgresql: Server) -> None:
    where = postgresql.new()
    command = [sys.executable, "-c", OTHER_PROCESS, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        numbers = [*reserve_often(where, 60), *json.loads(other.communicate()[0])]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_many_may_open_a_new_desk_at_once(postgresql: Server) -> None:
    where = postgresql.new()
    with ThreadPoolExecutor(6) as pool:
        numbers = [n for part in pool.map(lambda _: reserve_often(where, 2), range(6)) for n in part]
    assert sorted(numbers) == list(range(1, 19))


def test_what_was_written_is_read_again(postgresql: Server, tmp_path: Path) -> None:
    where, files = postgresql.new(), LocalFiles(tmp_path)
    finding = Finding("warning", "a.yaml:3", "no title", "datasets[0]")
    with Desk.open(where) as desk:
        desk.raise_above("dataset", 10900)
        desk.bury("tomogram", 7, "TS_001", "replaced by a better one")
        desk.bury("tomogram", 7, "other", "again")
        desk.keep_findings("10900", [finding, finding])
        desk.keep_findings("10900", [finding])
        desk.journal.mark_all({"10900/TS_1/x": "c", "10900/TS%1": "d"})
        desk.journal.mark("10900/TS_1/x", "e")
        versions = [desk.raise_version(), desk.raise_version()]
        assert export_marks(files, desk)
    with Desk.open(where) as desk:
        assert desk.high_water() == {"dataset": 10900, "tomogram": 7}
        assert [(s.id, s.title) for s in desk.tombstones()] == [(7, "TS_001")]
        assert desk.findings("10900") == (finding,)
        assert desk.journal.all_done("10900/TS_1") == {"10900/TS_1/x": "e"}
        assert versions[0] < versions[1] == desk.version()
    with Desk.open(postgresql.new()) as other:
        import_marks(files, other)
        assert list(other.reserve("tomogram")) == [8]


def test_migrations_give_the_tables_that_are_declared(postgresql: Server) -> None:
    database = engine.connect(postgresql.new())
    with database.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    database.dispose()
    assert found == []


def test_its_backup_is_that_of_the_database(postgresql: Server, tmp_path: Path) -> None:
    with Desk.open(postgresql.new()) as desk, pytest.raises(SettingsError, match="such as pg_dump"):
        desk.backup(tmp_path / "copy")


def test_a_server_that_does_not_answer_is_a_sentence_without_the_password(free_port: int) -> None:
    with pytest.raises(StorageError, match="see that the database runs") as refused:
        Desk.open(f"postgresql://ada:correct-horse@127.0.0.1:{free_port}/desk")
    assert "correct-horse" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_n11_a_database_that_may_only_be_read_is_one_sentence(postgresql: Server) -> None:
    where = postgresql.new()
    with Desk.open(where) as desk:
        desk.downloads.add([("dataset", 10001, "2026-05-04", 2, 7)])
    with Desk.open(f"{where}{quote(' -c default_transaction_read_only=on')}") as desk:
        assert desk.downloads.total().times == 2
        with pytest.raises(StorageError, match="read-only"):
            desk.downloads.add([("dataset", 10001, "2026-05-04", 1, 1)])
        assert desk.version() == 0
