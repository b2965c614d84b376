"""Identified objects, and depositions that add to datasets that are there already."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.serving import run_cli

from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.files import entries
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.ingest.check import check
from tomotheca.store.documents import public_bytes

RUN = "10900/TS_1"
TABLE = """run_name,object_id,object_name,object_description,object_state,found_by
TS_1,GO:0005840,ribosome,,,Ada
TS_1,GO:0005739,mitochondrion,large ones,,Ada
TS_2,GO:0005634,nucleus,,,Ada
"""


def objects(lab: Any, text: str = TABLE, **metadata: str) -> None:
    (lab.root / "objects.csv").write_text(text)
    entry: dict[str, Any] = {"sources": [{"source_glob": {"list_glob": "objects.csv"}}]}
    lab.config["identified_objects"] = [{**({"metadata": metadata} if metadata else {}), **entry}]


def tomotheca(*words: object) -> str:
    done = run_cli(*map(str, words))
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_objects_of_a_run(lab: Any) -> None:
    lab.add("TS_2")
    objects(lab)
    lab.ingest()
    listed = json.loads((lab.archive / RUN / "IdentifiedObjects/identified_objects.json").read_text())
    assert [row["object_name"] for row in listed] == ["ribosome", "mitochondrion"]
    assert listed[0] == {
        "object_id": "GO:0005840",
        "object_name": "ribosome",
        "object_description": None,
        "object_state": None,
        "found_by": "Ada",
    }
    document = lab.read(f"{RUN}/IdentifiedObjects/identified_objects_metadata.json")
    assert (document["object_count"], document["deposition_id"], document["source_file"]) == (2, 10400, "objects.csv")
    assert set(document["ids"]["identified_object"]) == {"GO:0005840", "GO:0005739"}
    manifest = [json.loads(line) for line in (lab.archive / RUN / "manifest.ndjson").read_text().splitlines()]
    assert f"{RUN}/IdentifiedObjects/identified_objects.json" in {e["key"] for e in manifest}
    ids, before = lab.identifiers(), lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    objects(lab, TABLE.replace("large ones", "small ones"))
    lab.ingest()
    assert lab.identifiers() == ids
    assert "small ones" in (lab.archive / RUN / "IdentifiedObjects/identified_objects.json").read_text()
    del lab.config["identified_objects"]
    lab.ingest()
    assert list((lab.archive / RUN / "IdentifiedObjects").glob("*")) == []


def test_rows_are_chosen_by_the_filter_value(lab: Any) -> None:
    (lab.root / "map.csv").write_text("run_name,other\nTS_1,TS_2\n")
    lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    objects(lab, filter_value="{other}")
    lab.ingest()
    assert lab.read(f"{RUN}/IdentifiedObjects/identified_objects_metadata.json")["object_count"] == 1


def test_a_run_without_rows_has_no_list_and_a_note(lab: Any) -> None:
    objects(lab, TABLE.replace("TS_1", "TS_9"))
    found = lab.ingest().findings
    assert any(f.severity == "note" and "no row of TS_1 in objects.csv: skipped" in f.message for f in found)
    assert not (lab.archive / RUN / "IdentifiedObjects").exists()


def test_an_object_that_stands_twice_is_kept_once(lab: Any) -> None:
    objects(lab, TABLE + "TS_1,GO:0005840,Ribosome,,,Bob\n")
    found = lab.ingest().findings
    assert any("line 5: GO:0005840 stands twice for run TS_1" in f.message for f in found)
    assert lab.read(f"{RUN}/IdentifiedObjects/identified_objects_metadata.json")["object_count"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run_name,object_id\n", "has no column object_name; columns are run_name, object_id"),
        ("", "has no column object_id and no column object_name"),
        ("object_id,object_name,object_id\n", "has the column 'object_id' twice"),
        ("object_id,object_name\nGO:1,a,b\n", "line 2 has 3 cells for 2 columns"),
        ("run_name,object_id,object_name\nTS_1,,ribosome\n", "line 2 has no object_id"),
        ("object_id\0", "is not a text file"),
    ],
)
def test_a_table_that_is_wrong_is_refused(lab: Any, text: str, words: str) -> None:
    objects(lab, text)
    said = lab.refused()
    assert words in said
    assert "objects.csv" in said


# --- depositions that add -------------------------------------------------------------------------------------------------


def addition(lab: Any, **more: Any) -> dict[str, Any]:
    """Somebody else's deposition of an annotation, with other entries on request."""
    first = lab.config
    deposition = {**first["depositions"][0]["metadata"], "deposition_identifier": 10401}
    return {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": 10401, "source_prefix": "lab"},
        "depositions": [{"metadata": deposition, "sources": [{"literal": {"value": [10401]}}]}],
        "datasets": [{"sources": [{"literal": {"value": ["10900"]}}]}],
        "runs": [
            {"sources": [{"destination_glob": {"list_glob": "{dataset_output_path}/*", "name_regex": "(TS_.*)"}}]}
        ],
        "voxel_spacings": [
            {
                "sources": [
                    {
                        "destination_glob": {
                            "list_glob": "{run_output_path}/Reconstructions/VoxelSpacing*",
                            "name_regex": "VoxelSpacing(.*)",
                        }
                    }
                ]
            }
        ],
        "alignments": [
            {
                "sources": [
                    {"destination_glob": {"list_glob": "{run_output_path}/Alignments/100/alignment_metadata.json"}}
                ]
            }
        ],
        "annotations": [first["annotations"][0]],
        **more,
    }


