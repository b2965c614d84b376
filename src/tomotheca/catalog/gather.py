"""Units of the archive, collected by several processes where there are enough of them to be worth it."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.catalog.collect import Unit
from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema import SCHEMA
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tomotheca.schema import Schema
    from tomotheca.store.files import Files

Make = Callable[..., Unit]
Gathered = Unit | tuple[Finding, ...]
"""A unit, or what is wrong with it."""

ENOUGH = 16
"""Units from which on other processes help."""

AHEAD = 2
"""Units that each process may be ahead, so that memory stays small."""


@dataclass(frozen=True)
class Gatherer:
    """Collects units in order."""

    schema: Schema
    files: Files
    publish_emails: bool = False
    workers: int = 1

    def gather(self, make: Make, numbers: Iterable[int]) -> Iterator[tuple[int, Gathered]]:
        """Give each unit with its number.

        Parameters
        ----------
        make : callable
            `collect.dataset` or `collect.deposition`.
        numbers : iterable of int
            Which ones.
        """
        wanted = list(numbers)
        if self.workers == 1 or len(wanted) < ENOUGH or not self.root or self.schema is not SCHEMA:
            for number in wanted:
                yield number, self.one(make, number)
            return
        yield from self._together(make, wanted)

    @property
    def root(self) -> Path | None:
        """Folder of the archive; None for a store elsewhere, whose connections other processes cannot have."""
        return self.files.root if isinstance(self.files, LocalFiles) else None

    def one(self, make: Make, number: int) -> Gathered:
        """Collect one unit."""
        try:
            return make(self.schema, self.files, number, publish_emails=self.publish_emails)
        except InvalidDocumentError as error:
            return error.findings

    def _together(self, make: Make, numbers: list[int]) -> Iterator[tuple[int, Gathered]]:
        context = multiprocessing.get_context("forkserver")
        work = partial(_work, str(self.root), publish_emails=self.publish_emails, make=make)
        with ProcessPoolExecutor(min(self.workers, len(numbers)), context) as pool:
            rest = iter(numbers)
            pending: deque[tuple[int, Future[Gathered]]] = deque()
            try:
                while True:
                    for number in islice(rest, max(0, AHEAD * self.workers - len(pending))):
                        pending.append((number, pool.submit(work, number)))
                    if not pending:
                        return
                    number, done = pending.popleft()
                    yield number, done.result()
            finally:
                for _, waiting in pending:
                    waiting.cancel()


def _work(root: str, number: int, *, make: Make, publish_emails: bool) -> Gathered:
    return Gatherer(SCHEMA, LocalFiles(root), publish_emails=publish_emails).one(make, number)
