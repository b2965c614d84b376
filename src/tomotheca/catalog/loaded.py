"""Loaded dumps: a second source of truth beside the archive, each whole in a folder of its own."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from tomotheca.catalog.dumpread import SUFFIX
from tomotheca.errors import Finding, FindingsError, SettingsError, StorageError
from tomotheca.store import disk
from tomotheca.store.keys import TEMPORARY

ABOUT = "load.json"
ORIGINS = f"origin{SUFFIX}"
FILES = f"files{SUFFIX}"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class About:
    """What is known of a loaded dump besides its rows."""

    name: str
    loaded_at: str
    origin: str = ""
    """Where the rows are from: address of a server, or of a folder."""

    tree: str = ""
    """Folder whose files are served in place."""

    prefixes: tuple[str, ...] = ()
    """What stands before a key of the tree in the addresses of rows."""


@dataclass(frozen=True)
class Dump:
    """A loaded dump on the disk."""

    folder: Path
    about: About
    home: Path
    """Where it lies, or will once it is complete."""

    @property
    def name(self) -> str:
        """Name under which it was loaded."""
        return self.about.name

    def ids(self, kind: str) -> list[int]:
        """Give the identifiers of a kind, in the order of the file; for kinds of which there are few."""
        path = self.folder / f"{kind}{SUFFIX}"
        if not path.is_file():
            return []
        with path.open("rb") as source:
            return [orjson.loads(line)["id"] for line in source if line.strip()]


@dataclass(frozen=True)
class Shelf:
    """The folder of all loaded dumps, ``<root>/loaded``."""

    root: Path

    def dumps(self) -> list[Dump]:
        """Give every loaded dump, in the order in which they were loaded.

        Raises
        ------
        FindingsError
            If one of them was damaged.
        """
        if not self.root.is_dir():
            return []
        folders = sorted(p for p in self.root.iterdir() if p.is_dir() and NAME.fullmatch(p.name))
        found = [Dump(folder, read_about(folder), folder) for folder in folders]
        return sorted(found, key=lambda dump: dump.about.loaded_at)

    def find(self, name: str) -> Dump | None:
        """Give the dump of a name, if there is one."""
        return next((d for d in self.dumps() if d.name == name), None)

    def holding(self, dataset: int) -> Dump | None:
        """Give the dump that a dataset is from, if it is from one."""
        return next((d for d in self.dumps() if dataset in d.ids("dataset")), None)

    @contextmanager
    def stage(self, name: str) -> Iterator[Path]:
        """Give an empty temporary folder beside the loaded dumps; what is left of it at the end is removed.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        temporary = self.root / f"{TEMPORARY}{secrets.token_hex(8)}"
        with disk.storage_errors(f"loaded/{name}"):
            disk.make_folders(self.root)
            self._recover()
            temporary.mkdir()
        try:
            yield temporary
        except OSError as error:
            if isinstance(error, StorageError) or not disk.concerns(error, self.root):
                raise
            raise disk.storage_error(error, f"loaded/{name}") from error
        finally:
            disk.discard(temporary)

    def place(self, staged: Path, name: str) -> Callable[[], None]:
        """Put a staged folder in its place, and give what takes that back."""
        disk.sync_tree(staged)
        target = self.root / name
        if not target.exists():
            staged.rename(target)
            disk.sync(self.root)
            return lambda: _move(target, staged)
        if not disk.exchange(staged, target):
            disk.replace_in_two_steps(staged, target)
            return lambda: None
        disk.sync(self.root)
        return lambda: _swap(staged, target)

    def _recover(self) -> None:
        """Clear away what interrupted loads left."""
        for found in self.root.glob(f"{TEMPORARY}*"):
            if not (found.name.startswith(disk.ASIDE) and disk.restore_aside(found)):
                disk.discard(found)


def _move(one: Path, other: Path) -> None:
    one.rename(other)


def _swap(one: Path, other: Path) -> None:
    disk.exchange(one, other)


def checked_name(name: str) -> str:
    """Give a name back when a loaded dump can have it.

    Raises
    ------
    SettingsError
        If it cannot.
    """
    if NAME.fullmatch(name):
        return name
    message = (
        f"--name {name!r}: a loaded dump is named with letters, digits, dots, dashes and underscores, such as lab-2026"
    )
    raise SettingsError(message)


def read_about(folder: Path) -> About:
    """Read what is known of a loaded dump.

    Raises
    ------
    FindingsError
        If that file was damaged.
    """
    try:
        found: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
        return About(**{**found, "prefixes": tuple(found["prefixes"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        where = f"loaded/{folder.name}/{ABOUT}"
        message = f"cannot be read ({error}): load the dump again, or take the folder away and run `tomotheca index`"
        raise FindingsError([Finding("error", where, message)]) from error


def write_about(folder: Path, about: About) -> None:
    """Write what is known of a loaded dump."""
    (folder / ABOUT).write_text(json.dumps(asdict(about), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
