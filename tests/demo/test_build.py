"""What the demo writes is what a lab would have: readable files, configurations whose patterns match, the same bytes again."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
import yaml
from scipy.spatial.transform import Rotation

from tomotheca.demo import Deposition, Plan, build, real
from tomotheca.demo.community import hits
from tomotheca.demo.scenes import many, studies
from tomotheca.demo.simulate import prepare

SIZE = (40, 80, 96)
REQUIRED = {"version", "standardization_config", "depositions", "datasets", "runs", "voxel_spacings"}


def quiet(_message: str, _part: float) -> None:
    """Progress is nobody's business here."""


def archive(cache: Path) -> Path:
    """Make a source distribution with two small maps in it."""
    cache.mkdir(parents=True, exist_ok=True)
    for name in real.MAPS:
        mrcfile.write(
            cache / f"{name}.map", np.zeros((4, 5, 6), np.float32), voxel_size=(11.4, 9.0, 8.0), overwrite=True
        )
    with tarfile.open(cache / real.ARCHIVE, "w:gz") as tar:
        for name in real.MAPS:
            tar.add(cache / f"{name}.map", f"mrcfile-1.5.4/tests/test_data/{name}.map")
    return cache


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    out = tmp_path_factory.mktemp("demo")
    return build(out / "source", runs=5, size=SIZE, cache=archive(out / "cache"), progress=quiet)


@pytest.fixture(scope="module")
def root(plan: Plan) -> Path:
    return plan.depositions[0].source


