"""Every kind as list, item, related records and counts: the same as the catalogue says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.graphql.conftest import HIDDEN
from tests.api.rest.conftest import application
from tests.api.rest.truth import KINDS, public, rows

from tomotheca.api.rest.names import Names, kebab
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.schema import SCHEMA
from tomotheca.web.facets import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from tomotheca.catalog.catalog import Catalog

NAMES = Names(SCHEMA)


def at(kind: str) -> str:
    return f"/api/v1/{NAMES.in_addresses[kind]}"


def test_the_index_names_every_kind(http: TestClient) -> None:
    found = http.get("/api/v1").json()
    assert {k["kind"] for k in found["kinds"]} == set(KINDS)
    for entry in found["kinds"]:
        assert http.get(entry["href"]).status_code == http.get(entry["facets"]).status_code == 200
        assert entry["fields"] == [c.name for c in public(entry["kind"])]
        assert set(entry["relations"]) == {kebab(name) for name in SCHEMA.relations(entry["kind"])}


@pytest.mark.parametrize("kind", KINDS)
def test_lists_and_items(http: TestClient, curator: TestClient, catalog: Catalog, kind: str) -> None:
    for client, viewer in ((http, ANONYMOUS), (curator, CURATOR)):
        wanted = rows(catalog, kind, viewer)
        found = client.get(at(kind), params={"limit": 1000}).json()
        assert found == {"items": wanted, "next": None, "total": len(wanted)}
        for row in wanted[:3]:
            assert client.get(f"{at(kind)}/{row['id']}").json() == row
            prefixed = f"{SCHEMA.kinds[kind].prefix}{row['id']}"
            assert client.get(f"{at(kind)}/{prefixed}.json").json() == row
    hidden = {r["id"] for r in rows(catalog, kind, CURATOR)} - {r["id"] for r in rows(catalog, kind, ANONYMOUS)}
    never = http.get(f"{at(kind)}/999999999")
    assert never.status_code == 404
    for number in sorted(hidden)[:3]:
        answer = http.get(f"{at(kind)}/{number}")
        assert answer.status_code == 404
        assert answer.json()["error"].replace(str(number), "999999999") == never.json()["error"]
        assert curator.get(f"{at(kind)}/{number}").status_code == 200
    assert HIDDEN not in http.get(at(kind), params={"limit": 1000}).text


@pytest.mark.parametrize("kind", KINDS)
def test_related_records(http: TestClient, curator: TestClient, catalog: Catalog, kind: str) -> None:
    for client, viewer in ((http, ANONYMOUS), (curator, CURATOR)):
        seen = {k: {r["id"]: r for r in rows(catalog, k, viewer)} for k in KINDS}
        for relation in SCHEMA.relations(kind).values():
            for row in list(seen[kind].values())[:4]:
                answer = client.get(
                    f"{at(kind)}/{row['id']}/{kebab(relation.name)}", params={"limit": 1000} if relation.many else {}
                )
                if relation.many:
                    wanted = [r for r in seen[relation.target].values() if r[relation.ref.column] == row["id"]]
                    assert answer.json() == {"items": wanted, "next": None, "total": len(wanted)}
                elif (other := seen[relation.target].get(row[relation.ref.column])) is None:
                    assert answer.status_code == 404
                else:
                    assert answer.json() == other
    relation = next(iter(SCHEMA.relations(kind)))
    assert http.get(f"{at(kind)}/999999999/{kebab(relation)}").status_code == 404


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in GROUPS])
def test_counts(http: TestClient, curator: TestClient, catalog: Catalog, kind: str) -> None:
    for client, viewer in ((http, ANONYMOUS), (curator, CURATOR)):
        wanted = rows(catalog, kind, viewer)
        found = client.get(f"{at(kind)}/facets").json()
        assert found["total"] == len(wanted)
        own = {c.name: c for c in public(kind)}
        for facet in found["facets"]:
            if facet["parameter"] in own:
                counts = {v["value"]: v["count"] for v in facet["values"]}
                assert counts == Counter(row[facet["parameter"]] for row in wanted)
                for value in (v for v in facet["values"] if _can_be_asked_for(v["value"])):
                    text = str(value["value"]).lower() if isinstance(value["value"], bool) else value["value"]
                    assert client.get(at(kind), params={facet["parameter"]: text}).json()["total"] == value["count"]


def _can_be_asked_for(value: Any) -> bool:
    """A filter of a page takes a line of text."""
    return value is not None and (not isinstance(value, str) or (value == " ".join(value.split()) != ""))


def test_a_facet_leaves_its_own_filter_out_and_keeps_the_others(http: TestClient, catalog: Catalog) -> None:
    seen = rows(catalog, "annotation_file", ANONYMOUS)
    found = http.get("/api/v1/annotation-files/facets?source=community&is_visualization_default=true").json()
    counts = {f["parameter"]: {v["value"]: v["count"] for v in f["values"]} for f in found["facets"]}
    assert counts["source"] == Counter(r["source"] for r in seen if r["is_visualization_default"])
    assert counts["is_visualization_default"] == Counter(
        r["is_visualization_default"] for r in seen if r["source"] == "community"
    )
    assert found["total"] == sum(r["source"] == "community" and bool(r["is_visualization_default"]) for r in seen)


PANELS = {"dataset": "/browse-data/datasets", "run": "/browse-data/runs", "deposition": "/browse-data/depositions"}
SETS = ["", "object=membrane", "organism=ribosome&object_shape=Point", "search=ribosome", "files=tomogram&files=annotation", "quality_score=(none)", "voxel-spacing=1..10&ground_truth=true", "completeness=>=20&size=<1TB", "completeness=..19"]  # fmt: skip


@pytest.mark.parametrize("query", SETS)
def test_g12_a_browse_address_gives_the_same_rows_and_counts(http: TestClient, curator: TestClient, query: str) -> None:
    for client in (http, curator):
        for kind, path in PANELS.items():
            known = {f.parameter for f in _filters(kind)}
            asked = "&".join(part for part in query.split("&") if part.partition("=")[0] in known)
            page = client.get(f"{path}.json?{asked}&per-page=100").json()
            found = client.get(f"{at(kind)}?{asked}&limit=100").json()
            assert {row["id"] for row in found["items"]} == _ids(page)
            facets = {f["parameter"]: f["values"] for f in client.get(f"{at(kind)}/facets?{asked}").json()["facets"]}
            for control in (c for s in page["listing"]["panel"]["sections"] for c in s["controls"]):
                if control["widget"] == "list":
                    shown = {o["value"]: o["count"] for o in [*control["options"], *control["more"]] if o["count"]}
                    known = facets[control["parameter"]]
                    counted = {_written(v["value"]): v["count"] for v in known if v["count"] and v["value"] != 0}
                    assert counted == shown, (kind, asked, control["parameter"])


def _filters(kind: str) -> Any:
    from tomotheca.web.filters import registry

    return registry(SCHEMA, kind)


def _ids(page: dict[str, Any]) -> set[int]:
    return {row["id"] for row in page["table"]["rows"]}


def _written(value: Any) -> str:
    return "(none)" if value is None else str(value)


def test_runs_of_a_dataset_are_counted_with_conditions(http: TestClient, catalog: Catalog) -> None:
    """Facets of a kind with a panel take conditions on fields too."""
    dataset = rows(catalog, "run", ANONYMOUS)[0]["dataset_id"]
    found = http.get(f"/api/v1/runs/facets?dataset_id={dataset}").json()
    counts = {f["parameter"]: {v["value"]: v["count"] for v in f["values"]} for f in found["facets"]}
    runs = {r["id"] for r in rows(catalog, "run", ANONYMOUS) if r["dataset_id"] == dataset}
    series = {
        (r["run_id"], r["camera_manufacturer"]) for r in rows(catalog, "tiltseries", ANONYMOUS) if r["run_id"] in runs
    }
    assert found["total"] == len(runs)
    assert counts["camera_manufacturer"] == Counter(maker for _, maker in series)


def test_sparse_fields_reach_over_relations_to_one(http: TestClient, catalog: Catalog) -> None:
    datasets = {r["id"]: r for r in rows(catalog, "dataset", ANONYMOUS)}
    depositions = {r["id"]: r for r in rows(catalog, "deposition", ANONYMOUS)}
    found = http.get("/api/v1/runs?fields=name,id,dataset.title,dataset.deposition.title&limit=1000").json()["items"]
    wanted = []
    for run in rows(catalog, "run", ANONYMOUS):
        dataset = datasets[run["dataset_id"]]
        title = depositions.get(dataset["deposition_id"], {}).get("title")
        wanted.append(
            {"name": run["name"], "id": run["id"], "dataset.title": dataset["title"], "dataset.deposition.title": title}
        )
    assert found == wanted
    assert [list(row) for row in found] == [["name", "id", "dataset.title", "dataset.deposition.title"]] * len(wanted)


def test_what_was_removed_is_gone(catalog: Catalog, tmp_path: Path) -> None:
    client = application(catalog.url, tmp_path)
    client.app.state.portal.desk.bury("run", 4711, "TS_9", "Withdrawn by its authors.")
    for address in ("/api/v1/runs/4711", "/api/v1/runs/RN-4711/tomograms", "/api/v1/runs/4711/dataset"):
        answer = client.get(address)
        assert answer.status_code == 410
        assert answer.json()["error"] == "RN-4711 was withdrawn: TS_9. Withdrawn by its authors."
    assert client.get("/api/v1/runs/4712").status_code == 404
    client.close()


def test_only_a_visitor_s_answers_may_be_kept(http: TestClient, curator: TestClient) -> None:
    assert http.get("/api/v1/runs").headers["cache-control"] == "no-cache"
    answer = curator.head("/api/v1/runs")
    assert answer.headers["cache-control"] == "private, no-store"
    assert int(answer.headers["content-length"]) == len(curator.get("/api/v1/runs").content)
