"""Examine an archive: run by run, each by one process (or thread), then datasets, depositions and numbers as wholes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from tomotheca.doctor import registry, shelves, subjects, visit
from tomotheca.doctor.core import SEVERITIES, At, Problem, Rule
from tomotheca.store import layout, tree

if TYPE_CHECKING:
    from tomotheca.errors import Severity
    from tomotheca.store.files import Files

FAILED = "doctor.failed"
"""What a rule says that could not be applied."""

WORTH_PROCESSES = 6.0
"""Seconds of work from which starting processes pays: each takes a second or two to import what it needs."""

WARM = 0.5
"""Seconds after which the time that runs take is known well enough."""

THREADS = 8
"""Threads of a worker for an archive in an object store, where time is spent waiting."""

AHEAD = 4
"""Runs per worker that wait for one."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be examined, and how; it travels to other processes."""

    files: Files
    rules: tuple[tuple[str, Severity], ...]
    """Names of the rules, with the severity that each has."""

    thorough: bool = False
    """Whether to read every file and compare its digest."""

    depositions: frozenset[int] = frozenset()


@dataclass(slots=True)
class Found:
    """What came out of one run, dataset or deposition."""

    problems: list[Problem] = field(default_factory=list)
    numbers: list[tuple[str, int, str]] = field(default_factory=list)
    """Kind, number and key of the document."""

    series: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Facts of tilt series that rules of datasets need."""

    seen: int = 0
    """Files that were looked at."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an examination found."""

    problems: tuple[Problem, ...]
    scopes: tuple[str, ...]
    """Beginnings of the keys that were examined as wholes; an empty one stands for all."""

    rules: tuple[str, ...]
    runs: int
    files: int
    """Documents, manifests and headers that were read."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Options:
    """What an examination is asked to do."""

    rules: tuple[Rule, ...] = registry.select()
    datasets: tuple[int, ...] | None = None
    """Those to look at; None looks at all, and at the depositions."""

    thorough: bool = False
    workers: int = 1
    marks: Mapping[str, int] = field(default_factory=dict)
    """Highest number that the desk has given, by kind."""

    buried: frozenset[tuple[str, int]] = frozenset()


Progress = Callable[[int, int], None]
"""Told how many of how many runs are done."""


def examine(files: Files, options: Options, progress: Progress | None = None) -> Report:
    """Apply rules to an archive.

    Raises
    ------
    StorageError
        If the archive cannot be listed.
    """
    began = time.monotonic()
    depositions = list(tree.depositions(files))
    names = tuple(rule.id for rule in options.rules)
    order = Order(
        files, tuple((rule.id, rule.severity) for rule in options.rules), options.thorough, frozenset(depositions)
    )
    every = list(tree.datasets(files)) if options.datasets is None else list(options.datasets)
    runs = [run for dataset in every for run in visit.run_places(files, dataset)]
    parts = list(_examined(order, options, runs, progress or _silent))
    by_dataset: dict[int, list[Found]] = {}
    for run, part in parts:
        by_dataset.setdefault(run.dataset, []).append(part)
    applied = Applied(options.rules)
    wholes = [_dataset(order, applied, number, by_dataset.get(number, [])) for number in every]
    if options.datasets is None:
        wholes += [_deposition(order, applied, number) for number in depositions]
    everything = [*(part for _, part in parts), *wholes]
    given = [one for part in everything for one in part.numbers]
    problems = [problem for part in everything for problem in part.problems]
    if options.datasets is None:
        problems += applied(subjects.Shelved(f"{layout.INTERNAL}/", (), tuple(shelves.without_dataset(files))))
    numbers = subjects.Numbers(layout.IDENTIFIERS, given, options.marks, options.buried)
    problems += applied(numbers)
    scopes = [""] if options.datasets is None else [layout.Dataset(number).folder for number in every]
    return Report(
        tuple(in_order(problems)), tuple(scopes), names, len(runs), sum(part.seen for part in everything),
        time.monotonic() - began,
    )  # fmt: skip


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort by severity, rule and place; several of one rule in one place become one."""
    first: dict[tuple[str, str, str], Problem] = {}
    more: dict[tuple[str, str, str], int] = {}
    for problem in problems:
        if first.setdefault(problem.place, problem) is not problem:
            more[problem.place] = more.get(problem.place, 0) + 1
    merged = [
        Problem(p.rule, p.severity, p.where, f"{p.message} (and {n} more there)", p.mend, p.path)
        if (n := more.get(place))
        else p
        for place, p in first.items()
    ]
    return sorted(merged, key=lambda p: (SEVERITIES.index(p.severity), p.rule, p.where, p.path))


