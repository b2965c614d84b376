"""A request on its way to its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.lanes import Pace

if TYPE_CHECKING:
    from tomotheca.api.graphql.cost import Weight
    from tomotheca.api.graphql.documents import Document
    from tomotheca.api.graphql.lift import Lifted
    from tomotheca.api.graphql.plan import Plan
    from tomotheca.api.graphql.values import Shape, Variables
    from tomotheca.catalog.reading import Reading
    from tomotheca.catalog.viewer import Viewer


@dataclass(slots=True)
class Planned:
    """What is kept of the requests that share a plan."""

    pace: Pace = field(default_factory=Pace)
    plans: dict[bool, Plan] = field(default_factory=dict)
    """The plan while nothing is hidden, and the one while something is."""

    weight: Weight | None = None
    """What they make at most."""


@dataclass(slots=True)
class Operation:
    """One operation of a document."""

    variables: Variables
    planned: dict[tuple[Shape, bool], Planned] = field(default_factory=dict)
    """By the shape of the variables, and whether the viewer is a curator."""


@dataclass(slots=True)
class Ready:
    """A request, and what is known of it already."""

    request: Mapping[str, Any]
    viewer: Viewer
    found: tuple[Document, Lifted] | None = None
    planned: Planned | None = None
    seconds: float | None = None
    """Time for the whole answer when it is in a hurry."""

    reading: Reading | None = None
    """The transaction, once there is one."""

    def relax(self) -> None:
        """Take the time that every request has."""
        self.seconds = None
        if self.reading is not None:
            self.reading.relax()

    @property
    def quick(self) -> bool:
        """Answered so fast before that it needs no thread."""
        return self.planned is not None and self.planned.pace.quick


class Answer:
    """An answer as it comes: what there is of it, and the rest.

    Parameters
    ----------
    pieces : iterator of bytes
        The answer.
    pace : Pace
        Is told how long the work took.
    wrong : bool
        The answer says what is wrong with the request.
    """

    __slots__ = ("_begun", "_pieces", "_spent", "done", "pace", "size", "wrong")

    def __init__(self, pieces: Iterator[bytes], pace: Pace, *, wrong: bool = False) -> None:
        self._pieces, self.pace, self.wrong = pieces, pace, wrong
        self._begun: list[bytes] = []
        self._spent = 0.0
        self.size, self.done = 0, False
        """Bytes made and not taken; whether there are no more to make."""

    def fill(self, size: int) -> Answer:
        """Make more of the answer, until there are so many bytes to take or all of them.

        Raises
        ------
        RequestError
            If something is wrong.
        """
        begun, length, started = self._begun, self.size, time.thread_time()
        try:
            for piece in self._pieces:
                begun.append(piece)
                length += len(piece)
                if length > size:
                    break
            else:
                self.done = True
        finally:
            self.size = length
            self._spent += time.thread_time() - started
            self.pace.note(self._spent)
        return self

    @property
    def whole(self) -> bytes | None:
        """The answer, when there is all of it and it is one that may be kept."""
        return b"".join(self._begun) if self.done and not self.wrong else None

    def take(self) -> bytes:
        """Give what there is."""
        taken = b"".join(self._begun)
        self._begun, self.size = [], 0
        return taken

    def close(self) -> None:
        """Let go of the catalogue when nobody waits for the rest."""
        if close := getattr(self._pieces, "close", None):
            close()
