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

import numpy as np
from tests.ingest.conftest import Lab

from tomotheca.formats import mrc

TOKEN = "a-curator-of-the-tests"
PATIENCE = 60


FINE = 10900
"""The dataset that is fine enough for the five tasks: ground-truth ribosomes at 7.84 Å."""


def build(root: Path) -> None:
    """Make a portal of everything that visitors look for."""
    simulate(root)
    take_in_a_lab(root)


def take_in_a_lab(root: Path) -> None:
    """Take in tiny files of a lab: ground truth at a fine spacing, and tilts that the alignment leaves out."""
    lab = Lab(root.with_name(f"{root.name}-lab"))
    lab.root.mkdir(parents=True)
    lab.add("TS_7")
    volume = np.random.default_rng(7).normal(0, 1, (48, 96, 96)).astype(np.float32)
    mrc.write(lab.root / "tomograms/TS_7.rec", volume, voxel_size=7.84)
    (lab.root / "TS_7/tilt.com").write_text("EXCLUDELIST2 1,5\n")
    config = lab.config
    config["voxel_spacings"][0]["sources"][0]["literal"]["value"] = [7.84]
    config["tomograms"][0]["metadata"]["voxel_spacing"] = 7.84
    config["alignments"][0]["sources"][0]["source_multi_glob"]["list_globs"].append("{run_name}/tilt.com")
    ribosomes = config["annotations"][0]
    ribosomes["metadata"]["annotation_object"]["name"] = "cytosolic ribosome"
    ribosomes["metadata"]["ground_truth_status"] = True
    config["annotations"] = [ribosomes]
    command = ["ingest", str(lab.save()), "--source", str(lab.folder / "source"), "--root", str(root), "--workers", "1"]
    done = subprocess.run([sys.executable, "-m", "tomotheca", *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def simulate(root: Path) -> None:
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
