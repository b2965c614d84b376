"""The form for offers, through the front door of the whole application."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.api.mailbox import Mailbox, receiving
from tests.api.serving import HIDDEN, HIDDEN_RUN, PUBLIC, RUN, World

from tomotheca.api.app import create_app
from tomotheca.desk import Desk
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.databases import Database

EMAIL, OTHER_EMAIL = "grace.private@example.org", "alan.private@example.org"
GOOD: dict[str, Any] = {
    "kind": ["datasets"], "contact-name": "Grace Hopper", "contact-email": EMAIL, "contact-orcid": "0000-0002-1825-0097",
    "title": "S. pombe cryo-FIB lamellae acquired with defocus-only", "description": "Lamellae of S. pombe. Imaged at 300 kV.",
    "author-1-name": "Grace Hopper", "author-1-orcid": "0000-0002-1825-0097", "author-1-email": OTHER_EMAIL,
    "author-1-corresponding_author_status": "yes", "sample_type": "cell", "organism_name": "Schizosaccharomyces pombe",
    "organism_taxid": "4896", "cell_name": "whole cell", "acceleration_voltage": "300", "tilt_min": "−60", "tilt_max": "60",
    "pixel_spacing": "2.17", "runs": "12", "size": "1.5 TB", "location": "EMPIAR-10988", "consent": "yes",
    "related_database_entries": "EMPIAR-10988, 10.1038/s41592-022-01746-2",
}  # fmt: skip
ANNOTATIONS = {
    "kind": ["annotations"], "related": f"DS-{PUBLIC}, RN-{RUN}", "object-1-object_name": "cytosolic ribosome",
    "object-1-object_id": "GO:0022626", "object-1-shape_type": "OrientedPoint", "object-1-method_type": "hybrid",
}  # fmt: skip
Make = Callable[..., TestClient]


@pytest.fixture
def make(world: World, tmp_path: Path) -> Iterator[Make]:
    """Give applications with settings of the test's own, in front of the same archive."""
    opened: list[TestClient] = []

    def client(**given: Any) -> TestClient:
        settings = Settings(
            **{"root": world.root, "desk_url": str(tmp_path / "desk.sqlite"), "contribute_rate_limit": 0, **given}
        )
        opened.append(TestClient(create_app(settings), base_url="http://portal.test", follow_redirects=False))
        return opened[-1]

    yield client
    for each in opened:
        shut(each)


@pytest.fixture
def http(make: Make) -> TestClient:
    return make()


