"""Every rule finds what is broken, and nothing in an archive that our ingest made."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doctor.breaks import BREAKS, MRC, TOMOGRAM_DOCUMENT
from tests.doctor.conftest import RUN, TOMOGRAM, Archive

from tomotheca.doctor import reference, registry
from tomotheca.doctor.examine import FAILED
from tomotheca.doctor.registry import RULES
from tomotheca.errors import NotFoundError

BURIED = frozenset({("tomogram", 4321)})
CZ = {
    "cz.mrc.mode", "cz.zarr.dtype", "cz.spacing",
}  # fmt: skip
"""Stricter rules that the good archive breaks: its tilt series is int16, its voxel spacing a whole number."""


def test_every_rule_has_something_that_breaks_it() -> None:
    assert list(BREAKS) == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", BREAKS)
def test_a_rule_finds_what_is_broken_and_only_that(archive: Archive, rule: str) -> None:
    before = archive.examine(rule, buried=BURIED)
    BREAKS[rule](archive)
    found = archive.examine(rule, buried=BURIED)
    assert {problem.rule for problem in found} == {rule}
    assert len(found) > len(before)
    assert rule in CZ or not before
    for problem in found:
        assert problem.message
        assert problem.mend
        assert problem.where.startswith(("10900/", "10901/", "depositions_metadata/"))
        assert "\n" not in problem.message


@pytest.mark.parametrize("rule", BREAKS)
def test_no_rule_fails_whatever_is_broken(archive: Archive, rule: str) -> None:
    BREAKS[rule](archive)
    assert FAILED not in {problem.rule for problem in archive.examine(profile="cz")}


def test_an_archive_that_our_ingest_made_is_clean(archive: Archive) -> None:
    assert archive.examine() == ()
    assert archive.examine(thorough=True) == ()
    assert {problem.rule for problem in archive.examine(profile="cz")} == CZ


def test_several_workers_find_the_same(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in ("mrc.size", "tomogram.spacing", "dataset.title"):
        BREAKS[rule](archive)
    alone = archive.examine()
    assert {problem.rule for problem in alone} >= {"mrc.size", "tomogram.spacing", "dataset.title"}
    monkeypatch.setattr("tomotheca.doctor.examine.WORTH_PROCESSES", 0)
    monkeypatch.setattr("tomotheca.doctor.examine.WARM", 0)
    assert archive.examine(workers=2) == alone


def test_changed_bytes_are_found_when_everything_is_read(archive: Archive) -> None:
    archive.patch(MRC, 1500, b"\1\2\3\4")
    assert archive.examine("manifest.files") == ()
    (found,) = archive.examine("manifest.files", thorough=True)
    assert "sha256 differs" in found.message
    assert found.where == MRC


def test_files_in_place_need_not_keep_what_our_writer_promises(archive: Archive) -> None:
    source = archive.root.parent / "elsewhere.mrc"
    raw = bytearray((archive.root / MRC).read_bytes())
    raw[196:200] = b"\0\0\xa0\x40"  # an origin of 5
    source.write_bytes(raw)
    archive.entries(TOMOGRAM, lambda found: [e.update(source=str(source)) for e in found if e["key"] == MRC])
    archive.remove(MRC)
    assert archive.examine("mrc.*") == ()
    source.write_bytes(raw[:-8])
    assert [problem.rule for problem in archive.examine("mrc.*", "manifest.files")] == ["manifest.files", "mrc.size"]


def test_one_place_gives_one_finding_for_each_rule(archive: Archive) -> None:
    archive.edit(TOMOGRAM_DOCUMENT, lambda d: d.update(authors=[{"name": "A"}]))
    (found,) = archive.examine("tomogram.authors")
    assert "primary" in found.message
    assert "1 more" in found.message


def test_findings_stay_below_the_folder_they_are_about(archive: Archive) -> None:
    archive.edit(f"{RUN}run_metadata.json", lambda d: d.update(deposition_id=5))
    archive.edit(TOMOGRAM_DOCUMENT, lambda d: d.update(mrc_file="../../etc/passwd", key_photo={"snapshot": "/x"}))
    found = archive.examine()
    assert {"document.deposition", "mrc.readable", "picture.readable"} <= {problem.rule for problem in found}
    assert all(problem.where.startswith("10900/") for problem in found)


@pytest.mark.parametrize(("severity", "rest"), [("error", set()), ("warning", {"warning"})])
def test_severities_leave_rules_out(severity: Any, rest: set[str]) -> None:
    chosen = registry.select(severity=severity)
    assert {rule.severity for rule in chosen} == {"error", *rest}


def test_an_unknown_rule_is_named_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"mrc\.siz: did you mean mrc\.size"):
        registry.select(["mrc.siz"])


def test_a_setting_decides_about_tomograms_without_annotation() -> None:
    off = registry.set_severity(RULES, registry.ANNOTATED, None)
    assert registry.ANNOTATED not in {rule.id for rule in off}
    strict = registry.set_severity(RULES, registry.ANNOTATED, "error")
    assert [rule.severity for rule in strict if rule.id == registry.ANNOTATED] == ["error"]


def test_every_rule_is_documented_in_one_sentence() -> None:
    text = reference.page()
    for rule in RULES:
        assert f"`{rule.id}`" in text
        assert rule.description.endswith(".")
        assert len(rule.description) < 200
        assert not rule.mend.endswith(".")
    assert len({rule.id for rule in RULES}) == len(RULES)
