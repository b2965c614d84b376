"""What planning hands to running: inputs, steps, drafts of documents. Plain frozen data that travels between processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.stale import Stale
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files
    from tomotheca.store.manifest import Entry

LOGIC = "2"
"""Raised when importers write something else for the same input: every step is then done again."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file of the source as it was when the plan was made."""

    path: str
    """Below the source prefix."""

    local: Path
    size: int
    mtime: int
    """Nanoseconds since 1970."""

    def record(self, sha256: str | None) -> dict[str, Any]:
        """Give what a document keeps of it."""
        return {"path": self.path, "size": self.size, "mtime": self.mtime, "sha256": sha256}


@dataclass(frozen=True, slots=True)
class Origin:
    """What every document of one ingest says of where it comes from."""

    configuration: str
    """SHA-256 of the configuration."""

    tool: str
    version: str


class Work(Protocol):
    """What an importer needs to know to do one step; a frozen dataclass."""

    def draft(self, context: Context) -> Draft | None:
        """Write the files of the step and give its document; None when there is nothing to keep."""


@dataclass(frozen=True, slots=True)
class Step:
    """One document to make, with the files that belong to it."""

    kind: str
    """Entity, such as ``tomogram``."""

    key: str
    """Archive key of the document."""

    natural: str
    """Natural key, in words."""

    work: Work
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    """Keys of the files, without the document."""

    stage: int = 0
    """Steps of one stage may run side by side; stages follow each other."""

    previous: str = ""
    """Key of the document that this one takes the place of, where it has another name now."""

    always: bool = False
    """Whether to do it even when it was done before: it is cheap and looks at the archive."""

    @property
    def bytes(self) -> int:
        """Bytes that are read."""
        return sum(i.size for i in self.inputs)

    @property
    def fingerprint(self) -> str:
        """Tell this step from any other that would write something else."""
        return digest([LOGIC, self.kind, self.key, plain(self.work), [plain(i) for i in self.inputs], self.outputs])


def _none() -> Stale:
    from tomotheca.ingest.stale import Stale  # noqa: PLC0415 - with a database, which the processes that do steps never need

    return Stale()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an ingest will do."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    matched: Mapping[str, tuple[str, ...]]
    """Files by the source (line of the configuration) that found them."""

    unmatched: tuple[str, ...]
    """Files below the source that no entry names."""

    collapsed: tuple[str, ...]
    datasets: tuple[int, ...]
    depositions: tuple[int, ...]
    origin: Origin
    skipped: tuple[str, ...] = ()
    """What was found and is left out, by the configuration's own word."""

    stale: Stale = field(default_factory=_none)
    """What the archive has from this configuration and what it does not produce any more."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended before anything is written."""
        return tuple(f for f in self.findings if f.severity == "error")


@dataclass(frozen=True, slots=True)
class Context:
    """What a step can use while it runs, in whatever process."""

    files: Files
    origin: Origin
    memory: int = 1 << 30
    threads: int | None = None
    """Cores that the step may use; None for all."""

    force: bool = False
    progress: Any = None
    """Called with bytes; None in another process."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A document without identifiers, and the manifest of its folder."""

    model: type[Document]
    key: str
    document: Mapping[str, Any]
    entries: tuple[Entry, ...] | None
    """None leaves the manifest alone."""

    before: tuple[Draft, ...] = ()
    """Documents without a manifest that must be written first, such as the one in ``Frames/``."""

    findings: tuple[Finding, ...] = ()
    written: int = 0
    """Bytes of files that were written."""


def digest(value: Any) -> str:
    """Give the SHA-256 of plain data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Turn a dataclass into plain data; its class counts too."""
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, _inside(value)]
    return value


def _inside(value: Any) -> Any:
    """Do what `dataclasses.asdict` does, without copying what is plain already: a plan has many thousands of values."""
    if isinstance(value, str | int | float | None | Path):
        return value
    if isinstance(value, Mapping):
        return {key: _inside(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_inside(inner) for inner in value]
    names = _names(type(value))  # type: ignore[arg-type]  # classes are hashable
    return value if names is None else {name: _inside(getattr(value, name)) for name in names}


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """Give the fields of a dataclass; None for any other class."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else None