@pytest.fixture(scope="module")
def shared(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give an application for tests that do not look at what is kept."""
    desk = str(tmp_path_factory.mktemp("shared") / "desk.sqlite")
    app = create_app(Settings(root=world.root, desk_url=desk, contribute_rate_limit=0))
    with TestClient(app, base_url="http://portal.test", follow_redirects=False) as client:
        yield client
    shut(client)


def shut(client: TestClient) -> None:
    """Close what an application has open."""
    portal = client.app.state.portal  # type: ignore[attr-defined]  # the frame has it
    portal.desk.close()
    portal.catalog.close()


def send(http: TestClient, do: str = "submit", path: str = "/contribute", **given: Any) -> httpx.Response:
    """Fill the form that a browser was given, and press a button."""
    seen = http.get(path).text
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', seen)
    assert found, seen
    return http.post(path, data={**given, "csrf": found[1], "do": do})


def sent(http: TestClient, **given: Any) -> str:
    """Send a form that can be used; give its private path."""
    answer = send(http, **{**GOOD, **given})
    assert answer.status_code == 303, unescape(answer.text)
    path: str = answer.headers["location"]
    return path.partition("?")[0]


def errors(answer: httpx.Response) -> dict[str, str]:
    """Give the sentences beside the fields, by the fields' names."""
    found = re.findall(r'<p class="error" id="e-([^"]+)">(.*?)</p>', answer.text)
    return {name: unescape(text) for name, text in found}


def value(html: str, name: str) -> str:
    """Give what stands in a field of a page."""
    found = re.search(rf'<input id="{re.escape(name)}"[^>]* value="([^"]*)"', html)
    assert found, name
    return unescape(found[1])


def test_s22_an_offer_goes_from_the_form_to_a_receipt_and_a_private_page(http: TestClient) -> None:
    answer = send(http, **GOOD)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert re.fullmatch(r"/contribute/[A-Za-z0-9_-]{32}\?sent=1", where)
    receipt = http.get(where)
    assert receipt.status_code == 200
    assert "SUB-1 was received" in receipt.text
    assert f"http://portal.test{where.partition('?')[0]}" in receipt.text
    again = http.get(where.partition("?")[0])
    assert "was received" not in again.text
    assert "Submitted" in again.text
    assert "within about 10 working days" in again.text
    twin = http.get(where.partition("?")[0] + ".json").json()
    assert twin["reference"] == "SUB-1"
    assert twin["status"]["text"] == "Submitted"
    assert ["Organism", "Schizosaccharomyces pombe"] in dict(twin["answers"])["Sample"]


def test_s22_annotations_name_what_they_belong_to(shared: TestClient) -> None:
    few = {k: v for k, v in GOOD.items() if k not in {"sample_type", "organism_name", "organism_taxid", "cell_name"}}
    assert send(shared, **{**few, **ANNOTATIONS}).status_code == 303
    without = send(shared, **{**few, "kind": ["annotations"]})
    assert errors(without) == {
        "related": "Name the datasets or runs that they belong to.",
        "object-1-object_name": "Name at least one object.",
    }


@pytest.mark.parametrize("related", [f"DS-{HIDDEN}", f"RN-{HIDDEN_RUN}", "DS-99999", "RN-2147483647"])
def test_s22_what_is_hidden_is_as_unknown_as_what_is_not_there(shared: TestClient, related: str) -> None:
    answer = send(shared, **{**GOOD, **ANNOTATIONS, "related": f"{PUBLIC} {related}"})
    assert answer.status_code == 422
    assert errors(answer) == {"related": f"There is no {related} here."}


def test_s22_kinds_of_samples_are_those_of_the_schema(shared: TestClient) -> None:
    text = shared.get("/contribute").text
    select = re.search(r'<select id="sample_type".*?</select>', text, re.DOTALL)
    assert select
    codes = set(re.findall(r'value="([^"]+)"', select[0]))
    assert {"cell", "tissue", "organism", "organelle", "in_vitro", "in_silico"} <= codes
    assert "In-silico synthetic" in select[0]


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"kind": []}, "kind", "Choose at least one."),
        ({"kind": ["gold"]}, "kind", "Choose from the list."),
        ({"contact-name": " "}, "contact-name", "Fill this in."),
        ({"contact-email": "grace@"}, "contact-email", "Write an e-mail address"),
        ({"contact-email": "a@b.example\nBcc: c@d.example"}, "contact-email", "Write an e-mail address"),
        ({"contact-orcid": "0000-0002-1825-0098"}, "contact-orcid", "The last digit of this ORCID does not fit"),
        ({"contact-orcid": "1234"}, "contact-orcid", "four groups of four"),
        ({"title": "Too short"}, "title", "at least 20 characters"),
        ({"description": "One. Two. Three. Four. Five. Six."}, "description", "at most 5 sentences; these are 6"),
        ({"description": "a" * 2001}, "description", "at most 2,000 characters; these are 2,001"),
        ({"author-1-name": "", "author-1-orcid": "", "author-1-email": "", "author-1-corresponding_author_status": ""}, "author-1-name", "at least one author"),
        ({"author-1-corresponding_author_status": ""}, "author-1-corresponding_author_status", "at least one corresponding"),
        ({"author-1-orcid": "0000-0002-1825-0090"}, "author-1-orcid", "The last digit"),
        ({"author-2-orcid": "0000-0002-1825-0097", "author-2-name": "G. Hopper"}, "author-2-name", "This is author 1 again"),
        ({"sample_type": ""}, "sample_type", "Choose the kind of sample."),
        ({"sample_type": "gold"}, "sample_type", "Choose from the list."),
        ({"sample_type": "tissue"}, "tissue_name", "This sample needs its tissue."),
        ({"sample_type": "organelle"}, "cell_component_name", "This sample needs its cellular component."),
        ({"organism_name": "", "organism_taxid": ""}, "organism_name", "Name the organism."),
        ({"organism_taxid": "9606"}, "organism_taxid", "9606 is Homo sapiens, not Schizosaccharomyces pombe."),
        ({"organism_taxid": "pombe"}, "organism_taxid", "NCBI taxonomy"),
        ({"acceleration_voltage": "300000"}, "acceleration_voltage", "from 60 to 400 kV"),
        ({"tilt_min": "-91"}, "tilt_min", "from −90 to 90 °"),
        ({"tilt_min": "60", "tilt_max": "-60"}, "tilt_max", "above the lowest"),
        ({"pixel_spacing": "nan"}, "pixel_spacing", "Write a number in Å/px."),
        ({"pixel_spacing": "0.05"}, "pixel_spacing", "from 0.1 to 100"),
        ({"runs": "1.5"}, "runs", "whole number"),
        ({"size": ""}, "size", "Fill this in."),
        ({"size": "very large"}, "size", "such as 1.5 TB"),
        ({"related_database_entries": "EMPIAR-10988, EMD-x"}, "related_database_entries", "'EMD-x' is not a DOI"),
        ({"release": "date", "release-date": "soon"}, "release-date", "YYYY-MM-DD"),
        ({"release": "date", "release-date": "2020-01-01"}, "release-date", "Choose a date from"),
        ({"release": "date", "release-date": "2999-01-01"}, "release-date", "Choose a date from"),
        ({"consent": ""}, "consent", "Tick this to go on."),
    ],
)  # fmt: skip
def test_s22_an_answer_that_cannot_be_used_is_a_sentence_and_a_link(
    shared: TestClient, change: dict[str, Any], field: str, sentence: str
) -> None:
    answer = send(shared, **{**GOOD, **change})
    assert answer.status_code == 422
    assert sentence in errors(answer)[field]
    assert len(errors(answer)) == 1
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}"' in answer.text
    name = "contact-name" if field != "contact-name" else "size"
    assert value(answer.text, name) == GOOD[name]


