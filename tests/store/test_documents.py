import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.errors import InvalidDocumentError, NotFoundError
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles

PLACE = layout.Run(1, "TS").spacing(10).tomogram(100)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["email", "name", "authors", "é"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def snapshot(root: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in root.rglob("*")}


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.write_bytes(PLACE.mrc(), b"volume")
    with files.stage(PLACE.zarr()) as path:
        (path / "0").write_bytes(b"0")
    entries = [manifest.describe(files, key, "tomogram") for key in (PLACE.mrc(), PLACE.zarr())]
    document = {"id": 7, "manifest": None, "name": "Größe", "scale": 0.1}
    assert documents.write(files, PLACE.document, document, entries)
    before = snapshot(tmp_path)
    assert not documents.write(files, PLACE.document, document, entries)
    assert not documents.write(files, PLACE.document, documents.read(files, PLACE.document))
    assert snapshot(tmp_path) == before
    stored = documents.read(files, PLACE.document)
    assert list(stored) == ["id", "manifest", "name", "scale", "last_updated_at"]
    assert files.read_bytes(PLACE.document).startswith(b'{\n  "id": 7,\n')
    assert "Größe" in files.read_bytes(PLACE.document).decode()

    assert documents.write(files, PLACE.document, document, entries[:1])
    assert documents.read(files, PLACE.document)["manifest"] != stored["manifest"]
    assert not files.exists(layout.members_key(PLACE.zarr()))
    assert documents.write(files, PLACE.document, {**document, "name": "x"})
    assert manifest.read(files, PLACE.folder) == (entries[0],)


def test_a_lost_manifest_is_written_again(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    assert documents.write(files, PLACE.document, {"id": 7}, [])
    files.remove(PLACE.folder + layout.MANIFEST)
    assert not documents.write(files, PLACE.document, {"id": 7}, [])
    assert files.exists(PLACE.folder + layout.MANIFEST)


def test_frames_have_no_manifest_of_their_own(tmp_path: Path) -> None:
    files, run = LocalFiles(tmp_path), layout.Run(1, "TS")
    with pytest.raises(ValueError, match="listed in that of 1/TS/"):
        documents.write(files, run.frames_document, {}, [])
    assert documents.write(files, run.frames_document, {"frames": []})
    assert documents.read(files, run.frames_document)["manifest"] is None
    assert not documents.write(files, run.frames_document, {"frames": []})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": NaN}', b"\xff"])
def test_an_unreadable_document_names_its_key(tmp_path: Path, data: bytes) -> None:
    files = LocalFiles(tmp_path)
    files.write_bytes(PLACE.document, data)
    with pytest.raises(InvalidDocumentError, match=r"tomogram_metadata\.json"):
        documents.read(files, PLACE.document)
    assert documents.write(files, PLACE.document, {"id": 1})
    assert documents.read(files, PLACE.document)["id"] == 1


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        documents.write(files, PLACE.document, {"scale": float("nan")})
    with pytest.raises(NotFoundError):
        documents.read(files, PLACE.document)


def has_email(value: object) -> bool:
    if isinstance(value, dict):
        return "email" in value or any(map(has_email, value.values()))
    return isinstance(value, list) and any(map(has_email, value))


@given(st.dictionaries(st.sampled_from(["email", "authors", "name"]), JSON))
def test_documents_are_served_without_addresses(document: dict[str, object]) -> None:
    for data in (documents.encode(document), json.dumps(document).encode()):
        served = documents.public_bytes(data)
        assert not has_email(json.loads(served))
        assert documents.public_bytes(served) == served
        assert documents.public_bytes(data, publish_emails=True) is data
        if not has_email(document):
            assert served is data


def test_an_address_under_an_escaped_name_is_left_out_too() -> None:
    assert documents.public_bytes(rb'{"a": [{"\u0065mail": "a@example.org"}]}') == b'{\n  "a": [\n    {}\n  ]\n}\n'


def test_the_highest_identifiers_are_found(tmp_path: Path) -> None:
    files, run = LocalFiles(tmp_path), layout.Run(10900, "TS")
    files.write_bytes(layout.Deposition(10400).document, b'{"ids": {"deposition_author": {"a": 4}}}')
    files.write_bytes(layout.Dataset(10900).document, b'{"ids": {"dataset_author": {"a": 4, "b": 9}}}')
    files.write_bytes(run.document, b'{"id": 5, "ids": {"tomogram_voxel_spacing": {"10.000": 3}}}')
    files.write_bytes(run.frames_document, b'{"id": null, "ids": {"frame": {"0": 41, "1": 40}}}')
    files.write_bytes(run.tilt_series(100).document, b'{"id": 6}')
    assert documents.highest_ids(files) == {
        "deposition": 10400, "deposition_author": 4, "dataset": 10900, "dataset_author": 9, "run": 5, "tomogram_voxel_spacing": 3,
        "frame": 41, "tiltseries": 6,
    }  # fmt: skip
