"""An archive made by our ingest, in which one thing after the other is broken and put back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.ingest.conftest import Lab

from tomotheca.desk.desk import Desk
from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tomotheca.doctor.core import Problem

RUN = "10900/TS_1/"
SERIES = f"{RUN}TiltSeries/100/"
ALIGNMENT = f"{RUN}Alignments/100/"
SPACING = f"{RUN}Reconstructions/VoxelSpacing10.000/"
TOMOGRAM = f"{SPACING}Tomograms/100/"
POINTS = f"{SPACING}Annotations/100/"
ORIENTED = f"{SPACING}Annotations/101/"
MASK = f"{SPACING}Annotations/102/"

Document = Any


@dataclass
class Archive:
    """A good archive that remembers what was changed in it."""

    root: Path
    marks: dict[str, int]
    _before: dict[Path, bytes | None] = field(default_factory=dict)

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(self.root)

    def path(self, key: str) -> Path:
        """Give a path that is going to be changed."""
        path = self.root / key
        self._before.setdefault(path, path.read_bytes() if path.is_file() else None)
        return path

    def write(self, key: str, data: bytes) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def remove(self, key: str) -> None:
        self.path(key).unlink()

    def patch(self, key: str, offset: int, data: bytes) -> None:
        raw = bytearray(self.path(key).read_bytes())
        raw[offset : offset + len(data)] = data
        self.write(key, bytes(raw))

    def edit(self, key: str, change: Callable[[Document], Any]) -> None:
        """Change a JSON document."""
        document = json.loads(self.path(key).read_text())
        change(document)
        self.write(key, json.dumps(document).encode())

    def entries(self, folder: str, change: Callable[[list[Document]], Any]) -> None:
        """Change a manifest."""
        key = f"{folder}manifest.ndjson"
        found = [json.loads(line) for line in self.path(key).read_text().splitlines()]
        change(found)
        self.write(key, "".join(json.dumps(one) + "\n" for one in found).encode())

    def add(self, folder: str, key: str, data: bytes, role: str) -> None:
        """Put a file where the manifest of a folder lists it."""
        self.write(key, data)
        entry = {"key": key, "size": len(data), "sha256": "0" * 64, "media_type": "", "role": role}
        self.entries(folder, lambda found: found.append(entry))

    def text(self, key: str, change: Callable[[str], str]) -> None:
        """Change a text file."""
        self.write(key, change(self.path(key).read_text()).encode())

    def restore(self) -> None:
        for path, data in self._before.items():
            if data is None:
                path.unlink(missing_ok=True)
                self._tidy(path.parent)
            else:
                path.write_bytes(data)
        self._before.clear()

    def _tidy(self, folder: Path) -> None:
        while folder != self.root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def examine(self, *rules: str, profile: Any = "default", **more: Any) -> tuple[Problem, ...]:
        chosen = registry.select(rules, profile=profile)
        options = Options(chosen, **{"marks": self.marks, **more})
        return examine(self.files, options).problems


def real_movies(root: Path, name: str) -> None:
    """Replace the movies of a lab's run by pictures that can be read."""
    for z in range(5):
        picture = Image.fromarray(np.full((6, 8), z, np.uint8))
        picture.save(root / name / "frames" / f"{name}_{z}.tif")


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Give a lab of three runs whose movies can be read."""
    lab = Lab(tmp_path_factory.mktemp("doctor"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1", "TS_2", "TS_3")
    for name in lab.names:
        real_movies(lab.root, name)
    return lab


@pytest.fixture(scope="session")
def taken_in(lab_folder: Lab) -> Archive:
    result = lab_folder.ingest()
    assert not result.failed
    with Desk.open(lab_folder.folder / "desk.sqlite") as desk:
        return Archive(lab_folder.archive, desk.high_water())


@pytest.fixture
def archive(taken_in: Archive) -> Iterator[Archive]:
    yield taken_in
    taken_in.restore()