@pytest.mark.parametrize(
    ("given", "good"),
    [
        ("GO:0005840", True), ("go_0005840", True), ("GO:5840", False), ("UniProtKB:P0A7V0", True), ("UniProtKB:XX", False), ("PDB:4V6X", True),
        ("CHEBI:16247", True), ("NCBITaxon:4896", True), ("XYZ:0001", False), ("ribosome", False), ("CVCL_0030", True), ("ORCID:0000", False),
    ],
)  # fmt: skip
def test_s22_identifiers_of_objects_have_the_form_of_their_ontology(shared: TestClient, given: str, good: bool) -> None:
    answer = send(shared, **{**GOOD, **ANNOTATIONS, "object-1-object_id": given})
    assert (answer.status_code == 303) is good
    assert good or set(errors(answer)) == {"object-1-object_id"}


def test_n2_rows_are_added_and_removed_without_script_and_nothing_typed_is_lost(shared: TestClient) -> None:
    more = send(shared, "add-author", **GOOD)
    assert more.status_code == 200
    assert value(more.text, "author-1-name") == "Grace Hopper"
    assert value(more.text, "author-2-name") == ""
    assert value(more.text, "size") == "1.5 TB"
    assert re.search(r'id="author-2-name"[^>]* autofocus', more.text)
    two = {**GOOD, "author-2-name": "Alan <b>Turing</b>"}
    third = send(shared, "add-author", **two)
    assert value(third.text, "author-2-name") == "Alan <b>Turing</b>"
    assert "<b>Turing" not in third.text
    assert 'id="author-3-name"' in third.text
    fewer = send(shared, "remove-author-1", **two)
    assert value(fewer.text, "author-1-name") == "Alan <b>Turing</b>"
    assert 'id="author-2-name"' not in fewer.text
    objects = send(shared, "add-object", **GOOD)
    assert 'id="object-2-object_id"' in objects.text
    for button in ("add-gold", "remove-author-77", "stay", ""):
        assert value(send(shared, button, **GOOD).text, "author-1-name") == "Grace Hopper"


