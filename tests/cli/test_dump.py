"""`tomotheca dump`: what the public sees, and nothing that it does not; dump, load, dump gives the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.api.serving import HIDDEN, MARKER, PUBLIC, build
from tests.cli import dumps
from tests.cli.portal import Portal
from tests.conftest import REPOSITORY

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from tests.databases import Database


@pytest.fixture
def portal(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Portal]:
    with closing(Portal(tmp_path / "one", database.new(), monkeypatch, capsys)) as made:
        yield made


@pytest.fixture
def other(portal: Portal, tmp_path: Path, database: Database) -> Iterator[Portal]:
    with closing(Portal(tmp_path / "two", database.new(), portal.monkeypatch, portal.capsys)) as made:
        yield made


@pytest.fixture
def archive(portal: Portal) -> Portal:
    """A portal with an archive of a public and a hidden dataset."""
    build(portal.root)
    portal.run("index")
    return portal


def make_dump(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    import make_dump as made

    made.IDS.clear()
    made.main(folder, 3, 10)
    sys.modules.pop("make_dump")
    return folder


@pytest.mark.parametrize("source", ["odd", "made", "archive"])
def test_dump_load_dump_is_the_same_to_the_byte(source: str, portal: Portal, other: Portal, tmp_path: Path) -> None:
    if source == "archive":
        build(portal.root)
        portal.run("index")
    else:
        given = tmp_path / "given"
        dumps.write(given, dumps.odd_rows()) if source == "odd" else make_dump(given, portal.monkeypatch)
        portal.run("load", given)
    first = portal.dump(tmp_path / "first")
    other.run("load", first)
    second = other.dump(tmp_path / "second")
    assert dumps.contents(first) == dumps.contents(second)
    assert sorted(dumps.contents(first)) == sorted(f"{kind}.ndjson" for kind in SCHEMA.kinds)
    assert all(dumps.contents(first)[f"{kind}.ndjson"] for kind in ("dataset", "run", "tomogram", "annotation_file"))


def test_rows_have_public_names_in_order_and_odd_text_survives(portal: Portal, tmp_path: Path) -> None:
    rows = dumps.odd_rows()
    portal.run("load", dumps.write(tmp_path / "odd", rows))
    out = portal.dump(tmp_path / "out")
    for kind, given in rows.items():
        found = list(dumps.read(out, kind))
        names = [c.name for c in SCHEMA.columns(kind) if c.public]
        assert all(list(row) == names for row in found)
        assert found == [{name: row.get(name) for name in names} for row in given]


def test_hidden_rows_and_addresses_of_people_are_nowhere(archive: Portal, tmp_path: Path) -> None:
    out = archive.dump(tmp_path / "out")
    text = b"".join(dumps.contents(out).values()).decode()
    assert [row["id"] for row in dumps.read(out, "dataset")] == [PUBLIC]
    assert str(HIDDEN) not in text
    assert "Deposition 10301" not in text
    assert MARKER not in text
    assert "visibility" not in text


def test_everything_comes_back_hidden_as_it_was(archive: Portal, other: Portal, tmp_path: Path) -> None:
    first = archive.dump(tmp_path / "first", "--all")
    assert [row["id"] for row in dumps.read(first, "dataset")] == [PUBLIC, HIDDEN]
    other.run("load", first)
    assert dumps.contents(other.dump(tmp_path / "second", "--all")) == dumps.contents(first)
    for kind in SCHEMA.kinds:
        for viewer in (ANONYMOUS, CURATOR):
            assert [r["id"] for r in archive.catalog.find(kind, viewer)] == [
                r["id"] for r in other.catalog.find(kind, viewer)
            ], (kind, viewer)
    assert dumps.contents(archive.dump(tmp_path / "a")) == dumps.contents(other.dump(tmp_path / "b"))


def test_a_row_that_hides_with_a_deposition_no_column_names_stays_hidden(portal: Portal, tmp_path: Path) -> None:
    rows = dumps.small()
    rows["deposition"].append({**rows["deposition"][0], "id": 10301, "visibility_state": "private"})
    rows["annotation"] = []
    rows["frame_acquisition_file"] = [
        {"id": 1, "run_id": 1, "s3_mdoc_path": "s3://a/b", "https_mdoc_path": "https://a/b", "_gate": 10301},
        {"id": 2, "run_id": 1, "s3_mdoc_path": "s3://a/c", "https_mdoc_path": "https://a/c"},
    ]
    portal.run("load", dumps.write(tmp_path / "given", rows))
    assert [r["id"] for r in portal.catalog.find("frame_acquisition_file", ANONYMOUS)] == [2]
    again = portal.dump(tmp_path / "all", "--all")
    assert [r["_gate"] for r in dumps.read(again, "frame_acquisition_file")] == [10301, None]


def test_a_folder_with_other_things_is_left_alone(archive: Portal, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    refused = archive.run("dump", folder, code=5)
    assert "thesis.tex" in refused.err
    assert dumps.contents(folder) == {"thesis.tex": b"precious"}


def test_a_dump_is_replaced_whole(archive: Portal, tmp_path: Path) -> None:
    folder = archive.dump(tmp_path / "out", "--all")
    before = dumps.contents(folder)
    told = archive.run("dump", folder, "--json").answer
    assert told["kinds"]["dataset"] == 1
    assert dumps.contents(folder) != before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".tmp")] == []


def test_without_a_catalogue(portal: Portal, tmp_path: Path) -> None:
    portal.root.mkdir()
    assert "index" in portal.run("dump", tmp_path / "out", code=3).err
    assert not (tmp_path / "out").exists()
