"""Arrays whose finest level stays in a file outside the archive: members that are stretches of it, and members that lie in the archive.

Such an array directory is an entry with a `source`, the file, whose list of members says of each where it is. In place of a digest stands

- ``at:<offset>,<bytes of the file>,<time of its last change in nanoseconds>``, and ``,<sha256>`` once it was hashed: the member is the stretch of
  its size that begins at the offset of the file, as long as that has the size and time given;
- ``here:<sha256>``: the member is a file of the archive, like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.store.members import Member

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = "at:"
HERE = "here:"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the bytes of a member are in the file that its array directory names as source."""

    offset: int
    whole: int
    """Bytes of the file."""

    mtime: int
    """Time of its last change, in nanoseconds since 1970."""

    sha256: str | None = None
    """Digest of the stretch, once somebody has asked for it."""

    @property
    def word(self) -> str:
        """What stands in the list of members in place of a digest."""
        digest = f",{self.sha256}" if self.sha256 else ""
        return f"{AT}{self.offset},{self.whole},{self.mtime}{digest}"


def stretch(member: Member) -> Stretch | None:
    """Give the stretch that a member is, or None for one that is a file.

    Raises
    ------
    InvalidDocumentError
        If its line cannot be read.
    """
    if not member.sha256.startswith(AT):
        return None
    try:
        offset, whole, mtime, *digest = member.sha256.removeprefix(AT).split(",")
        return Stretch(int(offset), int(whole), int(mtime), digest[0] if digest else None)
    except ValueError as error:
        text = f"{member.sha256!r} is not `at:offset,bytes,time`: run the ingest again to write the list anew"
        raise InvalidDocumentError([Finding("error", member.path, text)]) from error


def kept_here(member: Member) -> Member | None:
    """Give a member that lies in the archive although its array directory has a source, with its bare digest; None for any other."""
    if not member.sha256.startswith(HERE):
        return None
    return Member(member.path, member.size, member.sha256.removeprefix(HERE))


def sections(level: str, count: int, size: int, begins: Stretch) -> Iterator[Member]:
    """Give the chunks ``<level>/<z>/0/0`` of an array of plain sections, each of `size` bytes, the first where `begins` says."""
    for z in range(count):
        found = Stretch(begins.offset + z * size, begins.whole, begins.mtime)
        yield Member(f"{level}/{z}/0/0", size, found.word)