def test_s22_a_draft_is_kept_unfinished_and_finished_later(http: TestClient) -> None:
    kept = send(http, "save", **{"title": "Half", "author-2-name": "Second", "contact-email": "half"})
    assert kept.status_code == 303
    path = kept.headers["location"].partition("?")[0]
    assert "Your draft is kept" in http.get(kept.headers["location"]).text
    draft = http.get(path).text
    assert value(draft, "title") == "Half"
    assert value(draft, "author-1-name") == "Second"
    assert value(draft, "contact-email") == "half"
    assert send(http, "submit", path, title="Half").status_code == 422
    done = send(http, "submit", path, **GOOD)
    assert done.headers["location"] == f"{path}?sent=1"
    assert "Submitted" in http.get(path).text
    late = http.post(path, data={"do": "save", "title": "Changed"})
    assert late.status_code == 303
    assert GOOD["title"] in http.get(path).text


def test_s22_curator_and_contributor_talk_until_it_is_accepted(http: TestClient, tmp_path: Path) -> None:
    path = sent(http)
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        desk.submissions.move(1, "needs_changes", side="curator", who="ada@lab", message="Which <grid>?")
    asked = http.get(path).text
    assert "Needs changes" in asked
    assert "Which &lt;grid&gt;?" in asked
    assert "ada@lab" not in asked
    assert value(asked, "size") == "1.5 TB"
    assert send(http, "message", path, message="A copper one.").status_code == 303
    assert send(http, "submit", path, **{**GOOD, "grid_preparation": "copper"}).status_code == 303
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        assert [n.message for n in desk.submissions.notes(1)] == ["", "Which <grid>?", "A copper one.", ""]
        accepted = desk.submissions.move(1, "accepted", side="curator")
    told = http.get(path).text
    assert f"DEP-{accepted.deposition}" in told
    assert "How to hand the data over" in told
    assert errors(send(http, "message", path, message=" ")) == {"message": "Write a message."}
    assert send(http, "withdraw", path).status_code == 303
    assert "Withdrawn" in http.get(path).text
    assert send(http, "withdraw", path).status_code == 409


