from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.catalog.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    made = World(tmp_path, database)
    yield made
    made.close()
