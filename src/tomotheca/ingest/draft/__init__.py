"""Draft: from a folder that nobody has described to a configuration, each guess with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.errors import NotFoundError
from tomotheca.ingest.draft.compose import Composer, Numbers
from tomotheca.ingest.draft.guesses import Guess, Todo
from tomotheca.ingest.draft.survey import survey
from tomotheca.ingest.draft.write import text_of, write

if TYPE_CHECKING:
    from tomotheca.ingest.draft.found import Survey

__all__ = ["Draft", "Guess", "Numbers", "Todo", "draft"]

HEAD = """Drafted by `tomotheca draft` from {folder} on {today}: {layout}, {runs} runs.
Behind each value stands how sure it is, and why: sure (a file says it), likely (it follows from what files say), unsure (the usual thing).
Replace every TODO. Where a text stands the configuration can be taken in with a TODO while visibility is private; numbers and codes must be given.
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that was drafted."""

    text: str
    """YAML."""

    map_name: str
    map_text: str
    """Table of what differs from run to run, to be kept beside the configuration; empty where nothing does."""

    survey: Survey
    todos: tuple[tuple[int, str, Todo], ...]
    """Line, path and what is to be given."""

    guesses: tuple[tuple[int, str, Guess], ...]
    notes: tuple[str, ...]

    @property
    def left(self) -> tuple[tuple[str, str], ...]:
        """Files that no entry covers, with the reason."""
        return tuple((f.path, f.reason) for f in self.survey.left)


def draft(folder: Path, numbers: Numbers, *, map_name: str, today: date) -> Draft:
    """Draft a configuration for a folder; nothing is written.

    Parameters
    ----------
    folder
        The source; its files are only looked at.
    numbers
        Identifiers of the dataset and the deposition.
    map_name
        Name that the table of what differs from run to run will have.

    Raises
    ------
    NotFoundError
        If the folder is not there, or has nothing that could be a run.
    """
    if not folder.is_dir():
        message = f"there is no folder {folder}"
        raise NotFoundError(message)
    found = survey(folder)
    if not found.runs:
        message = f"{folder} has nothing that could be a run: no mdoc file, no alignment, no tilt series and no tomogram (MRC or OME-Zarr)"
        raise NotFoundError(message)
    composer = Composer(found, numbers, today, map_name)
    content = composer.content()
    head = HEAD.format(folder=folder, today=today.isoformat(), layout=" and ".join(found.layout), runs=len(found.runs))
    written = write(content, head)
    return Draft(
        text_of(written), map_name, composer.map_text(), found, tuple(written.todos), tuple(written.guesses), tuple(composer.notes)
    )  # fmt: skip
