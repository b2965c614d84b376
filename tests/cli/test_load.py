"""`tomotheca load`: rows of another portal, checked, kept as a second source of truth, never over somebody else's."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.serving import MARKER, World, build, clean, serving
from tests.cli import dumps
from tests.cli.portal import Portal

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.desk import Desk
from tomotheca.settings import load
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.databases import Database


@pytest.fixture
def portal(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Portal]:
    with closing(Portal(tmp_path / "portal", database.new(), monkeypatch, capsys)) as made:
        yield made


@pytest.fixture
def lite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Portal]:
    """A portal in SQLite, for what has nothing to do with the database."""
    root = tmp_path / "lite"
    with closing(Portal(root, f"sqlite:///{root / 'state/catalog.sqlite'}", monkeypatch, capsys)) as made:
        yield made


def titles(portal: Portal) -> list[str]:
    return [row["title"] for row in portal.catalog.find("dataset", ANONYMOUS)]


def test_rows_are_public_at_once_with_their_own_addresses(portal: Portal, tmp_path: Path) -> None:
    done = portal.run("load", dumps.write(tmp_path / "lab", dumps.small()), "--json").answer
    assert (done["datasets"], done["depositions"], done["rows"], done["findings"]) == (1, 1, 8, [])
    run = portal.catalog.get("run", 1, ANONYMOUS)
    assert run["s3_prefix"] == "s3://old/10001/TS_1/"
    assert portal.catalog.count("tomogram", ANONYMOUS, {"run": {"dataset": {"title": {"_eq": "Dataset 10001"}}}}) == 2
    assert sorted(p.name for p in (portal.root / "loaded/lab").iterdir() if p.suffix == ".ndjson") == [
        "dataset.ndjson", "deposition.ndjson", "run.ndjson", "tomogram.ndjson", "tomogram_author.ndjson",
    ]  # fmt: skip


def test_index_replays_what_was_loaded(portal: Portal, tmp_path: Path) -> None:
    build(portal.root)
    portal.run("load", dumps.write(tmp_path / "lab", dumps.small(20001, 20300, run=900001)))
    before = dumps.contents(portal.dump(tmp_path / "before"))
    portal.run("index")
    portal.run("index", "10001")
    assert dumps.contents(portal.dump(tmp_path / "after")) == before
    shutil.rmtree(portal.root / "loaded/lab")
    portal.run("index")
    assert titles(portal) == ["Dataset 10001"]


def test_the_same_name_again_replaces(portal: Portal, tmp_path: Path) -> None:
    portal.run("load", dumps.write(tmp_path / "big", dumps.small(20001, 20300, run=900, runs=40)))
    folder = dumps.write(tmp_path / "lab", dumps.small(runs=3))
    portal.run("load", folder)
    rows = dumps.small(runs=2)
    rows["dataset"][0]["title"] = "Better"
    portal.run("load", dumps.write(folder, rows))
    assert titles(portal) == ["Better", "Dataset 20001"]
    assert portal.catalog.count("run", ANONYMOUS, {"dataset_id": {"_eq": 10001}}) == 2
    other = dumps.write(tmp_path / "elsewhere", dumps.small(30001, 30300, run=5000))
    assert "other datasets" in portal.run("load", other, "--name", "lab", code=5).err
    portal.run("load", other, "--name", "lab", "--force")
    assert titles(portal) == ["Dataset 20001", "Dataset 30001"]


def broken(kind: str, line: int, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    rows = dumps.small()
    rows[kind][line - 1].update(changes)
    return rows


@pytest.mark.parametrize(
    ("kind", "line", "changes", "sentence"),
    [
        ("run", 2, {"colour": "red"}, "run.ndjson:2 (colour): run has no field 'colour'"),
        ("run", 1, {"name": 7}, "run.ndjson:1 (name): name must be text, not 7"),
        ("run", 2, {"name": None}, "run.ndjson:2 (name): name must have a value"),
        ("run", 1, {"id": "1"}, 'run.ndjson:1 (id): id must be a whole number, not "1"'),
        ("run", 1, {"id": True}, "run.ndjson:1 (id): id must be a whole number, not true"),
        ("run", 1, {"id": 0}, "run.ndjson:1 (id): id must be a number from 1"),
        ("run", 1, {"id": 2**31}, "run.ndjson:1 (id): id must be a number from 1"),
        ("run", 2, {"id": 1}, "run.ndjson:2 (id): id 1 stands in the file twice"),
        ("run", 2, {"dataset_id": 9}, "run.ndjson:2: belongs to nothing: dataset_id must lead to a row of this dump"),
        ("run", 1, {"s3_prefix": "10001/TS_1/"}, "run.ndjson:1 (s3_prefix): s3_prefix is \"10001/TS_1/\", which is not an address"),
        ("run", 1, {"name": "a\0b"}, "run.ndjson:1 (name): name has a character of number 0"),
        ("tomogram", 2, {"processing": "shiny"}, 'tomogram.ndjson:2 (processing): processing is "shiny"; there are'),
        ("dataset", 1, {"visibility_state": "privat"}, 'visibility_state is "privat"; there are'),
        ("tomogram", 1, {"size_x": 4.5}, "tomogram.ndjson:1 (size_x): size_x must be a whole number, not 4.5"),
        ("tomogram", 1, {"size_x": 2**40}, "more than 32 bits"),
        ("tomogram", 1, {"voxel_spacing": "10"}, 'voxel_spacing must be a number, not "10"'),
        ("tomogram", 1, {"ctf_corrected": 1}, "ctf_corrected must be true or false, not 1"),
        ("dataset", 1, {"release_date": "yesterday"}, 'release_date is "yesterday", which is not a date'),
    ],
)  # fmt: skip
def test_what_breaks_the_schema_is_named_with_file_and_line(
    kind: str, line: int, changes: dict[str, Any], sentence: str, lite: Portal, tmp_path: Path
) -> None:
    lite.run("load", dumps.write(tmp_path / "good", dumps.small(20001, 20300, run=900)))
    refused = lite.run("load", dumps.write(tmp_path / "bad", broken(kind, line, **changes)), code=1)
    assert sentence in refused.err
    assert "nothing was written" in refused.err
    assert titles(lite) == ["Dataset 20001"]
    assert [p.name for p in (lite.root / "loaded").iterdir()] == ["good"]


def test_lines_that_are_no_rows_are_all_named(lite: Portal, tmp_path: Path) -> None:
    folder = dumps.write(tmp_path / "bad", dumps.small())
    text = (folder / "run.ndjson").read_text()
    (folder / "run.ndjson").write_text(f'{{"id": \n\n[1]\n"word"\n{{"id": NaN}}\n{text}')
    told = lite.run("load", folder, code=1).err
    assert [f"run.ndjson:{n}: " in told for n in range(1, 8)] == [True, False, True, True, True, False, False]


def test_names_that_are_no_kind(lite: Portal, tmp_path: Path) -> None:
    folder = dumps.write(tmp_path / "bad", dumps.small())
    (folder / "tomograms.ndjson").write_text("")
    assert "tomograms.ndjson: no kind" in lite.run("load", folder, code=1).err
    (tmp_path / "empty").mkdir()
    assert "no file of a dump" in lite.run("load", tmp_path / "empty", code=1).err
    assert "no such folder" in lite.run("load", tmp_path / "nothing", code=3).err
    for name in ("../evil", ".hidden", "a/b", "a b", ""):
        assert "--name" in lite.run("load", folder, f"--name={name}", code=None).err or not name


def test_findings_end_somewhere(lite: Portal, tmp_path: Path) -> None:
    rows = dumps.small(runs=5000)
    for row in rows["run"]:
        row["colour"] = "red"
    told = lite.run("load", dumps.write(tmp_path / "bad", rows), code=1).err
    assert len(told.splitlines()) < 60


def test_an_identifier_in_use_stops_it_and_changes_nothing(portal: Portal, tmp_path: Path) -> None:
    build(portal.root)
    portal.run("index")
    portal.run("load", dumps.write(tmp_path / "lab", dumps.small(20001, 20300, run=900001)))
    before = dumps.contents(portal.dump(tmp_path / "before", "--all"))
    of_archive = dumps.write(tmp_path / "a", dumps.small(10001, 30300, run=100011))
    told = portal.run("load", of_archive, code=5).err
    assert "dataset 10001; run 100011-100012; tomogram 100011-100012; tomogram_author 100011-100012" in told
    assert "--renumber" in told
    of_dump = dumps.write(tmp_path / "b", dumps.small(30001, 20300, run=900002))
    assert "run 900002;" in portal.run("load", of_dump, code=5).err
    assert dumps.contents(portal.dump(tmp_path / "after", "--all")) == before
    assert [p.name for p in (portal.root / "loaded").iterdir()] == ["lab"]
    portal.run("index")
    assert dumps.contents(portal.dump(tmp_path / "again", "--all")) == before


def test_two_dumps_share_a_deposition_that_is_the_same(portal: Portal, tmp_path: Path) -> None:
    one, two = dumps.small(20001, 20300, run=100), dumps.small(20002, 20300, run=200)
    portal.run("load", dumps.write(tmp_path / "one", one))
    portal.run("load", dumps.write(tmp_path / "two", two))
    portal.run("load", dumps.write(tmp_path / "one", one))
    assert portal.catalog.count("deposition", ANONYMOUS) == 1
    before = dumps.contents(portal.dump(tmp_path / "before"))
    portal.run("index")
    assert dumps.contents(portal.dump(tmp_path / "after")) == before
    three = dumps.small(20003, 20300, run=300)
    three["deposition"][0]["title"] = "Another"
    assert "deposition 20300" in portal.run("load", dumps.write(tmp_path / "three", three), code=5).err


def test_of_dumps_of_one_origin_the_last_has_the_deposition_as_it_is(portal: Portal, tmp_path: Path) -> None:
    def load(name: str, dataset: int, run: int, title: str) -> None:
        rows = dumps.small(dataset, 20300, run=run)
        rows["deposition"][0]["title"] = title
        portal.run("load", dumps.write(tmp_path / name, rows), "--origin", "https://old.example")

    load("one", 20001, 100, "Old")
    load("two", 20002, 200, "New")
    assert portal.catalog.get("deposition", 20300, ANONYMOUS)["title"] == "New"
    portal.run("index")
    assert portal.catalog.get("deposition", 20300, ANONYMOUS)["title"] == "New"
    load("one", 20001, 100, "Newest")
    assert portal.catalog.get("deposition", 20300, ANONYMOUS)["title"] == "Newest"
    assert portal.catalog.count("dataset", ANONYMOUS, {"deposition_id": {"_eq": 20300}}) == 2


def test_an_archive_cannot_take_a_loaded_dataset(lite: Portal, tmp_path: Path) -> None:
    lite.run("load", dumps.write(tmp_path / "lab", dumps.small()))
    build(tmp_path / "other")
    shutil.copytree(tmp_path / "other/archive/10001", lite.root / "archive/10001")
    assert "loaded dump lab" in lite.run("index", "10001", code=5).err
    assert "in use by other data" in lite.run("index", code=5).err
    assert titles(lite) == ["Dataset 10001"]


def test_counters_stand_above_the_highest(lite: Portal, tmp_path: Path) -> None:
    lite.run("load", dumps.write(tmp_path / "lab", dumps.small(run=7000)))
    with Desk.open(load(root=lite.root).desk_database) as desk:
        assert desk.reserve("run")[0] == 7002
        assert desk.high_water()["dataset"] == 10001


def test_the_number_of_something_that_was_withdrawn_is_not_given_again(lite: Portal, tmp_path: Path) -> None:
    folder = dumps.write(tmp_path / "lab", dumps.small())
    lite.run("load", dumps.write(tmp_path / "other", dumps.small(20001, 20300, run=900)))
    with Desk.open(load(root=lite.root).desk_database) as desk:
        desk.bury("dataset", 10001, "Withdrawn", "at the author's wish")
    assert "dataset 10001;" in lite.run("load", folder, code=5).err
    lite.run("load", folder, "--renumber")
    assert [r["id"] for r in lite.catalog.find("dataset", ANONYMOUS)] == [20001, 20002]


def test_renumbered_rows_keep_their_relations_and_where_they_are_from(portal: Portal, tmp_path: Path) -> None:
    build(portal.root)
    portal.run("index")
    folder = dumps.write(tmp_path / "odd", dumps.odd_rows())
    portal.run("load", folder)
    plain = portal.dump(tmp_path / "plain")
    portal.run("load", folder, "--name", "again", "--renumber", "--origin", "https://old.example")
    origins = list(dumps.read(portal.root / "loaded/again", "origin"))
    new = {(o["kind"], o["origin"]["id"]): o["id"] for o in origins}
    assert all(o["origin"]["url"] == "https://old.example" for o in origins)
    both = portal.dump(tmp_path / "both")
    for kind in dumps.odd_rows():
        found = {row["id"]: row for row in dumps.read(both, kind)}
        refs = portal.catalog.schema.kinds[kind].refs
        for row in dumps.odd_rows()[kind]:
            twin, first = found[new[kind, row["id"]]], found[row["id"]]
            for ref in refs:
                if first[ref.column] is not None:
                    assert twin[ref.column] == new[ref.kind, first[ref.column]]
            same = {"id", *(ref.column for ref in refs)}
            assert {k: v for k, v in twin.items() if k not in same} == {k: v for k, v in first.items() if k not in same}
    assert all(set(map(str, dumps.read(plain, k))) <= set(map(str, dumps.read(both, k))) for k in dumps.odd_rows())
    portal.run("load", folder, "--name", "again", "--renumber")
    assert {(o["kind"], o["origin"]["id"]): o["id"] for o in dumps.read(portal.root / "loaded/again", "origin")} == new


def test_a_relation_to_nothing_is_a_warning(lite: Portal, tmp_path: Path) -> None:
    rows = dumps.small()
    for row in rows["tomogram"]:
        row["alignment_id"] = 77
    told = lite.run("load", dumps.write(tmp_path / "lab", rows)).err
    assert "warning: tomogram.ndjson:1 (alignment_id): alignment_id 77 names no row" in told
    assert "so do 1 more" in told


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of another portal: an archive with e-mail addresses in documents, links that lead out, and more than a dump names."""
    folder = tmp_path / "elsewhere"
    build(folder)
    archive = folder / "archive"
    (tmp_path / "secret.txt").write_text("secret")
    (archive / "10001/TS_1/secret.txt").symlink_to(tmp_path / "secret.txt")
    (archive / "10001/TS_1/Out").symlink_to(tmp_path)
    (archive / "10001/TS_1/inside.txt").symlink_to(archive / "10001/Images/snapshot.png")
    zarr = archive / "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_1.zarr"
    (zarr / "link").symlink_to(tmp_path / "secret.txt")
    unnamed = archive / "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/101"
    unnamed.mkdir()
    (unnamed / "TS_1.mrc").write_bytes(b"of a row that the dump does not have")
    return archive


