"""A folder tree as it is delivered: files of the archive, the texts that go with them, and the digests of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tomotheca.export.citing import cite
from tomotheca.export.selection import Amount, Selection, files_of
from tomotheca.export.texts import TEXTS
from tomotheca.export.zipping import Member, Plan
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.catalog.files import FileRow
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.export.derived import Site

SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that goes with a tree."""

    path: str
    data: bytes
    url: str

    @property
    def sha256(self) -> str:
        """Digest."""
        return digest(self.data)


@dataclass(frozen=True)
class Tree:
    """What a viewer gets of a selection."""

    site: Site
    selection: Selection
    viewer: Viewer

    def files(self) -> Iterator[FileRow]:
        """Give the files of the archive in byte order of their keys."""
        return files_of(self.site.catalog, self.site.files, self.selection, self.viewer)

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Licence, citations and README, of the dataset or deposition that everything belongs to."""
        kind, number, folder = self._about()
        about, base = cite(self.site, kind, number, self.viewer), self.site.catalog.public_url
        return tuple(
            Text(folder + name, write(about).encode(), f"{base}/api/v1/{kind}s/{number}/texts/{name}")
            for name, write in TEXTS.items()
        )

    @property
    def added(self) -> Amount:
        """How much the texts are."""
        return Amount(sum(len(text.data) for text in self.texts), len(self.texts))

    def contents(self) -> Iterator[tuple[Member, FileRow | bytes]]:
        """Give every file of a tree that is sent as one, with what it holds: SHA256SUMS is the last."""
        sums = bytearray()
        for file in self.files():
            sums += sum_line(file.sha256, file.key).encode() if file.sha256 else b""
            yield Member(file.key, file.size, file.etag, file.mtime or 0.0), file
        for text in self.texts:
            sums += sum_line(text.sha256, text.path).encode()
            yield Member(text.path, len(text.data), text.sha256), text.data
        yield Member(SUMS, len(sums), digest(sums)), bytes(sums)

    def zipped(self) -> int:
        """Give the length of the tree as a ZIP archive."""
        return Plan([member for member, _ in self.contents()]).size

    def _about(self) -> tuple[str, int, str]:
        """Give the dataset that an entity lies in, or the deposition, and its folder."""
        kind, number, catalog = self.selection.kind, self.selection.id, self.site.catalog
        if kind == "deposition":
            return kind, number, layout.Deposition(number).folder
        if kind != "dataset":
            run = number if kind == "run" else catalog.get(kind, number, self.viewer)["run_id"]
            number = catalog.get("run", run, self.viewer)["dataset_id"]
        return "dataset", number, layout.Dataset(number).folder


def digest(data: bytes | bytearray) -> str:
    """Give the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def sum_line(sha256: str, path: str) -> str:
    """Write one line of SHA256SUMS; a name with a backslash or a line break is escaped as ``sha256sum`` wants it."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "\\" if escaped != path else ""
    return f"{mark}{sha256}  {escaped}\n"
