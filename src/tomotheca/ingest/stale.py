"""What the archive has from a configuration and what that configuration, as it is now, does not produce any more.

Only what is gone from the configuration counts: a document whose source files are not there may be that of a disk that is not mounted,
so it stays, and is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.desk.marks import audit
from tomotheca.errors import Finding, TomothecaError
from tomotheca.ingest.removal import Goes, Paper, described, read, refers
from tomotheca.schema import Dataset, Run
from tomotheca.store import layout, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tomotheca.ingest.archive import RunArchive
    from tomotheca.ingest.listing import Listing
    from tomotheca.ingest.work import Step
    from tomotheca.store.files import Files

INGEST = "ingest"
CONFIGURATION, SHA256 = "configuration", "sha256"
"""Names under which the audit record keeps where a configuration lies, and its digest."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One ingest, as far as it says what is not wanted any more."""

    config: Path
    sha256: str
    datasets: tuple[int, ...]
    depositions: tuple[int, ...]
    runs: Mapping[str, RunArchive] = field(repr=False)
    """Runs that are planned, by folder, with what the archive has of them."""

    listing: Listing = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stale:
    """What is to go, and what is not taken away although nothing produces it."""

    papers: tuple[Paper, ...] = ()
    goes: tuple[Goes, ...] = ()
    findings: tuple[Finding, ...] = ()


def find(files: Files, scope: Scope, steps: Sequence[Step]) -> Stale:
    """Find what an edit of a configuration has left over in the archive."""
    known = {scope.sha256, *versions_of(files, scope.config)}
    wanted = {key for s in steps for key in (s.key, s.previous, *s.outputs) if key}
    folders = {layout.manifest_folder(s.key) for s in steps}
    going: list[Paper] = []
    kept: list[Paper] = []
    missing: list[Paper] = []
    for papers, planned in _groups(files, scope, known):
        ours = [p for p in papers if _configuration(p) in known and _is_of(p, scope)]
        left = [p for p in ours if p.key not in wanted and (not p.folder or p.folder not in folders)]
        if left and papers[0].model in {Dataset, Run} and papers[0] in left:
            if len(left) == len(papers) and _there(left, scope.listing, need=True):
                going += left
            else:
                missing.append(papers[0])
                kept += papers
            continue
        if all(_there([p], scope.listing, need=not planned) for p in left):
            going += left
            kept += [p for p in papers if p not in left]
        else:
            missing += left
            kept += papers
    going, held = _free(going, kept)
    goes = tuple(described(files, p) for p in going)
    return Stale(tuple(going), goes, tuple(_said(scope, missing, held)))


def mounted(files: Files, scope: Scope, steps: Sequence[Step]) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """Leave out the steps of runs that were made from files whose whole folder is gone: a disk may not be mounted.

    A file that was moved, by name and size, is not gone; neither is one whose folder still has others.
    """
    known = {scope.sha256, *versions_of(files, scope.config)}
    inputs: dict[str, set[tuple[str, int]]] = {}
    for step in steps:
        place = layout.locate(step.key)
        if place.dataset is not None and place.run:
            folder = layout.Run(place.dataset, place.run).folder
            inputs.setdefault(folder, set()).update((i.path.rpartition("/")[2], i.size) for i in step.inputs)
    findings: list[Finding] = []
    out: list[str] = []
    for folder, archive in scope.runs.items():
        papers = [Paper(m, e.key, e.document) for m, e in archive.all()]
        lost = [
            path
            for paper in papers
            if _configuration(paper) in known and _is_of(paper, scope)
            for path, size in _sources(paper)
            if (path.rpartition("/")[2], size) not in inputs.get(folder, ()) and _folder_gone(path, scope.listing)
        ]
        if lost:
            out.append(folder)
            message = (
                f"run {layout.locate(folder).run}: the folders of {len(lost)} files it was made from (first {lost[0]}) are empty or not there: "
                "it stays as it is; mount them, or add --force to take in what is there."
            )
            findings.append(Finding("warning", scope.config.name, message))
    return tuple(s for s in steps if not s.key.startswith(tuple(out))), tuple(findings)


def _folder_gone(path: str, listing: Listing) -> bool:
    try:
        return not listing.folder(path.rstrip("/").rpartition("/")[0])
    except (OSError, TomothecaError):
        return True


def _sources(paper: Paper) -> Iterator[tuple[str, int]]:
    """Give path and size of the files that a document was made from, without what other depositions have added."""
    for source in (paper.document.get("provenance") or {}).get("sources", ()):
        if source.get("path") and source.get("deposition") is None:
            yield str(source["path"]), int(source.get("size") or 0)


def versions_of(files: Files, config: Path) -> set[str]:
    """Give the digests that a configuration has had, by the audit record in the archive."""
    place = str(config.resolve())
    deeds = (d.details for d in audit(files) if d.action == INGEST)
    return {str(said.get(SHA256)) for said in deeds if said.get(CONFIGURATION) == place}


def _groups(files: Files, scope: Scope, known: set[str]) -> Iterator[tuple[list[Paper], bool]]:
    """Give the documents of each run of a planned dataset and of each dataset that is not planned, with whether it is planned."""
    for number in tree.datasets(files):
        if number in scope.datasets:
            for run in tree.runs(files, number):
                read_already = scope.runs.get(run.folder)
                if read_already is None:
                    yield list(read(files, tree.run_documents(files, run))), False
                elif papers := [Paper(m, e.key, e.document) for m, e in read_already.all()]:
                    yield papers, True
            continue
        first = next(iter(read(files, [(Dataset, layout.Dataset(number).document)])))
        if first.deposition in scope.depositions and _configuration(first) in known:
            yield list(read(files, tree.documents(files, number))), False


def _configuration(paper: Paper) -> str:
    said = paper.document.get("provenance")
    return str(said.get(CONFIGURATION)) if isinstance(said, dict) else ""


def _is_of(paper: Paper, scope: Scope) -> bool:
    return paper.deposition is None or paper.deposition in scope.depositions


def _there(papers: Iterable[Paper], listing: Listing, *, need: bool) -> bool:
    """Say whether every source file is still there; with `need` there must be one."""
    paths = [
        s["path"] for p in papers for s in (p.document.get("provenance") or {}).get("sources", ()) if s.get("path")
    ]
    try:
        return all(listing.exists(path) for path in paths) and (bool(paths) or not need)
    except (OSError, TomothecaError):
        return False


def _free(going: list[Paper], kept: Sequence[Paper]) -> tuple[list[Paper], list[Paper]]:
    """Tell what may go from what something that stays still names."""
    held: list[Paper] = []
    staying = list(kept)
    while True:
        new = [p for p in going if any(_near(p, k) and refers(k, p) for k in staying)]
        if not new:
            return going, held
        held += new
        staying = new
        going = [p for p in going if p not in new]


def _near(one: Paper, other: Paper) -> bool:
    a, b = one.place, other.place
    return (a.dataset, a.run) == (b.dataset, b.run)


def _said(scope: Scope, missing: Sequence[Paper], held: Sequence[Paper]) -> Iterator[Finding]:
    where = scope.config.name
    if missing:
        message = (
            f"{_counted(missing)} in the archive, no entry produces it now, and its source files are not all there (or others added to it): "
            "nothing is removed because a source is missing; `tomotheca remove` takes it away."
        )
        yield Finding("warning", where, message)
    if held:
        yield Finding("note", where, f"{_counted(held)} stays although no entry produces it: what stays refers to it.")


def _counted(papers: Sequence[Paper]) -> str:
    more = f" and {len(papers) - 1} more" if len(papers) > 1 else ""
    return f"{papers[0].name}{more}"