def test_files_beside_a_dump_are_served_in_place(lite: Portal, tree: Path, tmp_path: Path) -> None:
    source = Portal(tree.parent, f"sqlite:///{tree.parent}/state/catalog.sqlite", lite.monkeypatch, lite.capsys)
    source.run("index")
    done = lite.run("load", source.dump(tmp_path / "lab"), "--files", tree, "--json").answer
    told = " ".join(f["message"] for f in done["findings"])
    assert "a link that leads out of the folder" in told
    assert "(3 in all)" in told, "a file, a folder and a link inside a volume"
    assert not list((lite.root / "archive").iterdir()) or not (lite.root / "archive/10001").exists()
    volume = "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_1"
    with serving(World(lite.root, LocalFiles(tree))) as server, httpx.Client(base_url=server.url) as http:
        for key in (f"{volume}.mrc", f"{volume}.zarr/0/0/0/10", "10001/TS_1/inside.txt", "10001/Images/snapshot.png"):
            assert http.get(f"/files/{key}").content == (tree / key).read_bytes(), key
        part = http.get(f"/files/{volume}.mrc", headers={"range": "bytes=100000-100099"})
        assert (part.status_code, part.content) == (206, (tree / f"{volume}.mrc").read_bytes()[100000:100100])
        document = http.get("/files/10001/dataset_metadata.json")
        assert document.json()["dataset_title"] == "Dataset 10001"
        assert MARKER not in document.text
        hidden = (
            "10001/TS_1/secret.txt", "10001/TS_1/Out/secret.txt", f"{volume}.zarr/link", "10002/dataset_metadata.json",
            "10001/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/101/TS_1.mrc", "10001/manifest.ndjson", f"{volume}.zarr/../../../x",
        )  # fmt: skip
        assert [http.get(f"/files/{key}").status_code for key in hidden] == [404] * len(hidden)
        query = "{ tomograms { httpsMrcFile s3OmezarrDir } }"
        found = http.post("/graphql", json={"query": query}).json()["data"]["tomograms"][0]
        assert http.get(found["httpsMrcFile"]).status_code == 200
        listed = http.get(f"/s3/tomotheca?list-type=2&prefix={volume}.zarr/").text
        members = {
            str(p.relative_to(tree)) for p in (tree / f"{volume}.zarr").rglob("*") if p.is_file() and not p.is_symlink()
        }
        assert listed.count("<Key>") == len(members)
        manifest = http.get("/api/v1/tomograms/100011/manifest.json").json()
        assert members <= {f["path"] for f in manifest["files"]}
        # A link that takes a file's place afterwards is not followed.
        (tree / f"{volume}.zarr/0/0/0/2").unlink()
        (tree / f"{volume}.zarr/0/0/0/2").symlink_to(tmp_path / "secret.txt")
        assert "secret" not in http.get(f"/files/{volume}.zarr/0/0/0/2").text
    lite.run("index")
    assert lite.catalog.count("tomogram", ANONYMOUS) == 2


