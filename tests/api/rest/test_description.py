"""The description of the interface is right: requests made from it get the answers that it describes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.rest.truth import KINDS

from tomotheca.api.rest.names import Names, kebab
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.api.serving import Running

SMALLEST = "gain-files"


def test_every_kind_and_relation_is_described(http: TestClient) -> None:
    found = http.get("/openapi.json").json()
    names = Names(SCHEMA)
    wanted = {"/api/v1"}
    for kind in KINDS:
        own = f"/api/v1/{names.in_addresses[kind]}"
        wanted |= {own, f"{own}.{{format}}", f"{own}/facets", f"{own}/{{id}}"}
        for relation in SCHEMA.relations(kind).values():
            path = f"{own}/{{id}}/{kebab(relation.name)}"
            wanted |= {path, f"{path}.{{format}}"} if relation.many else {path}
    assert set(found["paths"]) == wanted
    operations = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(operations) == len(set(operations)) == len(wanted)


def test_every_reference_leads_somewhere(http: TestClient) -> None:
    found = http.get("/openapi.json").json()
    for reference in references(found):
        here = found
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def references(found: Any) -> set[str]:
    if isinstance(found, list):
        return {r for part in found for r in references(part)}
    if not isinstance(found, dict):
        return set()
    return {v for k, v in found.items() if k == "$ref"} | {r for part in found.values() for r in references(part)}


def without_what_no_schema_says(found: Any) -> Any:
    """Leave out cursors, which come from the page before, and regular expressions, of which no pattern says which are valid."""
    if isinstance(found, list):
        return [
            without_what_no_schema_says(part) for part in found if part != {"$ref": "#/components/parameters/cursor"}
        ]
    if not isinstance(found, dict):
        return found
    return {
        k: without_what_no_schema_says(v)
        for k, v in found.items()
        if not (isinstance(v, dict) and v.get("format") == "re2")
    }


@pytest.fixture
def described(server: Running, tmp_path: Path) -> Path:
    """Fetch the description; the server has written every format once, so that its libraries are loaded."""
    httpx.get(f"{server.url}/api/v1/{SMALLEST}.parquet", timeout=60).raise_for_status()
    found = without_what_no_schema_says(httpx.get(f"{server.url}/openapi.json").json())
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(found))
    return path


def run(server: Running, described: Path, *options: str) -> str:
    words = [Path(sys.executable).with_name("schemathesis"), "run", described, "--url", server.url, "--seed", "1", "--checks", "all", "--generation-codec", "ascii"]  # fmt: skip
    words += [
        "--warnings",
        "off",
        "--generation-deterministic",
        "--continue-on-failure",
        "--request-timeout",
        "60",
        *options,
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith("SCHEMATHESIS")}
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, cwd=described.parent, timeout=600, env=env)  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Running, described: Path) -> None:
    """A request to every address there is; at one kind, every boundary of every parameter."""
    assert "No issues found" in run(server, described, "--phases", "fuzzing", "--max-examples", "1", "--workers", "2")
    own = [f"/api/v1/{SMALLEST}", f"/api/v1/{SMALLEST}/{{id}}"]
    paths = [word for path in own for word in ("--include-path", path)]
    assert "No issues found" in run(server, described, "--phases", "examples,coverage,fuzzing", "--max-examples", "8", *paths)  # fmt: skip
