"""What is hidden is not found, counted, suggested or used to correct a word (Q10); the index changes with its dataset (Q9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.search.world import Line, dataset
from tests.web.conftest import AsCurator, Site, make_app
from tests.web.world import World

from tomotheca.catalog import swap
from tomotheca.catalog.catalog import connect
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA
from tomotheca.search.library import matching
from tomotheca.search.writing import Writer
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tests.databases import Database

FUTURE, PAST = "2999-01-01T00:00:00+00:00", "2001-01-01T00:00:00+00:00"
OPEN = Line(1, 10, "Open lamellae", "Homo sapiens", 9606, "cell", "HeLa", "nucleus", "ribosome=GO:0005840", "Ann Open", "EMPIAR-1", "IMOD", "open_1", "Everybody sees it.")  # fmt: skip
CLOSED = Line(2, 20, "Clandestine zymogranules", "Mus musculus", 10090, "cell", "AR42J", "granule", "zymogranule=GO:0042589", "Zed Clandestinov", "EMPIAR-2", "IMOD", "closed_1", "Nobody sees it yet.")  # fmt: skip
ENDED = Line(3, 30, "Formerly embargoed axonemes", "Rattus norvegicus", 10116, "cell", "PC12", "axoneme", "axoneme=GO:0005930", "Ina Former", "EMPIAR-3", "IMOD", "former_1", "The embargo has ended.")  # fmt: skip
SECRETS = (
    "clandestine",
    "zymogranule",
    "zymogranules",
    "Clandestinov",
    "EMPIAR-2",
    "closed_1",
    "DS-2",
    "AR42J",
    "GO:0042589",
    "DEP-20",
    "mouse",
    "gated",
)


@pytest.fixture(scope="module")
def site(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return database.keep("hidden search", lambda: make(tmp_path_factory, database.new()))


def make(folders: pytest.TempPathFactory, url: str) -> Site:
    folder = folders.mktemp("hidden")
    settings = Settings(root=folder, catalog_url=url, public_url="http://portal.test")
    settings.archive_folder.mkdir(parents=True)
    world = World(folder)
    for line in (OPEN, CLOSED, ENDED):
        world.add(
            "deposition",
            id=line.deposition,
            owner=line.deposition,
            title=f"Deposition {line.deposition}",
            description="-",
            visibility_state="public",
        )
    dataset(world, OPEN)
    dataset(world, CLOSED, "embargoed", FUTURE)
    dataset(world, ENDED, "embargoed", PAST)
    world.owner = OPEN.id
    world.add("deposition", id=40, owner=40, title="Gated additions", description="-", visibility_state="private")
    world.add(
        "annotation",
        run_id=1,
        deposition_id=40,
        object_name="gated thing",
        object_id="GO:0000001",
        s3_metadata_path="a",
        https_metadata_path="a",
    )
    return make_app(settings, world.save(settings), world)


@pytest.fixture
def http(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app, base_url="http://portal.test") as client:
        yield client


@pytest.fixture
def curator(site: Site) -> Iterator[TestClient]:
    with TestClient(AsCurator(site.app), base_url="http://portal.test") as client:
        yield client


def ask(http: TestClient, query: str) -> Any:
    return http.get("/search.json", params={"q": query}).json()


@pytest.mark.parametrize("secret", SECRETS)
def test_q10_what_is_hidden_is_not_found_and_not_suggested(http: TestClient, curator: TestClient, secret: str) -> None:
    found = ask(http, secret)
    assert (found["total"], found["groups"], found["places"]) == (0, [], [])
    assert http.get("/search/suggest", params={"q": secret}).json()["groups"] == []
    assert ask(curator, secret)["total"] > 0


@pytest.mark.parametrize("typo", ["clandestime", "zymogranle", "clandestinof"])
def test_q10_what_is_hidden_corrects_no_word(http: TestClient, curator: TestClient, typo: str) -> None:
    assert ask(http, typo)["corrected"] == []
    assert ask(curator, typo)["corrected"] != []


def test_q10_counts_leave_out_what_is_hidden(http: TestClient, curator: TestClient) -> None:
    def counted(client: TestClient) -> dict[str, int]:
        return {t["name"]: t["count"] for t in ask(client, "imod")["tabs"]}

    assert counted(http)["datasets"] == 2
    assert counted(curator)["datasets"] == 3


@pytest.mark.parametrize(
    "given", ["DS-2", "EMPIAR-2", "closed_1", "Clandestine zymogranules", "GO:0042589", "NCBITaxon:10090"]
)
def test_q10_the_jump_box_tells_nothing_of_what_is_hidden(http: TestClient, given: str) -> None:
    location = http.get("/id", params={"q": given}, follow_redirects=False).headers["location"]
    assert location.startswith("/search?q=") or http.get(location).status_code == 404


def test_q10_an_embargo_that_has_ended_hides_nothing(http: TestClient) -> None:
    assert ask(http, "formerly axonemes")["total"] > 0


def test_q9_a_dataset_that_is_written_anew_is_found_by_its_new_words(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = make(tmp_path_factory, database.new())
    t, engine = own.catalog.tables, connect(own.catalog.url)
    with TestClient(own.app, base_url="http://portal.test") as http:
        assert ask(http, "open lamellae")["total"] > 0
        with swap.writing(engine, t, whole=False) as connection:
            d = t.kinds["dataset"]
            connection.execute(d.update().where(d.c.id == 1).values(title="Renamed quokka"))
            Writer(connection, t, SCHEMA, swap.insert).write([1])
            connection.execute(t.meta.update().where(t.meta.c.name == "version").values(value="8"))
        assert ask(http, "quokka")["total"] > 0
        assert matching(own.catalog, "dataset", "open lamellae", ANONYMOUS) == []
        with swap.writing(engine, t, whole=False) as connection:
            connection.execute(d.delete().where(d.c.id == 1))
            Writer(connection, t, SCHEMA, swap.insert).write([1])
            connection.execute(t.meta.update().where(t.meta.c.name == "version").values(value="9"))
        assert ask(http, "quokka")["total"] == 0
    engine.dispose()
    own.close()
