"""What the settings of a site change on its pages, and what is recorded but not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import Fetch, Site, words
from tests.web.test_drawers import fields

from tomotheca.api.app import create_app
from tomotheca.errors import SettingsError
from tomotheca.settings import Settings, load
from tomotheca.web import links

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., TestClient]
WEIGHTS = {
    "frames": 0, "gain": 0, "mdoc": 0, "tilt_series": 5, "angles": 0, "dose": 0, "ctf": 0, "alignment": 0, "tomogram": 2, "annotation": 0,
}  # fmt: skip


@pytest.fixture
def make(site: Site) -> Iterator[Make]:
    """Give the whole application over the site's folder and database, with other settings."""
    opened: list[TestClient] = []

    def made(**given: Any) -> TestClient:
        app = create_app(Settings(**{**dict(site.settings), **given}))
        opened.append(TestClient(app, base_url="http://portal.test", headers={"accept": "text/html,*/*"}))
        return opened[-1]

    yield made
    for each in opened:
        portal = each.app.state["portal"]  # type: ignore[attr-defined]  # the frame has it
        portal.catalog.close()
        portal.desk.close()


def test_6_1_a_ground_truth_shows_no_precision_whatever_is_recorded(
    twin: Fetch, page: Fetch, http: TestClient, door: TestClient, site: Site
) -> None:
    rows = site.world.rows["annotation"]
    a = next(r for r in rows if r["ground_truth_status"] and r["confidence_precision"] is not None)
    recorded, name, run = f"{a['confidence_precision']:g}", f"AN-{a['id']}", a["run_id"]
    table = twin(f"/runs/{run}?table-tab=annotations")["table"]["rows"]
    cell = next(r for r in table if r["identifier"] == name)["precision"]
    assert (cell["text"], cell["help"]) == ("NA", "This is ground truth.")
    for path in (
        f"/runs/{run}", f"/runs/{run}?metadata=annotation&metadata-id={name}", f"/annotations/{a['id']}",
        f"/depositions/{a['deposition_id']}?deposition-tab=annotations&annotations-per-page=100",
    ):  # fmt: skip
        html = page(path)
        assert recorded not in words(html), path
        assert 'title="This is ground truth."' in html or "depositions" in path
    assert fields(twin(f"/runs/{run}?metadata=annotation&metadata-id={name}")["overlay"], "Confidence")["Precision"] == ["NA"]  # fmt: skip
    best = max(r["confidence_precision"] or 0 for r in rows if r["object_name"] == a["object_name"] and not r["ground_truth_status"])  # fmt: skip
    objects = twin("/browse-data/objects?per-page=100")["table"]["rows"]
    assert next(r["precision"] for r in objects if r["name"] == a["object_name"]) == best < a["confidence_precision"]
    assert f",{recorded}," in http.get(f"/runs/{run}.csv?table-tab=annotations").text
    assert door.get(f"/api/v1/annotations/{a['id']}.json").json()["confidence_precision"] == a["confidence_precision"]


def test_6_3_weights_of_completeness_are_settings(make: Make, site: Site) -> None:
    http = make(completeness=WEIGHTS)
    with_tomogram = {t["run_id"] for t in site.world.rows["tomogram"]}
    rows = http.get("/browse-data/runs.json?per-page=100&sort=completeness").json()["table"]["rows"]
    shares = {r["id"]: r["completeness"] for r in rows}
    assert shares == {r: 100 if r in with_tomogram else 71 for r in shares}
    assert list(shares.values()) == sorted(shares.values())
    lacking = {r for r, share in shares.items() if share < 100}
    assert lacking
    for path, query in (("/browse-data/runs.json", "per-page=100"), ("/api/v1/runs", "limit=1000&fields=id")):
        found = http.get(f"{path}?completeness=<72&{query}", headers={"accept": "application/json"}).json()
        assert {r["id"] for r in (found["table"]["rows"] if "table" in found else found["items"])} == lacking
    one = min(lacking)
    shown = http.get(f"/runs/{one}.json?metadata=run").json()
    drawer = fields(shown["overlay"], "Run")
    assert (drawer["Completeness"], drawer["Missing"]) == (["71 %"], ["Tomograms"])
    assert shown["complete"] == {"share": 71, "lacking": ["Tomograms"]}
    dataset = http.get(f"/datasets/{next(r['dataset_id'] for r in site.world.rows['run'] if r['id'] == one)}.json")
    assert {r["id"]: r["completeness"] for r in dataset.json()["table"]["rows"]}[one] == 71


