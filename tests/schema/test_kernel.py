"""The kernel: what it makes of an entity, and that a document survives the way into the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Gt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tomotheca.errors import InvalidDocumentError
from tomotheca.schema import (
    DOCUMENTS,
    ENTITIES,
    SCHEMA,
    Annotation,
    AnnotationFile,
    Context,
    Dataset,
    Run,
    Schema,
    TiltSeries,
)
from tomotheca.schema.core import Block, Document, Entity, camel, columns
from tomotheca.schema.markers import Drawer, Facet, Flat, Private, Unit
from tomotheca.schema.reference import json_schema, meaning, table
from tomotheca.schema.rows import timestamp


class Optics(Block):
    """Lenses."""

    plate: Annotated[str | None, Drawer("Microscope", "Plate")] = None
    """Phase plate."""


class Scratch(Document, Entity):
    """An entity made for this test."""

    kind: ClassVar = "scratch"
    root: ClassVar = "scratches"
    title: ClassVar = "Scratch"
    filename: ClassVar = "scratch.json"

    optics: Annotated[Optics, Flat("optics")] = Optics()
    """Optics."""

    depth: Annotated[float, Gt(0), Unit("nm"), Drawer("Geometry", "Depth"), Facet("Depth", "depth", "Geometry")]
    """How deep it is."""

    secret: Annotated[str, Private] = ""
    """Not a column."""


def test_a_column_knows_all_its_field_says() -> None:
    found = {c.name: c for c in columns(Scratch)}
    assert list(found) == ["id", "optics_plate", "depth"]
    depth = found["depth"]
    assert (depth.unit, depth.bounds, depth.label, depth.nullable) == ("nm", ("> 0",), "Depth", False)
    assert depth.description == "How deep it is."
    assert found["optics_plate"].path == ("optics", "plate")


def test_a_new_field_is_in_the_documentation_without_another_file() -> None:
    text = "\n".join(table(Schema([Scratch]), Scratch))
    assert "| `depth` | `depth` | float! | nm | How deep it is. Allowed: > 0. |" in text
    assert json_schema(Scratch)["properties"]["depth"]["description"] == "How deep it is."


def test_all_23_kinds_are_there_once() -> None:
    assert len(ENTITIES) == 23
    assert len({e.kind for e in ENTITIES} | {e.root for e in ENTITIES} - {"tiltseries"}) == 45
    assert len(DOCUMENTS) == 9


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda e: e.kind)
def test_every_public_field_is_documented(entity: type[Entity]) -> None:
    for column in SCHEMA.columns(entity.kind):
        assert meaning(column).strip(), column.name


def test_relations_have_two_ends() -> None:
    for kind in SCHEMA.kinds:
        for relation in SCHEMA.relations(kind).values():
            back = [
                r
                for r in SCHEMA.relations(relation.target).values()
                if r.ref == relation.ref and r.many != relation.many
            ]
            assert len(back) == 1, relation


def test_names_map_forward() -> None:
    assert camel("scale_0_dimensions") == "scale0Dimensions"
    assert camel("s3_omezarr_dir") == "s3OmezarrDir"


DATES = {"deposition_date": "2025-01-02", "release_date": "2025-03-04", "last_modified_date": "2025-03-05"}
AUTHOR = {
    "name": "Ada Fictional",
    "ORCID": "0000-0002-1825-0097",
    "email": "ada@example.org",
    "primary_author_status": True,
}


def dataset(**changes: Any) -> dict[str, Any]:
    return {
        "id": 10001, "deposition_id": 10300, "dataset_identifier": 10001, "dataset_title": "A title", "dataset_description": "Words",
        "sample_type": "in_silico", "organism": {"name": "not_reported"}, "assay": {"name": "assay", "id": "EFO:0000001"},
        "development_stage": {"name": "unknown", "id": "unknown"}, "disease": {"name": "normal"}, "dates": DATES,
        "authors": [AUTHOR, {"name": "Bob"}], "ids": {"dataset_author": {"0000-0002-1825-0097": 7, "Bob": 8}}, "site_field": 3, **changes,
    }  # fmt: skip


def rows_of(model: type[Document], document: Mapping[str, Any], **context: Any) -> list[tuple[str, dict[str, Any]]]:
    return list(SCHEMA.rows(model, document, Context(**{"key": "10001/dataset_metadata.json", **context})))


def test_a_document_becomes_rows_parents_first() -> None:
    (kind, row), *authors = rows_of(Dataset, dataset(), sizes={"": 5})
    assert kind == "dataset"
    assert row["assay_label"] == "assay"
    assert row["release_date"] == "2025-03-04T00:00:00+00:00"
    assert row["organism_name"] is None, "not_reported is nothing recorded"
    assert row["s3_prefix"] == "10001/"
    assert row["file_size"] == 5.0
    assert [(a["id"], a["author_list_order"], a["orcid"], a["dataset_id"]) for _, a in authors] == [
        (7, 1, "0000-0002-1825-0097", 10001),
        (8, 2, None, 10001),
    ]


def test_gains_and_spacings_follow_from_the_identifiers_of_a_run() -> None:
    ids = {"tomogram_voxel_spacing": {"10.000": 3}, "gain_file": {"a.gain": 9}}
    found = rows_of(
        Run,
        {"id": 1, "run_name": "TS_1", "ids": ids},
        key="10001/TS_1/run_metadata.json",
        parents={"dataset_id": 10001},
    )
    assert [(kind, row["id"]) for kind, row in found] == [("run", 1), ("tomogram_voxel_spacing", 3), ("gain_file", 9)]
    assert found[1][1]["s3_prefix"] == "10001/TS_1/Reconstructions/VoxelSpacing10.000/"
    assert found[2][1]["s3_file_path"] == "10001/TS_1/Gains/a.gain"


def test_a_missing_value_names_the_document_and_the_field() -> None:
    broken = dataset()
    del broken["dataset_title"]
    with pytest.raises(InvalidDocumentError, match=r"10001/dataset_metadata.json.*dataset_title"):
        rows_of(Dataset, broken)


def test_a_row_without_an_identifier_is_an_error() -> None:
    with pytest.raises(InvalidDocumentError, match="no identifier for dataset_author 'Bob'"):
        rows_of(Dataset, dataset(ids={"dataset_author": {"0000-0002-1825-0097": 7}}))


def test_files_of_an_annotation_become_shapes_and_files() -> None:
    document = {
        "id": 5, "deposition_id": 10301, "dates": DATES, "method_type": "manual", "annotation_method": "by hand",
        "annotation_ingest_id": "a-1", "annotation_object": {"id": "GO:0016020", "name": "membrane"}, "authors": [],
        "files": [
            {"shape": "SemanticSegmentationMask", "format": "mrc", "path": "x/m.mrc"},
            {"shape": "SemanticSegmentationMask", "format": "zarr", "path": "x/m.zarr"},
            {"shape": "TriangularMesh", "format": "glb", "path": "x/m.glb"},
        ],
        "ids": {"annotation_shape": {"SegmentationMask": 1, "Mesh": 2}, "annotation_file": {"m.mrc": 1, "m.zarr": 2, "m.glb": 3}},
    }  # fmt: skip
    found = rows_of(Annotation, document, sizes={"x/m.zarr": 99}, dataset_deposition=10300)
    shapes = {r["id"]: r["shape_type"] for k, r in found if k == "annotation_shape"}
    files = [
        (r["format"], r["annotation_shape_id"], r["file_size"], r["source"]) for k, r in found if k == "annotation_file"
    ]
    assert shapes == {1: "SegmentationMask", 2: "Mesh"}
    assert files == [("mrc", 1, None, "community"), ("zarr", 1, 99.0, "community"), ("glb", 2, None, "community")]
    assert AnnotationFile.natural({"path": "a/b/m.zarr/"}) == "m.zarr"


def test_quality_may_be_left_out_and_is_never_out_of_range() -> None:
    column = SCHEMA.column("tiltseries", "tilt_series_quality")
    assert (column.missing, column.nullable) == (0, False)
    with pytest.raises(ValidationError):
        TiltSeries.model_validate({"tilt_series_quality": 6})


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
@settings(max_examples=30)
def test_dates_are_midnight_utc(day: date) -> None:
    assert timestamp(day) == timestamp(day.isoformat()) == f"{day}T00:00:00+00:00"
    assert timestamp(f"{day}T00:00:00Z") == f"{day}T00:00:00+00:00"
