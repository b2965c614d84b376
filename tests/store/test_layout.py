from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca import schema
from tomotheca.store import layout, names, tree
from tomotheca.store.files import LocalFiles

RUN = layout.Run(10900, "TS_001")
SPACING = RUN.spacing(10)
TOMOGRAM = SPACING.tomogram(100)
ANNOTATION = SPACING.annotation(101)


@pytest.mark.parametrize(
    ("key", "kind", "folder"),
    [
        (layout.Deposition(10400).document, "deposition", "depositions_metadata/10400/"),
        (layout.Deposition(10400).image("snapshot.png"), "deposition", "depositions_metadata/10400/"),
        (layout.Dataset(10900).document, "dataset", "10900/"),
        (layout.Dataset(10900).image("thumbnail.png"), "dataset", "10900/"),
        (RUN.document, "run", "10900/TS_001/"),
        (RUN.frames_document, "frames", "10900/TS_001/"),
        (RUN.mdoc(), "frames", "10900/TS_001/"),
        (RUN.gain("gain.dm4"), "gain_file", "10900/TS_001/"),
        (RUN.identified_objects, "identified_object", "10900/TS_001/"),
        (RUN.tilt_series(100).document, "tiltseries", "10900/TS_001/TiltSeries/100/"),
        (RUN.tilt_series(100).zarr() + "0/1/2/3", "tiltseries", "10900/TS_001/TiltSeries/100/"),
        (RUN.alignment(100).renamed(".xf"), "alignment", "10900/TS_001/Alignments/100/"),
        (TOMOGRAM.document, "tomogram", "10900/TS_001/Reconstructions/VoxelSpacing10.000/Tomograms/100/"),
        (TOMOGRAM.key_photo("snapshot"), "tomogram", TOMOGRAM.folder),
        (TOMOGRAM.viewer_config, "tomogram", TOMOGRAM.folder),
        (
            ANNOTATION.document("membrane-1.0"),
            "annotation",
            "10900/TS_001/Reconstructions/VoxelSpacing10.000/Annotations/101/",
        ),
        (ANNOTATION.precomputed("membrane-1.0", "SegmentationMask") + "info", "annotation", ANNOTATION.folder),
        (SPACING.folder + "notes.txt", "run", "10900/TS_001/"),
        ("README", "", ""),
        (layout.IDENTIFIERS, "", ""),
        ("depositions_metadata/x/y", "", ""),
        ("010/TS/run_metadata.json", "", ""),
    ],
)
def test_a_key_finds_its_place(key: str, kind: str, folder: str) -> None:
    place = layout.locate(key)
    assert (place.kind, place.folder) == (kind, folder)


def test_the_archive_has_the_public_layout() -> None:
    assert RUN.tilt_series(100).mrc() == "10900/TS_001/TiltSeries/100/TS_001.mrc"
    assert RUN.tilt_series(100).ctf("CTFFIND") == "10900/TS_001/TiltSeries/100/TS_001_CTFFIND_ctf.txt"
    assert TOMOGRAM.zarr() == "10900/TS_001/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_001.zarr/"
    stem = names.annotation_stem({"name": "Membrane", "description": None})
    assert (
        ANNOTATION.shape(stem, "SemanticSegmentationMask", ".zarr/")
        == f"{ANNOTATION.folder}membrane-1.0_segmentationmask.zarr/"
    )
    assert ANNOTATION.shape(stem, "OrientedPoint", ".ndjson") == f"{ANNOTATION.folder}membrane-1.0_orientedpoint.ndjson"
    assert names.annotation_stem({"name": "x", "description": "80S, Ribosome"}, 2) == "80s__ribosome-2"
    assert names.annotation_stem({"name": "Short", "description": "long " * 20}, "1.1") == "short-1.1"


def test_array_directories_are_one_thing() -> None:
    zarr, shards = TOMOGRAM.zarr(), ANNOTATION.precomputed("a-1.0", "Point")
    assert layout.array_key(zarr + "0/1/2/3") == layout.array_key(zarr) == zarr
    assert layout.array_key(shards + "spatial0/0_0_0") == shards
    assert layout.array_key(TOMOGRAM.mrc()) is layout.array_key(TOMOGRAM.viewer_config) is None
    assert not layout.is_array("10900/odd.zarr/")
    assert layout.members_key(zarr) == f"{TOMOGRAM.folder}manifest.members/TS_001.zarr"
    assert layout.is_private(layout.members_key(zarr))
    assert layout.is_private(layout.IDENTIFIERS)
    assert not layout.is_private(zarr + ".zattrs")


@pytest.mark.parametrize(
    "name", ["", ".hidden", "..", "a/b", "a\\b", "Images", "a\nb", "x" * 201, "manifest.ndjson", "\ud800"]
)
def test_a_bad_run_name_is_a_sentence(name: str) -> None:
    assert "cannot be the name of a run: " in names.run_name_problem(name)


@given(st.text(max_size=30))
def test_a_good_run_name_makes_keys_that_come_back(name: str) -> None:
    if not names.run_name_problem(name):
        place = layout.locate(layout.Run(1, name).tilt_series(100).mrc())
        assert (place.run, place.number, place.kind) == (name, 100, "tiltseries")


def test_documents_are_found_in_the_order_that_rows_need(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    second = layout.Run(10900, "TS_002")
    expected = [
        (schema.Dataset, layout.Dataset(10900).document),
        (schema.Run, RUN.document),
        (schema.Frames, RUN.frames_document),
        (schema.TiltSeries, RUN.tilt_series(99).document),
        (schema.TiltSeries, RUN.tilt_series(100).document),
        (schema.Alignment, RUN.alignment(100).document),
        (schema.IdentifiedObjects, RUN.identified_objects_document),
        (schema.Tomogram, RUN.spacing(7.84).tomogram(100).document),
        (schema.Tomogram, SPACING.tomogram(100).document),
        (schema.Annotation, RUN.spacing(7.84).annotation(100).document("a-1.0")),
        (schema.Annotation, ANNOTATION.document("membrane-1.0")),
        (schema.Run, second.document),
    ]
    for _, key in reversed(expected):
        files.write_bytes(key, b"{}")
    others = [
        "notes/readme.txt", "10900/Images/snapshot.png", "10900/unfinished/TiltSeries/100/tiltseries_metadata.json",
        "20000/TS/run_metadata.json", ANNOTATION.file("membrane-1.0_globalcaption.json"), ANNOTATION.file("membrane-1.0_point_caption.json"),
        RUN.tilt_series(101).mrc(), TOMOGRAM.zarr() + "tomogram_metadata.json", f"{RUN.folder}Reconstructions/VoxelSpacingX/Tomograms/100/x",
    ]  # fmt: skip
    for key in others:
        files.write_bytes(key, b"{}")
    files.write_bytes(layout.Deposition(10400).document, b"{}")
    assert list(tree.documents(files, 10900)) == expected
    assert list(tree.documents(files, 20000)) == []
    assert list(tree.datasets(files)) == [10900]
    assert list(tree.depositions(files)) == [10400]
