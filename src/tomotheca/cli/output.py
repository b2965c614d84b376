"""What commands print: answers on the standard output, progress and findings on the error stream."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from tomotheca.errors import Finding

MOST_FINDINGS = 40
SECONDS = 3.0
"""Between two lines of progress where there is no terminal."""


def emit(value: Any, *, as_json: bool, text: str) -> None:
    """Print an answer, as JSON or for people."""
    if as_json:
        print(json.dumps(plain(value), ensure_ascii=False, indent=2, default=str))
    elif text:
        print(text)


def plain(value: Any) -> Any:
    """Turn dataclasses into plain data."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(inner) for name, inner in asdict(value).items()}
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def note(sentence: str) -> None:
    """Tell the user something while a command works."""
    print(sentence, file=sys.stderr, flush=True)


def show_findings(findings: Iterable[Finding]) -> None:
    """List findings, the worst first; after many, only how many more there are."""
    ranked = sorted(findings, key=lambda f: ("error", "warning", "note").index(f.severity))
    for finding in ranked[:MOST_FINDINGS]:
        note(str(finding))
    if len(ranked) > MOST_FINDINGS:
        note(f"… and {len(ranked) - MOST_FINDINGS} more; --json lists all")


def size(number: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "KB", "MB", "GB"):
        if abs(number) < 1000:  # noqa: PLR2004 - units of a thousand
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


class Bar:
    """Progress of one command: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self, rich: RichProgress | None, task: TaskID | None, *, bytes_: bool, quiet: bool = False) -> None:
        self._rich, self._task, self._bytes, self._quiet = rich, task, bytes_, quiet
        self._done = 0.0
        self._total: float | None = None
        self._words = ""
        self._said = time.monotonic()

    def total(self, total: float) -> None:
        """Say how much there is to do."""
        self._total = total
        if self._rich and self._task is not None:
            self._rich.update(self._task, total=total)

    def advance(self, amount: float) -> None:
        """Say that some more is done."""
        self._done += amount
        if self._rich and self._task is not None:
            self._rich.advance(self._task, amount)
        elif self._total and not self._quiet and time.monotonic() > self._said + SECONDS:
            self._said = time.monotonic()
            shown = f" ({size(self._done)} of {size(self._total)})" if self._bytes else ""
            note(f"{self._words}: {min(100, 100 * self._done / self._total):.0f} %{shown}")

    def at(self, part: float) -> None:
        """Say which part of the whole is done."""
        self.advance(part * (self._total or 1) - self._done)

    def say(self, words: str) -> None:
        """Name what is being done."""
        self._words = words
        if self._rich and self._task is not None:
            self._rich.update(self._task, description=words)

    def note(self, sentence: str) -> None:
        """Print a line that stays."""
        if self._rich:
            self._rich.console.print(sentence, highlight=False, markup=False)
        elif not self._quiet:
            note(sentence)


@contextmanager
def progress(words: str, *, bytes_: bool = False, quiet: bool = False) -> Iterator[Bar]:
    """Show the progress of a block on the error stream."""
    if quiet or not sys.stderr.isatty():
        plain_bar = Bar(None, None, bytes_=bytes_, quiet=quiet)
        plain_bar.say(words)
        yield plain_bar
        return
    from rich.console import Console  # noqa: PLC0415 - only where a bar is shown
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")]
    columns += [DownloadColumn(), TransferSpeedColumn()] if bytes_ else []
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as rich:
        yield Bar(rich, rich.add_task(words, total=None), bytes_=bytes_)
