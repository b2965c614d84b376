"""The official Python client, unchanged, against a running server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cryoet_data_portal as cdp
import pytest
from cryoet_data_portal._gql_base import ItemRelationship, Model

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog

CLASSES = sorted(Model.__subclasses__(), key=lambda c: c.__name__)
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def url(catalog: Catalog) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--port",
        str(port),
        "--no-ws",
        "tests.api.graphql.portal:app",
    ]
    with subprocess.Popen(
        words, cwd=REPOSITORY, env={**os.environ, "CATALOG": catalog.url}, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield wait(f"http://127.0.0.1:{port}/graphql")
        finally:
            process.terminate()
            process.wait(10)


def wait(url: str) -> str:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{url}?query=%7B__typename%7D", timeout=5):
                return url
        except OSError:
            time.sleep(0.1)
    message = "the server does not answer"
    raise TimeoutError(message)


@pytest.fixture(scope="module")
def client(url: str) -> cdp.Client:
    return cdp.Client(url=url)


def kind(model: type[Any]) -> str:
    return next(e.kind for e in SCHEMA if e.root == model._gql_root_field)


def test_there_are_23_classes() -> None:
    assert len(CLASSES) == 23


@pytest.mark.parametrize("model", CLASSES, ids=lambda c: c.__name__)
def test_every_class_is_found_with_every_value(catalog: Catalog, client: cdp.Client, model: type[Any]) -> None:
    rows = catalog.find(kind(model), ANONYMOUS)
    found = model.find(client)
    assert [f.id for f in found] == [r["id"] for r in rows]
    for item, row in zip(found, rows, strict=True):
        given = item.to_dict()
        for name in given.keys() & row.keys() - {"in_plane_rotation", "tilt_series_quality", "email"}:
            wanted = row[name]
            assert given[name] == (datetime.fromisoformat(wanted) if isinstance(given[name], datetime) else wanted)
        assert given.get("email") is None
        assert given.get("tilt_series_quality", 0) is not None
    assert model.get_by_id(client, rows[0]["id"]).id == rows[0]["id"]
    assert model.get_by_id(client, 99_999) is None


@pytest.mark.parametrize("model", CLASSES, ids=lambda c: c.__name__)
def test_every_relation_leads_to_its_rows(catalog: Catalog, client: cdp.Client, model: type[Any]) -> None:
    item = model.find(client)[0]
    relations = SCHEMA.relations(kind(model))
    names = model._get_relationship_fields()
    assert names
    for name in names:
        attribute = model.__dict__[name]
        target = kind(attribute.related_class)
        found = getattr(item, name)
        if isinstance(attribute, ItemRelationship):
            key = getattr(item, attribute.source_field)
            visible = {r["id"] for r in catalog.find(target, ANONYMOUS)}
            assert (found.id if found else None) == (key if key in visible else None)
            continue
        relation = next(r for n, r in relations.items() if r.many and r.target == target and n == name)
        wanted = [r["id"] for r in catalog.find(target, ANONYMOUS, where={relation.ref.column: {"_eq": item.id}})]
        assert [f.id for f in found] == wanted


def test_operators_find_what_the_catalogue_finds(catalog: Catalog, client: cdp.Client) -> None:
    a, t = cdp.Annotation, cdp.Tomogram

    def ids(name: str, where: dict[str, Any]) -> list[int]:
        return [r["id"] for r in catalog.find(name, ANONYMOUS, where=where)]

    cases = [
        (a, [a.object_name == "ribosome"], {"object_name": {"_eq": "ribosome"}}),
        (a, [a.object_name != "ribosome"], {"object_name": {"_neq": "ribosome"}}),
        (a, [a.object_name.like("%ibo%")], {"object_name": {"_like": "%ibo%"}}),
        (a, [a.object_name.ilike("%RIBO%")], {"object_name": {"_ilike": "%RIBO%"}}),
        (a, [a.object_name._in(["membrane", "ribosome"])], {"object_name": {"_in": ["membrane", "ribosome"]}}),
        (a, [a.object_count > 2, a.object_count <= 4], {"object_count": {"_gt": 2, "_lte": 4}}),
        (a, [a.run.dataset.id > 2], {"run": {"dataset": {"id": {"_gt": 2}}}}),
        (a, [a.run.dataset.id > 2, a.run.name != "membrane"], {"run": {"dataset": {"id": {"_gt": 2}}, "name": {"_neq": "membrane"}}}),
        (a, [a.method_type == "manual"], {"method_type": {"_eq": "manual"}}),
        (a, [a.ground_truth_status == True], {"ground_truth_status": {"_eq": True}}),  # noqa: E712 - the client's way
        (t, [t.voxel_spacing >= 7.84], {"voxel_spacing": {"_gte": 7.84}}),
        (t, [t.tomogram_voxel_spacing.annotations.object_name != "ribosome"], {"tomogram_voxel_spacing": {"annotations": {"object_name": {"_neq": "ribosome"}}}}),
        (t, [t.id._in(list(range(1, 4000)))], {}),
        (t, [t.https_mrc_file.like("http://portal.test/files/%")], {"https_mrc_file": {"_like": "http://portal.test/files/%"}}),
    ]  # fmt: skip
    for model, query, where in cases:
        found = [f.id for f in model.find(client, query)]
        assert found == ids(kind(model), where), where
        assert found
    assert [f.id for f in a.find(client, [a.object_state.is_null()])] == ids(
        "annotation", {"object_state": {"_is_null": True}}
    )
