"""What clients rely on, rule by rule."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.api.graphql.conftest import HIDDEN

from tomotheca.api.graphql import GraphQL
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog

Ask = Callable[..., Any]


@pytest.fixture
def ask(service: GraphQL) -> Ask:
    def ask(query: str, viewer: Viewer = ANONYMOUS, *, name: str | None = None, **variables: Any) -> Any:
        answer = orjson.loads(service.handle({"query": query, "variables": variables, "operationName": name}, viewer))
        assert "errors" not in answer, answer
        return answer["data"]

    return ask


@pytest.fixture
def refuse(service: GraphQL) -> Ask:
    def refuse(query: str, **variables: Any) -> Any:
        answer = orjson.loads(service.handle({"query": query, "variables": variables}, ANONYMOUS))
        assert answer["data"] is None, answer
        return answer["errors"][0]

    return refuse


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [r["id"] for r in rows]


def test_limit_zero_is_no_limit_and_order_is_by_id(ask: Ask) -> None:
    everything = ids(ask("{ annotations { id } }")["annotations"])
    assert everything == sorted(everything)
    assert ids(ask("{ annotations(limitOffset: {limit: 0}) { id } }")["annotations"]) == everything
    assert ids(ask("{ annotations(limitOffset: {limit: 3, offset: 2}) { id } }")["annotations"]) == everything[2:5]
    assert ids(ask("{ annotations(limitOffset: {limit: 0, offset: 2}) { id } }")["annotations"]) == everything[2:]
    assert (
        ids(ask("query($l: Int) { annotations(limitOffset: {limit: $l}) { id } }", l=4)["annotations"])
        == everything[:4]
    )


def test_offset_needs_a_limit(refuse: Ask) -> None:
    error = refuse("{ runs(\n limitOffset: {offset: 5}) { id } }")
    assert error == {
        "message": "Cannot use offset without limit",
        "locations": [{"line": 1, "column": 3}],
        "path": ["runs"],
    }
    assert "offset" in refuse("query($o: Int) { runs(limitOffset: {offset: $o}) { id } }", o=1)["message"]
    assert "non-negative" in refuse("{ runs(limitOffset: {limit: -1}) { id } }")["message"]


@pytest.mark.parametrize(
    "where",
    [
        "null",
        "{}",
        "{id: {}}",
        "$absent",
        "$null",
        "{id: {_eq: $number}}",
        "{objectName: {_eq: $text, _gt: $text}}",
        "{_and: []}",
        "{_not: null}",
    ],
)
def test_what_filters_nothing(ask: Ask, where: str) -> None:
    declared = {"$absent": "($absent: AnnotationWhereClause)", "$null": "($null: AnnotationWhereClause)"}.get(where, "")
    declared = declared or ("($number: Int)" if "$number" in where else "($text: String)" if "$text" in where else "")
    given = {"null": None} if where == "$null" else {}
    assert ask(f"query Q{declared} {{ annotations(where: {where}) {{ id }} }}", **given) == ask(
        "{ annotations { id } }"
    )


def test_nulls_in_filters(ask: Ask, refuse: Ask, catalog: Catalog) -> None:
    rows = catalog.find("annotation", ANONYMOUS)
    without = [r["id"] for r in rows if r["object_state"] is None]
    for where in ("{_eq: null}", "{_is_null: true}"):
        assert ids(ask(f"{{ annotations(where: {{objectState: {where}}}) {{ id }} }}")["annotations"]) == without
    assert (
        ids(ask("query($v: String) { annotations(where: {objectState: {_eq: $v}}) { id } }", v=None)["annotations"])
        == without
    )
    assert ids(ask("{ annotations(where: {objectState: {_neq: null}}) { id } }")["annotations"]) == [
        r["id"] for r in rows if r["id"] not in without
    ]
    assert not set(without) & set(
        ids(ask('{ annotations(where: {objectState: {_nin: ["x"]}}) { id } }')["annotations"])
    )
    assert ask("{ annotations(where: {id: {_in: []}}) { id } }")["annotations"] == []
    assert "cannot be null" in refuse("{ annotations(where: {id: null}) { id } }")["message"]
    assert "needs a value" in refuse("{ annotations(where: {id: {_in: null}}) { id } }")["message"]


def test_thousands_of_ids(ask: Ask) -> None:
    many = list(range(1, 20_000))
    everything = ask("{ annotations { id } }")
    assert ask("query($i: [Int!]) { annotations(where: {id: {_in: $i}}) { id } }", i=many) == everything
    assert ask(f"{{ annotations(where: {{id: {{_in: {many}}}}}) {{ id }} }}") == everything


def test_dates(ask: Ask, refuse: Ask) -> None:
    wanted = ask('{ datasets(where: {depositionDate: {_gte: "2012-01-01"}}) { id depositionDate } }')
    for text in ("2012-01-01T00:00:00Z", "2012-01-01T00:00:00+00:00", "2012-01-01T01:00:00+01:00"):
        assert ask(f'{{ datasets(where: {{depositionDate: {{_gte: "{text}"}}}}) {{ id depositionDate }} }}') == wanted
    assert all(r["depositionDate"].endswith("T00:00:00+00:00") for r in wanted["datasets"])
    error = refuse('{\n  runs { id }\n  datasets(where: {depositionDate: {_gt: "yesterday"}}) { id } }')
    assert "write YYYY-MM-DD" in error["message"]
    assert (error["path"], error["locations"]) == (["datasets"], [{"line": 3, "column": 3}])


def test_depth_of_filters(ask: Ask, refuse: Ask) -> None:
    ask("{ annotationFiles(where: {annotationShape: {annotation: {run: {dataset: {id: {_gt: 0}}}}}}) { id } }")
    error = refuse(
        "{ annotationFiles(where: {annotationShape: {annotation: {run: {dataset: {deposition: {id: {_gt: 0}}}}}}}) { id } }"
    )
    assert error["message"].startswith("Max filter depth exceeded")


def test_pages_of_connections(ask: Ask, refuse: Ask) -> None:
    def page(arguments: str) -> Any:
        inside = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        found = ask(f"{{ runs(where: {{annotations: {{}}}}) {{ annotations{arguments} {{ {inside} }} }} }}")["runs"]
        return max((r["annotations"] for r in found), key=lambda a: (a["pageInfo"]["hasNextPage"], len(a["edges"])))

    whole = page("")
    total = len(whole["edges"])
    assert total > 2
    assert not whole["pageInfo"]["hasNextPage"]
    assert page("(first: 0)") == {
        "edges": [],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }
    first = page("(first: 1)")
    assert len(first["edges"]) == 1
    assert first["pageInfo"]["hasNextPage"]
    assert first["pageInfo"]["endCursor"] == first["edges"][0]["cursor"] == "YXJyYXljb25uZWN0aW9uOjA="
    for name in ("first", "last"):
        assert (
            refuse(f"{{ runs {{ annotations({name}: 101) {{ edges {{ cursor }} }} }} }}")["message"]
            == f"Argument '{name}' cannot be higher than 100."
        )
    error = refuse('{ runs { a: annotations(after: "nonsense") { edges { cursor } } } }')
    assert error["path"] == ["runs", "a"]
    assert "not a cursor" in error["message"]


def test_relations_to_one_with_a_filter(ask: Ask) -> None:
    for run in ask("{ runs { id datasetId dataset(where: {id: {_eq: 4}}) { id } } }")["runs"]:
        assert run["dataset"] == ({"id": 4} if run["datasetId"] == 4 else None)


def test_order_over_a_relation_leaves_out_rows_without_one(ask: Ask, catalog: Catalog) -> None:
    found = ask("{ tomograms(orderBy: [{alignment: {id: desc}}]) { id alignmentId alignment { id } } }")["tomograms"]
    assert all(t["alignment"] for t in found)
    keys = [t["alignmentId"] for t in found]
    assert keys == sorted(keys, reverse=True)
    assert len(found) < catalog.count("tomogram", ANONYMOUS)


def test_values(ask: Ask) -> None:
    for row in ask("{ tiltseries { tiltSeriesQuality isAligned s3MrcFile httpsMrcFile _id id __typename } }")[
        "tiltseries"
    ]:
        assert isinstance(row["tiltSeriesQuality"], int)
        assert isinstance(row["isAligned"], bool)
        assert row["s3MrcFile"] is None or row["s3MrcFile"].startswith(("s3://lab/10/", "https://elsewhere.org/"))
        assert row["httpsMrcFile"] is None or row["httpsMrcFile"].startswith(
            ("http://portal.test/files/10/", "https://elsewhere.org/")
        )
        assert row["__typename"] == "Tiltseries"
    matrices = [
        r["inPlaneRotation"]
        for r in ask("{ perSectionAlignmentParameters { inPlaneRotation } }")["perSectionAlignmentParameters"]
    ]
    assert any(isinstance(m, list) and m[1] == [0.5, -1.25] for m in matrices)
    assert ask('{ tiltseries(where: {httpsMrcFile: {_eq: "10/tiltseries/1.mrc"}}) { id } }')["tiltseries"] == []


def test_email_is_private(ask: Ask, catalog: Catalog) -> None:
    assert {r["email"] for r in ask("{ datasetAuthors { email } }", CURATOR)["datasetAuthors"]} == {None}
    assert ask('{ datasetAuthors(where: {email: {_like: "%"}}) { id } }', CURATOR)["datasetAuthors"] == []
    by_email = ask("{ datasetAuthors(orderBy: [{email: desc}]) { id } }")
    assert by_email == ask("{ datasetAuthors { id } }")
    public = GraphQL(catalog, Settings(privacy_publish_emails=True))
    assert any(
        r["email"]
        for r in orjson.loads(public.handle({"query": "{ datasetAuthors { email } }"}, ANONYMOUS))["data"][
            "datasetAuthors"
        ]
    )


def test_hidden_rows_are_nowhere(service: GraphQL, ask: Ask) -> None:
    every = "{ datasets { id title } depositions { id title datasets { edges { node { id title } } } tomograms { edges { node { run { dataset { id title } } } } } } runs { dataset { id title } } }"
    assert HIDDEN in service.handle({"query": every}, CURATOR).decode()
    assert HIDDEN not in service.handle({"query": every}, ANONYMOUS).decode()
    assert ids(ask("{ datasets { id } }")["datasets"]) == [3, 4, 5, 6, 7] or set(
        ids(ask("{ datasets { id } }")["datasets"])
    ) <= {3, 4, 5, 6, 7}
    assert ask(f'{{ runs(where: {{dataset: {{title: {{_eq: "{HIDDEN}"}}}}}}) {{ id }} }}')["runs"] == []
    assert ask(f'{{ runs(where: {{_not: {{dataset: {{title: {{_neq: "{HIDDEN}"}}}}}}}}) {{ id }} }}')["runs"] == []


def test_names_fragments_and_directives(ask: Ask) -> None:
    query = """
    query A($with: Boolean = true, $without: Boolean!) {
      a: runs(limitOffset: {limit: 1}) { ...Run ... @skip(if: $without) { s3Prefix } __typename }
      b: runs(limitOffset: {limit: 2}) { ... on EntityInterface { _id } id @include(if: $with) name @skip(if: $with) }
    }
    query B { datasets(limitOffset: {limit: 1}) { t: __typename } }
    fragment Run on Run { id dataset { title } dataset { id } }
    """
    found = ask(query, name="A", without=True)
    assert list(found["a"][0]) == ["id", "dataset", "__typename"]
    assert list(found["a"][0]["dataset"]) == ["title", "id"]
    assert [list(r) for r in found["b"]] == [["_id", "id"]] * 2
    assert ask(query, name="B", without=True) == {"datasets": [{"t": "Dataset"}]}


def test_one_field_twice_with_different_arguments(ask: Ask, refuse: Ask) -> None:
    found = ask(
        "{ runs { x: annotations(first: 1) { edges { node { id } } } y: annotations(first: 2) { edges { node { id } } } } }"
    )["runs"]
    assert max(len(r["y"]["edges"]) for r in found) == 2
    assert all(r["x"]["edges"] == r["y"]["edges"][:1] for r in found)
    assert (
        "conflict"
        in refuse(
            "{ runs { annotations(first: 1) { edges { node { id } } } annotations(first: 2) { edges { node { id } } } } }"
        )["message"]
    )
    merged = ask(
        "{ runs { annotations(first: 1) { edges { node { id } } } annotations(first: 1) { edges { cursor } } } }"
    )["runs"]
    assert any(set(r["annotations"]["edges"][0]) == {"node", "cursor"} for r in merged if r["annotations"]["edges"])


def test_questions_about_the_schema(ask: Ask, service: GraphQL) -> None:
    found = ask(
        '{ __typename x: __type(name: "Run") { name } runs(limitOffset: {limit: 1}) { id } __schema { queryType { name } } }'
    )
    assert list(found) == ["__typename", "x", "runs", "__schema"]
    assert found["x"] == {"name": "Run"}
    reference = "kind name " + "ofType { kind name " * 9 + "}" * 9
    query = f"{{ __schema {{ types {{ inputFields(includeDeprecated: true) {{ name }} fields(includeDeprecated: true) {{ args(includeDeprecated: true) {{ type {{ {reference} }} }} }} }} }} }}"
    assert ask(query)["__schema"]["types"]
    deep = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    assert b"errors" in service.handle({"query": deep}, ANONYMOUS)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ runs { idd } }", "Cannot query field 'idd' on type 'Run'"),
        ("{ runs { id }", "Syntax Error"),
        ("mutation { x }", "mutation operation is not supported"),
        ("query A { __typename } query B { __typename }", "Must provide operation name"),
        ("query($x: Int!) { runs(where: {id: {_eq: $x}}) { id } }", "non-null type 'Int!'"),
        ("{ runs(where: {id: {_eq: 99999999999}}) { id } }", "32-bit"),
        ("{ runs(where: {id: {_eq: \"x\"}}) { id } }", "Int cannot represent"),
        ('{ runs(where: {name: {_regex: "(unclosed"}}) { id } }', "not a regular expression"),
        ("{ runs { " + "dataset { runs { edges { node { " * 5 + "id" + "} } } } " * 5 + " } }", "nested deeper than 16"),
        ("{ runs(where: " + "{_not: " * 2000 + "{}" + "}" * 2000 + ") { id } }", "nested too deeply"),
        ("{ runs(where: {_or: [" + "{id: {_eq: 1}} " * 500 + "]}) { id } }", "at most 400 comparisons"),
        ("{ " + " ".join(f"x{n}: runs {{ id }}" for n in range(250)) + " }", "more than 200 lists"),
        ("{ runs { " + " ".join(f"x{n}: id" for n in range(2001)) + " } }", "more than 2000 fields"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(refuse: Ask, query: str, message: str) -> None:
    assert message in refuse(query)["message"]


def test_wrong_variables(refuse: Ask) -> None:
    error = refuse("query($x: [Int!]) { runs(where: {id: {_in: $x}}) { id } }", x=[1, "a"])
    assert "$x" in error["message"]


def test_answers_have_a_limit(catalog: Catalog) -> None:
    small = GraphQL(catalog, Settings().model_copy(update={"max_rows": 20}))
    assert b"errors" not in small.handle({"query": "{ datasets { id } }"}, ANONYMOUS)
    answer = orjson.loads(small.handle({"query": "{ datasets { id } annotations { id } }"}, ANONYMOUS))
    assert answer["data"] is None
    number = catalog.count("dataset", ANONYMOUS) + catalog.count("annotation", ANONYMOUS)
    assert answer["errors"][0]["message"].startswith(f"The query would make about {number} nodes")
    assert answer["errors"][0]["path"] == ["annotations"]


def test_answers_have_a_limit_where_the_estimate_is_too_low(catalog: Catalog) -> None:
    runs = catalog.find("run", CURATOR)
    owner = max((r["dataset_id"] for r in runs), key=[r["dataset_id"] for r in runs].count)
    service = GraphQL(catalog, Settings().model_copy(update={"max_rows": 4}))
    query = f"{{ datasets(where: {{id: {{_eq: {owner}}}}}, limitOffset: {{limit: 1}}) {{ runs {{ edges {{ node {{ id }} }} }} }} }}"
    answer = orjson.loads(service.handle({"query": query}, CURATOR))
    assert answer["errors"][0]["message"].startswith("The answer has more than 4 rows")
    assert answer["errors"][0]["path"] == ["datasets", "runs"]


def test_an_unexpected_error_has_a_number_and_no_details(service: GraphQL, caplog: pytest.LogCaptureFixture) -> None:
    broken = GraphQL(service.catalog, service.settings)
    broken.wire = replace(broken.wire, schema=None)  # type: ignore[arg-type]  # on purpose
    with caplog.at_level(logging.ERROR):
        answer = orjson.loads(broken.handle({"query": "{ runs { id } }"}, ANONYMOUS))
    message = answer["errors"][0]["message"]
    assert message.startswith("Internal error ")
    assert message.removeprefix("Internal error ") in caplog.text


def nested(levels: int) -> dict[str, Any]:
    clause: dict[str, Any] = {"id": {"_eq": 1}}
    for _ in range(levels):
        clause = {"_not": clause}
    return clause


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (nested(15), "nested more than 14 levels"),
        ({"_and": [{"dataset": {"id": {"_gt": n}}} for n in range(40)]}, "at most 30 times"),
        ({"_or": [{"id": {"_eq": n}} for n in range(401)]}, "at most 400 comparisons"),
        ({"dataset": {"releaseDate": {"_gt": "0001-01-01T00:00:00+14:00"}}}, "is not a date"),
    ],
)
def test_filters_beyond_a_database_are_refused(refuse: Ask, where: dict[str, Any], said: str) -> None:
    error = refuse("query($w: RunWhereClause) { runs(where: $w) { id } }", w=where)
    assert said in error["message"]
    assert error["path"] == ["runs"]


def test_the_largest_filters_are_answered(ask: Ask) -> None:
    assert ids(ask("query($w: RunWhereClause) { runs(where: $w) { id } }", w=nested(14))["runs"])
    wide = {"_and": [{"dataset": {"id": {"_gt": -n}}} for n in range(30)]}
    assert ids(ask("query($w: RunWhereClause) { runs(where: $w) { id } }", w=wide)["runs"])


def test_groups_beyond_a_database_are_refused(refuse: Ask) -> None:
    deep = "id"
    for n in range(40):
        deep = f"{'runs' if n % 2 else 'dataset'} {{ {deep} }}"
    message = refuse(f"{{ datasetsAggregate {{ aggregate {{ count groupBy {{ {deep} }} }} }} }}")["message"]
    assert "deeper" in message or "at once" in message
