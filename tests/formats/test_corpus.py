"""Bad input of every kind for every reader: numbers or a sentence, soon, and within the memory that there is."""

import bz2
import json
import lzma
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import pytest
import zarr
from tests.formats import damage
from tests.formats.corpus import Case, bounded, cases, outcome, sound

from tomotheca.errors import ConfigurationError, FormatError
from tomotheca.formats import mdoc, mrc, omezarr
from tomotheca.formats.omezarr import grid
from tomotheca.ingest import yamlsource
from tomotheca.ingest.listing import Listing

CASES = cases()


FEW = 16
"""Damaged files for readers that start a process for each."""


def try_all(case: Case, damaged: Iterator[tuple[str, str, bytes]], folder: Path) -> None:
    """Give every damaged file to a reader, or some all over where that takes long; say all at once what went wrong."""
    if case.is_slow:
        every = list(damaged)
        damaged = iter(every[:: len(every) // FEW])
    sound(case, case.write(folder))
    wrong, count = [], 0
    for file, what, content in damaged:
        count += 1
        path = case.write(folder, {**case.files, file: content})
        if found := outcome(case, path):
            wrong.append(f"{file}, {what}: {found[:300]}")
    assert count >= (FEW if case.is_slow else 41)
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.folder])
def test_damaged_files(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file, content = next(iter(case.files.items()))
    try_all(case, ((file, *each) for each in damage.everything(content, is_text=case.is_text)), tmp_path)


def test_damaged_dumps(tmp_path: Path) -> None:
    case = CASES["dump"]
    ((file, content),) = case.files.items()
    try_all(case, ((file, *each) for each in damage.everything(content, is_text=True)), tmp_path)


OLD, NEW = (".zattrs", "{}/.zarray", "{}/0/0/0"), ("zarr.json", "{}/zarr.json", "{}/c/0/0/0")
"""What describes an image and a level, and its first file of chunks."""


@pytest.mark.parametrize(
    ("name", "names", "share"),
    [("omezarr", OLD, 1), ("levels", OLD, 1), ("omezarr 0.5", NEW, 1), ("levels 0.5", NEW, 1)],
)
def test_damaged_images(tmp_path: Path, name: str, names: tuple[str, str, str], share: int) -> None:
    case = CASES[name]
    image, array, chunks = names

    def damaged() -> Iterator[tuple[str, str, bytes]]:
        for file, some in ((image, 1), (array.format(0), 7), (array.format(2), 1)):
            yield from ((file, *each) for each in damage.metadata(case.files[file], share=some * share))
        file = chunks.format(0)
        yield from ((image, *each) for each in damage.encodings(case.files[image]))
        yield from ((file, *each) for each in damage.cuts(case.files[file]))
        yield from ((file, *each) for each in list(damage.numbers(case.files[file]))[:200:9])
        yield from ((file, *each) for each in list(damage.numbers(case.files[file]))[-100::9])

    try_all(case, damaged(), tmp_path)


@pytest.mark.parametrize("name", ["omezarr", "omezarr 0.5", "levels", "levels 0.5"])
def test_an_image_whose_files_are_missing(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    for file in case.files:
        folder = case.write(tmp_path)
        (folder / file).unlink()
        assert not outcome(case, folder), file
        (folder / file).mkdir()
        assert not outcome(case, folder), f"{file} is a folder"
        shutil.rmtree(folder)
    (tmp_path / "a.zarr").write_bytes(b"a file")
    assert not outcome(case, tmp_path / "a.zarr")


@pytest.mark.parametrize("file_format", [2, 3])
def test_claims_of_an_image_are_not_believed(tmp_path: Path, file_format: Any) -> None:
    """A few hundred bytes that say they are exabytes: opened or refused at once, in no memory."""
    claims = [
        ((1 << 40,) * 3, (64,) * 3),
        ((1 << 23,) * 3, (64,) * 3),
        ((1000,) * 3, (1000,) * 3),
        ((1 << 14,) * 3, (64,) * 3),
    ]
    for number, (shape, chunks) in enumerate(claims):
        path = tmp_path / f"{number}.zarr"
        group = zarr.create_group(path, zarr_format=file_format)
        group.create_array("0", shape=shape, chunks=chunks, dtype="f4")
        group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}]}]
        words = ("voxels in chunks", "TiB, more than any", "has chunks of 3814 MiB", "a small one is needed")[number]
        with bounded(), pytest.raises(FormatError, match=words):
            omezarr.read_level(path, -1)
    with bounded(), omezarr.Reader(path) as reader:  # what is not stored is 0, a box at a time
        assert not reader.read((slice(0, 8),) * 3).any()


@pytest.mark.parametrize("file", [1000, 1 << 20])
def test_claims_of_shards_are_not_believed(tmp_path: Path, file: int) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("0", shape=(1000,) * 3, chunks=(2,) * 3, shards=(file,) * 3, dtype="f4")
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    with bounded(), pytest.raises(FormatError, match=r"its files hold \d+ chunks each"):
        omezarr.Reader(path)
    with bounded(), pytest.raises(FormatError, match=r"its files hold \d+ chunks each"):
        grid.read_grid("0", (path / "0/zarr.json").read_bytes())


