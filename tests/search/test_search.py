"""The search page, its twin and the jump box, as visitors use them."""

from __future__ import annotations

import html
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import nodes
from sqlalchemy import event

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.search.library import matching
from tomotheca.web.filters import registry
from tomotheca.web.page import environment
from tomotheca.web.pages.search import Results

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.web.conftest import Site


MOST_STATEMENTS = 30


def ask(http: TestClient, query: str, **more: str) -> Any:
    answer = http.get("/search.json", params={"q": query, **more})
    assert answer.status_code == 200
    return answer.json()


def called(hit: Any) -> str:
    return "".join(p["text"] for p in hit["title"])


def hits(http: TestClient, query: str, tab: str = "datasets", **more: str) -> list[str]:
    groups = ask(http, query, **{"table-tab": tab, "per-page": "100", **more})["groups"]
    return [hit["identifier"] or called(hit) for group in groups for hit in group["hits"]]


def test_q1_the_tabs_count_what_they_show(http: TestClient) -> None:
    found = ask(http, "yeast")
    counts = {t["name"]: t["count"] for t in found["tabs"]}
    assert counts["all"] == sum(n for name, n in counts.items() if name != "all") == found["total"]
    for name in ("datasets", "runs", "authors", "depositions"):
        assert len(hits(http, "yeast", name)) == counts[name]
    assert {g["name"] for g in found["groups"]} == {name for name, n in counts.items() if n and name != "all"}


def test_q1_the_header_of_every_page_has_the_box_and_the_page_works_without_script(http: TestClient) -> None:
    for path in ("/", "/browse-data/datasets", "/docs"):
        assert re.search(r'<form[^>]*action="/id"[^>]*>.*?name="q"', http.get(path).text, re.DOTALL)
    page = http.get("/search", params={"q": "thylakoid"}).text
    assert '<a href="/datasets/20003">' in page
    assert 'action="/search"' in page


def test_q1_every_page_of_a_tab_is_reached(http: TestClient) -> None:
    whole = hits(http, "cells -nothinghere", "runs")
    first, second = (hits(http, "cells -nothinghere", "runs", **{"per-page": "20", "page": n}) for n in "12")
    assert first + second == whole[:40]
    assert len(first) == 20


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("influenza", ["DS-20015"]), ("EMPIAR-91015", ["DS-20015"]), ("lobo budding", ["DS-20015"]), ("wsn", ["DS-20015"]), ("flu_3", ["DS-20015"]),
        ("haemagglutinin", ["DS-20015"]), ("TomoTwin", ["DS-20017"]), ("batch 902", ["DS-20005"]), ("UniProtKB:P37840", ["DS-20040"]),
    ],
)  # fmt: skip
def test_q2_every_part_of_a_dataset_is_in_its_document(http: TestClient, query: str, expected: list[str]) -> None:
    assert hits(http, query) == expected


def test_q3_all_words_must_match_in_any_order(http: TestClient) -> None:
    assert hits(http, "lobo trimers") == hits(http, "trimers lobo") == ["DS-20013"]


def test_q3_the_last_word_may_be_unfinished_and_others_not(http: TestClient) -> None:
    assert hits(http, "hexag") == ["DS-20020"]
    assert ask(http, "hexag lattice", verbatim="true")["partial"]


def test_q3_a_quoted_phrase_must_match_as_a_phrase(http: TestClient) -> None:
    assert hits(http, '"storage granules"') == ["DS-20027"]
    assert ask(http, '"granules storage"')["partial"]


def test_s4_a_listing_takes_keywords_and_phrases(shelf: Site) -> None:
    assert matching(shelf.catalog, "dataset", '"storage granules"', ANONYMOUS) == [20027]
    assert matching(shelf.catalog, "dataset", '"granules storage"', ANONYMOUS) == []
    assert matching(shelf.catalog, "dataset", "granules storage", ANONYMOUS) == [20027]


def test_q3_a_minus_leaves_out(http: TestClient) -> None:
    every, rest = set(hits(http, "proteasome")), set(hits(http, "proteasome -quiescent"))
    assert every - rest == {"DS-20027"}


def test_q3_a_field_is_named(http: TestClient) -> None:
    assert "DS-20025" in hits(http, "membrane")
    assert hits(http, "author:membrane", verbatim="true") != hits(http, "membrane")
    assert hits(http, "organism:rat") == ["DS-20017"]


def test_q4_the_exact_identifier_and_the_exact_title_come_first(http: TestClient) -> None:
    assert hits(http, "20013")[0] == "DS-20013"
    title = "Golgi stacks and COPI vesicles of human fibroblasts"
    assert hits(http, title)[0] == "DS-20009"
    found = ask(http, "microtubule")
    assert found["groups"][0]["name"] == "objects"
    assert called(found["groups"][0]["hits"][0]) == "microtubule"


def test_q4_a_word_in_the_title_weighs_more_than_one_in_the_description(http: TestClient) -> None:
    found = hits(http, "membrane")
    assert found.index("DS-20025") < found.index("DS-20040")


