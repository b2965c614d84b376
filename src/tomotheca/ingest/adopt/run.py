"""Carry an adoption out: files, manifests and documents of one run after the other, the dataset's own document last."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from tomotheca.desk import Deed
from tomotheca.desk.audit import signed
from tomotheca.desk.marks import export_marks, restore_from
from tomotheca.errors import Finding, FindingsError, InvalidDocumentError, NotFoundError
from tomotheca.ingest.adopt import fill
from tomotheca.ingest.adopt.bring import Bringer, ChangedError, missing_sources
from tomotheca.ingest.adopt.plan import ADOPT, FOLDER, Adoption, Job, Options, merged_with, plan
from tomotheca.ingest.commit import Identifiers
from tomotheca.ingest.removal import finish
from tomotheca.schema import Dataset, Run
from tomotheca.store import documents, layout, manifest

if TYPE_CHECKING:
    from tomotheca.desk import Desk
    from tomotheca.store.files import Files


class Bar(Protocol):
    """Somebody who wants to know how far an adoption is."""

    def total(self, total: float) -> None:
        """Begin: so many bytes."""

    def say(self, words: str) -> None:
        """Name what is being done."""

    def advance(self, amount: float) -> None:
        """So many more bytes were read."""


class Silent:
    """Nobody wants to know."""

    def total(self, total: float) -> None:
        """Do nothing."""

    def say(self, words: str) -> None:
        """Do nothing."""

    def advance(self, amount: float) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption did."""

    datasets: tuple[int, ...]
    depositions: tuple[int, ...]
    written: int
    """Documents that were written."""

    unchanged: int
    files: int
    copied: int
    """Bytes that were copied."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What went wrong."""
        return tuple(f for f in self.findings if f.severity == "error")


def adopt(options: Options, *, files: Files, desk: Desk, progress: Bar | None = None) -> Adopted:
    """Adopt a tree.

    Raises
    ------
    FindingsError
        If its identifiers or numbers are those of something else; nothing was written.
    ConflictError
        If another process writes to the archive.
    StorageError
        If the disk refuses; run it again when that is mended.
    """
    began = time.monotonic()
    with files.lock():
        if not desk.high_water():
            restore_from(files, desk, documents.highest_ids(files))
        finish(files, desk)
        planned = plan(options, files, desk)
        if planned.errors:
            raise FindingsError(planned.findings)
        done = _Run(options, planned, files, desk)
        done.run(progress or Silent())
    findings = (*planned.findings, *done.findings)
    for dataset in planned.datasets:
        desk.keep_findings(
            f"{ADOPT} {dataset}", [f for f in findings if f.where.startswith(layout.Dataset(dataset).folder)]
        )
    seconds = time.monotonic() - began
    return Adopted(
        planned.datasets,
        planned.depositions,
        done.written,
        done.unchanged,
        planned.files,
        done.copied,
        findings,
        seconds,
    )


class _Run:
    """One adoption while it runs."""

    def __init__(self, options: Options, planned: Adoption, files: Files, desk: Desk) -> None:
        self.options, self.plan, self.files, self.desk = options, planned, files, desk
        self.written = self.unchanged = self.copied = 0
        self.findings: list[Finding] = []
        self._identifiers = Identifiers(desk)
        self._left: set[str] = set()
        """Folders of which a document could not be adopted."""

    def run(self, progress: Bar) -> None:
        """Do every document."""
        for kind, number in self.plan.highest.items():
            self.desk.raise_above(kind, number)
        for folder in self._folders():
            self.files.recover(folder)
        deeds = tuple(signed(deed) for deed in self._deeds())
        known = self.desk.audit.all()
        is_new = any(
            (d.kind, d.id, ADOPT, self.options.name)
            not in {(k.kind, k.id, k.action, k.details.get(FOLDER)) for k in known}
            for d in deeds
        )
        if is_new:
            self.desk.audit.note(deeds)
            export_marks(self.files, self.desk)
        progress.total(max(1, self.plan.bytes))
        lock = threading.Lock()

        def advance(size: int) -> None:
            with lock:
                progress.advance(size)

        with ThreadPoolExecutor(self.options.workers) as pool:
            bringer = Bringer(self.options, self.files, advance, pool)
            for job in self.plan.jobs:
                progress.say(job.sheet.key)
                self._job(job, bringer)
            self.copied = bringer.written
        if self.written:
            done = [replace(d, details={**d.details, "written": self.written, "copied": self.copied}) for d in deeds]
            self.desk.audit.note(done)
        if self.written or is_new:
            export_marks(self.files, self.desk)

    def _folders(self) -> Iterator[str]:
        yield from (layout.Dataset(n).folder for n in self.plan.datasets)
        yield from (layout.Deposition(n).folder for n in self.plan.depositions)

    def _deeds(self) -> Iterator[Deed]:
        for kind, numbers in (("dataset", self.plan.datasets), ("deposition", self.plan.depositions)):
            yield from (Deed(ADOPT, kind, number, {FOLDER: self.options.name}) for number in numbers)

    def _job(self, job: Job, bringer: Bringer) -> None:
        sheet = job.sheet
        try:
            document = fill.read(self.options.tree, sheet)
            content = fill.wanted(self.options.tree, sheet, document, job.facts)
            known = merged_with(self.files, sheet, document, same=self.options.mode == "same")
            entries = bringer.entries(sheet) if sheet.folder else None
        except (fill.UnusableError, fill.ContestedError, ChangedError, NotFoundError) as error:
            below = ", and what lies below it" if sheet.model in {Dataset, Run} else ""
            self.findings.append(Finding("error", sheet.key, f"not adopted{below}: {error}."))
            return
        except FindingsError as error:
            self.findings += error.findings
            return
        self.findings += missing_sources(entries or ())
        completed = fill.finished(sheet, content, known, self._identifiers)
        if self._write(job, document, completed, entries):
            self.written += 1
        else:
            self.unchanged += 1

    def _write(
        self, job: Job, document: dict[str, Any], completed: dict[str, Any], entries: tuple[manifest.Entry, ...] | None
    ) -> bool:
        """Write manifest and document, the document byte for byte where nothing was added; whether it was written."""
        key, folder = job.sheet.key, job.sheet.folder
        content = {
            **completed,
            "manifest": manifest.write(self.files, folder, entries) if entries is not None else None,
        }
        if entries is not None:
            manifest.sweep(self.files, folder, entries)
        old = self._old(key)
        if content == document:
            data = self.options.tree.read_bytes(key)
            if old is not None and self.files.read_bytes(key) == data:
                return False
        else:
            stamp = document.get("last_updated_at")
            if old is not None and {**old, "last_updated_at": None} == {**content, "last_updated_at": None}:
                return False
            now = old is not None or not isinstance(stamp, int | float)
            data = documents.encode({**content, "last_updated_at": round(time.time(), 3) if now else stamp})
        self.files.write_bytes(key, data)
        return True

    def _old(self, key: str) -> dict[str, Any] | None:
        try:
            return documents.read(self.files, key)
        except (NotFoundError, InvalidDocumentError):
            return None
