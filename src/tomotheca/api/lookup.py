"""From a key to its file, fast enough for a viewer that asks for thousands of chunks."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tomotheca.catalog.files import FileRow, ancestors, find_entry, within
from tomotheca.errors import NotFoundError

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.store.files import Files

MOST_FILES = 20_000
MOST_FOLDERS = 5_000

T = TypeVar("T")


@dataclass
class _Known:
    """What one sort of viewer has been shown since the catalogue last changed."""

    stamp: str = ""
    files: OrderedDict[str, FileRow] = field(default_factory=OrderedDict)
    folders: OrderedDict[str, dict[str, object]] = field(default_factory=OrderedDict)


class Lookup:
    """Finds files through the catalogue and remembers them until it changes."""

    def __init__(self, catalog: Catalog, files: Files) -> None:
        self.catalog, self.files = catalog, files
        self._known = {False: _Known(), True: _Known()}
        self._far = files.local_path("") is None

    async def find(self, key: str, viewer: Viewer) -> FileRow:
        """Give the file behind a key.

        Raises
        ------
        NotFoundError
            If no manifest lists the key, or the viewer may not know of it.
        """
        if not key or key.endswith("/"):
            message = f"There is no file {key or 'without a name'}."
            raise NotFoundError(message)
        known = self._current(viewer)
        if (file := known.files.get(key)) is not None:
            return file
        if self._far:
            return await asyncio.to_thread(self._find, known, key, viewer)
        return self._find(known, key, viewer)

    def _find(self, known: _Known, key: str, viewer: Viewer) -> FileRow:
        file = within(self.files, self._entry(known, key, viewer), key)
        return _remember(known.files, key, file, MOST_FILES)

    def _entry(self, known: _Known, key: str, viewer: Viewer) -> dict[str, object]:
        for folder in reversed(ancestors(key)):
            if (entry := known.folders.get(folder)) is not None:
                return entry
        entry = find_entry(self.catalog, key, viewer)
        return entry if entry["members"] is None else _remember(known.folders, str(entry["key"]), entry, MOST_FOLDERS)

    def _current(self, viewer: Viewer) -> _Known:
        known = self._known[viewer.curator]
        stamp = self.catalog.watch.stamp(viewer)
        if stamp != known.stamp:
            self.files.forget()
            known = self._known[viewer.curator] = _Known(stamp)
        return known


def _remember(cache: OrderedDict[str, T], key: str, value: T, most: int) -> T:
    cache[key] = value
    if len(cache) > most:
        cache.popitem(last=False)
    return value