def test_n10_a_form_that_this_server_did_not_draw_is_refused_and_nothing_is_lost(make: Make) -> None:
    http = make()
    alone = http.post("/contribute", data={**GOOD, "do": "submit"})
    assert alone.status_code == 403
    assert value(alone.text, "size") == "1.5 TB"
    assert "send it again" in alone.text
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', make().get("/contribute").text)
    assert token
    http.get("/contribute")
    assert http.post("/contribute", data={**GOOD, "csrf": token[1], "do": "submit"}).status_code == 403
    foreign = http.post("/contribute", data=GOOD, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert "another site" in foreign.text
    path = sent(http)
    assert http.post(path, data={"do": "withdraw"}).status_code == 403
    assert "Submitted" in http.get(path).text


def test_n10_machines_that_fill_everything_in_are_refused(http: TestClient, tmp_path: Path) -> None:
    assert send(http, **GOOD, website="https://spam.example").status_code == 422
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        assert desk.submissions.all() == ()


def test_n10_one_address_sends_so_many_forms_a_minute(make: Make, world: World, tmp_path: Path) -> None:
    http = make(
        contribute_rate_limit=3, state=tmp_path / "state", catalog_url=f"sqlite:///{world.root}/state/catalog.sqlite"
    )
    assert [send(http, "save", title=str(n)).status_code for n in range(3)] == [303] * 3
    refused = send(http, "save", title="the fourth")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert value(refused.text, "title") == "the fourth"
    assert send(http, "add-author").status_code == 200


def test_n10_private_addresses_are_kept_out_of_caches_engines_and_logs(
    http: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tomotheca.access"):
        path = sent(http)
        page = http.get(path)
        http.get(path + ".json")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "etag" not in page.headers
    token = path.rpartition("/")[2]
    lines = [json.loads(r.message)["path"] for r in caplog.records if r.name == "tomotheca.access"]
    assert "/contribute/…" in lines
    assert not any(secret in caplog.text for secret in (token, EMAIL, OTHER_EMAIL))
    assert http.get(path[:-1] + "x").status_code == 404
    assert http.get("/contribute/" + "é" * 40).status_code == 404
    assert path not in http.get("/robots.txt").text


def test_n10_addresses_of_people_are_on_no_page_once_the_form_is_sent(shared: TestClient) -> None:
    path = sent(shared)
    for place in (path, path + "?sent=1", path + ".json", "/contribute", "/contribute.json"):
        assert "private@example.org" not in shared.get(place).text


def test_n10_a_form_that_is_too_large_is_one_sentence(shared: TestClient) -> None:
    html = {"accept": "text/html"}
    long = shared.post("/contribute", data={"title": "x" * 300_001}, headers=html)
    assert (long.status_code, "The form is too long." in long.text) == (400, True)
    many = shared.post("/contribute", content="&".join(f"a{n}=1" for n in range(2_100)), headers=html)
    assert (many.status_code, "too many fields" in many.text) == (400, True)


def test_s22_e_mail_is_sent_where_a_mail_server_is_set(make: Make, world: World) -> None:
    with receiving() as box:
        http = make(smtp_host="127.0.0.1", smtp_port=box.port, mail_from="portal@example.org", site_name="Our\nsite")
        path = sent(http)
        _is_receipt(box, f"http://portal.test{path}")
    assert send(http, **GOOD).status_code == 303, "a mail server that is gone stops nothing"


def _is_receipt(box: Mailbox, address: str) -> None:
    assert box.recipients == [EMAIL]
    (message,) = box.messages
    assert message["subject"] == "Our site: SUB-1 was received"
    assert address in str(message.get_payload(decode=True), "utf-8")


def test_s22_the_site_may_have_its_form_elsewhere_or_none(make: Make) -> None:
    outside = make(contribute_mode="https://forms.example/offer")
    for path in ("/", "/docs/data-schema", "/about"):
        assert outside.get(path).text.count('href="https://forms.example/offer"') >= 2
    assert outside.get("/contribute").headers["location"] == "https://forms.example/offer"
    closed = make(contribute_mode="off")
    assert 'href="/contribute"' not in closed.get("/").text
    assert closed.get("/contribute").status_code == 404
    assert closed.post("/contribute", data={"do": "save"}).status_code == 404


def test_s22_the_licence_that_was_agreed_to_is_kept(make: Make, tmp_path: Path) -> None:
    http = make(contribute_licence="CC-BY-4.0")
    assert 'href="https://creativecommons.org/licenses/by/4.0/"' in http.get("/contribute").text
    sent(http)
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        assert desk.submissions.get(1).form["licence"] == ("CC-BY-4.0",)


def test_n9_the_twin_says_what_the_form_asks(shared: TestClient) -> None:
    parts = shared.get("/contribute.json").json()["form"]["parts"]
    asked = {q["name"]: q for part in parts for group in part["groups"] for q in group["questions"]}
    assert asked["pixel_spacing"]["unit"] == "Å/px"
    assert asked["contact-email"]["required"]
    assert {o["value"] for o in asked["kind"]["options"]} == {"datasets", "annotations", "tomograms"}


def test_n12_both_databases_keep_offers(database: Database, make: Make) -> None:
    http = make(desk_url=database.new())
    assert "Submitted" in http.get(sent(http)).text