class Applied:
    """Rules by the class of what they are about."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by: dict[type, list[Rule]] = {}
        for rule in rules:
            self._by.setdefault(rule.subject, []).append(rule)

    @property
    def wanted(self) -> Collection[type]:
        """Classes that there are rules for."""
        return self._by.keys()

    def __call__(self, subject: subjects.Subject, home: str = "") -> Iterator[Problem]:
        """Apply every rule about a subject; what it says of places outside the folder of `home` is said of `home`."""
        in_place = getattr(subject, "in_place", False)
        for rule in self._by.get(type(subject), ()):
            if not (rule.written and in_place):
                yield from _said(rule, subject, home)


def _said(rule: Rule, subject: subjects.Subject, home: str) -> Iterator[Problem]:
    try:
        for said in rule.examine(subject):
            at = said if isinstance(said, At) else At(said)
            there, message = _settled(at.where or subject.where, at.message, home)
            yield Problem(rule.id, rule.severity, there, message, rule.mend, at.path)
    except Exception as error:  # noqa: BLE001 - one broken document must not hide what the others have
        message = f"the rule {rule.id} could not be applied ({type(error).__name__}: {error})"
        yield Problem(
            FAILED,
            "error",
            home or subject.where,
            message[:300],
            "report this to the developers, with the file",
            rule.id,
        )


def _settled(where: str, message: str, home: str) -> tuple[str, str]:
    """Keep a finding in the folder that its subject lies in, whatever paths a document names."""
    folder = home.rpartition("/")[0] + "/"
    if not home or where.startswith(folder):
        return where, message
    return home, f"{where[:200]}: {message}"


@lru_cache(maxsize=4)
def _applied(names: tuple[tuple[str, Severity], ...]) -> Applied:
    """Find rules by name, once in each process."""
    known = registry.by_id()
    return Applied([replace(known[name], severity=severity) for name, severity in names])


def run(order: Order, place: layout.Run) -> Found:
    """Examine one run; this is what other processes do."""
    applied = _applied(order.rules)
    found = Found()
    visitor = visit.RunVisit(
        order.files, place, order.depositions, thorough=order.thorough, wanted=frozenset(applied.wanted)
    )
    for subject in visitor.give():
        found.problems += applied(subject, place.document)
    found.seen = visitor.look.count
    found.numbers += visitor.numbers()
    found.series += visitor.facts()
    return found


def _examined(
    order: Order, options: Options, runs: Sequence[layout.Run], progress: Progress
) -> Iterator[tuple[layout.Run, Found]]:
    """Examine runs one by one, and with several workers as soon as what is left would take longer than to start them."""
    local = order.files.local_path("x") is not None
    began, patience = time.monotonic(), WORTH_PROCESSES if local else 0.0
    workers = min(options.workers, len(runs))
    for done, place in enumerate(runs):
        spent = time.monotonic() - began
        left = spent / max(done, 1) * (len(runs) - done)
        if workers > 1 and (not local or (spent > WARM and left > patience)):
            pool: Executor = (
                ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
                if local
                else ThreadPoolExecutor(THREADS * workers)
            )
            ahead = AHEAD * workers * (1 if local else THREADS)
            with pool:
                yield from _pooled(pool, order, runs[done:], ahead, partial(_behind, progress, done))
            return
        yield place, run(order, place)
        progress(done + 1, len(runs))


def _behind(progress: Progress, before: int, done: int, total: int) -> None:
    """Tell of progress behind what was done before."""
    progress(before + done, before + total)


def _pooled(
    pool: Executor, order: Order, runs: Sequence[layout.Run], ahead: int, progress: Progress
) -> Iterator[tuple[layout.Run, Found]]:
    """Keep a few runs ahead of what is examined, and give them in the order in which they are done."""
    waiting = iter(runs)
    running: dict[Future[Found], layout.Run] = {}
    done = 0
    try:
        while True:
            while len(running) < ahead and (place := next(waiting, None)) is not None:
                running[pool.submit(run, order, place)] = place
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place = running.pop(future)
                yield place, future.result()
                done += 1
                progress(done, len(runs))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _dataset(order: Order, applied: Applied, number: int, parts: Sequence[Found]) -> Found:
    place = layout.Dataset(number)
    return _page(applied, visit.PageVisit(order.files, place, order.depositions, thorough=order.thorough), parts)


def _deposition(order: Order, applied: Applied, number: int) -> Found:
    place = layout.Deposition(number)
    return _page(applied, visit.PageVisit(order.files, place, order.depositions, thorough=order.thorough), ())


def _page(applied: Applied, page: visit.PageVisit, parts: Sequence[Found]) -> Found:
    found = Found()
    series = [one for part in parts for one in part.series]
    for subject in page.give(len(parts), series):
        found.problems += applied(subject, page.place.document)
    found.seen = page.look.count
    found.numbers += page.numbers()
    return found


def _silent(done: int, total: int) -> None:
    del done, total
