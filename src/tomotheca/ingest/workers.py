"""Who does the steps of a plan: this process, several of this machine, or those of a cluster.

A step is done by one process from beginning to end. Files are written under temporary names and renamed whole, and the process that holds
the lock of the archive writes the documents: a process that dies takes nothing with it but the step it was at.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import forkserver
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol

from tomotheca.errors import FormatError, StorageError
from tomotheca.ingest import importers
from tomotheca.ingest.progress import Counted, Progress
from tomotheca.ingest.work import Context, Draft, Step

WORTH_A_PROCESS = 256 << 20
"""Bytes below which starting processes takes longer than the work."""

LATE = ("tomotheca.formats.omezarr.bounded", "PIL.PngImagePlugin")
"""Modules that steps import when they first use them."""

FIRST = 10_000
"""Files that are looked at to see whether there are so many bytes."""

LOOK = 0.5
"""Seconds between two looks at how far the processes are."""

TRIES = 2
"""How often a step is begun, and processes are started, before it is given up."""

Outcome = tuple[Step, Callable[[], Draft | None]]
"""A step that has ended, and a function that gives its draft or raises."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Processes that are ready."""

    executor: Executor
    size: int
    died: tuple[type[BaseException], ...] = ()
    """What steps end with that were given to a process that died, where the others live on."""

    lost: str = ""
    """What has happened when steps are taken back without having failed."""

    board: Any = None
    """For each place two numbers, which its process writes: when it began (0 before), and the bytes it has read. None elsewhere than here."""

    def submit(self, step: Step, context: Context, place: int) -> Future[Draft | None]:
        """Have a step done."""
        if self.board is None:
            return self.executor.submit(perform, step, context)
        self.board[2 * place] = self.board[2 * place + 1] = 0.0
        return self.executor.submit(perform_here, step, context, place)


