import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tomotheca.desk import Desk, engine, location
from tomotheca.desk.tables import METADATA
from tomotheca.errors import ConflictError, Finding, SettingsError, StorageError


def reserve_often(where: Path, times: int) -> list[int]:
    with Desk.open(where) as desk:
        return [number for turn in range(times) for number in desk.reserve("run", 1 + turn % 3)]


OTHER_PROCESS = """
import json, sys
from tomotheca.desk import Desk
with Desk.open(sys.argv[1]) as desk:
    print(json.dumps([number for turn in range(60) for number in desk.reserve("run", 1 + turn % 3)]))
"""


def test_identifiers_count_from_one_and_never_come_twice(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        assert desk.reserve("run", 3) == range(1, 4)
        assert desk.reserve("run") == range(4, 5)
        assert desk.reserve("tomogram", 2) == range(1, 3)
        desk.raise_above("run", 100)
        desk.raise_above("run", 50)
        desk.raise_above("dataset", 10900)
        assert desk.reserve("run", 0) == range(101, 101)
        assert desk.high_water() == {"dataset": 10900, "run": 100, "tomogram": 2}
    with Desk.open(f"sqlite:///{tmp_path}/desk.sqlite") as desk:
        assert desk.reserve("run") == range(101, 102)


def test_mistakes_and_the_end_of_numbers(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        with pytest.raises(ValueError, match="come from its configuration"):
            desk.reserve("dataset")
        with pytest.raises(ValueError, match="no kind of entity"):
            desk.reserve("volume")
        desk.raise_above("run", 2**31 - 2)
        with pytest.raises(ConflictError, match="32 bits"):
            desk.reserve("run", 2)
        assert list(desk.reserve("run")) == [2**31 - 1]


def test_processes_never_get_the_same_identifier(tmp_path: Path) -> None:
    where = tmp_path / "desk.sqlite"
    command = [sys.executable, "-c", OTHER_PROCESS, str(where)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    parts = [reserve_often(where, 60), *(json.loads(other.communicate()[0]) for other in others)]
    numbers = sorted(number for part in parts for number in part)
    assert numbers == list(range(1, len(numbers) + 1))


def test_many_may_open_a_new_desk_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = [
            n for part in pool.map(lambda _: reserve_often(tmp_path / "new" / "desk.sqlite", 1), range(8)) for n in part
        ]
    assert sorted(numbers) == list(range(1, 9))


def test_what_was_removed_is_remembered(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        desk.bury("tomogram", 7, "TS_001", "replaced by a better one")
        desk.bury("tomogram", 7, "other", "again")
        stone = desk.tombstone("tomogram", 7)
        assert stone is not None
        assert (stone.title, stone.reason) == ("TS_001", "replaced by a better one")
        assert desk.tombstone("tomogram", 8) is desk.tombstone("run", 7) is None
        assert list(desk.reserve("tomogram")) == [8]


def test_the_journal_knows_what_is_done(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        journal = desk.journal
        journal.mark("10900/TS_1/tomogram", "a")
        journal.mark("10900/TS_1/tomogram", "b")
        journal.mark_all({"10900/ts_1/x": "c", "10900/TS%1": "d"})
        assert journal.done("10900/TS_1/tomogram") == "b"
        assert journal.done("10900/TS_1") is None
        assert journal.all_done("10900/TS") == {"10900/TS%1": "d", "10900/TS_1/tomogram": "b"}
        assert journal.forget("10900/TS_1/") == 1
        assert set(journal.all_done()) == {"10900/ts_1/x", "10900/TS%1"}


def test_findings_are_replaced_by_scope(tmp_path: Path) -> None:
    first = [Finding("warning", "a.yaml:3", "no title", "datasets[0]"), Finding("error", "b", "c")]
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        desk.keep_findings("10900", first)
        desk.keep_findings("10901", first[1:])
        assert desk.findings("10900") == tuple(first)
        desk.keep_findings("10900", [])
        assert desk.findings("10900") == ()
        assert desk.findings("10901") == (first[1],)


def test_the_version_of_the_catalogue_only_rises(tmp_path: Path) -> None:
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        seen = [desk.version(), *(desk.raise_version() for _ in range(3)), desk.version()]
    assert seen == [*sorted(set(seen)), seen[-1]]
    with Desk.open(tmp_path / "lost.sqlite") as desk:
        assert desk.raise_version() > seen[0]


def test_a_backup_is_taken_in_use_and_restored(tmp_path: Path) -> None:
    where, copy = tmp_path / "state" / "desk.sqlite", tmp_path / "backups" / "desk.backup"
    stop = threading.Event()
    given: list[int] = []

    def write() -> None:
        with Desk.open(where) as desk:
            while not stop.is_set():
                given.extend(desk.reserve("run", 5))

    writer = threading.Thread(target=write)
    with Desk.open(where) as desk:
        desk.bury("run", 1, "TS_001", "test")
        writer.start()
        for _ in range(5):
            at_least = max(given, default=0)
            desk.backup(copy)
            with sqlite3.connect(f"file:{copy}?mode=ro", uri=True) as reader:
                assert reader.execute("SELECT last FROM counter WHERE kind = 'run'").fetchone()[0] >= at_least
            reader.close()
        stop.set()
        writer.join()
        desk.backup(copy)
        numbers, stones = desk.high_water(), desk.tombstones()
    assert [p.name for p in copy.parent.iterdir()] == ["desk.backup"]

    shutil.rmtree(where.parent)
    where.parent.mkdir()
    shutil.copy(copy, where)
    with Desk.open(where) as restored:
        assert (restored.high_water(), restored.tombstones()) == (numbers, stones)
        assert restored.reserve("run")[0] > max(given)


def test_a_backup_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with Desk.open(tmp_path / "desk.sqlite") as desk, pytest.raises(StorageError, match="cannot be copied to"):
        desk.backup(tmp_path / "file" / "backup")


def test_a_network_file_system_is_refused_with_a_reason(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    shared = tmp_path / "lab share"
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/lab {str(shared).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n/dev/sdb {tmp_path}/lab tmpfs rw 0 0\n"
    )
    location.refuse_network(tmp_path / "state", mounts=mounts)
    assert location.file_system(tmp_path / "lab" / "x", mounts=mounts) == "tmpfs"
    assert location.file_system(tmp_path, mounts=tmp_path / "none") == ""
    with pytest.raises(SettingsError, match=r"network file system \(nfs4\).*set TOMOTHECA_STATE"):
        location.refuse_network(shared / "desk.sqlite", mounts=mounts)


@pytest.mark.parametrize("where", ["oracle://x/y", "nodialect://x/y", "://"])
def test_a_bad_url_is_a_sentence(where: str) -> None:
    with pytest.raises(SettingsError, match="database URL"):
        Desk.open(where)


def test_a_file_that_is_no_desk_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "desk.sqlite").write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(StorageError, match="cannot be opened"):
        Desk.open(tmp_path / "desk.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be opened"):
        Desk.open(tmp_path / "folder")


def test_a_desk_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Desk.open(tmp_path / "desk.sqlite").close()
    with sqlite3.connect(tmp_path / "desk.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConflictError, match="newer version"):
        Desk.open(tmp_path / "desk.sqlite")


def test_migrations_give_the_tables_that_are_declared(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", os.fspath(Path(engine.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == engine.HEAD
    database = engine.connect(tmp_path / "desk.sqlite")
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.dispose()
