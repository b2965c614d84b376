"""What a rule is, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tomotheca.errors import Severity

Profile = Literal["default", "cz"]

PROFILES: tuple[Profile, ...] = ("default", "cz")
"""``default`` is what this program's writer promises; ``cz`` adds the stricter forms of the public CryoET Data Portal."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class At:
    """What a rule says about a place other than its subject's own."""

    message: str
    where: str = ""
    """Archive key; empty for that of the subject."""

    path: str = ""
    """Dotted path inside the file."""


Said = str | At


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a rule found."""

    rule: str
    severity: Severity
    where: str
    """Archive key, or path of a source file."""

    message: str
    """What is wrong."""

    mend: str
    """What to do."""

    path: str = ""
    """Dotted path inside the file."""

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes it the same problem when it is found again."""
        return self.rule, self.where, self.path


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; its description is the first sentence of its function."""

    id: str
    severity: Severity
    subject: type
    """Class of what it is about."""

    examine: Callable[[Any], Iterator[Said]]
    """Takes one subject, gives what is wrong with it."""

    mend: str
    profile: Profile = "default"
    source: bool = False
    """Whether `tomotheca check` applies it to the files of a source too."""

    written: bool = False
    """Whether it is a promise of our writer, which files that stay in their place need not keep."""

    @property
    def description(self) -> str:
        """What must be so."""
        return " ".join((self.examine.__doc__ or "").split("\n\n")[0].split())
