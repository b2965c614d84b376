"""What visitors are told at the top of pages while something is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.page import Asked

AWAY = "The files of this archive cannot be reached at the moment. What is known about them is shown; pictures and downloads come back with them."


def notices(asked: Asked) -> tuple[str, ...]:
    """Give the notices of a page that shows files while the storage of the archive cannot be reached; none where no file is in it."""
    f = asked.portal.catalog.tables.file
    wanted = sa.select(f.c.key).where(f.c.source.is_(None)).limit(1)
    question = ("archived", asked.version)
    held = asked.portal.memory.get(question, lambda: bool(asked.portal.catalog.rows(wanted)))
    return (say(AWAY),) if held else ()
