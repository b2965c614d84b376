"""What every page is given: the catalogue, the settings, the archive's bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tomotheca import __version__
from tomotheca.catalog.lanes import Lanes
from tomotheca.export.derived import Site

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.desk.diagnoses import Diagnoses
    from tomotheca.settings import Settings
    from tomotheca.store.files import Stat

T = TypeVar("T")
KEPT = 256


class Reader(Protocol):
    """The part of `store.files.Files` that pages use."""

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`."""

    def stat(self, key: str) -> Stat:
        """Look at a file or folder; NotFoundError if there is none."""


class Graves(Protocol):
    """The part of the desk that pages use."""

    def tombstone(self, kind: str, identifier: int) -> Any:
        """Give what is known of a removed record; None if it was never there."""

    @property
    def diagnoses(self) -> Diagnoses:
        """What the doctor found."""


class Served(Site, Protocol):
    """What a running server has open, as far as pages need it."""

    @property
    def desk(self) -> Any:
        """The desk."""


class Memory:
    """The last few answers to expensive questions. The catalogue's version is part of every question."""

    def __init__(self, size: int = KEPT) -> None:
        self._size, self._kept, self._lock = size, OrderedDict[Hashable, object](), Lock()

    def get(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Give the kept answer, or ask and keep it."""
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
                return self._kept[question]  # type: ignore[return-value]  # one question has one type of answer
        found = answer()
        with self._lock:
            self._kept[question] = found
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return found

    def clear(self) -> None:
        """Forget every answer."""
        with self._lock:
            self._kept.clear()


@dataclass(frozen=True)
class Portal:
    """One site: handed to `routes`, and by it to every page."""

    catalog: Catalog
    settings: Settings
    files: Reader | None = None
    """The archive; without it annotation points are not shown in the viewer."""

    desk: Graves | None = None
    """Knows what was removed."""

    software: str = __version__
    memory: Memory = field(default_factory=Memory)

    @cached_property
    def lanes(self) -> Lanes:
        """Threads in which pages are made."""
        near = self.catalog.watch.near and not self.settings.archive_is_remote
        return Lanes("pages", near=near, alone=near)


def portal_of(served: Served) -> Portal:
    """Give the portal of what a server has open."""
    return served if isinstance(served, Portal) else Portal(served.catalog, served.settings, served.files, served.desk)
