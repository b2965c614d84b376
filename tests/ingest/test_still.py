"""Sources that change while they are taken in."""

from pathlib import Path

import numpy as np
import pytest

from tomotheca.errors import FormatError
from tomotheca.formats import mrc
from tomotheca.formats.files import fill
from tomotheca.formats.mrc import twin
from tomotheca.ingest.pyramid import Target, convert

VOLUME = np.random.default_rng(0).normal(size=(40, 50, 60)).astype("f4")


def target(folder: Path) -> Target:
    return Target(folder / "out.mrc", folder / "out.zarr")


def test_a_source_that_changes_meanwhile_is_an_error(tmp_path):
    mrc.write(tmp_path / "in.mrc", VOLUME, voxel_size=1.0)

    def touch(_: int) -> None:
        with (tmp_path / "in.mrc").open("ab") as file:
            file.write(b"more")

    with pytest.raises(FormatError, match="changed while it was read"):
        convert(tmp_path / "in.mrc", target(tmp_path), progress=touch)


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
def test_a_source_that_changes_after_its_levels_were_made_is_an_error(tmp_path, monkeypatch, change):
    """The voxels of the MRC file are copied when the header is known, so the source is read a second time."""
    source = tmp_path / "in.mrc"
    mrc.write(source, VOLUME, voxel_size=1.0)

    def changed(*arguments):
        with source.open("r+b") as file:
            file.truncate(5000) if change == "shorter" else file.seek(0 if change == "other" else 2**20)
            file.write(b"" if change == "shorter" else b"more")
        return fill(*arguments)

    monkeypatch.setattr(twin, "fill", changed)
    with pytest.raises(FormatError, match="changed while it was read"):
        convert(source, target(tmp_path))
