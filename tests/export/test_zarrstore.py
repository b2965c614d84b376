"""Array directories as zarr reads them through the list of their members."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from tests.api.serving import CHUNKED, SHARDED, build, volume

from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.files import find_entry
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import StorageError
from tomotheca.export.zarrstore import MembersStore
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, MembersStore]]:
    root: Path = tmp_path_factory.mktemp("stores") / "root"
    world = build(root)
    with closing(Catalog(Settings(root=root).catalog_database)) as catalog:
        names = {CHUNKED: ".zarray", SHARDED: "zarr.json"}
        yield {
            key: MembersStore(world.files, find_entry(catalog, f"{key}/{name}", ANONYMOUS))
            for key, name in names.items()
        }


@pytest.mark.parametrize("key", [CHUNKED, SHARDED])
def test_59_chunks_and_parts_of_shards(key: str, stores: dict[str, MembersStore]) -> None:
    array = zarr.open_array(stores[key], mode="r")
    np.testing.assert_array_equal(array[:], volume())
    np.testing.assert_array_equal(array[3:9, 20:33, 1:64], volume()[3:9, 20:33, 1:64])


def test_59_nothing_is_written_or_listed(stores: dict[str, MembersStore]) -> None:
    with pytest.raises((StorageError, ValueError)):
        zarr.open_array(stores[CHUNKED], mode="r+")[0] = 1
    with pytest.raises(StorageError):
        stores[CHUNKED].list_dir("")
