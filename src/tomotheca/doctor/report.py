"""What an examination found, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tomotheca.doctor.core import SEVERITIES, Problem
from tomotheca.doctor.registry import by_id

if TYPE_CHECKING:
    from tomotheca.desk.diagnoses import Diagnosis, Kept, Waiver
    from tomotheca.doctor.examine import Report

SHOWN = 5
"""Places that are listed for each rule."""

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@dataclass(frozen=True, slots=True)
class Split:
    """Findings, those apart that somebody decided to leave."""

    open: tuple[Problem, ...]
    ignored: tuple[tuple[Problem, str], ...]
    """With the reason."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of open findings by severity."""
        return {severity: sum(p.severity == severity for p in self.open) for severity in SEVERITIES}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """One finding over time."""

    state: str
    """open, resolved or ignored."""

    rule: str
    severity: str
    where: str
    path: str
    message: str
    first_seen: str
    last_seen: str
    resolved_at: str | None
    reason: str | None
    """Why it is ignored."""

    @property
    def until(self) -> str:
        """When it was there last."""
        return self.resolved_at or self.last_seen


def split(problems: Sequence[Problem], waivers: Sequence[Waiver]) -> Split:
    """Set those apart that somebody decided to leave as they are."""
    opened, ignored = [], []
    for problem in problems:
        reason = _reason(problem.rule, problem.where, waivers)
        if reason is None:
            opened.append(problem)
        else:
            ignored.append((problem, reason))
    return Split(tuple(opened), tuple(ignored))


def _reason(rule: str, where: str, waivers: Sequence[Waiver]) -> str | None:
    return next((w.reason for w in waivers if w.covers(rule, where)), None)


def lines(found: Split) -> Iterator[Line]:
    """Group findings by rule, the worst first: what is wrong, where, how to mend it."""
    known = by_id()
    for (severity, rule), group in groupby(found.open, key=lambda p: (p.severity, p.rule)):
        places = list(group)
        yield Line(f"{severity} {rule}: {len(places)}", STYLES[severity])
        if rule in known:
            yield Line(f"  Must be so: {known[rule].description}", "dim")
        for problem in places[:SHOWN]:
            place = f"{problem.where} ({problem.path})" if problem.path else problem.where
            yield Line(f"  {place}: {problem.message}")
        if len(places) > SHOWN:
            yield Line(f"  … and {len(places) - SHOWN} more; --rule {rule} --json lists all")
        yield Line(f"  To mend: {places[0].mend}.", "dim")
        yield Line("")


def summary(report: Report, found: Split, kept: Kept) -> list[str]:
    """Add up."""
    counts = ", ".join(f"{n} {severity}{'' if n == 1 else 's'}" for severity, n in found.counts.items())
    ignored = f" ({len(found.ignored)} ignored)" if found.ignored else ""
    rate = f", {report.files / report.seconds:,.0f} a second" if report.seconds > 0 else ""
    said = [f"{counts}{ignored} in {report.runs} runs; {report.files} files{rate}."]
    if kept.new or kept.resolved:
        said.append(f"Since the last time {kept.new} are new and {kept.resolved} are resolved.")
    return said


def plain(report: Report, found: Split, kept: Kept, first: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    """Give a report as data."""
    return {
        **found.counts,
        "findings": [{**asdict(p), "first_seen": first.get(p.place)} for p in found.open],
        "ignored": [{**asdict(p), "first_seen": first.get(p.place), "reason": reason} for p, reason in found.ignored],
        "new": kept.new,
        "resolved": kept.resolved,
        "runs": report.runs,
        "files": report.files,
        "seconds": round(report.seconds, 3),
    }


def history(diagnoses: Sequence[Diagnosis], waivers: Sequence[Waiver]) -> list[Past]:
    """Give findings over time, the open ones first."""
    found = []
    for one in diagnoses:
        reason = _reason(one.rule, one.where, waivers)
        state = "resolved" if one.resolved_at else "open" if reason is None else "ignored"
        found.append(
            Past(
                state, one.rule, one.severity, one.where, one.path, one.message, one.first_seen, one.last_seen, one.resolved_at, reason
            )
        )  # fmt: skip
    order = {"open": 0, "ignored": 1, "resolved": 2}
    return sorted(found, key=lambda p: (order[p.state], p.rule, p.where, p.path))
