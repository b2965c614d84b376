"""N11: what is left of a site whose storage is away, or where nothing can be written."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.api.serving import MRC, PHOTO, PUBLIC, RUN, TOKEN, World, clean, wait
from tests.api.test_contribute import GOOD, shut

from tomotheca.api import reach
from tomotheca.api.app import create_app
from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.errors import StorageError
from tomotheca.settings import Settings
from tomotheca.store.files import LocalFiles
from tomotheca.web.portal import Memory

if TYPE_CHECKING:
    from pathlib import Path

NOTICE = "The files of this archive cannot be reached at the moment."
SHOWING = (
    "/", "/browse-data/datasets", "/browse-data/runs", "/browse-data/depositions", f"/datasets/{PUBLIC}", f"/datasets/{PUBLIC}?table-tab=files",
    f"/datasets/{PUBLIC}?dl=DS-{PUBLIC}", f"/runs/{RUN}", f"/runs/{RUN}?table-tab=files", f"/runs/{RUN}?metadata=run", f"/runs/{RUN}?dl=RN-{RUN}", "/depositions/10300",
    f"/view/runs/{RUN}", "/search?q=TS_1",
)  # fmt: skip
SILENT = ("/docs", "/about", "/statistics", "/browse-data/objects")


@pytest.fixture
def own(tmp_path: Path, world: World) -> World:
    """Give a portal that a test may change."""
    shutil.copytree(world.root, tmp_path / "own")
    return World(tmp_path / "own", LocalFiles(tmp_path / "own/archive"))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the storage be looked at more often than on a site."""
    monkeypatch.setattr(reach, "EVERY", 0.02)


