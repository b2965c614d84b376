"""Identifiers as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tomotheca.errors import QueryError

KINDS = {"DS": "datasets", "RN": "runs", "TS": "tiltseries", "TM": "tomograms", "AN": "annotations", "AL": "alignments"}
"""Kind by prefix; depositions have the prefix that their server was given."""

PATTERN = re.compile(r"(?P<prefix>[A-Za-z]+)-(?P<number>\d{1,10})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One entity to download."""

    text: str
    kinds: str
    number: int


def parse(text: str) -> Wanted:
    """Read an identifier such as ``DS-10001``.

    Raises
    ------
    QueryError
        If it is none.
    """
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        message = f"{text!r} is not an identifier; write one like DS-10001, RN-12, TS-3, TM-5, AN-7 or DEP-10300"
        raise QueryError(message)
    return Wanted(text.strip(), KINDS.get(match["prefix"].upper(), "depositions"), int(match["number"]))
