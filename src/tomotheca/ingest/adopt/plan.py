"""What an adoption will do: read everything, write nothing, and refuse what cannot go together before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tomotheca.desk.marks import audit
from tomotheca.errors import Finding, InvalidDocumentError, NotFoundError
from tomotheca.ingest.adopt import fill
from tomotheca.ingest.adopt.fill import ContestedError, Facts, UnusableError
from tomotheca.ingest.adopt.survey import Sheet, Unit, strays, units
from tomotheca.schema import SCHEMA, Dataset, Frames, Run, TiltSeries
from tomotheca.schema.core import Entity
from tomotheca.store import documents, layout, tree

if TYPE_CHECKING:
    from tomotheca.desk import Desk
    from tomotheca.store.files import Files

Mode = Literal["same", "in place", "copy"]

ADOPT = "adopt"
FOLDER = "folder"
"""Names under which the audit record keeps where a tree lay."""

OURS = frozenset({"id", "ids", "schema_version", "provenance", "manifest", "last_updated_at"})
"""What the archive adds to a document: two that differ in nothing else are the same."""


@dataclass(frozen=True)
class Options:
    """What is to be adopted, and how."""

    tree: Files
    name: str
    """Where the tree lies, as it is told and kept in the audit record."""

    mode: Mode
    hashed: bool = True
    """Whether files that stay in place are read and hashed now."""

    workers: int = 1
    loaded: Mapping[str, Collection[int]] = field(default_factory=dict)
    """Identifiers of loaded dumps, by kind."""


@dataclass(frozen=True, slots=True)
class Job:
    """A document that will be completed."""

    sheet: Sheet
    facts: Facts
    missing: Counter[str] = field(default_factory=Counter, repr=False)
    """How many identifiers it will be given, by kind."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Everything that an adoption will do."""

    datasets: tuple[int, ...]
    depositions: tuple[int, ...]
    jobs: tuple[Job, ...] = field(repr=False)
    """What lies in a run comes before the run, and that before its dataset: what is not complete is not seen."""

    highest: Mapping[str, int] = field(repr=False)
    """Highest identifier that documents of the tree have, by kind."""

    given: Mapping[str, int]
    """How many identifiers will be given, by kind."""

    files: int
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended before anything is written."""
        return tuple(f for f in self.findings if f.severity == "error")


def plan(options: Options, files: Files, desk: Desk) -> Adoption:
    """Look at a tree and at the archive, and say what would be done."""
    made = _Plan(options, files, desk)
    for unit in units(options.tree):
        made.unit(unit)
    made.conflicts()
    jobs = tuple(made.jobs)
    items = [item for job in jobs for item in job.sheet.items]
    given: Counter[str] = sum((job.missing for job in jobs), Counter())
    return Adoption(
        tuple(made.numbers["dataset"]), tuple(made.numbers["deposition"]), jobs, made.highest, dict(sorted(given.items())),
        sum(item.members or 1 for item in items), sum(item.size for item in items), (*made.findings, *strays(options.tree)),
    )  # fmt: skip


class _Plan:
    """Collects jobs, identifiers and findings while the tree is walked."""

    def __init__(self, options: Options, files: Files, desk: Desk) -> None:
        self.options, self.files, self.desk = options, files, desk
        self.jobs: list[Job] = []
        self.findings: list[Finding] = []
        self.numbers: dict[str, list[int]] = {"dataset": [], "deposition": []}
        self.used: dict[tuple[str, int], str] = {}
        self.highest: dict[str, int] = {}
        self.known = {
            (d.kind, d.id)
            for d in (*audit(files), *desk.audit.all())
            if d.action == ADOPT and d.details.get(FOLDER) == options.name
        }
        self.missing: set[int] = set()

    def unit(self, unit: Unit) -> None:
        """Look at one dataset or deposition."""
        self.findings += unit.findings
        head, *rest = unit.sheets
        facts = Facts()
        job = self._job(head, facts)
        if job is None:
            return
        document = fill.read(self.options.tree, head)
        if unit.kind == "dataset":
            facts = Facts(deposition=document.get("deposition_id"))
            self._refer(head.key, document)
        if not self._is_free(unit, head, document):
            return
        inside = [*self._runs(rest, facts)]
        self.jobs += [*inside, job]
        self.numbers[unit.kind].append(unit.number)

    def _is_free(self, unit: Unit, head: Sheet, document: Mapping[str, Any]) -> bool:
        """Whether the archive has nothing else under the number."""
        if self.options.mode == "same" or (unit.kind, unit.number) in self.known:
            return True
        if unit.number in self.options.loaded.get(unit.kind, ()) and unit.kind == "dataset":
            return self._refuse(
                head.key, f"dataset {unit.number} is that of a loaded dump too: load that with --renumber"
            )
        if grave := self.desk.tombstone(unit.kind, unit.number):
            return self._refuse(
                head.key,
                f"{unit.kind} {unit.number} was removed from the archive on {grave.buried_at[:10]}, and its number is not given again",
            )
        if not self.files.exists(head.key) or _same(documents.read(self.files, head.key), document):
            return True
        prefix = SCHEMA.kinds[unit.kind].prefix
        return self._refuse(
            head.key,
            f"the archive has another {unit.kind} {unit.number}, which did not come from {self.options.name}: remove that (`tomotheca remove {prefix}{unit.number}`) or give one of them another number",
        )

    def _refuse(self, where: str, message: str) -> bool:
        self.findings.append(Finding("error", where, f"{message}."))
        return False

    def _refer(self, where: str, document: Mapping[str, Any]) -> None:
        """Note a deposition that nobody describes."""
        number = document.get("deposition_id")
        if not isinstance(number, int) or number in self.missing or number in self.numbers["deposition"]:
            return
        if not self.files.exists(layout.Deposition(number).document):
            self.missing.add(number)
            message = f"it names deposition {number}, which has no document here: its page is missing until one is adopted or ingested."
            self.findings.append(Finding("warning", where, message))

    def _runs(self, sheets: Iterable[Sheet], facts: Facts) -> Iterator[Job]:
        """Give the jobs of every run, its own document last; nothing for a run that cannot be read."""
        runs: dict[str, list[Sheet]] = {}
        for sheet in sheets:
            runs.setdefault(layout.locate(sheet.key).run, []).append(sheet)
        for found in runs.values():
            yield from self._run(found, facts)

    def _run(self, sheets: list[Sheet], facts: Facts) -> Iterator[Job]:
        head = next(s for s in sheets if s.model is Run)
        place = layout.locate(head.key)
        run = layout.Run(place.dataset or 0, place.run)
        inside = [s for s in sheets if s is not head]
        orders = self._orders(inside)
        if orders and not any(s.model is Frames for s in inside):
            inside.insert(0, Sheet(Frames, run.frames_document, is_new=True))
        jobs = []
        frameless = False
        for sheet in inside:
            own = replace(facts, orders=orders) if sheet.model is Frames else facts
            if sheet.model is TiltSeries and frameless:
                self._leave(sheet, "the frames of its sections cannot be read")
            elif (job := self._job(sheet, own)) is not None:
                jobs.append(job)
            elif sheet.model is Frames:
                frameless = bool(orders)
        gains = [i.key for i in head.items if i.role == "gain" and i.members is None]
        spacings = dict.fromkeys(s for j in jobs if (s := layout.locate(j.sheet.key).spacing))
        names = tuple(key.removeprefix(run.gain("")) for key in gains)
        last = self._job(head, replace(facts, spacings=tuple(spacings), gains=names))
        if last is not None:
            yield from (*jobs, last)

    def _orders(self, sheets: Iterable[Sheet]) -> tuple[int, ...]:
        found: set[int] = set()
        for sheet in sheets:
            if sheet.model is TiltSeries:
                try:
                    found.update(fill.orders(fill.read(self.options.tree, sheet)))
                except (UnusableError, KeyError, TypeError, AttributeError):
                    continue  # said when its turn comes
        return tuple(sorted(found))

    def _leave(self, sheet: Sheet, reason: str) -> None:
        below = ", and what lies below it" if sheet.model in {Dataset, Run} else ""
        self.findings.append(Finding("warning", sheet.key, f"left out{below}: {reason}."))

    def _job(self, sheet: Sheet, facts: Facts) -> Job | None:
        """Look at one document; None, with a finding, if it cannot be adopted."""
        try:
            document = fill.read(self.options.tree, sheet)
            content = fill.wanted(self.options.tree, sheet, document, facts)
            numbers = list(fill.given(sheet.model, document))
            problem = next(fill.problems(sheet, content), "")
            known = merged_with(self.files, sheet, document, same=self.options.mode == "same")
        except UnusableError as error:
            self._leave(sheet, str(error))
            return None
        except ContestedError as error:
            self._refuse(sheet.key, str(error))
            return None
        if problem:
            self._leave(sheet, problem)
            return None
        self._use(sheet, numbers)
        self.findings += fill.absent(self.options.tree, sheet, document)
        return Job(sheet, facts, _missing(sheet, content, known))

    def _use(self, sheet: Sheet, numbers: Iterable[tuple[str, int]]) -> None:
        for kind, number in numbers:
            if kind not in SCHEMA.kinds:
                continue
            other = self.used.setdefault((kind, number), sheet.key)
            if other != sheet.key:
                self._refuse(sheet.key, f"{kind} {number} is the number of something in {other} too")
            self.highest[kind] = max(number, self.highest.get(kind, 0))

    def conflicts(self) -> None:
        """Compare the identifiers of the tree with those that others have."""
        if not self.used:
            return
        buried = {(s.kind, s.id): s for s in self.desk.tombstones()}
        for (kind, number), where in self.used.items():
            if kind in {"dataset", "deposition"}:
                continue
            if grave := buried.get((kind, number)):
                self._refuse(
                    where,
                    f"{kind} {number} was removed from the archive on {grave.buried_at[:10]} ({grave.title}), and its number is not given again",
                )
            if number in self.options.loaded.get(kind, ()):
                self._refuse(
                    where, f"{kind} {number} is the number of something in a loaded dump too: load that with --renumber"
                )
        if self.options.mode != "same":
            self._compare()

    def _compare(self) -> None:
        mine = {job.sheet.key for job in self.jobs}
        for model, key in _papers(self.files):
            if key in mine:
                continue
            try:
                numbers = list(fill.given(model, documents.read(self.files, key)))
            except (InvalidDocumentError, UnusableError):
                continue  # the doctor says so
            for one in numbers:
                if one in self.used and one[0] not in {"dataset", "deposition"}:
                    self._refuse(
                        self.used[one], f"{one[0]} {one[1]} is the number of something in the archive's {key} too"
                    )


def merged_with(files: Files, sheet: Sheet, document: Mapping[str, Any], *, same: bool) -> dict[str, Any]:
    """Give the identifiers that a document has, of its own or from the archive."""
    known: Mapping[str, Any] = {}
    if not same:
        try:
            known = documents.read(files, sheet.key)
        except (NotFoundError, InvalidDocumentError):
            known = {}
    return fill.merged(document, known, f"the archive's {sheet.key}")


def _papers(files: Files) -> Iterator[tuple[Any, str]]:
    for number in tree.datasets(files):
        yield from tree.documents(files, number)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return {k: v for k, v in one.items() if k not in OURS} == {k: v for k, v in other.items() if k not in OURS}


def _missing(sheet: Sheet, content: Mapping[str, Any], known: Mapping[str, Any]) -> Counter[str]:
    """Count the identifiers that a document lacks."""
    made = fill.finished(sheet, content, {}, fill.Nobody())  # type: ignore[arg-type]  # gives numbers like one
    found = Counter(
        {kind: sum(name not in known["ids"].get(kind, {}) for name in names) for kind, names in made["ids"].items()}
    )
    if issubclass(sheet.model, Entity) and not known["id"] and sheet.model.kind not in {"dataset", "deposition"}:
        found[sheet.model.kind] += 1
    return +found
