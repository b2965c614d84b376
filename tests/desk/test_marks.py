import json
from pathlib import Path

import pytest

from tomotheca.desk import Desk, export_marks, import_marks, marks, restore_from
from tomotheca.errors import InvalidDocumentError
from tomotheca.store import documents, layout
from tomotheca.store.files import LocalFiles


def test_a_lost_desk_gives_no_number_twice(tmp_path: Path) -> None:
    files, run = LocalFiles(tmp_path / "archive"), layout.Run(10900, "TS")
    files.write_bytes(layout.Dataset(10900).document, b"{}")
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        removed = desk.reserve("run", 5)
        desk.bury("run", removed[-1], "TS_005", "a test")
        assert export_marks(files, desk)
        assert not export_marks(files, desk)
        later = desk.reserve("tomogram", 3)  # written to documents, and not yet to the marks
        stones = desk.tombstones()
    files.write_bytes(run.document, b'{"id": 2}')
    files.write_bytes(
        run.spacing(10).tomogram(100).document,
        json.dumps({"id": later[-1], "ids": {"tomogram_author": {"a": 9}}}).encode(),
    )

    (tmp_path / "desk.sqlite").unlink()
    with Desk.open(tmp_path / "desk.sqlite") as desk:
        restore_from(files, desk, documents.highest_ids(files))
        assert desk.reserve("run")[0] == removed[-1] + 1
        assert desk.reserve("tomogram")[0] == later[-1] + 1
        assert desk.reserve("tomogram_author")[0] == 10
        assert desk.tombstones() == stones
        assert desk.high_water()["dataset"] == 10900


def test_marks_never_sink(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "archive")
    with Desk.open(tmp_path / "old.sqlite") as desk:
        assert not import_marks(files, desk)
        desk.reserve("run", 10)
        desk.bury("frame", 3, "a", "b")
        export_marks(files, desk)
        before = files.read_bytes(marks.KEY)
    with Desk.open(tmp_path / "new.sqlite") as desk:
        assert not export_marks(files, desk)
        assert files.read_bytes(marks.KEY) == before
        assert desk.reserve("run")[0] == 11


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"high_water": {"run": "x"}, "tombstones": []}', b'{"high_water": {}, "tombstones": [{}]}']
)
def test_damaged_marks_are_a_sentence(tmp_path: Path, data: bytes) -> None:
    files = LocalFiles(tmp_path / "archive")
    files.write_bytes(marks.KEY, data)
    with (
        Desk.open(tmp_path / "desk.sqlite") as desk,
        pytest.raises(InvalidDocumentError, match="restore it from a backup"),
    ):
        import_marks(files, desk)


def test_the_layout_and_the_desk_mean_the_same_file() -> None:
    assert marks.KEY == layout.IDENTIFIERS
