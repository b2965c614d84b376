"""Labs whose volumes stay where they are, in all the ways in which an MRC file can lie."""

from __future__ import annotations

import hashlib
import json
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
from tests.ingest.conftest import Lab

from tomotheca.cli.run import run
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    import pytest

SHAPE = (9, 70, 150)
LARGE = (5, 64, 1100)
"""More than one block wide, so that key photos come from a coarse level."""

IMOD = struct.pack("<ii", 1146047817, 0)
"""IMOD's stamp, and flags that say unsigned."""


def noise(dtype: str, shape: tuple[int, int, int] = SHAPE) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(3).normal(size=shape) * 20 + 60).clip(-100, 127).astype(dtype)


def plain(path: Path, dtype: str, shape: tuple[int, int, int] = SHAPE) -> None:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(noise(dtype, shape))
        file.voxel_size = 10.0


def extended(path: Path) -> None:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(noise("f4"))
        file.set_extended_header(np.frombuffer(bytes(1237), "V1"))
        file.header.exttyp = b"SERI"
        file.voxel_size = 10.0


def trailing(path: Path) -> None:
    plain(path, "<i2")
    with path.open("ab") as file:
        file.write(b"what some programs leave behind")


def unsigned(path: Path) -> None:
    plain(path, "i1")
    with path.open("r+b") as file:
        file.seek(152)
        file.write(IMOD)


ABOUT = ("document.", "manifest.", "source.", "mrc.", "zarr.", "volume.", "tomogram.")
"""Rules that volumes and their manifests are subject to; the lab's movies are no movies."""

KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "TS_extended": (extended, "<f4"),
    "TS_big": (lambda path: plain(path, ">f4"), ">f4"),
    "TS_big16": (lambda path: plain(path, ">i2"), ">i2"),
    "TS_bytes": (lambda path: plain(path, "i1"), "|i1"),
    "TS_unsigned": (unsigned, "|u1"),
    "TS_half": (lambda path: plain(path, "f2"), "<f2"),
    "TS_words": (lambda path: plain(path, "u2"), "<u2"),
    "TS_trailing": (trailing, "<i2"),
    "TS_wide": (lambda path: plain(path, "<f4", LARGE), "<f4"),
}
"""How each run's tomogram is written, and the dtype that its level 0 must have."""


def rec(lab: Lab, name: str) -> Path:
    return lab.root / f"tomograms/{name}.rec"


def tomogram(name: str) -> str:
    return f"10900/{name}/Reconstructions/VoxelSpacing10.000/Tomograms/100/{name}"


def expected(lab: Lab, name: str) -> np.ndarray[Any, Any]:
    """Give the values as the reference reader has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of bytes behind the last voxel
        file = mrcfile.open(rec(lab, name), permissive=True)
    with file:
        data = np.array(file.data)
    return data.view("u1") if name == "TS_unsigned" else data


class Portal:
    """A lab and the portal that it is taken into."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.lab = Lab(folder)
        self.lab.root.mkdir(parents=True)
        self.lab.add(*names)
        self.root = folder / "root"
        self.archive = self.root / "archive"

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(self.archive)

    def words(self, *words: str) -> list[str]:
        source = str(self.lab.folder / "source")
        return ["ingest", str(self.lab.save()), "--source", source, "--root", str(self.root), "--workers", "1", *words]

    def snapshot(self) -> dict[str, tuple[int, str]]:
        return {
            str(p.relative_to(self.archive)): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
            for p in sorted(self.archive.rglob("*"))
            if p.is_file() and ".tomotheca" not in p.parts
        }


def sources(lab: Lab) -> dict[str, tuple[int, str]]:
    return {
        str(p): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in sorted(lab.root.rglob("*"))
        if p.is_file()
    }


class Small(Portal):
    """A portal of one run, for what changes it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, "TS_1")
        self.capsys = capsys
        extended(rec(self.lab, "TS_1"))

    def ingest(self, *words: str, code: int = 0) -> dict[str, Any]:
        return self.say(*self.words(*words, "--json"), code=code)

    def say(self, *words: str, code: int = 0) -> dict[str, Any]:
        found = run(list(words))
        out = self.capsys.readouterr()
        assert found == code, out.err + out.out
        return dict(json.loads(out.out or "{}"))

    def doctor(self, *words: str) -> set[tuple[str, str]]:
        run(["doctor", "--root", str(self.root), "--json", *words])
        found = json.loads(self.capsys.readouterr().out)["findings"]
        return {(f["rule"], f["severity"]) for f in found if f["rule"].startswith(ABOUT)}
