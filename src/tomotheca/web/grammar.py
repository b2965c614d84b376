"""How the values of filters are written in an address, and what they become in the clause language."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from tomotheca.web.format import number
from tomotheca.web.words import say

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
        return say(" and ").join(say(WORDS[op], number(v)) for op, v in self.comparisons)

    @property
    def number(self) -> float:
        """The one number that was written.

        Raises
        ------
        ValueError
            If it is a range.
        """
        ((operator, value),) = self.comparisons
        if operator != "_eq":
            message = "write one number"
            raise ValueError(message)
        return value

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


TRI = {"true": "yes", "false": "no", "unknown": "not recorded"}
"""Values of a filter on something that may be so, not so, or not recorded; and their words."""


def tri(text: str) -> str:
    """Parse one of three states.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if text.lower() not in TRI:
        raise ValueError(text)
    return text.lower()


UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
BYTES = re.compile(rf"({NUMBER})\s*([KMGT]?I?B?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sized(Bounds):
    """A parsed filter on bytes, or on moments, said as it was written."""

    written: str = ""

    @property
    def words(self) -> str:
        """The text, as a person says it."""
        return _said(self.written)


def _said(text: str) -> str:
    low, dots, high = text.partition("..")
    if dots:
        return say("{} to {}", low, high) if low and high else say("from {}", low) if low else say("up to {}", high)
    for sign, operator in OPERATORS.items():
        if sign and text.startswith(sign):
            return say(WORDS[operator], text.removeprefix(sign).strip())
    return text


def sizes(text: str) -> Sized:
    """Parse a number of bytes or a range of them: ``>10GB``, ``500MB..2GB``, ``1.5GiB``.

    Raises
    ------
    ValueError
        If the text is none of these.
    """

    def in_bytes(found: re.Match[str]) -> str:
        if found[2].upper() not in UNITS:
            raise ValueError(text)
        return f"{float(found[1]) * UNITS[found[2].upper()]:.0f}"

    return Sized(bounds(BYTES.sub(in_bytes, text.replace(" ", ""))).comparisons, text)


DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def dates(text: str) -> Sized:
    """Parse a day, month or year, or a range of them; an end is included as a whole.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    text = text.replace(" ", "")
    low, dots, high = text.partition("..")
    if dots:
        if not (low or high):
            raise ValueError(text)
        ends = [("_gte", _day(low)[0])] if low else []
        return Sized((*ends, *([("_lt", _day(high)[1])] if high else [])), text)  # type: ignore[arg-type]  # moments compare like numbers
    sign = next((s for s in (">=", ">", "<=", "<", "=") if text.startswith(s)), "")
    begin, end = _day(text.removeprefix(sign))
    found = {">=": (("_gte", begin),), ">": (("_gte", end),), "<": (("_lt", begin),), "<=": (("_lt", end),)}
    return Sized(found.get(sign, (("_gte", begin), ("_lt", end))), text)  # type: ignore[arg-type]  # the same


def _day(text: str) -> tuple[str, str]:
    """Give the first day of a day, month or year, and the first day after it."""
    found = DAY.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    begin = date(year, month or 1, day or 1)
    if day:
        end = begin + timedelta(days=1)
    elif month:
        end = date(year + month // 12, month % 12 + 1, 1)
    else:
        end = date(year + 1, 1, 1)
    return begin.isoformat(), end.isoformat()


def accession(prefix: str, form: str = r"\d{1,9}") -> Callable[[str], str]:
    """Make the parser of an accession that may stand without its prefix."""

    def parse(text: str) -> str:
        found = re.fullmatch(form, text.strip().upper().removeprefix(prefix.rstrip("-")).lstrip("-: "))
        if not found:
            raise ValueError(text)
        return found[0]

    return parse


def orcid(text: str) -> str:
    """Parse an ORCID, with or without its address and hyphens.

    Raises
    ------
    ValueError
        If it is none.
    """
    digits = text.strip().upper().rpartition("/")[2].replace("-", "")
    if not re.fullmatch(r"\d{15}[\dX]", digits):
        raise ValueError(text)
    return "-".join(digits[i : i + 4] for i in range(0, 16, 4))


def ontology_id(text: str) -> Clause:
    """Parse an ontology identifier: ``GO:0016020``, ``go_0016020``, or digits, which stand for that number in any ontology.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = re.fullmatch(r"(?:([A-Za-z]+)[\s:_-]*)?(\w{1,20})", text.strip())
    if not found or (not found[1] and not found[2].isdigit()):
        raise ValueError(text)
    if not found[1]:
        return {"_iregex": rf"^[a-z]+[:_-]{found[2]}$"}
    return {"_iregex": rf"^{found[1]}[:_-]{found[2]}$"}