def load(deposition: Deposition) -> dict[str, Any]:
    found = yaml.safe_load(deposition.config.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def patterns(value: object) -> list[str]:
    """Every glob of a configuration but those of runs."""
    if isinstance(value, dict):
        own = [v for k, v in value.items() if k in {"list_glob", "glob_string"}]
        own += [p for k, v in value.items() if k in {"list_globs", "glob_strings"} for p in v]
        return own + [p for v in value.values() for p in patterns(v)]
    return [p for v in value for p in patterns(v)] if isinstance(value, list) else []


def test_configurations_are_complete_and_every_pattern_matches(plan: Plan) -> None:
    for deposition in plan.depositions:
        content = load(deposition)
        assert content.keys() >= REQUIRED
        assert content["version"] == "1.3.0"
        folder = deposition.source / content["standardization_config"]["source_prefix"]
        finder = content["runs"][0]["sources"][0]["source_glob"]
        wanted = re.compile(finder.get("match_regex", ".*"))
        runs = [path.name for path in folder.glob(finder["list_glob"]) if wanted.search(str(path))]
        assert runs
        for pattern in patterns({key: value for key, value in content.items() if key != "runs"}):
            assert any(list(folder.glob(pattern.format(run_name=run))) for run in runs), pattern


def test_every_file_is_named_by_a_configuration(plan: Plan) -> None:
    for deposition in plan.depositions:
        content = load(deposition)
        folder = deposition.source / content["standardization_config"]["source_prefix"]
        named = {folder / "run_data_map.tsv"}
        for pattern in patterns(content):
            named.update(folder.glob(pattern.replace("{run_name}", "*")))
        assert {path for path in folder.rglob("*") if path.is_file()} <= named


def test_the_default_has_what_a_portal_must_show() -> None:
    scores = [run.quality for study in studies() for run in study.runs]
    assert {1, 2, 3, 4, 5} <= set(scores)
    assert any(run.tiles == 2 for study in studies() for run in study.runs)
    assert any(not run.annotated for study in studies() for run in study.runs)
    assert [study.private for study in studies()].count(True) == 1
    assert 6 <= sum(len(study.runs) for study in studies()) + len(real.MAPS) <= 10
    assert len({study.scope.pixel for study in studies()}) == len({study.scope.scheme.name for study in studies()}) + 1


def test_runs_are_spread_over_the_datasets() -> None:
    assert [len(study.runs) for study in many(1, None)] == [1]
    assert [len(study.runs) for study in many(100, None)] == [34, 33, 33]
    grown = many(100, SIZE)
    assert len({run.name for run in grown[0].runs}) == 34
    assert {study.shape for study in grown} == {SIZE}


def test_simulated_data_say_so_and_people_are_fictional(plan: Plan) -> None:
    for deposition in plan.depositions:
        content = load(deposition)
        text = deposition.config.read_text(encoding="utf-8")
        assert set(re.findall(r"\d{4}-\d{4}-\d{4}-\d{3}[0-9X]", text)) <= {"0000-0002-1825-0097"}
        assert all(address.endswith("@example.org") for address in re.findall(r"\S+@\S+", text))
        for item in content["datasets"]:
            metadata = item.get("metadata")
            if metadata and metadata["sample_type"] == "in_silico":
                assert metadata["dataset_title"].startswith("Simulated ")
                assert len(metadata["dataset_title"]) >= 20
        for item in content.get("annotations", []):
            assert item["metadata"]["method_type"] in {"simulated", "automated"}
    assert [deposition.private for deposition in plan.depositions].count(True) == 1


def test_series_and_text_files_agree(root: Path) -> None:
    for path in root.glob("*/*/*.st"):
        stem = path.with_suffix("")
        with mrcfile.open(path) as stack:
            assert stack.is_image_stack()
            count = stack.data.shape[0]
            pixel = float(stack.voxel_size.x)
        table = pytest.importorskip("mdocfile").read(stem.with_suffix(".mdoc"))
        raw = np.loadtxt(stem.with_suffix(".rawtlt"))
        refined = np.loadtxt(stem.with_suffix(".tlt"))
        transforms = np.loadtxt(stem.with_suffix(".xf"))
        assert len(table) == len(raw) == len(refined) == len(transforms) == count
        assert table["ZValue"].tolist() == list(range(count))
        assert sorted(table["TiltAngle"]) == pytest.approx(raw)
        assert (np.diff(raw) > 0).all()
        assert np.abs(raw - refined).max() < 0.3
        assert table["PixelSpacing"].unique() == pytest.approx([pixel], abs=1e-3)
        turn = np.rad2deg(np.arctan2(transforms[:, 1], transforms[:, 0]))
        assert turn == pytest.approx(np.full(count, float(table["RotationAngle"].iloc[0])), abs=1.5)
        assert np.linalg.det(transforms[:, :4].reshape(-1, 2, 2)) == pytest.approx(np.ones(count), abs=1e-5)


def test_star_files_give_back_positions_and_rotations(root: Path) -> None:
    study = many(5, SIZE)[1]
    run = study.runs[0]
    _, truth = prepare(study, run, 7)
    tables = starfile.read(root / study.name / "particles" / "spike-glycoprotein.star")
    rows = tables["particles"]
    rows = rows[rows["rlnTomoName"] == run.name]
    camera = float(tables["optics"]["rlnImagePixelSize"].iloc[0])
    whole = rows[["rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"]].to_numpy(float)
    origins = rows[["rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"]].to_numpy(float)
    angles = rows[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy(float)
    picks = truth.picks["spike"]
    np.testing.assert_allclose((whole - origins / camera) / study.binning, picks.positions, atol=1e-4)
    np.testing.assert_allclose(
        Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix(), picks.rotations, atol=1e-5
    )
    assert np.linalg.det(picks.rotations) == pytest.approx(np.ones(len(whole)))


def test_masks_and_tomograms_have_one_shape(root: Path) -> None:
    for mask in root.glob("*/segmentation/*.mrc"):
        run = re.sub(r"_[a-z-]+\.mrc$", "", mask.name)
        tomograms = list(mask.parent.parent.glob(f"tomograms/{run}_*.mrc"))
        with mrcfile.open(mask) as found:
            assert set(np.unique(found.data)) <= {0, 1}
            shapes = {found.data.shape}
        for path in tomograms:
            with mrcfile.open(path) as volume:
                shapes.add(volume.data.shape)
        assert tomograms
        assert len(shapes) == 1


def test_precision_counts_each_particle_once() -> None:
    true = np.array([[10.0, 10, 10], [40, 10, 10]])
    assert hits(true, np.array([[11.0, 10, 10], [9, 10, 10], [100, 100, 100]])) == 1


def digest(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_same_seed_same_bytes_other_seed_others(tmp_path: Path) -> None:
    options: dict[str, Any] = {"runs": 1, "size": (24, 48, 48), "cache": None, "progress": quiet}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(tmp_path / name, seed=seed, **options)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_without_network_the_real_files_are_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    found = build(tmp_path / "out", runs=1, size=(24, 48, 48), cache=tmp_path / "cache", progress=quiet)
    assert found.notes == ("The dataset of real files was left out: pip is not installed.",)
    assert not (tmp_path / "out" / "real_maps.yaml").exists()


def test_a_damaged_archive_is_a_note(tmp_path: Path) -> None:
    (tmp_path / real.ARCHIVE).write_bytes(b"not a tar")
    note = real.build(tmp_path / "out", tmp_path, dataset=1, deposition=2)
    assert isinstance(note, str)
    assert "delete it" in note