def test_6_4_pages_of_terms_are_settings(make: Make, twin: Fetch) -> None:
    assert "amigo." in str(twin("/runs/1?table-tab=annotations")["table"]["rows"])
    http = make(links={"go": "https://terms.invalid/{prefix}/{accession}?term={id}"})
    for path in ("/runs/1.json?table-tab=annotations", "/annotations/1.json", "/runs/1.json?metadata=run&tab=objectOverview", "/browse-data/objects.json"):  # fmt: skip
        text = http.get(path).text
        assert "https://terms.invalid/GO/0022626?term=GO:0022626" in text, path
        assert "amigo." not in text, path
    assert 'href="https://terms.invalid/GO/0022626?term=GO:0022626"' in http.get("/runs/1").text


def test_6_4_an_unknown_prefix_is_plain_text_until_the_settings_know_it() -> None:
    assert links.ontology("CDPO:0000001") == ""
    with links.leading({"CDPO": "https://terms.invalid/#{id}"}):
        assert links.ontology("CDPO:0000001") == "https://terms.invalid/#CDPO:0000001"
        assert links.ontology("cdpo_0000001") == "https://terms.invalid/#cdpo_0000001"
        assert links.ontology("GO:0016020").startswith("https://amigo.")
        assert links.ontology("CDPO:<script>") == ""
    assert links.ontology("CDPO:0000001") == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[completeness]\nframez = 3", "setting completeness.framez"),
        ("[completeness]\nframes = -1", "setting completeness.frames"),
        ("[completeness]\n" + "\n".join(f"{name} = 0" for name in WEIGHTS), "give at least one weight above 0"),
        ('[links]\nCDPO = "ftp://terms.invalid/{id}"', "CDPO: a link begins with https:// or http:// and a host"),
        ('[links]\nCDPO = "javascript:alert({id})"', "CDPO: a link begins with https:// or http:// and a host"),
        ('[links]\nCDPO = "https://terms.invalid/{id.real}"', "and nothing else in braces"),
        ('[links]\nCDPO = "https://terms.invalid/{id"', "and nothing else in braces"),
        ('[links]\nCDPO = "https://terms.invalid/"', "has {id}, {accession} or {prefix} in it"),
        ('[links]\n"A:" = "https://terms.invalid/{id}"', "A:: a prefix is made of letters"),
    ],
)
def test_6_3_6_4_a_setting_that_cannot_be_used_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "tomotheca.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(root=tmp_path)
    said = str(caught.value)
    assert sentence in said
    assert str(tmp_path / "tomotheca.toml") in said
    assert len(said.splitlines()) == 1


def test_6_3_6_4_tables_stand_in_the_environment_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMOTHECA_COMPLETENESS", '{"frames": 30}')
    monkeypatch.setenv("TOMOTHECA_LINKS", '{"cdpo": "https://terms.invalid/{id}"}')
    found = load(root=tmp_path)
    assert (found.completeness.frames, found.completeness.total) == (30, 110)
    assert found.links == {"CDPO": "https://terms.invalid/{id}"}
    monkeypatch.setenv("TOMOTHECA_LINKS", "cdpo")
    with pytest.raises(SettingsError, match="write a JSON object"):
        load(root=tmp_path)
