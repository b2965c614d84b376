"""Read everything again: sources against the digests that documents keep of them, files of the archive against their manifests.

Without this, a source of the same path, size and time is taken to be the same, and a file of the archive to be what was written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.errors import Finding, TomothecaError
from tomotheca.ingest.transfer import sha256
from tomotheca.store import documents, layout, manifest
from tomotheca.store.verify import MEND, verify

if TYPE_CHECKING:
    from tomotheca.ingest.progress import Progress
    from tomotheca.ingest.work import Input, Step
    from tomotheca.store.files import Files

AGAIN = "it is done again"


@dataclass(frozen=True, slots=True)
class Verified:
    """What is not as it was."""

    again: frozenset[str]
    """Keys of the documents of steps that must be done again."""

    findings: tuple[Finding, ...]


def reread(files: Files, steps: Sequence[Step], progress: Progress, *, workers: int) -> Verified:
    """Read what steps were made from and what they have made, and say what differs."""
    sizes = {step.key: step.bytes + sum(e.size for e in _entries(files, step)) for step in steps}
    progress.start(len(steps), sum(sizes.values()))
    found: dict[str, list[Finding]] = {}
    with ThreadPoolExecutor(workers) as pool:
        began = time.monotonic()
        for step, findings in zip(steps, pool.map(lambda one: list(_differs(files, one)), steps), strict=True):
            progress.step(f"reading again: {step.natural}", began)
            progress.advance(sizes[step.key])
            progress.done(step.natural, sizes[step.key], time.monotonic() - began)
            began = time.monotonic()
            if findings:
                found[step.key] = findings
    return Verified(frozenset(found), tuple(f for some in found.values() for f in some))


def _entries(files: Files, step: Step) -> tuple[manifest.Entry, ...]:
    folder = step.key.rpartition("/")[0] + "/"
    if layout.manifest_folder(step.key) != folder:
        return ()
    try:
        return manifest.read(files, folder)
    except TomothecaError:
        return ()


def _differs(files: Files, step: Step) -> Iterator[Finding]:
    if not files.exists(step.key):
        return
    try:
        document = documents.read(files, step.key)
        entries = manifest.read(files, step.key.rpartition("/")[0] + "/")
    except TomothecaError as error:
        yield Finding("warning", step.key, f"{_first(error)}; {AGAIN}.")
        return
    recorded = {s["path"]: s for s in (document.get("provenance") or {}).get("sources") or () if s.get("sha256")}
    for source in step.inputs:
        yield from _source(source, recorded.get(source.path))
    for entry in entries:
        found = verify(files, entry, thorough=True)
        if found is not None:
            yield Finding("warning", found.where, f"{found.message.removesuffix(f': {MEND}')}; {AGAIN}.")


def _source(source: Input, known: dict[str, object] | None) -> Iterator[Finding]:
    if known is None or (known["size"], known["mtime"]) != (source.size, source.mtime):
        return  # it is taken in again in any case
    try:
        now = sha256(source.local)
    except OSError as error:
        yield Finding("error", str(source.local), f"cannot be read: {error.strerror or error}.")
        return
    if now != known["sha256"]:
        message = f"has other content than when it was taken in, with the same size and time; {AGAIN}."
        yield Finding("warning", str(source.local), message)


def _first(error: TomothecaError) -> str:
    findings = getattr(error, "findings", ())
    return str(findings[0].message) if findings else str(error)
