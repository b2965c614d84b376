"""Levels of the tree of keys, as a bucket shows them: the same on both databases as from a sorted list of keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.catalog.archive import put_dataset, put_deposition

from tomotheca.catalog.build import Indexer
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.files import list_files
from tomotheca.catalog.listing import Level
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer
from tomotheca.desk import Desk
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.databases import Database

DIGEST = "0" * 64
ODD = (
    "10001/TS_1/Frames/a b",
    "10001/TS_1/Frames/é%_+",
    "10001/TS_1/Frames/\U0001f9ca",
    "10001/TS_1-b/x",
    "10001/TS_1.b",
    "10001/TS_10/x",
    "10001/TS_1 /y",
)
SPACING = "10001/TS_1/Reconstructions/VoxelSpacing10.000"
PREFIXES = (
    "", "1", "10001", "10001/", "10001/TS_1", "10001/TS_1/", "10001/TS_1/Frames/", "10002/", f"{SPACING}/Tomograms/100/", f"{SPACING}/Tomograms/100/TS_1.zarr",
    f"{SPACING}/Tomograms/100/TS_1.zarr/", f"{SPACING}/Tomograms/100/TS_1.zarr/0/0/0/1", "nothing/", "~",
)  # fmt: skip


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Iterator[tuple[Catalog, LocalFiles]]:
    files = LocalFiles(tmp_path / "archive")
    (tmp_path / "archive").mkdir()
    put_deposition(files, 10300)
    put_deposition(files, 10301)
    put_dataset(files, 10001, 10300)
    put_dataset(files, 10002, 10301, runs=1, visibility={"state": "private", "until": None})
    url = database.new()
    with Desk.open(f"sqlite:///{tmp_path / 'desk.sqlite'}") as desk:
        Indexer(files, desk, url).rebuild()
    catalog = Catalog(url)
    f = catalog.tables.file
    with catalog.engine.begin() as connection:
        row = connection.execute(sa.select(f).where(f.c.key == "10001/dataset_metadata.json")).mappings().one()
        connection.execute(f.insert(), [{**row, "key": key, "sha256": DIGEST} for key in ODD])
    yield catalog, files
    catalog.close()


def expected(keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Fold a list of keys as S3 does."""
    found: list[str] = []
    for key in keys:
        if not key.startswith(prefix) or key <= after:
            continue
        head, slash, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = prefix + head + slash if slash else key
        if name != after and (not found or found[-1] != name):
            found.append(name)
    return found


@pytest.mark.parametrize("viewer", [ANONYMOUS, CURATOR], ids=["anonymous", "curator"])
def test_levels(opened: tuple[Catalog, LocalFiles], viewer: Viewer) -> None:
    catalog, files = opened
    keys = [file.key for file in list_files(catalog, files, "", viewer)]
    assert keys == sorted(set(keys), key=str.encode)
    assert set(ODD) <= set(keys)
    assert any(key.startswith("10002/") for key in keys) == viewer.curator
    for prefix in PREFIXES:
        for delimiter in ("", "/", "0", "TS_"):
            level = Level(catalog, files, viewer, prefix, delimiter)
            names = [name for name, _ in level.items()]
            assert names == expected(keys, prefix, delimiter, ""), (prefix, delimiter)
            assert [name for name, _ in level.items(most=2)] == names
            for after in (*names[::3], "10001/TS_1", f"{SPACING}/Tomograms/100/TS_1.zarr/0/0/0/10"):
                found = [name for name, _ in level.items(after=after, most=3)]
                assert found == expected(keys, prefix, delimiter, after), (prefix, delimiter, after)
