"""Every rule, in the order in which reports and documentation list them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from tomotheca.doctor.core import SEVERITIES, Profile, Rule
from tomotheca.doctor.rules import documents, frames, mrc, pages, series, volumes, zarr
from tomotheca.errors import NotFoundError, Severity

RULES: tuple[Rule, ...] = (
    *documents.RULES,
    *pages.RULES,
    *frames.RULES,
    *series.RULES,
    *volumes.RULES,
    *zarr.RULES,
    *mrc.RULES,
)
"""The registry."""

ANNOTATED = "run.annotation_per_tomogram"
"""The rule whose severity a setting decides."""


def select(
    patterns: Iterable[str] = (),
    *,
    profile: Profile = "default",
    severity: Severity = "note",
    given: Sequence[Rule] = RULES,
) -> tuple[Rule, ...]:
    """Choose rules by name, such as ``mrc.*``, by profile, and by the least severity.

    Raises
    ------
    NotFoundError
        If a pattern names no rule.
    """
    wanted = tuple(patterns)
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(rule.id, pattern) for rule in given):
            near = get_close_matches(pattern, [rule.id for rule in given], 1)
            hint = f"did you mean {near[0]}? " if near else ""
            message = f"there is no rule {pattern}: {hint}docs/doctor.md lists them all"
            raise NotFoundError(message)
    named = [r for r in given if not wanted or any(fnmatch.fnmatchcase(r.id, pattern) for pattern in wanted)]
    exact = [r for r in named if r.profile in {"default", profile} or r.id in wanted]
    most = SEVERITIES.index(severity)
    return tuple(r for r in exact if SEVERITIES.index(r.severity) <= most)


def set_severity(rules: Iterable[Rule], identifier: str, severity: Severity | None) -> tuple[Rule, ...]:
    """Give a rule another severity, or leave it out."""
    changed = (replace(r, severity=severity) if r.id == identifier and severity else r for r in rules)
    return tuple(r for r in changed if severity is not None or r.id != identifier)


def by_id() -> Mapping[str, Rule]:
    """Give every rule by its name."""
    return {rule.id: rule for rule in RULES}
