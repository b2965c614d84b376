"""The same archive in a real object store is found to be the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests import seaweed
from tests.doctor.breaks import BREAKS

from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.store.objects import ObjectFiles

if TYPE_CHECKING:
    from tests.doctor.conftest import Archive

BROKEN = (
    "mrc.voxel_size",
    "zarr.scale",
    "annotation.count",
    "mdoc.tilt_angle",
    "manifest.unlisted",
    "angles.range",
    "manifest.hashed",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as found:
        yield found


@pytest.mark.parametrize("spoiled", [(), BROKEN], ids=["clean", "broken"])
def test_findings_are_those_of_the_folder(
    archive: Archive, store: seaweed.Seaweed, monkeypatch: pytest.MonkeyPatch, spoiled: tuple[str, ...]
) -> None:
    for name in spoiled:
        BREAKS[name](archive)
    bucket = "broken" if spoiled else "clean"
    store.upload(archive.root, bucket, "an archive/")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    files = ObjectFiles(f"s3://{bucket}/an archive", endpoint=store.endpoint, lock_folder=archive.root.parent)
    options = Options(registry.select(), marks=archive.marks, workers=2)
    found = examine(files, options)
    assert found.problems == archive.examine()
    assert {problem.rule for problem in found.problems} >= set(spoiled)
    assert found.runs == 3
    one = examine(files, replace(options, datasets=(10900,), rules=registry.select(["mrc.*"])))
    assert one.scopes == ("10900/",)