BOMB = 1 << 30
"""Bytes that a chunk of 4 KiB unpacks to."""


def _streamed(compressor: Any) -> bytes:
    return b"".join([*(compressor.compress(bytes(1 << 24)) for _ in range(BOMB >> 24)), compressor.flush()])


def _zstd_frame(*, says: bool) -> bytes:
    """Blocks of one byte, repeated 128 Ki times: 4 bytes each; the header says their size, or does not."""
    count = BOMB >> 17
    header = b"\xe0" + BOMB.to_bytes(8, "little") if says else b"\x00\x58"
    blocks = (((1 << 17) << 3 | 1 << 1 | (i == count - 1)).to_bytes(3, "little") + b"a" for i in range(count))
    return b"\x28\xb5\x2f\xfd" + header + b"".join(blocks)


V3: dict[str, dict[str, Any]] = {
    "gzip": {"level": 5},
    "zstd": {"level": 0, "checksum": False},
    "blosc": {"typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0},
}
"""Compressors that Zarr v3 names itself, and what they need to know."""

BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: _streamed(zlib.compressobj(1, wbits=31)),
    "zlib": lambda: _streamed(zlib.compressobj(1)),
    "bz2": lambda: bz2.compress(bytes(1 << 26), 1) * (BOMB >> 26),
    "lzma": lambda: lzma.compress(bytes(1 << 26), preset=0) * (BOMB >> 26),
    "zstd": lambda: _zstd_frame(says=True),
    "zstd that does not say": lambda: _zstd_frame(says=False),
    "zstd after zstd": lambda: bytes(numcodecs.Zstd().encode(bytes(4096))) + _zstd_frame(says=False),
    "blosc": lambda: b"\x02\x01\x01\x01" + struct.pack("<3I", BOMB, BOMB, 200) + bytes(200),
    "lz4": lambda: struct.pack("<I", BOMB) + bytes(200),
}


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr")
@pytest.mark.parametrize("file_format", ["2", "3", "3 sharded"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_unpacks_to_what_its_array_says(tmp_path: Path, name: str, file_format: str) -> None:
    """A sound chunk is read; one of a few kilobytes that holds a gigabyte is refused without making room for it."""
    codec = name.split(maxsplit=1)[0]
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=2 if file_format == "2" else 3)
    compressor: Any = {"id": codec} if file_format == "2" else {"name": codec, "configuration": V3.get(codec, {})}
    if codec not in V3 and file_format != "2":
        compressor["name"] = f"numcodecs.{codec}"
    more = {"shards": (16, 16, 16)} if "sharded" in file_format else {}
    values = np.arange(16**3, dtype="f4").reshape((16,) * 3)
    array = group.create_array(
        "0", shape=(16,) * 3, chunks=(8,) * 3 if more else (16,) * 3, dtype="f4", compressors=[compressor], **more
    )
    array[...] = values
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}]}]
    (chunk,) = (
        p for p in (path / "0").rglob("*") if p.is_file() and not p.name.endswith((".zarray", ".zattrs", "json"))
    )
    assert (omezarr.read_level(path, -1) == values).all()
    bomb = BOMBS[name]()
    if more:  # every inner chunk is the bomb
        index = struct.pack("<2Q", 0, len(bomb)) * 8
        bomb += index + struct.pack("<I", int(google_crc32c.value(index)))
    chunk.write_bytes(bomb)
    with bounded(384 << 20), pytest.raises(FormatError, match=r"unpacks to \d+ bytes or more"):
        omezarr.read_level(path, -1)
    with bounded(384 << 20), omezarr.Reader(path) as reader, pytest.raises(FormatError, match="unpacks to"):
        reader.read((slice(0, 4),) * 3)


