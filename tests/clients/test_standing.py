"""The status of files on pages: what the archive has while one looks, and what the doctor found."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.serving import run_cli
from tests.clients.taking import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from tests.api.serving import Running

FILES = "/runs/1.json?table-tab=files&files-per-page=100"


@contextmanager
def without(path: Path) -> Iterator[None]:
    """Take a file or directory away for a while."""
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextmanager
def holding(path: Path, data: bytes) -> Iterator[None]:
    """Let a file hold something else for a while."""
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(whole)


def of_run(site: httpx.Client) -> dict[str, Any]:
    """Give the badge of every file of the run by its key."""
    rows = site.get(FILES).json()["table"]["rows"]
    return {row["cells"][0]["pieces"][0]["href"].removeprefix("/files/"): row["cells"][-1]["badge"] for row in rows}


def in_drawer(site: httpx.Client, path: str, name: str) -> tuple[str, str]:
    """Give the status of a file in a drawer, and why."""
    (section,) = (s for s in site.get(path).json()["overlay"]["sections"] if s["name"] == "Files")
    assert section["grid"]["heads"][-1] == "Status"
    (row,) = (r for r in section["grid"]["rows"] if r[0]["pieces"][0]["text"].startswith(name))
    return row[-1]["badge"]["text"], row[-1]["badge"]["help"]


@pytest.fixture
def volume(site: httpx.Client, demo: Running) -> str:
    """Give the key of the MRC file of a tomogram."""
    key: str = key_of(site, "tomograms", id=1)["https_mrc_file"].removeprefix(f"{demo.url}/files/")
    return key


def test_1_8_files_are_there_missing_or_damaged(site: httpx.Client, demo: Running, volume: str) -> None:
    path, drawer = demo.world.root / "archive" / volume, "/runs/1.json?metadata=tomogram&metadata-id=TM-1"
    assert {b["text"] for b in of_run(site).values()} == {"ok"}
    with without(path):
        assert {k: b["text"] for k, b in of_run(site).items() if b["text"] != "ok"} == {volume: "missing"}
        assert in_drawer(site, drawer, path.name)[0] == "missing"
    with holding(path, path.read_bytes()[:-1]):
        text, why = in_drawer(site, drawer, path.name)
        assert (text, f"{path.stat().st_size:,} bytes" in why) == ("damaged", True)
        rows = list(csv.DictReader(io.StringIO(site.get("/runs/1.csv?table-tab=files&files-sort=status").text)))
        assert rows[0]["path"] == volume
        assert [r["status"] for r in rows] == ["damaged", *["ok"] * (len(rows) - 1)]
    assert in_drawer(site, drawer, path.name)[0] == "ok"


def test_3_5_the_directory_of_a_mask_is_missing(site: httpx.Client, demo: Running) -> None:
    (path,) = (demo.world.root / "archive").glob("10001/TS_001/Reconstructions/*/Annotations/101/*.zarr")
    drawer = "/runs/1.json?metadata=annotation&metadata-id=AN-2"
    with without(path):
        assert in_drawer(site, drawer, path.name)[0] == "missing"
        assert "missing" in site.get("/annotations/2").text
    assert in_drawer(site, drawer, path.name)[0] == "ok"


def test_1_8_what_only_the_doctor_sees_is_damaged_until_it_is_mended(
    site: httpx.Client, demo: Running, volume: str
) -> None:
    path = demo.world.root / "archive" / volume
    data = path.read_bytes()
    examine = ("doctor", "--root", demo.world.root, "DS-10001", "--hash", "--rule", "manifest.files")
    with holding(path, data[:-1] + bytes([data[-1] ^ 1])):
        assert of_run(site)[volume]["text"] == "ok"
        run_cli(*examine)
        badge = of_run(site)[volume]
        assert (badge["text"], badge["tone"]) == ("damaged", "poor")
        assert "sha256 differs" in badge["help"]
    assert of_run(site)[volume]["text"] == "damaged"
    run_cli(*examine, check=True)
    assert of_run(site)[volume]["text"] == "ok"


def test_n7_a_page_that_shows_the_archive_is_tagged_by_what_it_says(
    site: httpx.Client, demo: Running, volume: str
) -> None:
    path, page = demo.world.root / "archive" / volume, "/tomograms/1"
    tag = site.get(page).headers["etag"]
    assert site.get(page, headers={"if-none-match": tag}).status_code == 304
    with without(path):
        assert site.get(page, headers={"if-none-match": tag}).status_code == 200
    assert site.get(page, headers={"if-none-match": tag}).status_code == 304
    table = site.get("/runs/1.csv?table-tab=files")
    assert (table.headers["cache-control"], "etag" in table.headers) == ("no-store", False)
