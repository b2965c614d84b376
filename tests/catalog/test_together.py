"""All that a page asks sees one state of the catalogue, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from tests.catalog.archive import put_dataset

from tomotheca.catalog.viewer import ANONYMOUS

if TYPE_CHECKING:
    from tests.catalog.world import World

    from tomotheca.catalog.catalog import Catalog


def titles(catalog: Catalog) -> list[str]:
    return [row["title"] for row in catalog.find("dataset", ANONYMOUS)]


def fail(catalog: Catalog) -> None:
    with catalog.together():
        titles(catalog)
        raise LookupError


def test_what_is_asked_together_sees_one_state(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    with catalog.together():
        assert titles(catalog) == ["Dataset 10001", "Dataset 10002"]
        put_dataset(world.files, 10001, 10300, runs=4, dataset_title="Another title")
        world.indexer().replace([10001])
        with catalog.together():
            assert titles(catalog) == ["Dataset 10001", "Dataset 10002"]
        assert catalog.count("run", ANONYMOUS, {"dataset_id": {"_eq": 10001}}) == 2
        assert titles(world.catalog()) == ["Another title", "Dataset 10002"], "another catalogue has its own"
    assert titles(catalog) == ["Another title", "Dataset 10002"]
    assert catalog.count("run", ANONYMOUS, {"dataset_id": {"_eq": 10001}}) == 4


def test_it_is_one_transaction(world: World) -> None:
    world.indexer().rebuild()
    catalog, begun = world.catalog(), []
    event.listen(catalog.engine, "begin", lambda _: begun.append(1))
    with catalog.together():
        assert begun == []
        for _ in range(3):
            titles(catalog)
        assert len(begun) == 1
    titles(catalog)
    assert len(begun) == 2


def test_a_statement_that_fails_leaves_the_next_ones_alone(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    with catalog.together():
        for _ in range(2):
            with pytest.raises(sa.exc.DBAPIError):
                catalog.rows(sa.text("SELECT nothing FROM nowhere"))
            assert titles(catalog) == ["Dataset 10001", "Dataset 10002"]


def test_a_block_that_fails_ends_its_transaction(world: World) -> None:
    world.indexer().rebuild()
    catalog = world.catalog()
    for _ in range(20):  # more than there are connections
        with pytest.raises(LookupError):
            fail(catalog)
    assert catalog.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # the pool of both databases counts
