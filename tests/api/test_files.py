"""Every file over HTTP: exact bytes, conditions, ranges, names, and nothing else."""

from __future__ import annotations

import email
import hashlib
import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.serving import BIG, CHUNK, DOCUMENT, MARKER, MRC, PHOTO, SMALL_MRC, Running, World

from tomotheca.api.ranges import parse

if TYPE_CHECKING:
    import httpx


@pytest.fixture(scope="session")
def server(each_server: Running) -> Running:
    return each_server


def test_bytes_are_exact_and_the_tag_is_their_digest(http: httpx.Client, world: World) -> None:
    for key in (MRC, SMALL_MRC, CHUNK, PHOTO):
        stored = world.bytes_of(key)
        answer = http.get(f"/files/{key}")
        assert answer.content == stored
        assert answer.headers["etag"] == f'"{hashlib.sha256(stored).hexdigest()}"'
        assert answer.headers["content-length"] == str(len(stored))
        assert answer.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in answer.headers
        assert answer.headers["last-modified"].endswith("GMT")


def test_head_has_the_headers_of_get(http: httpx.Client) -> None:
    for headers in ({}, {"range": "bytes=5-9"}, {"range": "bytes=0-1,3-4"}, {"if-match": '"x"'}):
        get, head = http.get(f"/files/{MRC}", headers=headers), http.head(f"/files/{MRC}", headers=headers)
        ignored = (
            {"date", "x-request-id", "content-type"} if "," in headers.get("range", "") else {"date", "x-request-id"}
        )
        assert head.status_code == get.status_code
        assert head.content == b""
        assert {k: v for k, v in head.headers.items() if k not in ignored} == {
            k: v for k, v in get.headers.items() if k not in ignored
        }


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-1048575", 0, 1048576),
        ("bytes=0-1048576", 0, 1048577),
        ("bytes=5-", 5, BIG),
        ("bytes=-7", BIG - 7, BIG),
        (f"bytes=-{BIG * 2}", 0, BIG),
        (f"bytes=3-{BIG * 2}", 3, BIG),
        ("BYTES = 1-2", 1, 3),
    ],
)
def test_one_range(http: httpx.Client, world: World, wanted: str, start: int, stop: int) -> None:
    answer = http.get(f"/files/{MRC}", headers={"range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{BIG}"
    assert int(answer.headers["content-length"]) == stop - start
    assert answer.content == world.bytes_of(MRC)[start:stop]


def test_several_ranges(http: httpx.Client, world: World) -> None:
    answer = http.get(f"/files/{MRC}", headers={"range": "bytes=0-9, 100-2000000, -5"})
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    message = email.message_from_bytes(
        b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.content
    )
    stored = world.bytes_of(MRC)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part["content-range"] for part in parts] == [
        f"bytes 0-9/{BIG}",
        f"bytes 100-2000000/{BIG}",
        f"bytes {BIG - 5}-{BIG - 1}/{BIG}",
    ]
    assert stored[:10] in answer.content
    assert stored[100:2000001] in answer.content


@pytest.mark.parametrize(
    "wanted", ["bytes=a-b", "bytes=5-3", "lines=1-2", "bytes=", "bytes=-", "bytes=" + "0-1," * 100, "bytes=0-,0-,0-"]
)
def test_ranges_that_make_no_sense_are_ignored(http: httpx.Client, wanted: str) -> None:
    answer = http.head(f"/files/{MRC}", headers={"range": wanted})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == BIG


def test_a_range_behind_the_end(http: httpx.Client) -> None:
    answer = http.get(f"/files/{MRC}", headers={"range": f"bytes={BIG}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{BIG}"


def test_conditions(http: httpx.Client) -> None:
    first = http.head(f"/files/{MRC}")
    tag, date = first.headers["etag"], first.headers["last-modified"]

    def status(**headers: str) -> int:
        return http.head(f"/files/{MRC}", headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code

    assert status(if_none_match=tag) == 304
    assert status(if_none_match=f'"x", W/{tag}') == 304
    assert status(if_none_match="*") == 304
    assert status(if_none_match='"x"') == 200
    assert status(if_modified_since=date) == 304
    assert status(if_modified_since=date, if_none_match='"x"') == 200
    assert status(if_modified_since="rubbish") == 200
    assert status(if_match=tag) == 200
    assert status(if_match="*") == 200
    assert status(if_match='"x"') == 412
    assert status(if_match=f"W/{tag}") == 412
    assert status(if_unmodified_since="Thu, 01 Jan 1970 00:00:01 GMT") == 412
    assert status(if_range=tag, range="bytes=0-3") == 206
    assert status(if_range=date, range="bytes=0-3") == 206
    assert status(if_range='"x"', range="bytes=0-3") == 200
    assert status(if_range=f"W/{tag}", range="bytes=0-3") == 200
    assert http.get(f"/files/{MRC}", headers={"if-none-match": tag}).content == b""


def test_browsers_may_ask_from_elsewhere(http: httpx.Client) -> None:
    preflight = http.options(
        f"/files/{CHUNK}", headers={"origin": "https://a.example", "access-control-request-headers": "range"}
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "Range" in preflight.headers["access-control-allow-headers"]
    answer = http.get(f"/files/{CHUNK}", headers={"origin": "https://a.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Content-Range" in answer.headers["access-control-expose-headers"]


def test_names_and_types(http: httpx.Client) -> None:
    assert http.head(f"/files/{MRC}").headers["content-disposition"] == 'attachment; filename="TS_1.mrc"'
    assert http.head(f"/files/{PHOTO}").headers["content-disposition"] == 'inline; filename="snapshot.png"'
    assert http.head(f"/files/{PHOTO}?download=1").headers["content-disposition"].startswith("attachment")
    assert http.head(f"/files/{PHOTO}").headers["content-type"] == "image/png"
    assert "sandbox" in http.head(f"/files/{PHOTO}").headers["content-security-policy"]


def test_documents_are_served_without_addresses(http: httpx.Client, world: World) -> None:
    assert MARKER.encode() in world.bytes_of(DOCUMENT)
    answer = http.get(f"/files/{DOCUMENT}")
    assert MARKER not in answer.text
    assert answer.headers["etag"].strip('"') == hashlib.sha256(answer.content).hexdigest()
    part = http.get(f"/files/{DOCUMENT}", headers={"range": "bytes=2-30"})
    assert part.content == answer.content[2:31]
    assert json.loads(answer.text)["dataset_identifier"] == 10001


@pytest.mark.parametrize(
    "path",
    [
        "", "10001", "10001/", "10001/TS_1/", f"{MRC}/", CHUNK.rpartition("/")[0], CHUNK.rpartition("/")[0] + "/", CHUNK + "9", f"/{MRC}",
        "10001/manifest.ndjson", "10001/manifest.members/x", ".tomotheca/identifiers.json", "../state/desk.sqlite", "%2e%2e/state/desk.sqlite",
        "10001/..%2f..%2fstate/desk.sqlite", "10001%2fdataset_metadata.json%00", "..%5c..%5cetc", "%00", "10001//dataset_metadata.json",
        "10001/./dataset_metadata.json", "/etc/passwd", "%2fetc/passwd", "a" * 5000, "%ff%fe", "10001/dataset_metadata.json%0a",
    ],
)  # fmt: skip
def test_what_no_manifest_lists_is_not_there(server: Running, path: str) -> None:
    assert raw(server, path)[0] in {400, 404}


def raw(server: Running, path: str) -> tuple[int, bytes]:
    """Send a path as it is: clients would tidy it up."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("GET", f"/files/{path}", skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.lists(
        st.sampled_from(
            [
                "..",
                ".",
                "10001",
                "TS_1",
                "archive",
                "state",
                "etc",
                "passwd",
                "%2e%2e",
                "%2f",
                "\\",
                "~",
                "%00",
                "desk.sqlite",
                "",
            ]
        ),
        max_size=8,
    )
)
def test_no_path_leads_out(server: Running, path: list[str]) -> None:
    status, body = raw(server, "/".join(path))
    assert status in {404, 400}
    assert b"SQLite format" not in body


def test_writing_is_refused(http: httpx.Client) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert http.request(method, f"/files/{MRC}", content=b"x").status_code == 405


@given(
    size=st.integers(0, 1000), header=st.from_regex(r"bytes=(\d{0,4}-\d{0,4})(,\d{0,4}-\d{0,4}){0,3}", fullmatch=True)
)
def test_ranges_stay_inside(size: int, header: str) -> None:
    for start, stop in parse(header, size) or ():
        assert 0 <= start < stop <= size
