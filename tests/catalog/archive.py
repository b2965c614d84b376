"""A small archive written document by document, as ingest would leave it, without volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomotheca.store import documents, layout, manifest

if TYPE_CHECKING:
    from tomotheca.store.files import LocalFiles

DATES = {"deposition_date": "2025-01-02", "release_date": "2025-03-04", "last_modified_date": "2025-03-05"}
AUTHOR = {
    "name": "Ada Fictional",
    "email": "ada@example.org",
    "primary_author_status": True,
    "corresponding_author_status": True,
}


def author_ids(kind: str, number: int) -> dict[str, dict[str, int]]:
    return {kind: {"Ada Fictional": number}}


def put_deposition(files: LocalFiles, number: int, **changes: Any) -> None:
    place = layout.Deposition(number)
    document = {
        "id": number, "ids": {**author_ids("deposition_author", number), "deposition_type": {"dataset": number}}, "dates": DATES,
        "deposition_identifier": number, "deposition_title": f"Deposition {number}", "deposition_description": "Words",
        "deposition_types": ["dataset"], "authors": [AUTHOR], **changes,
    }  # fmt: skip
    documents.write(files, place.document, document, [])


def put_dataset(files: LocalFiles, number: int, deposition: int, *, runs: int = 2, **changes: Any) -> None:
    place = layout.Dataset(number)
    document = {
        "id": number, "deposition_id": deposition, "ids": author_ids("dataset_author", number), "dates": DATES,
        "dataset_identifier": number, "dataset_title": f"Dataset {number}", "dataset_description": "Words", "sample_type": "in_silico",
        "organism": {"name": "Mus musculus", "taxonomy_id": 10090}, "assay": {"name": "assay", "id": "EFO:1"}, "authors": [AUTHOR],
        "development_stage": {"name": "unknown"}, "disease": {"name": "normal"}, **changes,
    }  # fmt: skip
    files.write_bytes(place.image("snapshot.png"), b"png")
    documents.write(files, place.document, document, [manifest.describe(files, place.image("snapshot.png"), "image")])
    for n in range(1, runs + 1):
        put_run(files, number, f"TS_{n}", identifier=number * 10 + n, deposition=deposition)


def put_run(files: LocalFiles, dataset: int, name: str, *, identifier: int, deposition: int) -> None:
    run = layout.Run(dataset, name)
    spacing = run.spacing(10.0)
    alignment = run.alignment(100)
    documents.write(
        files,
        run.document,
        {"id": identifier, "run_name": name, "ids": {"tomogram_voxel_spacing": {"10.000": identifier}}},
        [],
    )
    documents.write(
        files,
        alignment.document,
        {"id": identifier, "deposition_id": deposition, "alignment_type": "GLOBAL", "is_portal_standard": True},
        [],
    )
    put_tomogram(
        files, spacing.tomogram(100), name, identifier=identifier, deposition=deposition, alignment=alignment.document
    )
    put_annotation(
        files, spacing.annotation(100), identifier=identifier, deposition=deposition, alignment=alignment.document
    )


def put_tomogram(
    files: LocalFiles, place: layout.Tomogram, name: str, *, identifier: int, deposition: int, alignment: str
) -> None:
    files.write_bytes(place.mrc(), b"mrc of " + name.encode())
    with files.stage(place.zarr()) as folder:
        for path in (".zattrs", ".zgroup", "0/.zarray", "0/0/0/0", "0/0/0/10", "0/0/0/2"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(path.encode() * 3)
    document = {
        "id": identifier, "deposition_id": deposition, "ids": author_ids("tomogram_author", identifier), "run_name": name, "authors": [AUTHOR],
        "dates": DATES, "voxel_spacing": 10.0, "size": {"x": 4, "y": 5, "z": 6}, "offset": {"x": 0, "y": 0, "z": 0},
        "scales": [{"z": 6, "y": 5, "x": 4}], "fiducial_alignment_status": "FIDUCIAL", "reconstruction_method": "Fourier Space",
        "reconstruction_software": "S", "processing": "raw", "alignment_metadata_path": alignment, "mrc_file": place.mrc(),
        "omezarr_dir": place.zarr().rstrip("/"),
    }  # fmt: skip
    entries = [manifest.describe(files, place.mrc(), "tomogram"), manifest.describe(files, place.zarr(), "tomogram")]
    documents.write(files, place.document, document, entries)


def put_annotation(
    files: LocalFiles, place: layout.Annotation, *, identifier: int, deposition: int, alignment: str
) -> None:
    stem = "membrane-1.0"
    path = place.shape(stem, "Point", ".ndjson")
    files.write_bytes(path, b'{"type":"point","location":{"x":1,"y":2,"z":3}}\n')
    document = {
        "id": identifier, "deposition_id": deposition, "dates": DATES, "method_type": "manual", "annotation_method": "by hand",
        "annotation_ingest_id": "membrane-1", "annotation_object": {"id": "GO:0016020", "name": "membrane"}, "authors": [AUTHOR],
        "object_count": 1, "alignment_metadata_path": alignment, "ground_truth_status": True,
        "files": [{"shape": "Point", "format": "ndjson", "path": path, "is_visualization_default": True}],
        "ids": {
            **author_ids("annotation_author", identifier), "annotation_shape": {"Point": identifier},
            "annotation_file": {path.rpartition("/")[2]: identifier},
        },
    }  # fmt: skip
    documents.write(files, place.document(stem), document, [manifest.describe(files, path, "annotation")])