def test_an_address_without_a_file_stays_as_it_came(lite: Portal, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "10001/TS_1/t.zarr/0").mkdir(parents=True)
    (tree / "10001/TS_1/t.zarr/0/0").write_bytes(b"chunk")
    (tree / "10001/TS_1/t.mrc").write_bytes(b"volume")
    lite.run("load", dumps.write(tmp_path / "lab", dumps.small()), "--files", tree)
    one, two = lite.catalog.find("tomogram", ANONYMOUS)
    assert one["s3_mrc_file"] == "s3://tomotheca/10001/TS_1/t.mrc"
    assert one["s3_omezarr_dir"] == "s3://tomotheca/10001/TS_1/t.zarr"
    assert two["s3_mrc_file"] == "s3://old/10001/TS_2/t.mrc"
    assert lite.catalog.get("run", 2, ANONYMOUS)["https_prefix"] == "https://old.example/files/10001/TS_2/"


@pytest.mark.parametrize("options", [["--prefix", "s3://old/10001/"], []])
def test_a_tree_may_begin_further_down(options: list[str], lite: Portal, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "TS_1").mkdir(parents=True)
    (tree / "TS_1/t.mrc").write_bytes(b"volume")
    lite.run("load", dumps.write(tmp_path / "lab", dumps.small()), "--files", tree, *options)
    assert lite.catalog.get("tomogram", 1, ANONYMOUS)["s3_mrc_file"] == "s3://tomotheca/TS_1/t.mrc"


