"""Bad input of every kind for every reader: numbers or a sentence, soon, and within the memory that there is."""

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from tests.formats import damage
from tests.formats.corpus import Case, bounded, cases, outcome, sound

from tomotheca.errors import ConfigurationError, FormatError
from tomotheca.formats import mdoc, mrc, omezarr
from tomotheca.ingest import yamlsource
from tomotheca.ingest.listing import Listing

CASES = cases()


def try_all(case: Case, damaged: Iterator[tuple[str, str, bytes]], folder: Path) -> None:
    """Give every damaged file to a reader; say all at once what went wrong."""
    sound(case, case.write(folder))
    wrong, count = [], 0
    for file, what, content in damaged:
        count += 1
        path = case.write(folder, {**case.files, file: content})
        if found := outcome(case, path):
            wrong.append(f"{file}, {what}: {found[:300]}")
    assert count > 40
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


def test_damaged_images(tmp_path: Path) -> None:
    case = CASES["omezarr"]

    def damaged() -> Iterator[tuple[str, str, bytes]]:
        for file, share in ((".zattrs", 1), ("0/.zarray", 7), ("2/.zarray", 1)):
            yield from ((file, *each) for each in damage.metadata(case.files[file], share=share))
        chunk = case.files["0/0/0/0"]
        yield from ((".zattrs", *each) for each in damage.encodings(case.files[".zattrs"]))
        yield from (("0/0/0/0", *each) for each in damage.cuts(chunk))
        yield from (("0/0/0/0", *each) for each in list(damage.numbers(chunk))[:200:9])

    try_all(case, damaged(), tmp_path)


def test_an_image_whose_files_are_missing(tmp_path: Path) -> None:
    case = CASES["omezarr"]
    for name in case.files:
        folder = case.write(tmp_path)
        (folder / name).unlink()
        assert not outcome(case, folder), name
        (folder / name).mkdir()
        assert not outcome(case, folder), f"{name} is a folder"
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
