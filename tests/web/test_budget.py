"""What a page may cost: bytes, statements, requests to others; and what it must say to caches."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.web.whole import whole

from tomotheca.web import assets

if TYPE_CHECKING:
    from tests.databases import Database
    from tests.web.conftest import Site

    from tomotheca.api.frame import Frame

PAGES = (
    "/", "/browse-data/datasets", "/browse-data/depositions", "/browse-data/runs", "/browse-data/objects", "/browse-data/runs?object=membrane&ground_truth=true&voxel-spacing=5..12", "/datasets/10000", "/runs/1",
    "/runs/1?table-tab=tomograms", "/depositions/300", "/tilt-series/1", "/tomograms/1", "/annotations/1", "/alignments/1", "/view/runs/1", "/view/tomograms/1", "/search?q=ribosome", "/search", "/docs",
    "/docs/data-schema", "/docs/download", "/docs/api", "/about", "/runs/1?metadata=run", "/runs/1?metadata=tilt-series&metadata-id=TS-1&tab=sections", "/runs/1?dl=RN-1", "/tomograms/1?dl=TM-1&dl-tab=curl",
)  # fmt: skip
TAGGED = (
    *PAGES, "/index.json", "/browse-data/runs.json", "/browse-data/runs.csv", "/browse-data/objects.tsv", "/runs/1.json", "/search.json?q=ribosome", "/search/suggest?q=rib", "/datasets/10000/cite.bib",
    "/runs/1/cite.ris", "/tomograms/1/cite.json", "/depositions/300/cite.txt", "/annotations/1.csv", "/tilt-series/1.csv", "/feed.atom", "/api/v1/runs",
)  # fmt: skip
DOORS = (
    *TAGGED,
    "/contribute",
    "/login",
    "/openapi.json",
    "/docs/schemas/dataset.json",
    "/no-such-page",
    "/runs/77777",
    "/api/v1/datasets/10000",
    "/graphql",
    "/robots.txt",
)

WEIGHT, SCRIPT, STATEMENTS = 150_000, 40_000, 30
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE)
EXAMPLES = ("example.org", "example.com")


@contextmanager
def statements(app: Frame) -> Iterator[list[str]]:
    """Note what is sent to the catalogue's database."""
    engine, noted = app.state["portal"].catalog.engine, list[str]()

    def note(_c: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        if not text.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            noted.append(text)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("path", PAGES)
def test_N6_a_page_asks_the_database_at_most_thirty_times(path: str, app: Frame, door: TestClient) -> None:
    door.get(
        "/browse-data/datasets?organism=Homo+sapiens"
    )  # what panels count with is read once for each version of the catalogue
    mark = "&" if "?" in path else "?"
    with statements(app) as noted:
        assert door.get(f"{path}{mark}not-seen-before=1").status_code == 200
    assert len(noted) <= STATEMENTS, "\n".join([str(len(noted)), *noted])


@pytest.mark.parametrize("path", ["/browse-data/datasets", "/browse-data/runs", "/browse-data/objects", "/statistics"])
def test_N6_the_first_page_after_a_change_asks_no_more(path: str, site: Site, database: Database) -> None:
    app = whole(site)  # knows nothing yet, as after a change of the catalogue
    try:
        with TestClient(app, base_url="http://portal.test") as client, statements(app) as noted:
            assert client.get(path).status_code == 200
        assert 0 < len(noted) <= STATEMENTS, "\n".join([str(len(noted)), *noted])
    finally:
        app.state["portal"].catalog.close()


@pytest.mark.parametrize("record", ["/datasets/10000?dl=DS-10000", "/runs/1?dl=RN-1", "/depositions/300?dl=CZCDP-300"])
def test_D1_a_dialog_reads_sums_and_never_adds_up_the_files_of_a_dataset(
    record: str, app: Frame, door: TestClient
) -> None:
    with statements(app) as noted:
        answers = [door.get(f"{record}{more}") for more in ("", "&dl-format=mrc", "&dl-what=smallest")]
    assert all("Download" in answer.text for answer in answers)
    whole_sums = [
        text for text in noted if "sum(file.size)" in text and "dataset_id IS NULL" not in text.partition("WHERE")[2]
    ]
    assert any("sum(file_total.size)" in text for text in noted)
    assert not whole_sums, whole_sums


@pytest.mark.parametrize("path", PAGES)
def test_N4_N6_a_page_is_light_and_asks_nobody_else(path: str, door: TestClient) -> None:
    answer = door.get(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    wanted = re.findall(r"<(?:script|img|iframe|source|video)\b[^>]*\ssrc=\"([^\"]+)\"", answer.text)
    sheets = re.findall(
        r"<link\b[^>]*rel=\"(?:stylesheet|icon|preload|modulepreload)\"[^>]*href=\"([^\"]+)\"", answer.text
    )
    assert sheets
    assert not [
        one for one in (*wanted, *sheets) if not urljoin("http://portal.test/x", one).startswith("http://portal.test/")
    ]
    parts = {one for one in (*wanted, *sheets) if one.startswith(assets.STATIC_URL)}
    fonts = re.findall(r"url\(\"?(/static/[^\")]+)", "".join(door.get(one).text for one in sheets))
    sizes = {
        one: int(door.get(one).headers["content-length"])
        for one in {*parts, *fonts}
        if not one.endswith((".png", ".webp"))
    }
    page = len(answer.content)
    assert page + sum(sizes.values()) <= WEIGHT, (page, sizes)


def test_N6_own_script_is_at_most_forty_kilobytes() -> None:
    own = [path for path in assets.STATIC.rglob("*.js") if "vendor" not in path.parts]
    assert own
    assert sum(len(gzip.compress(path.read_bytes())) for path in own) <= SCRIPT


@pytest.mark.parametrize("path", TAGGED)
def test_N7_a_strong_tag_and_nothing_sent_twice(path: str, door: TestClient) -> None:
    first = door.get(path)
    assert first.status_code == 200
    assert re.fullmatch(r'"[^"]+"', first.headers["etag"])
    again = door.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert door.get(path, headers={"if-none-match": '"another"'}).status_code == 200
    assert "no-cache" in first.headers["cache-control"]


def test_N7_tags_differ_with_address_and_form(door: TestClient) -> None:
    paths = [path for path in TAGGED if "cite" not in path]
    tags = [door.get(path).headers["etag"] for path in paths]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("path", DOORS)
def test_N13_no_mail_address_at_any_door(path: str, door: TestClient) -> None:
    text = door.get(path).text
    assert "mail.invalid" not in text
    assert [found for found in ADDRESS.findall(text) if not found.endswith(EXAMPLES)] == []
