"""Whether the storage of the archive can be reached: found out beside the requests, so that none of them waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.api.errors import problems
from tomotheca.errors import StorageError

if TYPE_CHECKING:
    from tomotheca.store.files import Files, Stat

EVERY = 5.0
"""Seconds after which the storage is looked at again, when somebody asks for something."""

PATIENCE = 2.0
"""Seconds after which a look that has not ended says that the storage does not answer."""

AWAY = "The files of this archive cannot be reached at the moment; try again later."


class Reach:
    """Looks at the storage of an archive, one look at a time, each in a thread of its own.

    Parameters
    ----------
    files : Files
        The archive.
    returned : callable
        Called when the storage is back: what was found out without it may be wrong.
    """

    def __init__(self, files: Files, returned: Callable[[], object]) -> None:
        self._files, self._returned, self._lock = files, returned, threading.Lock()
        self._away = self._looking = False
        self._began = float("-inf")
        self._look_again()

    @property
    def away(self) -> bool:
        """Whether the storage cannot be reached, as far as is known now. Takes no time."""
        if self._looking:  # said after the moment at which the look began
            return self._away or time.monotonic() - self._began > PATIENCE
        self._look_again()
        return self._away

    def _look_again(self) -> None:
        if time.monotonic() - self._began < EVERY:
            return
        with self._lock:
            if self._looking or time.monotonic() - self._began < EVERY:
                return
            self._began = time.monotonic()
            self._looking = True
        threading.Thread(target=self._look, name="storage", daemon=True).start()

    def _look(self) -> None:
        there, reason = False, "it is not there, or nothing is in it"
        try:
            there = is_there(self._files)
        except (StorageError, OSError) as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread, and what it does not say is never known
            reason = repr(error)
        was = self._away or time.monotonic() - self._began > PATIENCE
        self._away, self._looking = not there, False
        if not there and not was:
            problems.error("the storage of the archive cannot be reached: %s", reason)
        if there and was:
            problems.info("the storage of the archive can be reached again")
            self._returned()


def is_there(files: Files) -> bool:
    """Say whether there is an archive with something in it: where nothing is mounted, the folder may be there.

    Raises
    ------
    StorageError
        If the storage refuses.
    OSError
        If the folder cannot be read.
    """
    folder = files.local_path("")
    return files.present and (folder is None or any(folder.iterdir()))


@dataclass(frozen=True)
class Watched:
    """The files of an archive as pages read them: while the storage cannot be reached, no page waits for it."""

    files: Files
    reach: Reach

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""
        return self._there().read_bytes(key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`."""
        return self._there().read_range(key, start, length)

    def stat(self, key: str) -> Stat:
        """Look at a file or folder."""
        return self._there().stat(key)

    def _there(self) -> Files:
        if self.reach.away:
            raise StorageError(AWAY)
        return self.files