def second(lab: Any, config: dict[str, Any]) -> Any:
    mine = lab.config
    lab.config = config
    try:
        return lab.ingest()
    finally:
        lab.config = mine


def test_an_addition_finds_runs_spacings_and_alignments_in_the_archive(lab: Any) -> None:
    lab.ingest()
    before = lab.documents()
    done = second(lab, addition(lab))
    assert not done.failed
    added = {k: d for k, d in lab.documents().items() if k not in before}
    (annotation,) = (d for k, d in added.items() if "/Annotations/" in k)
    assert annotation["deposition_id"] == 10401
    assert annotation["alignment_metadata_path"] == f"{RUN}/Alignments/100/alignment_metadata.json"
    assert all(lab.documents()[key] == document for key, document in before.items())
    snapshot = lab.snapshot()
    assert second(lab, addition(lab)).written == 0
    assert lab.ingest().written == 0
    assert lab.snapshot() == snapshot


def test_filters_find_documents_by_what_they_say(lab: Any) -> None:
    lab.ingest()
    config = addition(lab)
    condition = {"key": ["method_type"], "value": "fiducial_based"}
    config["alignments"] = [{"sources": [{"destination_filter": {"filters": [condition]}}]}]
    config["tomograms"] = [{"sources": [{"destination_filter": {"filters": [{"key": ["size", "x"], "value": 16}]}}]}]
    assert not second(lab, config).failed
    condition["value"] = "patch_tracking"
    lab.config = config
    assert "the filter matches nothing in run TS_1 in the archive: take it in first" in lab.refused()


def test_what_is_referred_to_and_not_there_is_refused(lab: Any) -> None:
    lab.ingest()
    config = addition(lab)
    config["alignments"][0]["sources"][0]["destination_glob"]["list_glob"] = "{run_output_path}/Alignments/999/*"
    lab.config = config
    said = lab.refused()
    assert "Alignments/999/* matches nothing in run TS_1 in the archive: take it in first" in said
    assert "config.yaml:" in said


def test_checking_without_an_archive_takes_what_is_referred_to_for_granted(lab: Any) -> None:
    lab.config = addition(lab)
    tomotheca("check", lab.save(), "--source", lab.folder / "source")


def test_added_files_stay_beside_those_that_are_there(lab: Any) -> None:
    lab.ingest()
    before = lab.documents()[f"{RUN}/run_metadata.json"]
    files = {p for p in (lab.archive / RUN).rglob("*") if p.is_file()}
    (lab.root / "extra.gain").write_bytes(b"another")
    objects(lab)
    config = addition(lab, identified_objects=lab.config.pop("identified_objects"))
    config["gains"] = [{"sources": [{"source_glob": {"list_glob": "extra.gain"}}]}]
    assert not second(lab, config).failed
    assert all(p.exists() for p in files)
    manifest = [json.loads(line) for line in (lab.archive / RUN / "manifest.ndjson").read_text().splitlines()]
    marked = {e["key"].rpartition("/")[2]: e.get("deposition") for e in manifest}
    assert marked["extra.gain"] == 10401
    assert marked["identified_objects.json"] == 10401
    assert marked["camera.gain"] is None
    document = lab.read(f"{RUN}/run_metadata.json")
    assert set(document["ids"]["gain_file"]) == {"camera.gain", "extra.gain"}
    assert document["additions"] == {"10401": {"gain_file": ["extra.gain"]}}
    assert document["provenance"]["configuration"] == before["provenance"]["configuration"]
    snapshot = lab.snapshot()
    assert lab.ingest().written == 0
    assert second(lab, config).written == 0
    assert lab.snapshot() == snapshot
    second(lab, {key: value for key, value in config.items() if key != "gains"})
    assert not (lab.archive / RUN / "Gains/extra.gain").exists()
    assert "additions" not in lab.read(f"{RUN}/run_metadata.json")
    assert (lab.archive / RUN / "Gains/camera.gain").exists()
    assert lab.ingest(force=True).failed == ()
    assert (lab.archive / RUN / "IdentifiedObjects/identified_objects.json").exists()


