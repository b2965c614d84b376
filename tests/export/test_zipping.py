"""ZIP archives beyond four gigabytes and 65,535 files, as the standard library reads them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import pytest

from tomotheca.export.zipping import Member, Plan, descriptor, local

HUGE = (5 << 30) + 7


def test_d9_sizes_and_offsets_of_64_bits(tmp_path: Path) -> None:
    plan = Plan([Member("a/big volume.mrc", HUGE, "1"), Member("ä.txt", 5, "2", 1.7e9), Member("empty", 0, "3")])
    path = tmp_path / "sparse.zip"
    with path.open("wb") as out:
        sums = [0xDEADBEEF, zlib.crc32(b"hello"), 0]
        for member, start, crc in zip(plan.members, plan.starts, sums, strict=False):
            out.seek(start)
            out.write(local(member) + (b"hello" if member.size == 5 else b""))
            out.seek(start + len(local(member)) + member.size)
            out.write(descriptor(member, crc))
        assert out.tell() == plan.starts[-1]
        out.write(b"".join(plan.directory(sums)))
        assert out.tell() == plan.size
    with zipfile.ZipFile(path) as archive:
        found = {i.filename: i for i in archive.infolist()}
        assert {n: i.file_size for n, i in found.items()} == {"a/big volume.mrc": HUGE, "ä.txt": 5, "empty": 0}
        assert archive.read("ä.txt") == b"hello"
        assert archive.read("empty") == b""
        assert found["ä.txt"].date_time[:3] == (2023, 11, 14)
        with archive.open("a/big volume.mrc") as big:
            assert big.read(1000) == bytes(1000)


def test_d9_more_files_than_16_bits_count(tmp_path: Path) -> None:
    plan = Plan([Member(f"{number}", 0, "") for number in range(70_000)])
    path = tmp_path / "many.zip"
    pieces = [local(m) + descriptor(m, 0) for m in plan.members]
    path.write_bytes(b"".join([*pieces, *plan.directory([0] * len(plan.members))]))
    assert path.stat().st_size == plan.size
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("69999") == b""


def test_d9_an_empty_archive(tmp_path: Path) -> None:
    path = tmp_path / "empty.zip"
    path.write_bytes(b"".join(Plan([]).directory([])))
    assert path.stat().st_size == Plan([]).size
    assert zipfile.ZipFile(path).namelist() == []


@pytest.mark.parametrize(("offset", "number"), [(0, 0), (30 + 1 + 16, 1), (10_000, 2)])
def test_d9_a_byte_belongs_to_a_member(offset: int, number: int) -> None:
    assert Plan([Member("a", 0, ""), Member("b", 10, "")]).at(offset) == number


def test_d9_the_tag_follows_every_byte() -> None:
    plans = [
        Plan([Member("a", 1, "x")]),
        Plan([Member("b", 1, "x")]),
        Plan([Member("a", 1, "y")]),
        Plan([Member("a", 1, "x", 9e8)]),
    ]
    assert len({p.tag for p in plans}) == len(plans)
