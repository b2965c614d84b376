"""How the values of filters are written in an address, and what they become in the clause language."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tomotheca.web.format import number

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause

NUMBER = r"[-\u2212]?\d+(?:\.\d+)?"
COMPARISON = re.compile(rf"^(?P<operator>>=|>|<=|<|=?)(?P<value>{NUMBER})$")
BETWEEN = re.compile(rf"^(?P<low>{NUMBER})?\.\.(?P<high>{NUMBER})?$")
OPERATORS = {">=": "_gte", ">": "_gt", "<=": "_lte", "<": "_lt", "": "_eq", "=": "_eq"}
WORDS = {"_gte": "at least {}", "_gt": "more than {}", "_lte": "at most {}", "_lt": "less than {}", "_eq": "{}"}
NONE = "(none)"
"""Value of a filter that asks for rows where nothing is recorded."""

LARGEST = 1e300
"""Far beyond any quantity, short of infinity."""

LONGEST = 500
"""Characters of a text that is looked for."""

MAX_INTEGER = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """A parsed number filter: comparisons that all must hold."""

    comparisons: tuple[tuple[str, float], ...]

    @property
    def clause(self) -> Clause:
        """The comparisons as the clause language has them."""
        return dict(self.comparisons)

    @property
    def words(self) -> str:
        """The comparisons as a person says them."""
        return " and ".join(WORDS[op].format(number(v)) for op, v in self.comparisons)

    def limit(self, *operators: str) -> str:
        """Give the number behind one of the operators, as an input shows it."""
        return next((f"{v:g}" for op, v in self.comparisons if op in operators), "")


def bounds(text: str) -> Bounds:
    """Parse ``5``, ``>=5``, ``<5``, ``5..10``, ``5..``, ``..10``.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    text = text.replace(" ", "").replace(",", "").replace("\u2212", "-")
    if found := COMPARISON.match(text):
        return Bounds(((OPERATORS[found["operator"]], _float(found["value"])),))
    found = BETWEEN.match(text)
    if not found or not (found["low"] or found["high"]):
        message = f"{text}: write a number, >=5, <5 or 5..10"
        raise ValueError(message)
    ends = (("_gte", found["low"]), ("_lte", found["high"]))
    return Bounds(tuple((op, _float(v)) for op, v in ends if v))


def _float(text: str) -> float:
    value = float(text)
    if abs(value) > LARGEST:
        message = f"{text[:20]}: write a number that a quantity can have"
        raise ValueError(message)
    return int(value) if value.is_integer() and abs(value) <= MAX_INTEGER else value


def identifiers(text: str) -> tuple[int, ...]:
    """Parse identifiers with or without prefix, separated by commas or spaces."""
    found = []
    for token in re.split(r"[\s,;]+", text.strip()):
        match = re.fullmatch(r"(?:[A-Za-z]+[-\s]?)*?(\d{1,10})", token)
        if not match or int(match[1]) > MAX_INTEGER:
            raise ValueError(text)
        found.append(int(match[1]))
    return tuple(found)


def words(text: str) -> tuple[str, ...]:
    """Cut a search text into words; what stands in quotes stays together."""
    found = re.findall(r'"([^"]+)"|(\S+)', unicodedata.normalize("NFKC", text))
    return tuple(cleaned for phrase, word in found if (cleaned := " ".join((phrase or word.replace('"', "")).split())))


def contains(text: str) -> Clause:
    """Give the comparison "contains this text", whatever case or accents either side has."""
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    letters = (c for c in plain if not unicodedata.combining(c))
    return {"_iregex": "".join(_class(c) for c in letters)}


def _class(char: str) -> str:
    if char.isspace():
        return r"\s+"
    variants = _variants().get(char.lower(), "")
    return f"[{char.lower()}{variants}]" if variants else re.escape(char)


@cache
def _variants() -> dict[str, str]:
    """Give the accented forms of each letter of the Latin and Greek alphabets."""
    found: dict[str, list[str]] = defaultdict(list)
    for char in map(chr, range(0xC0, 0x250)):
        base = unicodedata.normalize("NFD", char)[0]
        if base != char and char.islower():
            found[base.lower()].append(char)
    return {base: "".join(chars) for base, chars in found.items()}


def check_text(text: str) -> str:
    """Refuse what no text can hold.

    Raises
    ------
    ValueError
        If the text is empty, too long, or has a null character or half a surrogate pair.
    """
    cleaned = " ".join(text.split())
    if not cleaned or len(cleaned) > LONGEST or "\x00" in cleaned or not cleaned.isprintable():
        raise ValueError(text)
    return cleaned
