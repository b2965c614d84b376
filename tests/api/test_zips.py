"""Trees as ZIP archives, from a folder and from an object store."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.api.serving import HIDDEN_RUN, MARKER, MRC, PUBLIC, RUN

if TYPE_CHECKING:
    from tests.api.serving import Running


def test_d9_a_run_from_wherever_the_archive_lies(each_server: Running) -> None:
    with httpx.Client(base_url=each_server.url, timeout=60) as site:
        url = f"/api/v1/runs/{RUN}/download.zip"
        whole = site.get(url)
        listed = {f["path"]: f["sha256"] for f in site.get(f"/api/v1/runs/{RUN}/manifest.json").json()["files"]}
        part = site.get(
            url, headers={"range": f"bytes={len(whole.content) - 3_000_000}-", "if-range": whole.headers["etag"]}
        )
    assert (part.status_code, part.content) == (206, whole.content[-3_000_000:])
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        found = {n: hashlib.sha256(archive.read(n)).hexdigest() for n in archive.namelist()}
        assert MARKER.encode() not in b"".join(archive.read(n) for n in found if n.endswith(".json"))
    del found["SHA256SUMS"]
    assert found == listed
    assert MRC in found


def test_d9_a_whole_dataset_has_its_texts(each_server: Running) -> None:
    with httpx.Client(base_url=each_server.url, timeout=60) as site:
        answer = site.get(f"/api/v1/datasets/{PUBLIC}/download.zip?only=metadata")
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = set(archive.namelist())
    assert {f"{PUBLIC}/{t}" for t in ("LICENSE.txt", "CITATION.bib", "CITATION.cff", "README.txt")} | {
        "SHA256SUMS"
    } <= names


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/runs/{HIDDEN_RUN}/download.zip", 404),
        ("/api/v1/runs/4711/download.zip", 404),
        (f"/api/v1/runs/{RUN}/download.zip?only=movies", 400),
        ("/api/v1/frames/1/download.zip", 404),
        (f"/api/v1/datasets/{PUBLIC}/manifest.json?box=1:2,3:4,5:6", 400),
        (f"/api/v1/datasets/{PUBLIC}/manifest.json?dataset=x", 400),
    ],
)
def test_d9_what_is_not_there_is_one_sentence(path: str, status: int, each_server: Running) -> None:
    answer = httpx.get(each_server.url + path)
    assert answer.status_code == status
    assert len(answer.json()["error"]) > 10
