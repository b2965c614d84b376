"""Every page answers, as HTML and as JSON, under the policy, and shows nothing that is hidden."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.meta
import pytest
from jinja2 import nodes
from tests.web.conftest import Fetch, Site, words

from tomotheca.web import page as pages
from tomotheca.web.page import environment
from tomotheca.web.pages import contribute, dataset, deposition, docs, home, leaf, listing, objects, run, viewing
from tomotheca.web.people import people as people_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient

PATHS = (
    "/", "/browse-data/datasets", "/browse-data/depositions", "/browse-data/runs", "/browse-data/objects", "/datasets/10000", "/datasets/10050", "/runs/1", "/runs/4", "/runs/5", "/runs/6",
    "/runs/1?table-tab=tomograms", "/runs/1?table-tab=tilt-series", "/runs/1?table-tab=alignments", "/runs/1?table-tab=frames", "/runs/1?table-tab=files",
    "/depositions/300", "/depositions/301", "/tilt-series/1", "/tomograms/1", "/annotations/1", "/annotations/2", "/alignments/1", "/view/runs/1",
    "/view/tomograms/2", "/docs", "/docs/data-schema", "/docs/download", "/docs/api", "/about", "/contribute", "/login",
    "/datasets/10000?metadata=dataset", "/runs/1?metadata=run", "/runs/1?metadata=run&tab=objectOverview", "/runs/1?metadata=tomogram&metadata-id=TM-1",
    "/runs/1?metadata=tilt-series&metadata-id=TS-1&tab=sections", "/runs/1?metadata=annotation&metadata-id=AN-1", "/runs/1?metadata=alignment&metadata-id=AL-1",
    "/depositions/300?metadata=deposition", "/datasets/10000?dl=DS-10000", "/runs/1?dl=RN-1&dl-what=tomogram", "/runs/1?dl=AN-2&dl-tab=curl", "/runs/1?dl=TM-1",
    "/tilt-series/1?dl=TS-1&dl-tab=verify",
)  # fmt: skip
HIDDEN = (
    "10100",
    "10101",
    "nreleased secret",
    "mbargoed secret",
    "SecretCam",
    "Hidden deposition",
    "DEP-399",
    "3.21",
    "3.22",
)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_answers_with_its_twin(path: str, http: TestClient, twin: Fetch) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.text.count("<h1") == 1
    assert twin(path)["title"]


@pytest.mark.parametrize("path", PATHS)
def test_N2_N4_no_page_needs_script_or_another_site(path: str, page: Fetch) -> None:
    html = page(path)
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", html)
    assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)(?! type=\"application/ld\+json\">)[^>]*>", html)
    assert not re.search(r"<(?:img|script|link rel=\"(?:stylesheet|icon)\"|iframe)[^>]+(?:src|href)=\"https?:", html)


@pytest.mark.parametrize("path", PATHS)
def test_Q10_a_hidden_dataset_is_on_no_page(path: str, page: Fetch, twin: Fetch) -> None:
    for text in (page(path), str(twin(path))):
        assert [word for word in HIDDEN if word in text] == []


@pytest.mark.parametrize("path", ["/datasets/10100", "/datasets/10101", "/depositions/399", "/datasets/10100.json"])
def test_a_hidden_record_is_like_one_that_never_was(path: str, http: TestClient) -> None:
    hidden, unknown = (
        http.get(path),
        http.get(path.replace("10100", "77777").replace("10101", "77777").replace("399", "77777")),
    )
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    number = re.findall(r"\d+", path)[0]
    assert re.sub(number, "N", words(hidden.text)) == re.sub("77777", "N", words(unknown.text))


def test_hidden_runs_and_states_are_nowhere(site: Site, http: TestClient) -> None:
    secret = next(r["id"] for r in site.world.rows["run"] if r["dataset_id"] == 10100)
    for path in (
        f"/runs/{secret}",
        f"/view/runs/{secret}",
        f"/api/v1/viewer/runs/{secret}/state.json",
        f"/runs/1?dl=RN-{secret}",
        f"/runs/1?metadata=run&metadata-id={secret}",
    ):
        answer = http.get(path)
        assert answer.status_code == 404 or "Ignored" in answer.text
        assert "secret lamellae" not in answer.text
    for path in (
        "/browse-data/datasets?organism=Nobody&camera=K3",
        "/browse-data/datasets?camera_manufacturer=SecretCam",
        "/browse-data/datasets?dataset_id=10100",
    ):
        assert "0</b> of 10" in http.get(path).text
    assert "secret" not in http.get("/feed.atom").text.lower()


def test_the_curator_sees_what_is_hidden_and_nothing_is_kept(curator: TestClient) -> None:
    answer = curator.get("/browse-data/datasets")
    assert "Unreleased secret lamellae" in answer.text
    assert "Embargoed until 2999-01-01" in answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    assert "SecretCam" in answer.text


def test_N7_a_page_has_a_strong_tag_and_is_not_sent_twice(http: TestClient, curator: TestClient) -> None:
    first = http.get("/runs/1")
    tag = first.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]+"', tag)
    assert http.get("/runs/1", headers={"if-none-match": tag}).status_code == 304
    others = [
        http.get("/runs/2"),
        http.get("/runs/1.json"),
        curator.get("/runs/1"),
        http.get("/runs/1?table-tab=files"),
    ]
    assert all(other.headers["etag"] != tag for other in others)


def test_json_by_accept(http: TestClient) -> None:
    assert http.get("/runs/1", headers={"accept": "application/json"}).json() == http.get("/runs/1.json").json()


def test_static_files_are_kept_for_ever_and_stay_in_their_folder(http: TestClient) -> None:
    css = re.findall(r'href="(/static/site\.css\?v=\w+)"', http.get("/").text)[0]
    assert "immutable" in http.get(css).headers["cache-control"]
    for path in (
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/static//etc/passwd",
        "/viewer/../../page.py",
        "/static/%00",
    ):
        assert http.get(path).status_code == 404


@pytest.mark.parametrize(
    ("given", "status", "target"),
    [
        ("/datasets/DS-10000", 301, "/datasets/10000"), ("/datasets/ds10000", 301, "/datasets/10000"), ("/runs/RN-1.json", 301, "/runs/1.json"),
        ("/depositions/CZCDP-300", 301, "/depositions/300"), ("/browse-data", 302, "/browse-data/datasets"), ("/tomograms/TM-3?dl=TM-3", 301, "/tomograms/3?dl=TM-3"),
        ("/id/rn 4", 302, "/runs/4"), ("/id?q=DEP-300", 302, "/depositions/300"), ("/id/10000", 302, "/datasets/10000"),
        ("/id?q=https://elsewhere.invalid/runs/3", 302, "/runs/3"), ("/id?q=mosaic_3", 302, "/runs/4"), ("/id?q=two words", 302, "/search?q=two+words"),
    ],
)  # fmt: skip
def test_identifiers_lead_to_their_page(given: str, status: int, target: str, http: TestClient) -> None:
    answer = http.get(given, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (status, target)


@pytest.mark.parametrize(
    "path",
    [
        "/runs/abc",
        "/runs/0x1",
        "/runs/99999999999999",
        "/runs/-1",
        "/datasets/%F0%9F%98%80",
        "/nothing",
        "/runs/²",
        "/runs/007",
    ],
)
def test_an_unknown_address_is_a_styled_404(path: str, http: TestClient) -> None:
    answer = http.get(path)
    assert answer.status_code == 404 or (path, answer.url.path) == ("/runs/007", "/runs/7")
    assert "site.css" in answer.text


@pytest.mark.parametrize("path", [p for p in PATHS if "?" not in p])
def test_G8_unknown_parameters_are_named_never_fatal(path: str, http: TestClient, twin: Fetch) -> None:
    query = "?bogus=%3Cscript%3E&metadata=nonsense&dl=XX-9&page=zzz&per-page=-3&sort=%27%3B--&tab=q&table-tab=%00&dl-tab=x&tomogram=%F0%9F%98%80"
    answer = http.get(path + query)
    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace('<script src="', "")
    assert any("bogus" in text for text in twin(path + query)["ignored"])


CONTEXTS: dict[str, tuple[type[Any], ...]] = {
    "home.html": (home.Home,), "browse.html": (listing.BrowsePage, objects.BrowseObjects),
    **dict.fromkeys(("browse_datasets.html", "browse_depositions.html", "browse_runs.html"), (listing.BrowsePage,)), "browse_objects.html": (objects.BrowseObjects,),
    "dataset.html": (dataset.DatasetPage,), "run.html": (run.RunPage,),
    "deposition.html": (deposition.DepositionPage,), "leaf.html": (leaf.Leaf,), "view.html": (viewing.View,), "data_schema.html": (docs.DataSchema,),
    "docs.html": (docs.Text,), "docs_download.html": (docs.Text,), "docs_api.html": (docs.Text,), "about.html": (docs.Text,), "contribute.html": (contribute.Contribute,), "tracking.html": (contribute.Tracking,),
    "login.html": (docs.Text,), "base.html": (pages.Context,), "drawer.html": (pages.Context,), "download.html": (pages.Context,),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_template_uses_nothing_but_its_context(name: str) -> None:
    env = pages.environment()
    assert env.loader is not None
    tree = env.parse(env.loader.get_source(env, name)[0])
    own = {n.target for n in tree.find_all(nodes.Import)} | {n.name for n in tree.find_all(nodes.Macro)}
    assert jinja2.meta.find_undeclared_variables(tree) - own <= {"page", "shell", "m"}
    used = {n.attr for n in tree.find_all(nodes.Getattr) if isinstance(n.node, nodes.Name) and n.node.name == "page"}
    for context in CONTEXTS[name]:
        assert used <= {f.name for f in fields(context)}
    framed = {n.attr for n in tree.find_all(nodes.Getattr) if isinstance(n.node, nodes.Name) and n.node.name == "shell"}
    assert framed <= {f.name for f in fields(pages.Shell)}


def test_text_of_data_is_escaped_everywhere(http: TestClient, site: Site) -> None:
    nasty = next(r["id"] for r in site.world.rows["run"] if r["dataset_id"] == 10050)
    paths = (
        "/",
        "/browse-data/datasets",
        "/datasets/10050",
        f"/runs/{nasty}",
        f"/runs/{nasty}?dl=RN-{nasty}",
        f"/runs/{nasty}?metadata=run",
        f"/view/runs/{nasty}",
    )
    for path in paths:
        html = http.get(path).text
        assert "alert(" not in html or "&lt;script&gt;" in html
        assert "<script>alert" not in html
        assert "<b>run</b>" not in html
    assert "&lt;script" in http.get("/feed.atom").text


def test_decision_35_no_page_prints_an_email_address(http: TestClient) -> None:
    for path in PATHS:
        assert "secret@mail" not in http.get(path).text


def test_N6_pages_are_light(http: TestClient) -> None:
    for path in PATHS:
        assert len(http.get(path).content) < 150_000


def test_6_9_the_caption_of_a_key_photo_says_who_made_it(twin: Fetch, page: Fetch) -> None:
    assert twin("/datasets/10000")["picture"]["caption"] == "Given by the authors"
    assert "<figcaption>Given by the authors</figcaption>" in page("/datasets/10000")
    caption = twin("/depositions/300")["picture"]["caption"]
    assert caption.startswith("Central slice of TM-")
    assert caption.endswith(", generated")


def test_6_6_a_long_list_of_authors_opens_in_its_row(page: Fetch) -> None:
    row = page("/browse-data/datasets?dataset_id=10000").partition("<tbody>")[2].partition("</tr>")[0]
    assert "<summary>+ 1 more</summary>" in row
    opened = row.partition("<summary>+ 1 more</summary>")[2].partition("</details>")[0]
    assert all(name in opened for name in ("Ada Frost", "José García", "Wei Zhang", "Olga Ice"))
    assert opened.index("Ada Frost") < opened.index("José García") < opened.index("Olga Ice")


def test_6_6_a_kaggle_name_is_linked_and_nothing_of_it_is_trusted() -> None:
    people = [{"id": 1, "name": "Ada", "author_list_order": 1, "orcid": "0000-0000-0000-0000", "kaggle_id": "a/../b?c", "affiliation_name": None,
               "primary_author_status": False, "corresponding_author_status": False}]  # fmt: skip
    drawn = environment().from_string('{% import "macros.html" as m %}{{ m.everyone(people) }}')
    html = drawn.render(people=people_of(people))
    assert 'href="https://www.kaggle.com/a%2F..%2Fb%3Fc"' in html
    assert "orcid.org" not in html
    assert 'href="/browse-data/datasets?author=Ada"' in html
