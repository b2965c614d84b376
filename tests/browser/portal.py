"""A small demo portal, built and served by the program itself, for browser tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

TOKEN = "a-curator-of-the-tests"
PATIENCE = 60


def build(root: Path) -> None:
    """Simulate three small runs, one in each dataset, the last one hidden; as many offers may be sent as tests like."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "tomotheca.toml").write_text("contribute_rate_limit = 0\n")
    command = [
        sys.executable,
        "-m",
        "tomotheca",
        "demo",
        "--root",
        str(root),
        "--runs",
        "3",
        "--size",
        "48,112,112",
        "--offline",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a portal on a port of its own while the block runs, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "tomotheca", "serve", "--root", str(root), "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "TOMOTHECA_CURATOR_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server stopped"
        try:
            with urlopen(f"{address}/healthz", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the server did not answer")
