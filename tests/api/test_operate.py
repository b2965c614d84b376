"""What `docs/operate` gives to copy: the service starts and stops, and a site comes back from its backup."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tests.api.serving import MRC, World, clean, serving, wait
from tests.conftest import REPOSITORY

OPERATE = REPOSITORY / "docs/operate"
PROGRAM = f"{shlex.quote(sys.executable)} -m tomotheca"


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds capitals
    found.read(OPERATE / "tomotheca.service", encoding="utf-8")
    return found


def test_the_service_starts_answers_and_stops(world: World, free_port: int) -> None:
    service = unit()["Service"]
    command = (
        service["ExecStart"]
        .replace("/opt/tomotheca/bin/tomotheca", PROGRAM)
        .replace("--port 8000", f"--port {free_port}")
    )
    words = shlex.split(command.replace("/srv/tomotheca", shlex.quote(str(world.root))))
    name, _, value = service["Environment"].partition("=")
    with subprocess.Popen(
        words, env={**clean(), name: value}, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            wait(f"http://127.0.0.1:{free_port}/healthz", process)
            answer = httpx.get(f"http://127.0.0.1:{free_port}/files/{MRC}")
            assert answer.headers["x-accel-redirect"] == f"/archive-bytes/{MRC}"
        finally:
            process.send_signal(signal.Signals[service["KillSignal"]])
            ended = process.wait(int(service["TimeoutStopSec"]))
    assert ended == 0


def test_a_stop_that_finds_workers_still_starting_ends_them_too(world: World) -> None:
    with serving(world, "--workers", "6") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0


def test_no_worker_outlives_a_server_that_is_killed(world: World) -> None:
    with serving(world, "--workers", "2") as server:
        server.process.kill()
        server.process.wait(10)
        end = time.monotonic() + 30
        while listens(server.url):
            assert time.monotonic() < end
            time.sleep(0.05)


def listens(url: str) -> bool:
    address = httpx.URL(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.host, address.port or 0)) == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    text = (
        (OPERATE / "tomotheca.service")
        .read_text(encoding="utf-8")
        .replace("/opt/tomotheca/bin/tomotheca", sys.executable)
    )
    (tmp_path / "tomotheca.service").write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "tomotheca.service"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert [line for line in done.stderr.splitlines() if "tomotheca.service" in line] == []


def test_a_site_comes_back_from_its_backup(world: World, tmp_path: Path) -> None:
    guide = (OPERATE / "README.md").read_text(encoding="utf-8")
    backup, restore = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/tomotheca"
    program.write_text(f'#!/bin/sh\nexec {PROGRAM} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    places = {"BACKUP": str(tmp_path / "backup"), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    Path(places["BACKUP"]).mkdir()
    with serving(world) as running:
        before = httpx.get(f"{running.url}/browse-data/datasets.json").json()["table"]
        _run(backup, {**places, "ROOT": str(world.root)})
    again = tmp_path / "again"
    _run(restore, {**places, "ROOT": str(again)})
    with serving(World(**{**vars(world), "root": again})) as running:
        assert httpx.get(f"{running.url}/browse-data/datasets.json").json()["table"]["total"] == before["total"] > 0
        assert httpx.get(f"{running.url}/files/{MRC}").content == world.bytes_of(MRC)


def _run(script: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", script], env={**clean(), **environment}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