def test_q4_it_says_where_and_marks_what_was_found(http: TestClient) -> None:
    hit = ask(http, "pyrenoid", **{"table-tab": "datasets"})["groups"][0]["hits"][0]
    assert hit["found_in"] == ["description"]
    assert [p["text"] for s in hit["snippets"] for p in s["pieces"] if p["marked"]] == ["Pyrenoid"]
    assert "<mark>Pyrenoid</mark>" in http.get("/search?q=pyrenoid").text


def test_q5_a_word_that_nobody_wrote_is_corrected_and_the_page_says_so(http: TestClient) -> None:
    found = ask(http, "ribosme")
    assert "".join(p["text"] for p in found["corrected"]) == "ribosome"
    assert found["total"] > 0
    page = html.unescape(http.get("/search?q=ribosme").text)
    assert "Showing results for" in page
    assert "Search instead for ribosme" in page
    assert ask(http, "ribosme", verbatim="true")["total"] == 0
    assert found["instead"] == "/search?q=ribosme&verbatim=true"


@pytest.mark.parametrize("query", ["flu", "xyz", "EMPIAR-91999", "npc_0", "Vuori", '"microtubule"'])
def test_q5_short_words_numbers_and_known_words_are_left_alone(http: TestClient, query: str) -> None:
    assert ask(http, query)["corrected"] == []


def test_q5_two_mistakes_are_forgiven_in_a_long_word_and_one_in_a_short_one(http: TestClient) -> None:
    assert ask(http, "thyroglubolin")["corrected"]
    assert not ask(http, "glogix")["corrected"]


def test_q6_where_nothing_has_all_words_the_best_are_shown_with_ways_on(http: TestClient) -> None:
    found = ask(http, "thylakoid sarcomere zebrafish")
    assert found["partial"]
    assert found["groups"]
    page = http.get("/search?q=thylakoid sarcomere").text
    assert "None match all words" in page
    ways = {w["text"]: w["count"] for w in ask(http, "thylakoid sarcomere")["ways"]}
    assert set(ways) == {"thylakoid", "sarcomere"}
    assert all(ask(http, text)["total"] == number for text, number in ways.items())


def test_q6_nothing_at_all_still_leads_on(http: TestClient) -> None:
    page = http.get("/search?q=qqqqqqqq").text
    assert "Nothing was found" in page
    assert 'href="/browse-data/datasets"' in page


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("F-actin", "F actin"), ("α-synuclein", "alpha synuclein"), ("S. pombe", "Schizosaccharomyces pombe"), ("Dusek", "Dušek"), ("yildiz", "YILDIZ"),
        ("TS_43", "ts-43"), ("TS_043", "TS_43"), ("cryo-ET", "cryoET"), ("ribosomes", "ribosome"), ("nuclei", "nucleus"), ("b-gal", "β-galactosidase"),
        ("apo-ferritin", "apoferritin"), ("mitochondria", "mitochondrion"), ("GO:0005643", "go_0005643"),
    ],
)  # fmt: skip
def test_q7_what_is_written_in_several_ways_is_one(shelf: Site, one: str, other: str) -> None:
    for kind in ("dataset", "run"):
        assert matching(shelf.catalog, kind, one, ANONYMOUS) == matching(shelf.catalog, kind, other, ANONYMOUS)


def suggested(http: TestClient, text: str) -> dict[str, list[str]]:
    answer = http.get("/search/suggest", params={"q": text})
    assert answer.status_code == 200
    return {g["label"]: [i["text"] for i in g["items"]] for g in answer.json()["groups"]}


def test_q8_suggestions_are_grouped_few_and_lead_somewhere(http: TestClient) -> None:
    found = http.get("/search/suggest", params={"q": "mi"}).json()["groups"]
    items = [i for g in found for i in g["items"]]
    assert 0 < len(items) <= 10
    assert suggested(http, "microt")["Objects"][0] == "microtubule"
    assert suggested(http, "yeast")["Organisms"] == ["Saccharomyces cerevisiae", "Schizosaccharomyces pombe"]
    assert suggested(http, "talv")["Authors"] == ["Irma Talvinen"]
    assert suggested(http, "911")["Identifiers"] == ["DEP-911"]
    assert suggested(http, "DS-20007")["Identifiers"] == ["DS-20007"]
    assert suggested(http, "x") == suggested(http, "") == {}
    for item in items:
        assert http.get(item["href"]).status_code == 200


def test_q8_suggested_objects_have_counts(http: TestClient) -> None:
    (group,) = (g for g in http.get("/search/suggest?q=thyro").json()["groups"] if g["label"] == "Objects")
    assert group["items"][0]["detail"] == "5 annotations"


