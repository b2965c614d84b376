"""A real nginx in front: it sends the archive's bytes, we decide who gets them and what is said of them."""

from __future__ import annotations

import email
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import boto3  # type: ignore[import-untyped]  # published without types
import httpx
import pytest
from botocore import UNSIGNED  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from tests.api.serving import BIG, CHUNK, DOCUMENT, HIDDEN_KEYS, MARKER, MRC, ODD, PHOTO, TOKEN, Running, World, serving
from tests.conftest import REPOSITORY
from tests.seaweed import ports

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
GUIDE = REPOSITORY / "docs/operate/nginx.conf"


def configuration(folder: Path, port: int, upstream: str, archive: Path) -> str:
    """Take the file that is shipped, with other addresses."""
    server = GUIDE.read_text(encoding="utf-8")
    text = server.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("http://127.0.0.1:8000", upstream)
    text = text.replace("/srv/tomotheca/archive/", f"{archive}/")
    places = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    return f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\nhttp {{ access_log {folder}/access.log; {places}\n{text}\n}}\n"


@pytest.fixture(scope="module")
def behind(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not Path(NGINX).is_file():
        pytest.skip("nginx is not installed (scripts/programs.sh)")
    folder, port = tmp_path_factory.mktemp("nginx"), ports(1)[0]
    archive = world.root / "archive"
    with serving(
        world, TOMOTHECA_ACCEL_PREFIX="/archive-bytes", TOMOTHECA_PUBLIC_URL=f"http://127.0.0.1:{port}"
    ) as own:
        config = folder / "nginx.conf"
        config.write_text(configuration(folder, port, own.url, archive), encoding="utf-8")
        with subprocess.Popen(
            [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
        ) as process:
            try:
                wait(f"http://127.0.0.1:{port}/healthz")
                yield Running(f"http://127.0.0.1:{port}", world, own.process)
            finally:
                process.terminate()
                process.wait(10)


def wait(url: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def http(behind: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=behind.url) as client:
        yield client


def test_whole_files(http: httpx.Client, world: World) -> None:
    for key in (MRC, CHUNK, PHOTO, ODD):
        stored = world.bytes_of(key)
        answer = http.get(f"/files/{quote(key)}")
        assert answer.content == stored
        assert answer.headers["etag"] == f'"{hashlib.sha256(stored).hexdigest()}"'
        assert answer.headers["content-length"] == str(len(stored))
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["content-disposition"]
    assert http.get(f"/files/{PHOTO}").headers["content-type"] == "image/png"


def test_nginx_sends_them(behind: Running, http: httpx.Client) -> None:
    direct = behind.process.args
    assert isinstance(direct, list)
    port = direct[direct.index("--port") + 1]
    answer = httpx.get(f"http://127.0.0.1:{port}/files/{MRC}")
    assert answer.headers["x-accel-redirect"] == f"/archive-bytes/{MRC}"
    assert answer.content == b""
    assert "x-accel-redirect" not in http.get(f"/files/{MRC}", headers={"range": "bytes=0-1"}).headers


def test_ranges(http: httpx.Client, world: World) -> None:
    stored = world.bytes_of(MRC)
    tag = http.head(f"/files/{MRC}").headers["etag"]
    date = http.head(f"/files/{MRC}").headers["last-modified"]
    for wanted, start, stop in (
        ("0-0", 0, 1),
        ("5-", 5, BIG),
        ("-7", BIG - 7, BIG),
        (f"3-{BIG * 2}", 3, BIG),
        ("7000000-9000000", 7_000_000, 9_000_001),
    ):
        for condition in ({}, {"if-range": tag}, {"if-range": date}, {"if-match": tag}, {"if-none-match": '"x"'}):
            answer = http.get(f"/files/{MRC}", headers={"range": f"bytes={wanted}", **condition})
            assert answer.status_code == 206, condition
            assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{BIG}"
            assert answer.headers["etag"] == tag
            assert answer.content == stored[start:stop]
    assert http.get(f"/files/{MRC}", headers={"range": "bytes=0-3", "if-range": '"x"'}).status_code == 200
    assert http.head(f"/files/{MRC}", headers={"range": "bytes=5-3"}).status_code == 200
    refused = http.get(f"/files/{MRC}", headers={"range": f"bytes={BIG}-"})
    assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{BIG}")


def test_several_ranges(http: httpx.Client, world: World) -> None:
    answer = http.get(f"/files/{MRC}", headers={"range": "bytes=0-9, 100-2000000, -5"})
    assert answer.status_code == 206
    head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    parts = [part for part in email.message_from_bytes(head + answer.content).walk() if not part.is_multipart()]
    assert [part["content-range"] for part in parts] == [
        f"bytes 0-9/{BIG}", f"bytes 100-2000000/{BIG}", f"bytes {BIG - 5}-{BIG - 1}/{BIG}",
    ]  # fmt: skip
    assert world.bytes_of(MRC)[100:2000001] in answer.content


def test_conditions(http: httpx.Client) -> None:
    first = http.head(f"/files/{MRC}")
    assert first.headers["content-length"] == str(BIG)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    for headers, status in (
        ({"if-none-match": tag}, 304), ({"if-modified-since": date}, 304), ({"if-none-match": '"x"'}, 200), ({"if-match": tag}, 200),
        ({"if-match": '"x"'}, 412), ({"if-modified-since": "Thu, 01 Jan 1970 00:00:01 GMT"}, 200), ({"if-unmodified-since": date}, 200),
    ):  # fmt: skip
        assert http.get(f"/files/{MRC}", headers=headers).status_code == status, headers


def test_hidden_and_missing_files(http: httpx.Client, world: World) -> None:
    for key in (*HIDDEN_KEYS, "10001/nothing", "10001/manifest.ndjson"):
        assert http.get(f"/files/{key}").status_code == 404
    answer = http.get(f"/files/{HIDDEN_KEYS[0]}", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.content == world.bytes_of(HIDDEN_KEYS[0])
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("key", [MRC, HIDDEN_KEYS[0], "10001/manifest.ndjson", ".tomotheca/identifiers.json", ""])
def test_the_internal_location_is_not_reached_from_outside(behind: Running, key: str) -> None:
    for start in (
        "/archive-bytes/",
        "//archive-bytes/",
        "/files/../archive-bytes/",
        "/files/%2e%2e/archive-bytes/",
        "/archive%2dbytes/",
    ):
        connection = HTTPConnection(urlsplit(behind.url).netloc, timeout=30)  # other clients tidy addresses up
        connection.request("GET", start + key)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status in {404, 400}, start


def test_documents_are_never_sent_by_nginx(http: httpx.Client, world: World) -> None:
    assert MARKER.encode() in world.bytes_of(DOCUMENT)
    assert MARKER not in http.get(f"/files/{DOCUMENT}").text


def test_s3_through_it(behind: Running, world: World, tmp_path: Path) -> None:
    s3 = boto3.client("s3", endpoint_url=behind.s3, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    s3.download_file("tomotheca", MRC, str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == world.bytes_of(MRC)
    whole = s3.get_object(Bucket="tomotheca", Key=CHUNK, ChecksumMode="ENABLED")
    assert whole["ChecksumSHA256"]
    assert whole["Body"].read() == world.bytes_of(CHUNK)
    part = s3.get_object(Bucket="tomotheca", Key=MRC, ChecksumMode="ENABLED", Range="bytes=1-5")
    assert "ChecksumSHA256" not in part


def test_a_file_that_is_gone_is_an_error(http: httpx.Client, world: World) -> None:
    path = world.root / "archive" / CHUNK
    path.rename(path.with_name("away"))
    try:
        answer = http.get(f"/files/{CHUNK}")
        assert answer.status_code == 503
        assert "index" in answer.json()["error"]
    finally:
        path.with_name("away").rename(path)