def test_a_file_name_of_another_deposition_is_refused(lab: Any) -> None:
    lab.ingest()
    (lab.root / "camera.gain").write_bytes(b"another")
    config = addition(lab)
    config["gains"] = [{"sources": [{"source_glob": {"list_glob": "camera.gain"}}]}]
    lab.config = config
    assert "has a file 10900/TS_1/Gains/camera.gain of another deposition" in lab.refused()


def test_a_tilt_series_is_taken_in_with_its_dataset(lab: Any) -> None:
    lab.ingest()
    config = addition(lab, tiltseries=lab.config["tiltseries"], rawtilts=lab.config["rawtilts"])
    lab.config = config
    assert "it has the frames of deposition 10400" in lab.refused()


def test_files_of_a_hidden_deposition_are_hidden_in_a_public_dataset(lab: Any) -> None:
    root = lab.folder / "portal"
    source = ("--source", lab.folder / "source", "--root", root)
    (lab.root / "extra.gain").write_bytes(b"another")
    objects(lab)
    listed = lab.config.pop("identified_objects")
    tomotheca("ingest", lab.save(), *source)
    config = addition(lab, identified_objects=listed)
    config["gains"] = [{"sources": [{"source_glob": {"list_glob": "extra.gain"}}]}]
    path = lab.folder / "second.yaml"
    path.write_text(yaml.safe_dump(config))
    tomotheca("ingest", path, *source, "--private")

    def public(kind: str) -> str:
        folder = Path(lab.folder / f"dump-{len(list(lab.folder.iterdir()))}")
        tomotheca("dump", folder, "--root", root)
        return (folder / f"{kind}.ndjson").read_text()

    assert "camera.gain" in public("gain_file")
    assert "extra.gain" not in public("gain_file")
    assert public("identified_object") == ""
    assert visible(root) == {"camera.gain"}
    served = public_bytes((root / "archive" / RUN / "run_metadata.json").read_bytes())
    assert b"camera.gain" in served
    assert b"extra" not in served
    assert b"10401" not in served
    tomotheca("publish", "DP-10401", "--root", root)
    assert "extra.gain" in public("gain_file")
    assert "ribosome" in public("identified_object")
    assert visible(root) == {"camera.gain", "extra.gain", "identified_objects.json", "identified_objects_metadata.json"}


def test_a_spacing_of_a_hidden_deposition_is_hidden(lab: Any) -> None:
    root = lab.folder / "portal"
    source = ("--source", lab.folder / "source", "--root", root)
    tomotheca("ingest", lab.save(), *source)
    config = addition(lab, voxel_spacings=[{"sources": [{"literal": {"value": [20.0]}}]}])
    metadata = {**lab.config["tomograms"][0]["metadata"], "voxel_spacing": 20.0}
    config["tomograms"] = [{**lab.config["tomograms"][0], "metadata": metadata}]
    path = lab.folder / "second.yaml"
    path.write_text(yaml.safe_dump(config))
    tomotheca("ingest", path, *source, "--private")
    catalog = Catalog(f"sqlite:///{root}/state/catalog.sqlite", public_url="", bucket="b")
    assert [r["voxel_spacing"] for r in catalog.find("tomogram_voxel_spacing", ANONYMOUS)] == [10.0]
    served = json.loads(public_bytes((root / "archive" / RUN / "run_metadata.json").read_bytes()))
    assert list(served["ids"]["tomogram_voxel_spacing"]) == ["10.000"]
    assert sorted(r["voxel_spacing"] for r in catalog.find("tomogram_voxel_spacing", CURATOR)) == [10.0, 20.0]
    tomotheca("publish", "DP-10401", "--root", root)
    assert sorted(r["voxel_spacing"] for r in catalog.find("tomogram_voxel_spacing", ANONYMOUS)) == [10.0, 20.0]


def visible(root: Path) -> set[str]:
    """Names of gains and objects that anybody may fetch."""
    catalog = Catalog(f"sqlite:///{root}/state/catalog.sqlite", public_url="", bucket="b")
    keys = [str(e["key"]) for e in entries(catalog, ANONYMOUS)]
    return {k.rpartition("/")[2] for k in keys if "/Gains/" in k or "/IdentifiedObjects/" in k}


def test_a_dataset_that_is_only_added_to_is_not_asked_for_a_title(lab: Any) -> None:
    lab.config = addition(lab)
    assert [f for f in check(lab.save()) if f.severity != "note"] == []
