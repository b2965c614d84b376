"""Downloads: complete, verified, continued after every break, and never outside the folder."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import BIG, DOCUMENT, HIDDEN, MARKER, MRC, PUBLIC, RUN, TOKEN, Running, World, clean, run_cli

TEXTS = {"CITATION.bib", "CITATION.cff", "LICENSE.txt", "README.txt"}


def files(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def verify(folder: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_whole_dataset(server: Running, world: World, tmp_path: Path) -> None:
    done = run_cli("download", f"DS-{PUBLIC}", "--from", server.url, "--to", tmp_path, "--json", check=True)
    expected = {k for k in world.files.walk(f"{PUBLIC}/") if "manifest." not in k} | {f"{PUBLIC}/{t}" for t in TEXTS}
    assert files(tmp_path).keys() == expected | {"SHA256SUMS"}
    assert json.loads(done.stdout) == {"files": len(expected), "bytes": sum(p.stat().st_size for n, p in files(tmp_path).items() if n != "SHA256SUMS"),
                                       "downloaded": len(expected), "verified": 0, "failed": {}}  # fmt: skip
    assert (tmp_path / MRC).read_bytes() == world.bytes_of(MRC)
    assert MARKER not in (tmp_path / DOCUMENT).read_text()
    assert "CC0" in (tmp_path / f"{PUBLIC}/LICENSE.txt").read_text()
    verify(tmp_path)
    again = json.loads(
        run_cli("download", f"DS-{PUBLIC}", "--from", server.url, "--to", tmp_path, "--json", check=True).stdout
    )
    assert (again["downloaded"], again["verified"]) == (0, len(expected))


@pytest.mark.parametrize(
    ("words", "has", "has_not"),
    [
        ([f"RN-{RUN}"], [MRC], [f"{PUBLIC}/TS_2/run_metadata.json"]),
        ([f"TM-{RUN}", "--format", "mrc"], [MRC], [".zarr/", "_point"]),
        ([f"TM-{RUN}", "--format", "zarr"], [".zarr/0/0/0/10", ".zattrs"], [".mrc"]),
        ([f"AN-{RUN}"], ["membrane-1.0_point", "membrane-1.0.json"], [".mrc", ".zarr"]),
        ([f"AN-{RUN}", "--format", "glb"], ["membrane-1.0.json"], ["membrane-1.0_point", ".mrc", ".zarr"]),
        (
            [f"DS-{PUBLIC}", "--only", "annotations"],
            ["membrane-1.0_point", "membrane-1.0.json"],
            [".mrc", ".zarr", "Images", "dataset_metadata"],
        ),
        (
            [f"DS-{PUBLIC}", "--only", "metadata,images"],
            ["dataset_metadata.json", "snapshot.png"],
            [".mrc", ".zarr", "_point"],
        ),
        (["DEP-10300"], ["depositions_metadata/10300/deposition_metadata.json", MRC], []),
        ([f"AN-{RUN}", f"TM-{RUN}", "--only", "metadata"], ["tomogram_metadata.json", "membrane-1.0.json"], [".mrc"]),
    ],
)
def test_parts(server: Running, tmp_path: Path, words: list[str], has: list[str], has_not: list[str]) -> None:
    done = json.loads(
        run_cli("download", *words, "--from", server.url, "--to", tmp_path, "--dry-run", "--json", check=True).stdout
    )
    paths = [item["path"] for item in done["items"]]
    assert all(any(part in path for path in paths) for part in has)
    assert not any(part in path for path in paths for part in has_not)
    assert done["bytes"] == sum(item["size"] for item in done["items"])
    assert not list(tmp_path.iterdir())


def test_what_is_not_there(server: Running, tmp_path: Path) -> None:
    for name in ("DS-99", f"DS-{HIDDEN}", "TM-4711", "XX-5"):
        done = run_cli("download", name, "--from", server.url, "--to", tmp_path)
        assert done.returncode == 3
        assert "There is no" in done.stderr
    wrong = run_cli("download", f"DS-{PUBLIC}", "--only", "movies", "--from", server.url)
    assert wrong.returncode == 2
    assert "'movies' is not a kind of file" in wrong.stderr


def test_hidden_data_with_the_token(server: Running, tmp_path: Path) -> None:
    done = run_cli("download", f"DS-{HIDDEN}", "--from", server.url, "--to", tmp_path, TOMOTHECA_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    verify(tmp_path)


def test_damaged_files_are_brought_again(server: Running, world: World, tmp_path: Path) -> None:
    run_cli("download", f"RN-{RUN}", "--from", server.url, "--to", tmp_path, check=True)
    with (tmp_path / MRC).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    done = json.loads(
        run_cli("download", f"RN-{RUN}", "--from", server.url, "--to", tmp_path, "--json", check=True).stdout
    )
    assert done["downloaded"] == 1
    assert (tmp_path / MRC).read_bytes() == world.bytes_of(MRC)


def test_a_partial_file_is_continued_and_a_wrong_one_begun_again(server: Running, world: World, tmp_path: Path) -> None:
    part = tmp_path / f"{MRC}.part"
    part.parent.mkdir(parents=True)
    for beginning in (world.bytes_of(MRC)[:7_000_000], b"x" * 7_000_000, b"y" * (BIG + 5), world.bytes_of(MRC)):
        part.write_bytes(beginning)
        (tmp_path / MRC).unlink(missing_ok=True)
        run_cli("download", f"TM-{RUN}", "--format", "mrc", "--from", server.url, "--to", tmp_path, check=True)
        assert (tmp_path / MRC).read_bytes() == world.bytes_of(MRC)
        assert not part.exists()


class Bad(http.server.BaseHTTPRequestHandler):
    """Passes on what the real server says, and breaks off every large answer after two megabytes."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    asked: list[str]
    delay = 0.0

    def do_GET(self) -> None:
        import httpx

        wanted = {k: v for k, v in self.headers.items() if k.lower() in {"range", "if-range"}}
        answer = httpx.get(self.upstream + self.path, headers=wanted)
        body = (
            answer.content.replace(self.upstream.encode(), f"http://{self.headers['host']}".encode())
            if "manifest" in self.path
            else answer.content
        )
        self.asked.append(self.headers.get("range", ""))
        self.send_response(answer.status_code)
        for name in ("content-type", "content-range", "etag"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        for start in range(0, min(len(body), 2_000_000), 100_000):
            self.wfile.write(body[start : min(start + 100_000, 2_000_000)])
            time.sleep(self.delay)
        if len(body) > 2_000_000:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def bad(server: Running) -> Iterator[tuple[str, type[Bad]]]:
    handler = type("Handler", (Bad,), {"upstream": server.url, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}", handler
        proxy.shutdown()


def test_a_connection_that_breaks_again_and_again(bad: tuple[str, type[Bad]], world: World, tmp_path: Path) -> None:
    url, handler = bad
    done = run_cli("download", f"TM-{RUN}", "--format", "mrc", "--from", url, "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / MRC).read_bytes() == world.bytes_of(MRC)
    ranges = [r for r in handler.asked if r]
    assert len(ranges) >= BIG // 2_000_000
    assert ranges == sorted(ranges, key=lambda r: int(r[6:-1]))


def test_three_killed_downloads_and_a_last_one(bad: tuple[str, type[Bad]], world: World, tmp_path: Path) -> None:
    url, handler = bad
    handler.delay = 0.02
    words = [
        sys.executable,
        "-m",
        "tomotheca",
        "download",
        f"TM-{RUN}",
        "--format",
        "mrc",
        "--from",
        url,
        "--to",
        str(tmp_path),
    ]
    part, sizes = tmp_path / f"{MRC}.part", [0]
    for _ in range(3):
        with subprocess.Popen(words, env=clean(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 30
            while (part.stat().st_size if part.exists() else 0) < sizes[-1] + 2_500_000 and time.monotonic() < end:
                time.sleep(0.02)
            process.kill()
        sizes.append(part.stat().st_size)
    assert sizes == sorted(set(sizes))
    handler.delay = 0.0
    assert run_cli(*words[3:]).returncode == 0
    assert hashlib.sha256((tmp_path / MRC).read_bytes()).hexdigest() == hashlib.sha256(world.bytes_of(MRC)).hexdigest()
    verify(tmp_path)


class Evil(http.server.BaseHTTPRequestHandler):
    """Announces what it likes."""

    paths: tuple[str, ...] = ()

    def do_GET(self) -> None:
        base = f"http://{self.headers['host']}"
        listed = [
            {"path": p, "size": 4, "sha256": hashlib.sha256(b"good").hexdigest(), "url": f"{base}/x"}
            for p in self.paths
        ]
        body = b"evil" if self.path == "/x" else json.dumps({"server": base, "files": listed}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", "a/../../outside", "a//b", "c:/x", "a\\..\\..\\b", "a"])
def test_a_server_that_lies(path: str, tmp_path: Path) -> None:
    handler = type("Handler", (Evil,), {"paths": (path,)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run_cli("download", "DS-1", "--from", f"http://127.0.0.1:{server.server_port}", "--to", tmp_path / "in")
        server.shutdown()
    assert done.returncode == 1
    assert "not a path below" in done.stderr or "not what the server announces" in done.stderr
    assert files(tmp_path) == {}


def test_curl_takes_the_servers_list(server: Running, world: World, tmp_path: Path) -> None:
    command = f'curl -fsS "{server.url}/api/v1/runs/{RUN}/manifest.curl" | curl -s --parallel -fL -K -'
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / MRC).read_bytes() == world.bytes_of(MRC)
    check = f'curl -fsS "{server.url}/api/v1/runs/{RUN}/manifest.sha256" | sha256sum -c'
    done = subprocess.run(check, shell=True, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