GIVEN = [
    ("ds20013", "/datasets/20013"), ("DEP-911", "/depositions/911"), ("CZCDP-911", "/depositions/911"), ("rn 3", "/runs/3"), ("EMPIAR-91016", "/datasets/20016"),
    ("emd 70003", "/datasets/20003"), ("GO:0005840", "/browse-data/datasets?object-id=GO:0005840"), ("go_0005840", "/browse-data/datasets?object-id=GO:0005840"),
    ("NCBITaxon:4896", "/browse-data/datasets?organism=Schizosaccharomyces+pombe"), ("0000-0002-1825-0097", "/browse-data/datasets?author_orcid=0000-0002-1825-0097"),
    ("20028", "/datasets/20028"), ("npc_02", "/runs/"), ("golgi stacks and copi vesicles of human fibroblasts", "/datasets/20009"),
    ("https://cryoetdataportal.czscience.com/datasets/20028?table-tab=runs", "/datasets/20028"), ("/view/runs/2", "/runs/2"),
    ("s3://tomotheca/20009/golgi_4/", "/runs/"), ("s3://elsewhere/20009", "/datasets/20009"), ("http://portal.test/files/20009/golgi_5/x.mrc", "/runs/"),
    ("membrane protein", "/search?q=membrane+protein"), ("1", "/search?q=1"), ("EMPIAR-1", "/search?q=EMPIAR-1"), ("GO:9999999", "/search?q=GO:9999999"), ("", "/search"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), GIVEN)
def test_1_10_the_jump_box_leads_to_the_page(http: TestClient, given: str, expected: str) -> None:
    answer = http.get("/id", params={"q": given}, follow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(expected)
    assert http.get(answer.headers["location"]).status_code == 200


def test_1_10_a_number_of_several_records_gives_a_choice(http: TestClient) -> None:
    found = ask(http, "1")
    assert {p["identifier"] for p in found["places"]} == {"RN-1", "TM-1", "AN-1"}
    assert all(http.get(p["href"]).status_code == 200 for p in found["places"])


def test_q9_the_index_changes_with_the_catalogue(shelf: Site) -> None:
    view = shelf.catalog.tables
    words = {r[0] for r in shelf.catalog.rows(view.search_word.select())}
    assert {"thylakoid", "talvinen", "20013"} <= words
    assert not any(w.startswith("=") for w in words)


def test_the_listing_filters_of_search_are_asked_of_the_same_index(shelf: Site) -> None:
    assert matching(shelf.catalog, "run", "phantom_01", CURATOR)
    assert {f.parameter for f in registry(shelf.catalog.schema, "dataset")} >= {
        "object-id",
        "author_orcid",
        "organism",
        "empiar_id",
    }


@pytest.mark.parametrize(
    "query",
    [
        "%",
        "_",
        "*",
        '"',
        '""',
        "-",
        "a" * 400,
        "' OR 1=1",
        "\\",
        "<script>",
        "ab\u0000cd",
        "🧬",
        "()",
        "NOT",
        "AND",
        "=end",
        "=GO:0005840",
    ],
)
def test_odd_queries_are_answered(http: TestClient, query: str) -> None:
    assert http.get("/search", params={"q": query}).status_code == 200
    assert http.get("/search/suggest", params={"q": query}).status_code == 200


def test_unknown_parameters_are_told(http: TestClient) -> None:
    assert ask(http, "yeast", colour="red")["ignored"] == ["colour=red"]
    assert ask(http, "yeast", **{"table-tab": "nothing"})["ignored"] == ["table-tab=nothing"]


def test_a_page_of_results_asks_few_questions(shelf: Site, http: TestClient) -> None:
    asked: list[str] = []

    @event.listens_for(shelf.catalog.engine, "before_cursor_execute")
    def note(*given: Any) -> None:
        asked.append(given[2])

    try:
        for query in ("yeast", "ribosme", "thylakoid sarcomere", "1"):
            asked.clear()
            assert http.get("/search", params={"q": query, "n": "fresh"}).status_code == 200
            assert 0 < sum(a.startswith("SELECT") for a in asked) <= MOST_STATEMENTS, query
    finally:
        event.remove(shelf.catalog.engine, "before_cursor_execute", note)


def test_a_template_of_search_uses_nothing_but_its_context() -> None:
    env = environment()
    assert env.loader is not None
    tree = env.parse(env.loader.get_source(env, "search.html")[0])
    used = {n.attr for n in tree.find_all(nodes.Getattr) if isinstance(n.node, nodes.Name) and n.node.name == "page"}
    assert used <= {f.name for f in fields(Results)}


def test_a_marked_field_is_found_and_another_is_not(shelf: Site) -> None:
    searched = {
        (e.kind, c.name) for e in shelf.catalog.schema for c in shelf.catalog.schema.columns(e.kind) if c.search
    }
    assert {
        ("dataset", "title"),
        ("annotation", "object_id"),
        ("run", "name"),
        ("tomogram", "reconstruction_software"),
    } <= searched
    assert matching(shelf.catalog, "dataset", "novaCTF", ANONYMOUS) == [20014]  # software
    assert ("annotation", "method_type") not in searched
    assert matching(shelf.catalog, "dataset", "hybrid manual", ANONYMOUS) == []


def test_no_address_of_a_person_is_in_the_index(shelf: Site) -> None:
    personal = {c.name for e in shelf.catalog.schema for c in shelf.catalog.schema.columns(e.kind) if c.personal}
    assert personal
    assert not [
        c for e in shelf.catalog.schema for c in shelf.catalog.schema.columns(e.kind) if c.personal and c.search
    ]
