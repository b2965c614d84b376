"""Carry out a plan: steps in stages, in this process or several, with a journal of what is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tomotheca.desk import Deed
from tomotheca.desk.audit import signed
from tomotheca.desk.marks import export_marks, restore_from
from tomotheca.errors import ConfigurationError, Finding, FindingsError, FormatError, StorageError
from tomotheca.ingest import space, workers
from tomotheca.ingest.commit import Identifiers, commit
from tomotheca.ingest.plan import IngestOptions, plan
from tomotheca.ingest.progress import Progress, Silent
from tomotheca.ingest.removal import Paper, Removed, Why, finish, read, remove
from tomotheca.ingest.stale import CONFIGURATION, INGEST, SHA256, versions_of
from tomotheca.ingest.verifying import reread
from tomotheca.ingest.work import Context, Draft, Plan, Step
from tomotheca.store import documents, layout, tree

if TYPE_CHECKING:
    from tomotheca.desk.desk import Desk
    from tomotheca.store.files import Files

PAGES = 2
"""First stage of the steps that look at the whole dataset: what is to go has gone by then."""

BATCH = 50
"""Finished steps that are written into the journal at once."""

SECONDS = 2.0
"""At most so long a finished step waits for that: long steps are written down one by one."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest did."""

    datasets: tuple[int, ...]
    """Datasets whose documents may have changed: to be indexed."""

    depositions: tuple[int, ...]
    written: int
    """Documents that were written."""

    unchanged: int
    findings: tuple[Finding, ...]
    seconds: float
    bytes: int
    """Bytes of files that were written, documents not counted."""

    removed: Removed = field(default_factory=Removed)
    """What the configuration did not produce any more."""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What went wrong while steps ran."""
        return tuple(f for f in self.findings if f.severity == "error")


def ingest(options: IngestOptions, *, files: Files, desk: Desk, progress: Progress | None = None) -> IngestResult:
    """Take a configuration in.

    Raises
    ------
    ConfigurationError
        If anything is wrong that can be known before; nothing was written.
    ConflictError
        If another process writes to the archive.
    StorageError
        If the disk has no room for what is copied, or refuses; run it again when that is mended.
    """
    began = time.monotonic()
    planned = plan(options, files)
    if planned.errors:
        raise ConfigurationError(planned.findings)
    with files.lock():
        _restore(files, desk)
        finish(files, desk)
        done = _Run(options, planned, files, desk)
        try:
            done.run(progress or Silent())
        finally:
            done.note()
            (progress or Silent()).finish()
    findings = tuple(dict.fromkeys([*planned.findings, *done.findings]))
    seconds = time.monotonic() - began
    return IngestResult(
        planned.datasets, planned.depositions, done.written, done.unchanged, findings, seconds, done.bytes, done.removed
    )


def _restore(files: Files, desk: Desk) -> None:
    """Teach an empty desk what the archive knows, so that no number is given twice."""
    if not desk.high_water():
        restore_from(files, desk, documents.highest_ids(files))


class _Run:
    """One ingest while it runs."""

    def __init__(self, options: IngestOptions, planned: Plan, files: Files, desk: Desk) -> None:
        self.options, self.plan, self.files, self.desk = options, planned, files, desk
        self.written = self.unchanged = self.bytes = 0
        self.findings: list[Finding] = []
        self._failed: list[str] = []
        self._identifiers = Identifiers(desk)
        self._done: dict[str, str] = {}
        self._fingerprints = {step.key: step.fingerprint for step in planned.steps}
        self.removed = Removed()
        self._deeds: tuple[Deed, ...] = ()
        self._again: frozenset[str] = frozenset()
        """Documents of which something is not as it was."""

        self._emptied: list[str] = []
        """Documents of an earlier ingest that would have nothing now."""

    def run(self, progress: Progress) -> None:
        """Do every step that is not done."""
        for dataset in self.plan.datasets:
            self.files.recover(layout.Dataset(dataset).folder)
        for deposition in self.plan.depositions:
            self.files.recover(layout.Deposition(deposition).folder)
        if self.options.verify and not self.options.force:
            verified = reread(self.files, self.plan.steps, progress, workers=self.options.workers)
            self._again = verified.again
            self.findings += verified.findings
        todo = [step for step in self.plan.steps if not self._is_done(step)]
        self.unchanged = len(self.plan.steps) - len(todo)
        self.findings += space.ask(self.files, todo)
        progress.start(len(todo), sum(step.bytes for step in todo))
        self._open(todo)
        self._begin()
        for stage in sorted({step.stage for step in todo}):
            if stage >= PAGES:
                self._tidy()
            self._stage([step for step in todo if step.stage == stage], progress)
        self._tidy()
        self._end()

    def _open(self, todo: list[Step]) -> None:
        """Strike out that steps were done once, before their files are touched: who is killed and asks for what was before gets it again."""
        journal = self._journal()
        if begun := {step.key: "" for step in todo if journal.get(step.key) and not step.always}:
            self.desk.journal.mark_all(begun)

    def _begin(self) -> None:
        """Write into the audit record, before anything else, that a configuration that is new here is taken in."""
        if self.plan.origin.configuration not in versions_of(self.files, self.options.config):
            self._deeds = tuple(signed(deed) for deed in self._done_so_far())
            self.desk.audit.note(self._deeds)
            export_marks(self.files, self.desk)

    def _end(self) -> None:
        """Write into the audit record what was done."""
        if self.written or self.removed.documents or self._deeds:
            tokens = {(d.kind, d.id): d for d in self._deeds}
            done = [replace(tokens.get((d.kind, d.id), d), details=d.details) for d in self._done_so_far()]
            self.desk.audit.note(done)
            export_marks(self.files, self.desk)

    def _done_so_far(self) -> Iterator[Deed]:
        details = {
            CONFIGURATION: str(self.options.config.resolve()),
            SHA256: self.plan.origin.configuration,
            "written": self.written,
            "unchanged": self.unchanged,
            "removed": self.removed.documents,
            "bytes": self.bytes,
            "failed": len(self._failed),
        }
        for kind, numbers in (("dataset", self.plan.datasets), ("deposition", self.plan.depositions)):
            yield from (Deed(INGEST, kind, number, details) for number in numbers)

    def _tidy(self) -> None:
        """Remove what an edit of the configuration has left over, unless something that should take its place has failed."""
        if self._failed or self.removed.documents:
            return
        papers = [*self.plan.stale.papers, *(self._papers() if self.options.whole else ())]
        details = {CONFIGURATION: str(self.options.config.resolve()), SHA256: self.plan.origin.configuration}
        why = Why("remove", f"{self.options.config.name} does not produce it any more", details)
        self.removed = remove(self.files, self.desk, papers, why)

    def _papers(self) -> Iterator[Paper]:
        for key in self._emptied:
            place = layout.locate(key)
            found = tree.run_documents(self.files, layout.Run(place.dataset or 0, place.run))
            yield from read(self.files, (one for one in found if one[1] == key))

    def _is_done(self, step: Step) -> bool:
        if self.options.force or step.always or step.key in self._again:
            return False
        if self._journal().get(step.key) != self._fingerprints[step.key]:
            return False
        return all(self.files.exists(key) for key in (step.key, *step.outputs))

    def _journal(self) -> Mapping[str, str]:
        if not self._done:
            for dataset in self.plan.datasets:
                self._done |= self.desk.journal.all_done(layout.Dataset(dataset).folder)
            self._done.setdefault("", "")
        return self._done

    def _stage(self, steps: list[Step], progress: Progress) -> None:
        ready = [s for s in steps if not self._blocked(s)]
        finished: dict[str, str] = {}
        left = Counter(step.kind for step in ready)
        noted = time.monotonic()
        try:
            for step, outcome in self._outcomes(ready, progress):
                self._identifiers.like = left[step.kind]
                left[step.kind] -= 1
                if (draft := self._draft(step, outcome)) is not None:
                    self._commit(step, draft)
                    finished[step.key] = self._fingerprints[step.key]
                    if len(finished) >= BATCH or time.monotonic() > noted + SECONDS:
                        self.desk.journal.mark_all(finished)
                        finished, noted = {}, time.monotonic()
        finally:
            if finished:
                self.desk.journal.mark_all(finished)

    def _blocked(self, step: Step) -> bool:
        """Whether something below this document failed: it would promise what is not there."""
        folder = step.key.rpartition("/")[0] + "/"
        if (
            step.kind == "run"
            and any(key.startswith(folder) for key in self._failed)
            and not self.files.exists(step.key)
        ):
            self._failed.append(step.key)
            return True
        return False

    def _outcomes(self, steps: list[Step], progress: Progress) -> Iterator[tuple[Step, Callable[[], Draft | None]]]:
        """Give steps as they finish, with a function that gives their draft or raises."""
        options = self.options
        context = Context(self.files, self.plan.origin, options.memory, threads=options.workers, force=options.force)
        team = options.team
        if (
            team is None
            and options.workers > 1
            and len(steps) > 1
            and sum(s.bytes for s in steps) >= workers.WORTH_A_PROCESS
        ):
            team = workers.Processes(min(options.workers, len(steps)), options.workers)
        yield from workers.outcomes([s for s in steps if s.key not in self._again], context, team, progress)
        if again := [s for s in steps if s.key in self._again]:
            yield from workers.outcomes(again, replace(context, force=True), team, progress)

    def _draft(self, step: Step, outcome: Callable[[], Draft | None]) -> Draft | None:
        try:
            draft = outcome()
        except FormatError as error:
            self._fail(step, Finding("error", error.path, error.reason))
            return None
        except FindingsError as error:
            for finding in error.findings:
                self._fail(step, finding)
            return None
        except StorageError:
            raise
        except OSError as error:
            self._fail(
                step,
                Finding("error", str(error.filename or step.natural), f"cannot be read: {error.strerror or error}."),
            )
            return None
        if draft is None:
            self.findings.append(
                Finding(
                    "note", step.natural, "nothing to keep: the mask has no voxel of its label, or there are no points."
                )
            )
            before = [key for key in dict.fromkeys((step.key, step.previous)) if key and self.files.exists(key)]
            self._emptied += before
            if not before:
                self.desk.journal.mark(step.key, self._fingerprints[step.key])
                self.files.remove(step.key.rpartition("/")[0] + "/")
        return draft

    def _fail(self, step: Step, finding: Finding) -> None:
        self._failed.append(step.key)
        self.findings.append(finding)

    def _commit(self, step: Step, draft: Draft) -> None:
        try:
            wrote = commit(self.files, self._identifiers, draft, previous=step.previous)
        except FindingsError as error:
            for finding in error.findings:
                self._fail(step, finding)
            return
        self.findings += draft.findings
        self.bytes += draft.written
        self.written += wrote
        self.unchanged += not wrote

    def note(self) -> None:
        """Keep the findings at the desk."""
        for dataset in self.plan.datasets:
            self.desk.keep_findings(
                f"ingest {dataset} {self.options.config.name}",
                list(dict.fromkeys([*self.plan.findings, *self.findings])),
            )