class Team(Protocol):
    """Where steps are done, if not in this process."""

    @property
    def size(self) -> int:
        """Steps that are done at once."""

    @property
    def cores(self) -> int:
        """Cores that each of them may use."""

    def memory(self, whole: int, size: int) -> int:
        """Give the bytes that each step may use, of those that were set."""

    def open(self, size: int) -> AbstractContextManager[Crew]:
        """Get processes ready, at most so many."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine."""

    size: int
    together: int = 0
    """Cores that they use together; as many as there are processes where there are fewer."""

    @property
    def cores(self) -> int:
        """Cores that each of them may use."""
        return max(1, self.together // self.size)

    def memory(self, whole: int, size: int) -> int:
        """Share it out."""
        return whole // size

    @contextmanager
    def open(self, size: int) -> Iterator[Crew]:
        """Start processes; they end with the block, and when this process dies."""
        context = multiprocessing.get_context("forkserver" if _loading.is_set() else "spawn")
        board = context.RawArray(ctypes.c_double, 2 * ahead(size))
        pool = ProcessPoolExecutor(size, mp_context=context, initializer=_ready, initargs=(board,))
        try:
            yield Crew(pool, size, board=board)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_loading = threading.Event()
"""Set in a process whose teams are copies of one that has loaded what steps need."""


def are_worth_it(folder: Path) -> bool:
    """Look whether the files below a folder are large enough for several processes; a folder that cannot be read is not."""
    left = WORTH_A_PROCESS
    files = (os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - for each of thousands
    for path in islice(files, FIRST):
        with suppress(OSError):
            left -= os.stat(path).st_size  # noqa: PTH116
        if left <= 0:
            return True
    return False


def get_ready() -> None:
    """Let a process load what steps need while their plan is still being made: those that do them begin as its copies.

    What is in the environment now is what they will have. Where processes cannot be copied safely, they are started one by one as ever.
    """
    if sys.platform != "linux":
        return
    found = [module.name for module in iter_modules(importers.__path__, f"{importers.__name__}.")]
    multiprocessing.set_forkserver_preload([*found, *LATE])
    forkserver.ensure_running()
    _loading.set()


def ahead(size: int) -> int:
    """Count the steps that are given out at once: a few more than can be done, so that no process waits."""
    return 2 * size


_board: Any = None
"""In a process of a team: what it shares with the one that gives the steps out."""


def _ready(board: Any) -> None:
    """Prepare a process: it ends when the one that gives the steps out is killed, and writes nothing any more."""
    global _board  # noqa: PLW0603  # what an initialiser is for
    _board = board
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def perform(step: Step, context: Context) -> Draft | None:
    """Do a step; this is what runs in another process."""
    return step.work.draft(context)


def perform_here(step: Step, context: Context, place: int) -> Draft | None:
    """Do a step in another process of this machine, and let the one that waits see how far it is."""
    _board[2 * place] = time.monotonic()  # the same clock in all processes of a machine

    def read(size: int) -> None:
        _board[2 * place + 1] += size

    return step.work.draft(replace(context, progress=read))


def outcomes(steps: Sequence[Step], context: Context, team: Team | None, progress: Progress) -> Iterator[Outcome]:
    """Do steps that may be done side by side; give them as they end.

    Parameters
    ----------
    context
        What they share; its memory is that of all processes together.
    team
        Who does them; None does them in this process, one after the other.
    """
    if team is None:
        yield from _here(steps, context, progress)
        return
    size = max(1, min(team.size, len(steps)))
    shared = replace(context, threads=team.cores, memory=team.memory(context.memory, size))
    yield from _Shift(team, size, shared, progress).run(steps)


def _here(steps: Sequence[Step], context: Context, progress: Progress) -> Iterator[Outcome]:
    for step in steps:
        began = time.monotonic()
        progress.step(step.natural, began)
        seen = Counted(progress, step.bytes)
        inline = replace(context, progress=seen)
        yield step, lambda step=step, inline=inline: step.work.draft(inline)  # type: ignore[misc]
        seen.complete()
        progress.done(step.natural, step.bytes, time.monotonic() - began)


@dataclass(slots=True)
class _Job:
    """A step that was given out."""

    step: Step
    place: int
    counted: Counted
    began: float
    read: float = 0.0


@dataclass(slots=True)
class _Shift:
    """Steps while a team does them."""

    team: Team
    size: int
    context: Context
    progress: Progress
    _waiting: deque[Step] = field(default_factory=deque)
    _alone: deque[Step] = field(default_factory=deque)
    """Steps during which a process died: each is done once more, by a process of its own, so that it is known which one it was."""

    def run(self, steps: Sequence[Step]) -> Iterator[Outcome]:
        """Do the largest steps first."""
        self._waiting.extend(sorted(steps, key=lambda s: -s.bytes))
        barren = 0
        while self._waiting:
            left = len(self._waiting)
            lost = yield from self._drive(self._waiting, self.size)
            self._clear(lost)
            self._alone.extend(lost)
            barren = barren + 1 if len(self._waiting) == left else 0
            if barren == TRIES:
                message = "the processes that should take files in end as soon as they begin: use --workers 1"
                raise StorageError(message)
        while self._alone:
            step = self._alone.popleft()
            last = deque([step])
            lost = yield from self._drive(last, 1)
            self._clear(lost)
            if lost or last:
                yield step, _died(step)

    def _clear(self, lost: Sequence[Step]) -> None:
        """Remove what processes that died have left half done: no other process is at work now."""
        for step in lost:
            self.context.files.recover(step.key.rpartition("/")[0] + "/")

    def _drive(self, waiting: deque[Step], size: int) -> Any:
        """Do steps until there are none, or a process dies; return those that it may have died of."""
        with self.team.open(size) as crew:
            running: dict[Future[Draft | None], _Job] = {}
            free = list(range(ahead(crew.size)))
            suspects: list[Step] = []
            while waiting or running:
                while waiting and free:
                    self._give(crew, waiting, running, free)
                ended, _ = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED)
                self._look(crew, running)
                broken = any(_is_broken(future) for future in ended)
                for future in wait(running).done if broken else ended:
                    if not _is_broken(future):
                        job = running.pop(future)
                        free.append(job.place)
                        if _has_died(crew, future):
                            suspects.append(job.step)
                            continue
                        self._ended(job)
                        yield job.step, _result(crew, future)
                if broken:
                    return [*suspects, *self._lost(crew, running, waiting)]
        return suspects

    def _give(
        self, crew: Crew, waiting: deque[Step], running: dict[Future[Draft | None], _Job], free: list[int]
    ) -> None:
        step, place = waiting.popleft(), free.pop()
        job = _Job(step, place, Counted(self.progress, step.bytes), time.monotonic())
        try:
            running[crew.submit(step, self.context, place)] = job
        except BrokenExecutor as error:
            failed: Future[Draft | None] = Future()
            failed.set_exception(error)
            running[failed] = job

    def _lost(self, crew: Crew, running: dict[Future[Draft | None], _Job], waiting: deque[Step]) -> list[Step]:
        """Put back what no process had begun; give what one had."""
        begun = [job for job in running.values() if crew.board is None or crew.board[2 * job.place] > 0]
        waiting.extendleft(job.step for job in running.values() if job not in begun)
        return [job.step for job in begun]

    def _look(self, crew: Crew, running: dict[Future[Draft | None], _Job]) -> None:
        """Pass on how far each process is."""
        for job in running.values():
            if crew.board is not None and (began := crew.board[2 * job.place]):
                job.began, read = began, crew.board[2 * job.place + 1]
                job.counted(int(read - job.read))
                job.read = read
        working = [j for j in running.values() if crew.board is None or crew.board[2 * j.place]]
        if working:
            longest = min(working, key=lambda j: j.began)
            self.progress.step(longest.step.natural, longest.began)

    def _ended(self, job: _Job) -> None:
        job.counted.complete()
        self.progress.done(job.step.natural, job.step.bytes, time.monotonic() - job.began)


def _is_broken(future: Future[Draft | None]) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _has_died(crew: Crew, future: Future[Draft | None]) -> bool:
    return bool(crew.died) and not future.cancelled() and isinstance(future.exception(), crew.died)


def _result(crew: Crew, future: Future[Draft | None]) -> Callable[[], Draft | None]:
    if future.cancelled():
        message = f"{crew.lost}: run ingest again, what is done stays done"
        raise StorageError(message)
    return future.result


def _died(step: Step) -> Callable[[], Draft | None]:
    def result() -> Draft | None:
        where = step.inputs[0].local if step.inputs else step.natural
        reason = "the process that took it in was killed twice, by somebody or for lack of memory: run ingest again, with fewer --workers or less TOMOTHECA_MEMORY."
        raise FormatError(where, reason)

    return result
