"""Captions, from the lab's files to the archive, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import run_cli
from tests.ingest.conftest import Lab, annotation

FOLDER = "10900/TS_1/Reconstructions/VoxelSpacing10.000/Annotations/100"
GLOBAL = b'{ "caption":  "A lamella through the cell wall, 180 nm thick \\u2013 no ice." }\n'
OWN = '[{"label": 1, "caption": "Eine Membran, 5 nm dünn"}]'.encode()


def prepare(lab: Lab, **more: Any) -> None:
    (lab.root / "captions").mkdir(exist_ok=True)
    (lab.root / "captions/TS_1_all.json").write_bytes(GLOBAL)
    (lab.root / "captions/TS_1_mask.json").write_bytes(OWN)
    sources = [
        {"SemanticSegmentationMask": {"file_format": "mrc", "glob_string": "masks/{run_name}.mrc"}},
        {"GlobalCaption": {"file_format": "saber", "glob_string": "captions/{run_name}_all.json"}},
        {
            "AnnotationCaption": {
                "file_format": "saber",
                "glob_string": "captions/{run_name}_mask.json",
                "companion_shape": "SemanticSegmentationMask",
                **more,
            }
        },
    ]
    lab.config["annotations"] = [annotation("one-1", "one", sources)]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        lab.config.pop(name, None)


def test_captions_are_copied(lab: Lab) -> None:
    prepare(lab)
    result = lab.ingest()
    assert [f for f in result.findings if f.severity != "note"] == []
    assert (lab.archive / FOLDER / "one-1.0_globalcaption.json").read_bytes() == GLOBAL
    assert (lab.archive / FOLDER / "one-1.0_segmentationmask_caption.json").read_bytes() == OWN
    document = lab.read(f"{FOLDER}/one-1.0.json")
    assert {(f["shape"], f["format"]) for f in document["files"]} == {
        ("SemanticSegmentationMask", "mrc"), ("SemanticSegmentationMask", "zarr"), ("GlobalCaption", "json"), ("AnnotationCaption", "json"),
    }  # fmt: skip
    assert document["ids"]["annotation_shape"].keys() == {"SegmentationMask", "GlobalCaption", "AnnotationCaption"}
    manifest = [json.loads(line) for line in (lab.archive / FOLDER / "manifest.ndjson").read_text().splitlines()]
    assert {e["role"] for e in manifest} == {"annotation"}
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before


def test_an_edited_caption_is_copied_again_and_one_that_goes_goes(lab: Lab) -> None:
    prepare(lab)
    lab.ingest()
    number = lab.read(f"{FOLDER}/one-1.0.json")["id"]
    (lab.root / "captions/TS_1_all.json").write_bytes(b'{"caption": "another"}')
    lab.ingest()
    assert (lab.archive / FOLDER / "one-1.0_globalcaption.json").read_bytes() == b'{"caption": "another"}'
    assert lab.read(f"{FOLDER}/one-1.0.json")["id"] == number
    del lab.config["annotations"][0]["sources"][1]
    lab.ingest()
    assert not (lab.archive / FOLDER / "one-1.0_globalcaption.json").exists()
    assert (lab.archive / FOLDER / "one-1.0_segmentationmask_caption.json").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"caption":\n "one}', "line 2 is no JSON"),
        (b"\xff\xfe{}", "is no JSON"),
        (b"", "is no JSON"),
        (b"{}", "is JSON without any caption"),
        (b'"text"', "give an object or a list"),
        (b"[" * 200_000, "is no JSON"),
    ],
)
def test_what_is_no_json_is_refused(lab: Lab, content: bytes, words: str) -> None:
    prepare(lab)
    path = lab.root / "captions/TS_1_all.json"
    path.write_bytes(content)
    said = lab.refused()
    assert words in said
    assert str(path) in said


def test_a_caption_larger_than_its_share_of_the_memory_is_refused(lab: Lab) -> None:
    prepare(lab)
    (lab.root / "captions/TS_1_all.json").write_bytes(GLOBAL + b" " * (2 << 20))
    assert "has 2 MiB, more than 1 MiB are not read as JSON" in lab.refused(memory=8 << 20)


def test_a_companion_that_is_not_there_is_said(lab: Lab) -> None:
    prepare(lab, companion_shape="Point")
    assert any("companion_shape Point is no shape of this annotation" in f.message for f in lab.ingest().findings)
    assert (lab.archive / FOLDER / "one-1.0_point_caption.json").read_bytes() == OWN


def test_the_doctor_finds_nothing_and_breaks_are_found(lab: Lab) -> None:
    prepare(lab)
    root = lab.folder / "root"
    run_cli("ingest", lab.save(), "--source", lab.folder / "source", "--root", root, "--workers", "1", check=True)
    healthy = json.loads(run_cli("doctor", "--root", root, "--json").stdout)
    assert [f for f in findings(healthy) if f["rule"].startswith("annotation")] == []
    (Path(root) / "archive" / FOLDER / "one-1.0_globalcaption.json").write_bytes(b"{")
    broken = json.loads(run_cli("doctor", "--root", root, "--json").stdout)
    assert "annotation.readable" in {f["rule"] for f in findings(broken)}


def findings(report: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = report["findings"]
    return found
