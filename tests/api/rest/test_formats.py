"""Lists in every format, read back by the programs that people read them with."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.api.graphql.conftest import filled
from tests.api.rest.conftest import application
from tests.api.rest.test_lists import at
from tests.api.rest.truth import KINDS, public, rows

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema.core import is_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.databases import Database

    from tomotheca.catalog.catalog import Catalog

TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def as_text(kind: str, row: dict[str, Any]) -> dict[str, str]:
    """Give a row as CSV has it."""

    def cell(value: Any) -> str:
        if value is None:
            return ""
        return (
            str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
        )

    matrices = {c.name for c in public(kind) if is_matrix(kind, c)}
    return {k: json.dumps(v) if k in matrices and v is not None else cell(v) for k, v in row.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_has_every_row(http: TestClient, catalog: Catalog, kind: str) -> None:
    wanted = rows(catalog, kind, ANONYMOUS)
    lines = http.get(f"{at(kind)}.ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == wanted
    table = http.get(f"{at(kind)}.csv")
    found = list(csv.DictReader(io.StringIO(table.content.decode(), newline="")))
    assert found == [as_text(kind, row) for row in wanted]
    frame = pq.read_table(io.BytesIO(http.get(f"{at(kind)}.parquet").content))
    for column in public(kind):
        values = frame.column(column.name).to_pylist()
        if column.type.__name__ == "datetime":
            values = [None if v is None else v.isoformat() for v in values]
        if is_matrix(kind, column):
            values = [None if v is None else json.loads(v) for v in values]
        assert values == [row[column.name] for row in wanted]


def test_pandas_reads_types_and_nulls(http: TestClient, catalog: Catalog) -> None:
    wanted = rows(catalog, "tomogram", ANONYMOUS)
    data = http.get(
        "/api/v1/tomograms.parquet?sort=-release_date&fields=id,release_date,ctf_corrected,run.name"
    ).content
    frame = pd.read_parquet(io.BytesIO(data))
    assert str(frame["release_date"].dtype) == "datetime64[us, UTC]"
    assert frame["release_date"].isna().sum() == sum(row["release_date"] is None for row in wanted)
    assert frame["ctf_corrected"].isna().sum() == sum(row["ctf_corrected"] is None for row in wanted)
    assert list(frame.columns) == ["id", "release_date", "ctf_corrected", "run.name"]
    text = http.get("/api/v1/tomograms.csv?fields=processing_software").text
    assert text.count("\r\n") >= len(wanted) + 1


def test_nothing_and_empty_text_are_told_apart(http: TestClient, catalog: Catalog) -> None:
    found = [row for row in rows(catalog, "deposition", ANONYMOUS) if row["tag"] in {None, ""}]
    lines = http.get("/api/v1/depositions.csv?fields=id,tag").content.split(b"\r\n")
    for row in found:
        assert f"{row['id']},{'' if row['tag'] is None else chr(34) * 2}".encode() in lines


@pytest.mark.parametrize(("form", "media_type"), TYPES.items())
def test_the_client_can_ask_by_header(http: TestClient, form: str, media_type: str) -> None:
    by_header = http.get("/api/v1/runs", headers={"accept": f"text/html;q=0.5, {media_type}"})
    by_address = http.get(f"/api/v1/runs.{form}")
    assert by_header.headers["content-type"].partition(";")[0] == media_type
    assert "Accept" in by_header.headers["vary"]
    assert by_header.content == by_address.content
    assert f'filename="runs.{form}"' in by_address.headers["content-disposition"]
    head = http.head(f"/api/v1/runs.{form}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == by_address.headers["content-type"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [("*/*", 200), ("application/json", 200), ("", 200), ("application/*;q=0.1", 200), ("text/html", 406), ("application/json;q=0", 406), ("application/json;q=x", 406)],
)  # fmt: skip
def test_other_formats_are_not_acceptable(http: TestClient, accept: str, status: int) -> None:
    for address in ("/api/v1", "/api/v1/runs", "/api/v1/runs/facets", "/openapi.json"):
        answer = http.get(address, headers={"accept": accept})
        assert answer.status_code == status
        assert status == 200 or "ask for one of them" in answer.json()["error"]


def test_limit_and_cursor_take_a_stream_apart(http: TestClient) -> None:
    whole = http.get("/api/v1/runs.ndjson?sort=-name").text
    page = http.get("/api/v1/runs?sort=-name&limit=3").json()
    cursor = page["next"].partition("cursor=")[2]
    first = http.get("/api/v1/runs.ndjson?sort=-name&limit=3").text
    assert first + http.get(f"/api/v1/runs.ndjson?sort=-name&cursor={cursor}").text == whole


def test_too_many_rows_are_refused_before_anything_is_sent(database: Database, tmp_path: Path) -> None:
    catalog = filled(database.new())
    client, table = application(catalog.url, tmp_path, max_rows=1000), catalog.tables.kinds["frame"]
    with catalog.engine.begin() as connection:
        old = dict(connection.execute(table.select()).mappings().first() or {})
        connection.execute(table.insert(), [{**old, "id": number, "_owner": 5, "_gate": None} for number in range(2000, 3001)])  # fmt: skip
    for method in ("GET", "HEAD"):
        assert client.request(method, "/api/v1/frames.csv").status_code == 400
    assert "more than 1000 rows; ask for less with filters" in client.get("/api/v1/frames.ndjson").json()["error"]
    assert client.get("/api/v1/frames.ndjson?limit=2000").status_code == 400
    assert len(client.get("/api/v1/frames.ndjson?limit=1000").text.splitlines()) == 1000
    assert len(client.get("/api/v1/frames.ndjson?id._gte=2001").text.splitlines()) == 1000
    client.close()
    catalog.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(http: TestClient, method: str) -> None:
    answer = http.request(method, "/api/v1/runs")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_browsers_may_ask_from_elsewhere(http: TestClient) -> None:
    assert http.get("/api/v1/runs").headers["access-control-allow-origin"] == "*"
    answer = http.options("/api/v1/runs")
    assert answer.status_code == 204
    assert "GET" in answer.headers["access-control-allow-methods"]


def test_the_next_page_is_named_in_a_header_too(http: TestClient) -> None:
    answer = http.get("/api/v1/runs?limit=1")
    assert answer.links["next"]["url"] == answer.json()["next"]
