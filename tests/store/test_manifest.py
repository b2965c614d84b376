import bisect
import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomotheca.errors import ConflictError, InvalidDocumentError
from tomotheca.store import layout, manifest, members
from tomotheca.store.files import LocalFiles
from tomotheca.store.manifest import Entry, Member
from tomotheca.store.verify import verify

PLACE = layout.Run(1, "TS").spacing(10).tomogram(100)
ZARR = PLACE.zarr()
SHA = "ab" * 32


class Counting(LocalFiles):
    """Counts what is read."""

    bytes_read = 0

    def read_range(self, key: str, start: int, length: int) -> bytes:
        data = super().read_range(key, start, length)
        self.bytes_read += len(data)
        return data


def write_array(files: LocalFiles, key: str = ZARR, **chunks: bytes) -> Entry:
    with files.stage(key) as path:
        for name, data in {".zattrs": b"{}", "0/0/0": b"chunk", **chunks}.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    return manifest.describe(files, key, "tomogram")


def test_an_array_directory_is_one_entry(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    entry = write_array(files)
    assert (entry.key, entry.size, entry.members, entry.media_type) == (ZARR, 7, 2, "application/vnd+zarr")
    found = list(manifest.list_members(files, entry))
    assert [m.path for m in found] == [".zattrs", "0/0/0"]
    assert entry.sha256 == manifest.tree_digest(reversed(found))
    assert found[1].sha256 == hashlib.sha256(b"chunk").hexdigest()
    manifest.write(files, PLACE.folder, [entry])
    assert manifest.find(files, ZARR + "0/0/0") == (entry, found[1])
    assert manifest.find(files, ZARR) == (entry, None)
    assert manifest.find(files, ZARR + "0/0/1") is None
    assert manifest.find(files, PLACE.mrc()) is None


@pytest.mark.slow
def test_one_of_many_members_is_found_without_reading_them(tmp_path: Path) -> None:
    files = Counting(tmp_path)
    paths = sorted({f"0/{random.randrange(10**6)}/{random.randrange(10**6)}" for _ in range(200_000)})
    entry = manifest.describe_members(files, ZARR, "tomogram", (Member(path, 9, SHA) for path in paths))
    assert entry.members == len(paths)
    for path in [
        "",
        "0",
        "z",
        paths[0],
        paths[-1],
        paths[0] + " ",
        *random.sample(paths, 20),
        *(random.choice(paths) + "!" for _ in range(20)),
    ]:
        files.bytes_read = 0
        found = manifest.find_member(files, entry, path)
        position = bisect.bisect_left(paths, path)
        assert (found.path if found else None) == (path if paths[position : position + 1] == [path] else None)
        listing = manifest.list_members(files, entry, after=path)
        after = bisect.bisect_right(paths, path)
        assert [m.path for m, _ in zip(listing, range(50), strict=False)] == paths[after : after + 50]
        assert files.bytes_read < 1_000_000


MEMBER_PATH = st.text(st.sampled_from("ab/ .é0"), min_size=1, max_size=2000).filter(lambda p: not p.startswith("\n"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bisection_agrees_with_brute_force(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    files = LocalFiles(tmp_path_factory.getbasetemp() / "bisect")
    few = data.draw(st.lists(MEMBER_PATH, min_size=1, max_size=20))
    paths = sorted({f"{path}{n}" for path in few for n in range(data.draw(st.sampled_from([1, 300])))})
    entry = manifest.describe_members(files, ZARR, "tomogram", (Member(path, len(path), SHA) for path in paths))
    probe = data.draw(st.one_of(st.sampled_from(paths), MEMBER_PATH))
    found = manifest.find_member(files, entry, probe)
    assert (found and found.path) == (probe if probe in paths else None)
    assert [m.path for m in manifest.list_members(files, entry, after=probe)] == [p for p in paths if p > probe]
    assert [m.path for m in manifest.list_members(files, entry, start=probe)] == [p for p in paths if p >= probe]


def test_members_come_in_order_and_once(tmp_path: Path) -> None:
    for paths in (["b", "a"], ["a", "a"]):
        with pytest.raises(ConflictError, match="byte order"):
            manifest.describe_members(LocalFiles(tmp_path), ZARR, "tomogram", [Member(p, 1, SHA) for p in paths])
    assert not LocalFiles(tmp_path).exists(layout.members_key(ZARR))


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    entries = [
        Entry(PLACE.mrc(), 5, SHA, "application/octet-stream", "tomogram"),
        Entry(PLACE.key_photo("snapshot"), 5, None, "image/png", "image", source="/lab/a.png", mtime=7),
        write_array(files),
    ]
    digest = manifest.write(files, PLACE.folder, entries)
    data = files.read_bytes(PLACE.folder + layout.MANIFEST)
    stamp = files.stat(PLACE.folder + layout.MANIFEST)
    assert hashlib.sha256(data).hexdigest() == digest
    assert manifest.write(files, PLACE.folder, reversed(entries)) == digest
    assert files.stat(PLACE.folder + layout.MANIFEST) == stamp
    assert manifest.read(files, PLACE.folder) == tuple(sorted(entries, key=lambda e: e.key))
    assert manifest.encode(manifest.decode(data)) == data
    assert manifest.read(files, "1/") == ()


def test_what_does_not_belong_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    entry = Entry(PLACE.mrc(), 5, SHA, "application/octet-stream", "tomogram")
    with pytest.raises(ConflictError, match=r"two files claim the place .*TS\.mrc"):
        manifest.write(files, PLACE.folder, [entry, entry])
    with pytest.raises(ValueError, match="does not belong into the manifest of 1/"):
        manifest.write(files, "1/", [entry])
    files.write_bytes("1/manifest.ndjson", b'{"key": "a"}\n')
    with pytest.raises(InvalidDocumentError, match=r"1/manifest\.ndjson:1"):
        manifest.read(files, "1/")
    files.write_bytes(layout.members_key(ZARR), b"nonsense\n")
    with pytest.raises(InvalidDocumentError, match="not a line"):
        members.find_member(files, ZARR, "a")


def test_verification_names_the_first_difference(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.write_bytes(PLACE.mrc(), b"volume")
    volume, array = manifest.describe(files, PLACE.mrc(), "tomogram"), write_array(files)
    assert verify(files, volume, thorough=True) is None
    assert verify(files, array, thorough=True) is None

    def problem(entry: Entry, *, thorough: bool = False) -> str:
        return str(verify(files, entry, thorough=thorough))

    (tmp_path / PLACE.mrc()).write_bytes(b"VOLUME")
    assert verify(files, volume) is None
    assert "sha256 differs" in problem(volume, thorough=True)
    (tmp_path / PLACE.mrc()).write_bytes(b"volumes")
    assert "size differs: 7 bytes, and 6" in problem(volume)
    files.remove(PLACE.mrc())
    assert "missing" in problem(volume)

    (tmp_path / ZARR / "0/0/0").write_bytes(b"CHUNK")
    assert verify(files, array) is None
    assert f"{ZARR}0/0/0: sha256 differs" in problem(array, thorough=True)
    (tmp_path / ZARR / "extra").write_bytes(b"")
    (tmp_path / ZARR / "0/0/0").write_bytes(b"chunk")
    assert f"{ZARR}extra: not in the list" in problem(array)
    (tmp_path / ZARR / "extra").unlink()
    (tmp_path / ZARR / "0/0/0").unlink()
    assert f"{ZARR}0/0/0: missing" in problem(array)
    files.write_bytes(layout.members_key(ZARR), b"")
    assert "sha256 differs from that in the manifest" in problem(array)
    files.remove(ZARR)
    assert "missing" in problem(array)


def test_a_source_in_place_is_verified_where_it_is(tmp_path: Path) -> None:
    files, source = LocalFiles(tmp_path / "archive"), tmp_path / "lab.mrc"
    source.write_bytes(b"volume")
    entry = Entry(
        PLACE.mrc(),
        6,
        hashlib.sha256(b"volume").hexdigest(),
        "application/octet-stream",
        "tomogram",
        source=str(source),
        mtime=1,
    )
    assert verify(files, entry, thorough=True) is None
    source.write_bytes(b"VOLUME")
    assert "sha256 differs" in str(verify(files, entry, thorough=True))
    source.write_bytes(b"")
    assert "size differs" in str(verify(files, entry))
    source.unlink()
    assert "missing" in str(verify(files, entry))
    assert verify(files, Entry(PLACE.mrc(), 6, None, "x", "tomogram", source="https://example.org/lab.mrc")) is None


@pytest.mark.parametrize(
    ("key", "wanted"),
    [("a.mrc", "application/octet-stream"), ("a.ZARR/", "application/vnd+zarr"), ("a/.zattrs", "application/json"), ("a/info", "application/json"),
     ("a.mdoc", "text/plain; charset=utf-8"), ("a.json", "application/json"), ("0/1/2", "application/octet-stream"), ("a.PNG", "image/png")],
)  # fmt: skip
def test_media_types_follow_suffixes(key: str, wanted: str) -> None:
    assert manifest.media_type(key) == wanted
