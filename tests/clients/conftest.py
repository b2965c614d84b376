"""The servers that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.conftest import curator, http, server, world
from tests.api.serving import Running, World, run_cli, serving

from tomotheca.store.files import LocalFiles

__all__ = ["curator", "http", "server", "world"]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve a small demo: the first run of each simulated dataset, the last of them hidden."""
    root: Path = tmp_path_factory.mktemp("demo") / "root"
    run_cli("demo", "--root", root, "--runs", "3", "--size", "48,160,160", "--offline", check=True)
    with serving(World(root, LocalFiles(root / "archive"))) as running:
        yield running
