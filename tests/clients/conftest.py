"""The servers that the tests of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.api.conftest import curator, http, server, world
from tests.api.serving import Running, World, run_cli, serving
from tests.conftest import REPOSITORY

from tomotheca.store.files import LocalFiles

__all__ = ["curator", "http", "server", "world"]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve a small demo: the first run of each simulated dataset, the last of them hidden."""
    root: Path = tmp_path_factory.mktemp("demo") / "root"
    run_cli("demo", "--root", root, "--runs", "3", "--size", "48,160,160", "--offline", check=True)
    with serving(World(root, LocalFiles(root / "archive"))) as running:
        yield running


CLIENTS = REPOSITORY / ".cache/clients-venv/bin"


@pytest.fixture
def site(demo: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the programs that the commands name: ours and python, of this environment, and the AWS CLI."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "python").symlink_to(sys.executable)
    own = folder / "tomotheca"
    own.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tomotheca "$@"\n')
    own.chmod(0o755)
    if (CLIENTS / "aws").exists():
        (folder / "aws").symlink_to(CLIENTS / "aws")
    return folder
