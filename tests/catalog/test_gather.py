"""Documents are read by several processes where there are many datasets: the same catalogue, the same findings."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.archive import put_dataset, put_deposition

from tomotheca.catalog.build import Indexed, Indexer
from tomotheca.catalog.gather import ENOUGH
from tomotheca.desk import Desk
from tomotheca.store.files import LocalFiles


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> LocalFiles:
    folder: Path = tmp_path_factory.mktemp("many")
    (folder / "archive").mkdir()
    files = LocalFiles(folder / "archive")
    put_deposition(files, 10300)
    for number in range(20001, 20001 + ENOUGH + 3):
        put_dataset(files, number, 10300, runs=1)
    (folder / "archive/20003/dataset_metadata.json").write_text("{")
    (folder / "archive/20005/TS_1/run_metadata.json").write_text("[]")
    return files


def index(archive: LocalFiles, folder: Path, workers: int) -> tuple[Indexed, list[Any]]:
    folder.mkdir()
    database = folder / "catalog.sqlite"
    with Desk.open(folder / "desk.sqlite") as desk:
        done = Indexer(archive, desk, f"sqlite:///{database}", workers=workers).rebuild()
    with closing(sqlite3.connect(database)) as opened:
        names = [n for (n,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        kept = [n for n in names if n != "meta" and not n.startswith("sqlite_")]
        return done, [(n, sorted(map(repr, opened.execute(f'SELECT * FROM "{n}"')))) for n in kept]


def test_more_processes_give_the_same_catalogue(archive: LocalFiles, tmp_path: Path) -> None:
    alone, one = index(archive, tmp_path / "alone", 1)
    together, many = index(archive, tmp_path / "together", 3)
    assert one == many
    assert alone.findings == together.findings
    assert alone.datasets == together.datasets == ENOUGH + 2
    assert any("20003/" in f.where for f in together.findings)
    assert any("20005/TS_1/run_metadata.json" in f.where for f in together.findings)