def test_trees_that_cannot_be_served(lite: Portal, tmp_path: Path) -> None:
    folder = dumps.write(tmp_path / "lab", dumps.small())
    (tmp_path / "tree").mkdir()
    assert "no address of the dump leads" in lite.run("load", folder, "--files", tmp_path / "tree", code=5).err
    assert "no such folder" in lite.run("load", folder, "--files", tmp_path / "nothing", code=3).err
    assert "own state lies in there" in lite.run("load", folder, "--files", tmp_path, code=2).err
    assert "--files" in lite.run("load", folder, "--prefix", "s3://old/", code=2).err


def test_a_load_that_is_killed_leaves_the_old_or_the_new(lite: Portal, tmp_path: Path) -> None:
    old, new = dumps.small(runs=400), dumps.small(runs=500)
    folder = dumps.write(tmp_path / "lab", old)
    lite.run("load", folder)
    dumps.write(folder, new)
    draw = random.Random(3)
    words = [sys.executable, "-m", "tomotheca", "load", str(folder), "--root", str(lite.root)]
    seen = set()
    for _ in range(6):
        with subprocess.Popen(
            words, env={**clean(), "TOMOTHECA_CATALOG_URL": lite.url}, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(0.7 + draw.random() * 0.8)
            process.send_signal(signal.SIGKILL)
        kept = len(list(dumps.read(lite.root / "loaded/lab", "run")))
        assert kept in {400, 500}
        assert lite.catalog.count("run", ANONYMOUS) in {400, 500}
        lite.run("index")
        assert lite.catalog.count("run", ANONYMOUS) == kept
        seen.add(kept)
    lite.run("load", folder)
    assert [p.name for p in (lite.root / "loaded").iterdir()] == ["lab"]
    assert lite.catalog.count("run", ANONYMOUS) == 500


def test_e_mail_addresses_of_a_dump_are_not_shown(lite: Portal, tmp_path: Path) -> None:
    rows = dumps.small()
    for row in rows["tomogram_author"]:
        row["email"] = MARKER
    folder = dumps.write(tmp_path / "lab", rows)
    lite.run("load", folder)
    assert MARKER not in json.dumps(lite.catalog.find("tomogram_author", ANONYMOUS))
    lite.monkeypatch.setenv("TOMOTHECA_PRIVACY_PUBLISH_EMAILS", "1")
    lite.run("index")
    assert MARKER in json.dumps(lite.catalog.find("tomogram_author", ANONYMOUS))


def test_a_full_disk_is_one_sentence(lite: Portal, tmp_path: Path) -> None:
    folder = dumps.write(tmp_path / "lab", dumps.small())
    lite.run("load", folder)
    if os.geteuid() == 0:
        (lite.root / "loaded/lab/load.json").write_text("{")
        assert "load the dump again" in lite.run("index", code=1).err
    else:
        (lite.root / "loaded").chmod(0o500)
        assert "permission" in lite.run("load", folder, code=6).err
