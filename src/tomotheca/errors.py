"""The one tree of errors: what was wrong, where, what to do, in one sentence a user can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]

LONGEST = 1000
"""Characters of a message that repeats what stood in a file."""


def one_line(text: str) -> str:
    """Give a message that prints on one line, whatever a broken file has put into it: its middle is left out if it is long."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    if text.isprintable():
        return text
    words = " ".join(text.split())
    return words if words.isprintable() else "".join(c if c.isprintable() else "?" for c in words)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a configuration, a source file or a document."""

    severity: Severity
    where: str
    """File, with line where known (``config.yaml:12``), or archive key."""

    message: str
    """One sentence: what is wrong and what to do."""

    path: str = ""
    """Dotted path inside the file, such as ``tomograms[0].metadata.voxel_spacing``."""

    def __post_init__(self) -> None:
        if (message := one_line(self.message)) != self.message:
            object.__setattr__(self, "message", message)

    def __str__(self) -> str:
        place = f"{self.where} ({self.path})" if self.path else self.where
        return f"{self.severity}: {place}: {self.message}"


class TomothecaError(Exception):
    """Base of everything this program raises on purpose: its text is fit for a user."""


class FindingsError(TomothecaError, ValueError):
    """Input has errors; nothing was written. All findings are kept, not just the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))

    def __reduce__(self) -> tuple[type[FindingsError], tuple[tuple[Finding, ...]]]:
        """Say how it is made again in another process."""
        return type(self), (self.findings,)


class InvalidDocumentError(FindingsError):
    """A metadata document breaks the schema."""


class ConfigurationError(FindingsError):
    """An ingest configuration cannot be carried out."""


class SettingsError(TomothecaError, ValueError):
    """A setting is missing or has a value that cannot be used."""


class FormatError(TomothecaError, ValueError):
    """A file is not what its format says: unreadable header, truncated data, bad number."""

    def __init__(self, path: object, message: str) -> None:
        self.path = str(path)
        self.reason = one_line(message)
        super().__init__(f"{path}: {self.reason}")

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, str]]:
        """Say how it is made again in another process."""
        return type(self), (self.path, self.reason)


class NotFoundError(TomothecaError, LookupError):
    """Nothing of that name exists for this viewer."""


class GoneError(NotFoundError):
    """The thing existed, was removed, and its identifier will never be given again."""


class UnsafePathError(TomothecaError, ValueError):
    """A path would leave the archive."""


class ConflictError(TomothecaError, ValueError):
    """Two things claim one place: a key, an identifier, an archive that is being written."""


class QueryError(TomothecaError, ValueError):
    """A query cannot be answered as asked: unknown field, bad operator, over a limit."""


class QueryTimeoutError(QueryError):
    """A query takes longer than one may."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"the query was stopped after {seconds:g} s; ask for less: add filters, fewer rows or fewer related lists"
        )


class AccessError(TomothecaError, PermissionError):
    """The caller may not do this."""


class StorageError(TomothecaError, OSError):
    """The disk or object store refused: full, read-only, unreachable."""


class ChangedSourceError(StorageError):
    """A file that stays in its place is not the one that was taken in: what is known of it is not true of it."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"{key} lies outside the archive and has changed since it was taken in; its operator can run the ingest again, or put the old file back"
        )

    def __reduce__(self) -> tuple[type[ChangedSourceError], tuple[str]]:
        """Say how it is made again in another process."""
        return type(self), (self.key,)


class MissingExtraError(TomothecaError, ImportError):
    """What was asked for needs an optional dependency that is not installed."""