@pytest.mark.parametrize("file_format", [2, 3])
@pytest.mark.parametrize("damage", ["longer", "cut", "header alone"])
def test_a_blosc_chunk_that_says_more_bytes_than_it_has(tmp_path: Path, file_format: Any, damage: str) -> None:
    """The library reads as far as a chunk says, beyond its memory: a crash and no error."""
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=file_format)
    configuration = {"id": "blosc"} if file_format == 2 else {"name": "blosc", "configuration": V3["blosc"]}
    array = group.create_array("0", shape=(64,) * 3, chunks=(64,) * 3, dtype="f4", compressors=[configuration])
    array[...] = np.random.default_rng(1).integers(0, 50, (64,) * 3)
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}]}]
    (chunk,) = (p for p in (path / "0").rglob("*") if p.is_file() and p.name not in {".zarray", ".zattrs", "zarr.json"})
    data = bytearray(chunk.read_bytes())
    if damage == "longer":
        data[12:16] = struct.pack("<I", 1 << 31)
        places = 4 * -(-struct.unpack_from("<I", data, 4)[0] // struct.unpack_from("<I", data, 8)[0])
        data[16 : 16 + places] = struct.pack("<I", 1 << 30) * (places // 4)
    chunk.write_bytes(data[: {"longer": len(data), "cut": len(data) // 2, "header alone": 9}[damage]])
    with pytest.raises(FormatError, match="a chunk is cut short"):
        omezarr.read_level(path, -1)


@pytest.mark.parametrize("where", ["compressor", "filters"])
def test_codecs_that_run_what_a_file_says_are_refused(tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=2)
    group.create_array("0", shape=(4,) * 3, chunks=(4,) * 3, dtype="f4", compressors=None)
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}]}]
    metadata = json.loads((path / "0/.zarray").read_text())
    metadata[where] = [{"id": "pickle"}] if where == "filters" else {"id": "pickle"}
    (path / "0/.zarray").write_text(json.dumps(metadata))
    made = tmp_path / "made"
    (path / "0/0.0.0").write_bytes(b"cos\nmkdir\n(V" + str(made).encode() + b"\ntR.")
    with pytest.raises(FormatError, match="cannot be read"):
        omezarr.read_level(path, -1)
    assert not made.exists()
    with pytest.raises(FormatError, match="no array that can be shown"):
        grid.read_grid("0", (path / "0/.zarray").read_bytes())


@pytest.mark.parametrize("claim", [(1 << 23, 1 << 10, 1 << 10), (2000, 2000, 700)])
def test_claims_of_a_header_are_not_believed(tmp_path: Path, claim: tuple[int, int, int]) -> None:
    path = tmp_path / "a.mrc"
    mrc.write(path, np.zeros((1, 1, 1), np.float32), voxel_size=1.0)
    raw = bytearray(path.read_bytes()[:1024])
    raw[:12] = struct.pack("<3i", *claim)
    path.write_bytes(raw)
    with bounded(), pytest.raises(FormatError, match=r"is truncated: \d+ of \d+ bytes are missing"):
        mrc.Reader(path)


def test_an_extended_header_is_not_read_beyond_reason(tmp_path: Path) -> None:
    """Two gigabytes that no disk holds: a file with a hole."""
    path = tmp_path / "a.mrc"
    mrc.write(path, np.zeros((1, 1, 1), np.float32), voxel_size=1.0)
    raw = bytearray(path.read_bytes()[:1024])
    raw[92:96] = struct.pack("<i", 2**31 - 1)
    path.write_bytes(raw)
    os.truncate(path, 2**31 + 2048)
    with bounded(), pytest.raises(FormatError, match="extended header"):
        mrc.read_extended(path, mrc.read_header(path))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x\\..\\..\\passwd", "a/../../passwd"])
def test_paths_in_an_mdoc_file_give_bare_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.mdoc"
    path.write_text(f"[ZValue = 0]\nSubFramePath = {name}\n")
    assert mdoc.read(path).sections[0].frame_name == "passwd"


@pytest.mark.parametrize("name", ["..", "../..", "a/..", "/", "x\\..", "."])
def test_paths_in_an_mdoc_file_that_are_no_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.mdoc"
    path.write_text(f"[ZValue = 0]\nSubFramePath = {name}\n")
    assert mdoc.read(path).sections[0].frame_name is None


def aliases(levels: int) -> str:
    """Nine times nine times nine: a few lines that are billions of values."""
    return "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, levels))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (aliases(20), "once its aliases are written out"),
        ("a: &a [*a]\n", "alias"),
        ("[" * 100_000, "nested"),
        ("- " * 100_000 + "x", "nested"),
        ("{a: " * 100_000, "nested"),
        ("a: !!python/name:os.system x\n", "tag"),
        ("a: " + "9" * 5000, "digits"),
        ("? " * 100_000, "nested"),
        ("a: '" + "x" * (17 << 20) + "'", "16 MiB"),
    ],
    ids=["aliases", "itself", "lists", "dashes", "braces", "python", "digits", "keys", "long"],
)
def test_configurations_that_are_attacks(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with bounded(), pytest.raises(ConfigurationError, match=words):
        yamlsource.read(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, nothing at all, a link that leads nowhere, one that leads to itself."""
    for case in CASES.values():
        (tmp_path / "folder").mkdir(exist_ok=True)
        for name in ("dangling", "circle"):
            (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / name).symlink_to(tmp_path / ("nowhere" if name == "dangling" else name))
        if case.name in {"document", "manifest", "dump"}:  # read from the archive, where there are files alone
            continue
        for name in ("folder", "nothing", "dangling", "circle"):
            assert not outcome(case, tmp_path / name), f"{case.name}: {name}"


def test_links_in_a_source_have_an_end(tmp_path: Path) -> None:
    """Folders that hold each other, twice over, a link to the source itself, and one to nothing but itself."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    links = {"a/x": "b", "b/y": "a", "b/z": "a", "me": "", "a/me": "", "circle": "circle", "out": "/etc"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    listing = Listing(tmp_path)
    with bounded():
        found = set(listing.files())
    assert found == {"a/a.txt", "b/b.txt", "a/x/b.txt", "b/y/a.txt", "b/z/a.txt"}
    assert listing.escaped >= {"me", "a/me", "circle", "out"}
