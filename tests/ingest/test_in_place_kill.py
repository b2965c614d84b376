"""An ingest that dies between the files of a volume and its manifest, while it changes from one way of keeping it to the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ingest.staying import Portal, expected, extended, rec, tomogram

from tomotheca.formats import omezarr
from tomotheca.ingest import run
from tomotheca.ingest.inplace import Staying
from tomotheca.store import manifest
from tomotheca.store.verify import verify

if TYPE_CHECKING:
    from tomotheca.ingest.run import IngestResult


@pytest.fixture
def portal(tmp_path: Path) -> Portal:
    made = Portal(tmp_path, "TS_1")
    extended(rec(made.lab, "TS_1"))
    return made


def taken_in(portal: Portal, *, stays: bool) -> IngestResult:
    return portal.lab.ingest(only=("tomograms",), staying=Staying() if stays else None)


def dying(*_: Any, **__: Any) -> bool:
    raise KeyboardInterrupt


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_whatever_is_asked_for_next_is_what_there_is(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, stays: bool, again: bool
) -> None:
    taken_in(portal, stays=stays)
    with monkeypatch.context() as patched:
        patched.setattr(run, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            taken_in(portal, stays=not stays)
    taken_in(portal, stays=again)
    files = portal.lab.files
    folder = tomogram("TS_1").rpartition("/")[0] + "/"
    entries = manifest.read(files, folder)
    assert [verify(files, entry, thorough=True) for entry in entries] == [None] * len(entries)
    volume, image = (next(e for e in entries if e.key.endswith(end)) for end in ("TS_1.mrc", ".zarr/"))
    assert (volume.source is not None, image.source is not None) == (again, again)
    assert files.exists(volume.key) is not again
    if not again:
        with omezarr.Reader(portal.lab.archive / image.key) as found:
            z, y, x = (slice(0, n) for n in found.shape)
            assert (found.read((z, y, x)) == expected(portal.lab, "TS_1")).all()
    assert taken_in(portal, stays=again).written == 0