@contextmanager
def application(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://portal.test", headers={"accept": "text/html,*/*"}) as http:
        yield http
    shut(http)


def notices(http: TestClient, path: str) -> list[str]:
    head, mark, query = path.partition("?")
    answer = http.get((head if head != "/" else "/index") + ".json" + mark + query)
    assert answer.status_code == 200, path
    found: list[str] = answer.json()["notices"]
    return found


def eventually(test: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.usefixtures("soon")
def test_n11_pages_answer_and_say_so_while_the_storage_is_away(own: World) -> None:
    archive, aside = own.root / "archive", own.root / "aside"
    with application(Settings(root=own.root)) as http:
        listed = http.get("/api/v1/tomograms?fields=id", headers={"accept": "application/json"}).json()["items"]
        volume = listed[0]["id"]
        paths = (*SHOWING, f"/tomograms/{volume}", f"/tomograms/{volume}?dl=TM-{volume}")
        assert notices(http, f"/runs/{RUN}") == []
        before = {path: http.get(path).headers["etag"] for path in paths}
        archive.rename(aside)
        for mounted in (False, True):  # the folder of a mount may be there, with nothing in it
            if mounted:
                archive.mkdir()
            assert eventually(lambda: bool(notices(http, f"/runs/{RUN}")))
            for path in paths:
                answer = http.get(path, headers={"if-none-match": before[path]})
                assert answer.status_code == 200, path
                assert answer.text.count(NOTICE) == 1, path
                assert answer.text.index(NOTICE) < answer.text.index("<main"), path
                assert [text[: len(NOTICE)] for text in notices(http, path)] == [NOTICE]
            for path in SILENT:
                assert NOTICE not in http.get(path).text
        files = http.get(f"/runs/{RUN}.json?table-tab=files").text
        assert "The storage does not answer." in files
        assert "The file is not in the archive." not in files
        during = {path: http.get(path).headers["etag"] for path in paths}
        archive.rmdir()
        aside.rename(archive)
        assert eventually(lambda: not notices(http, f"/runs/{RUN}"))
        for path in paths:
            answer = http.get(path, headers={"if-none-match": during[path]})
            assert (answer.status_code, NOTICE in answer.text) == (200, False), path


@pytest.mark.usefixtures("soon")
def test_n11_what_was_found_out_without_the_storage_is_forgotten(tmp_path: Path) -> None:
    memory, folder = Memory(), tmp_path / "archive"
    found = reach.Reach(LocalFiles(folder), memory.clear)
    files = reach.Watched(LocalFiles(folder), found)
    assert eventually(lambda: found.away)
    assert memory.get("levels", lambda: 0) == 0
    folder.mkdir()
    (folder / "a").write_bytes(b"abc")
    with pytest.raises(StorageError, match="cannot be reached"):
        files.read_bytes("a")
    assert eventually(lambda: not found.away)
    assert (files.read_bytes("a"), files.read_range("a", 1, 9), files.stat("a").size) == (b"abc", b"bc", 3)
    assert memory.get("levels", lambda: 3) == 3


def test_n11_a_storage_that_is_there_is_never_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "EVERY", 0.3)
    monkeypatch.setattr(reach, "PATIENCE", 0.2)
    (tmp_path / "a").write_bytes(b"abc")
    found = reach.Reach(LocalFiles(tmp_path), lambda: None)
    for _ in range(3):
        assert not found.away
        time.sleep(0.31)


@pytest.mark.usefixtures("soon")
def test_n11_a_bucket_that_does_not_answer_keeps_no_page_waiting(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore")
    monkeypatch.setattr(reach, "PATIENCE", 0.2)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and says nothing
        settings = Settings(
            root=world.root, desk_url=str(tmp_path / "desk.sqlite"), archive="s3://archive/x",
            archive_endpoint=f"http://127.0.0.1:{deaf.getsockname()[1]}",
        )  # fmt: skip
        with application(settings) as http:
            assert eventually(lambda: bool(notices(http, "/browse-data/runs")))
            for path in SHOWING:
                began = time.monotonic()
                answer = http.get(path)
                assert (answer.status_code, NOTICE in answer.text) == (200, True), path
                assert time.monotonic() - began < 3, path


def test_n11_no_notice_where_no_file_is_in_the_archive(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "archive").mkdir()
    with Desk.open(settings.desk_database) as desk:
        Indexer(LocalFiles(tmp_path / "archive"), desk, settings.catalog_database).rebuild()
    shutil.rmtree(tmp_path / "archive")
    with application(settings) as http:
        assert http.app.app.app.reach.away or eventually(lambda: http.app.app.app.reach.away)  # type: ignore[attr-defined]  # the layers of the application
        assert notices(http, "/") == notices(http, "/browse-data/datasets") == []


@contextmanager
def read_only(root: Path, port: int) -> Iterator[str]:
    """Serve a folder that is mounted so that nobody can write to it, in a name space of its own."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    options = ["serve", "--root", str(root), "--port", str(port), "--workers", "1"]
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(root), sys.executable, "-m", "tomotheca", *options]  # fmt: skip
    env = {**clean(), "TOMOTHECA_CURATOR_TOKEN": TOKEN, "TOMOTHECA_RATE_LIMIT": "100000"}
    with subprocess.Popen(words, env=env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait(f"http://127.0.0.1:{port}/healthz", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)


def can_mount(folder: Path) -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" "$0"', str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def post(http: httpx.Client, **given: Any) -> httpx.Response:
    seen = http.get("/contribute")
    assert seen.status_code == 200
    found = re.search(r'name="csrf" value="([0-9a-f]*)"', seen.text)
    assert found
    return http.post("/contribute", data={**GOOD, "csrf": found[1], "do": "submit", **given})


@pytest.mark.parametrize("signed", [True, False])
def test_n11_n12_a_site_that_cannot_write_shows_everything(
    signed: bool, own: World, free_port: int, tmp_path: Path
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("folders cannot be mounted here")
    with Desk.open(Settings(root=own.root).desk_database) as desk:
        if signed:
            desk.submissions.secret()
    before = sorted((own.root / "state").rglob("*"))
    with read_only(own.root, free_port) as url, httpx.Client(base_url=url, timeout=30) as http:
        for path in (
            *(SHOWING if signed else ()),
            *SILENT,
            "/contribute",
            "/readyz",
            "/metrics",
            "/api/v1/runs",
            f"/thumbs/{PHOTO}?w=128",
        ):
            answer = http.get(path, headers={"accept": "text/html,*/*"})
            assert answer.status_code == 200, (path, answer.text)
            assert NOTICE not in answer.text
        assert http.get(f"/files/{MRC}").content == own.bytes_of(MRC)
        answer = http.post("/graphql", json={"query": "{ runs { id } }"})
        assert "errors" not in answer.json()
        for button in ("submit", "save"):
            answer = post(http, do=button)
            assert answer.status_code == 503
            assert "Nothing can be kept on this server at the moment." in answer.text
            assert GOOD["title"] in unescape(answer.text)
            assert str(own.root) not in answer.text
        answer = http.get("/catalog/", headers={"accept": "application/json"})
        assert (answer.status_code, "error" in answer.json()) == (503, True)
    assert sorted((own.root / "state").rglob("*")) == before
