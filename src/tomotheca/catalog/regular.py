"""Regular expressions that two engines read alike: google-re2 beside SQLite and PostgreSQL's own.

A pattern is parsed and written anew from a few parts with one meaning everywhere: characters, classes, groups, alternatives,
repetition, beginning and end. What is written differently in one of the engines, or is not there, is refused with a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

from tomotheca.errors import QueryError

LONGEST = 1000
"""Characters that a pattern may have."""

MOST_REPEATS = 255
"""Highest number in braces."""

LARGEST = 4000
"""Characters and classes of a pattern whose repetitions are written out."""

DEEPEST = 50
"""Groups within groups."""

Ranges = tuple[tuple[int, int], ...]

LAST = 0x10FFFF
SPECIAL = frozenset("\\^$.|?*+()[]{}-")
WIDEST = 2000
"""Characters of a class that can be compared without regard to case."""

CLASSES: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)), "alpha": ((65, 90), (97, 122)), "blank": ((9, 9), (32, 32)), "cntrl": ((1, 31), (127, 127)),
    "digit": ((48, 57),), "graph": ((33, 126),), "lower": ((97, 122),), "print": ((32, 126),), "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)), "upper": ((65, 90),), "xdigit": ((48, 57), (65, 70), (97, 102)),
}  # fmt: skip
"""Named classes; they hold ASCII only."""

LETTERS: dict[str, Ranges] = {
    "d": CLASSES["digit"],
    "s": CLASSES["space"],
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
}
CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
FINAL_SIGMA = str.maketrans("ς", "σ")


def fold(text: str) -> str:
    """Give text as it is compared without regard to case: in small letters, with one form of sigma."""
    return text.lower().translate(FINAL_SIGMA)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the rewritten pattern."""

    text: str
    size: int
    """Characters and classes in it, repetitions written out."""

    repeatable: bool = True


class Parser:
    """Reads one pattern.

    Parameters
    ----------
    pattern : str
        As it was given.
    ignore_case : bool
        Write it for text that has been folded.
    """

    def __init__(self, pattern: str, *, ignore_case: bool) -> None:
        self.pattern, self.ignore_case = pattern, ignore_case
        self.at = 0

    def rewrite(self) -> str:
        """Give the pattern in the form that both engines read alike.

        Raises
        ------
        QueryError
            If it is malformed, too large, or has what only one of the engines knows.
        """
        if len(self.pattern) > LONGEST:
            raise self.error(f"it is longer than {LONGEST} characters")
        if "\0" in self.pattern:
            raise self.error("it holds a NUL character")
        found = self.alternatives(0)
        if self.at < len(self.pattern):
            raise self.error("a closing parenthesis has no opening one")
        return found.text

    def error(self, reason: str) -> QueryError:
        """Make the error of a pattern that is refused."""
        return QueryError(f"{self.pattern[:100]!r} is not a regular expression this server can run: {reason}")

    def peek(self, length: int = 1) -> str:
        """Give the next characters without taking them."""
        return self.pattern[self.at : self.at + length]

    def take(self, length: int = 1) -> str:
        """Take the next characters."""
        found = self.peek(length)
        self.at += length
        return found

    def alternatives(self, depth: int) -> Part:
        """Read up to the end of the group."""
        if depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} groups lie in one another")
        branches = [self.branch(depth)]
        while self.peek() == "|":
            self.take()
            branches.append(self.branch(depth))
        return self.sized("|".join(b.text for b in branches), sum(b.size for b in branches) + 1)

    def sized(self, text: str, size: int, *, repeatable: bool = True) -> Part:
        """Make a part, if it is not too large."""
        if size > LARGEST:
            raise self.error("its repetitions make it too large")
        return Part(text, size, repeatable)

    def branch(self, depth: int) -> Part:
        """Read one alternative."""
        texts, size = [], 0
        while (here := self.peek()) and here not in "|)":
            atom = self.repeated(self.atom(depth))
            texts.append(atom.text)
            size += atom.size
        return self.sized("".join(texts), size)

    def repeated(self, atom: Part) -> Part:
        """Read how often an atom is repeated. Whether as few or as many as can be does not matter to whether there is a match."""
        if (found := self.quantifier()) is None:
            return atom
        low, high = found
        if not atom.repeatable:
            raise self.error("a place such as ^ or $ cannot be repeated")
        if self.peek() == "?":
            self.take()
        if (self.peek() and self.peek() in "*+?") or self.is_bound():
            raise self.error("a repetition is repeated; put a group around the inner one")
        most = low if high is None else high
        text = f"(?:{atom.text})" + {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(
            (low, high), f"{{{low},{'' if high is None else high}}}"
        )
        return self.sized(text, atom.size * max(most, 1))

    def is_bound(self) -> bool:
        """Say whether a number in braces follows."""
        following = self.peek(2)
        return following[:1] == "{" and following[1:] in set("0123456789")

    def quantifier(self) -> tuple[int, int | None] | None:
        """Read a quantifier, if there is one."""
        if self.peek() and self.peek() in "*+?":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.take()]
        if not self.is_bound():
            return None
        inside, brace, _ = self.pattern[self.at + 1 :].partition("}")
        low, comma, high = inside.partition(",")
        if not brace or not _is_number(low) or not (_is_number(high) or not high):
            raise self.error("a number of repetitions is written {2}, {2,} or {2,5}")
        self.at += len(inside) + 2
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > MOST_REPEATS:
            raise self.error(f"nothing can be repeated more than {MOST_REPEATS} times by number")
        if most is not None and most < least:
            raise self.error(f"{{{inside}}} ends before it begins")
        return least, most

    def atom(self, depth: int) -> Part:
        """Read one character, class, group or place."""
        here = self.take()
        if here in "^$":
            return Part(here, 1, repeatable=False)
        if here == "(":
            return self.group(depth)
        if here == "[":
            return self.bracket()
        if here == "\\":
            return self.escape()
        if here in "*+?" or (here == "{" and self.peek() in set("0123456789")):
            raise self.error(f"there is nothing that {here} could repeat")
        return Part(".", 1) if here == "." else self.character(here)

    def character(self, char: str) -> Part:
        """Write one character."""
        folded = fold(char) if self.ignore_case else char
        text = "".join(quoted(c) for c in folded)
        return Part(f"(?:{text})" if len(folded) > 1 else text, len(folded))

    def group(self, depth: int) -> Part:
        """Read a group, up to and with its closing parenthesis."""
        if self.peek() == "?":
            if self.peek(2) != "?:":
                raise self.error("of groups that begin with (? only (?: is known; write _iregex to ignore case")
            self.take(2)
        inside = self.alternatives(depth + 1)
        if self.take() != ")":
            raise self.error("a group is not closed")
        return Part(f"(?:{inside.text})", inside.size)

    def escape(self) -> Part:
        """Read what follows a backslash."""
        char = self.take()
        if not char:
            raise self.error("it ends with a backslash")
        if char == "A":
            return Part("^", 1, repeatable=False)
        if char.lower() in LETTERS:
            return Part(written(self.folded(LETTERS[char.lower()]), negated=char.isupper()), 1)
        return self.character(self.quoted_character(char))

    def quoted_character(self, char: str) -> str:
        """Give the character that a backslash and another one stand for."""
        if char in CONTROLS:
            return CONTROLS[char]
        if char.isascii() and not char.isalnum():
            return char
        raise self.error(f"\\{char} does not mean the same everywhere")

    def bracket(self) -> Part:
        """Read a class in brackets."""
        negated = self.peek() == "^"
        if negated:
            self.take()
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                raise self.error("a class in brackets is not closed")
            ranges += self.member(first=first)
            first = False
        self.take()
        return Part(written(tuple(ranges), negated=negated), 1)

    def member(self, *, first: bool) -> Ranges:
        """Read one member of a class: a character, a range or a named class."""
        if self.peek(2) == "[:":
            return self.named()
        if self.peek(2) in {"[.", "[="}:
            raise self.error("[. and [= are not known; put a backslash before the [")
        if self.peek() == "\\" and self.peek(2)[1:] in {*LETTERS, *map(str.upper, LETTERS)}:
            letter = self.take(2)[1]
            if self.peek() == "-" and self.peek(2) != "-]":
                raise self.error("a range cannot begin with a class")
            return complement(LETTERS[letter.lower()]) if letter.isupper() else self.folded(LETTERS[letter])
        start = self.end_of_range(may_be_dash=first)
        if self.peek() != "-" or self.peek(2) == "-]":
            return self.folded(((start, start),))
        self.take()
        end = self.end_of_range(may_be_dash=False)
        if end < start:
            raise self.error(f"the range {chr(start)}-{chr(end)} ends before it begins")
        if self.peek() == "-" and self.peek(2) != "-]":
            raise self.error("a range cannot begin where another ends")
        return self.folded(((start, end),))

    def end_of_range(self, *, may_be_dash: bool) -> int:
        """Read a character inside brackets."""
        char = self.take()
        if not char or (char == "[" and self.peek() and self.peek() in ":.="):
            raise self.error("a class in brackets is not closed, or a range has no end")
        if char == "-" and not may_be_dash and self.peek() != "]":
            raise self.error("a - that is no range stands first or last in brackets")
        return ord(self.quoted_character(self.take() or "Z") if char == "\\" else char)

    def named(self) -> Ranges:
        """Read a named class such as ``[:alpha:]``."""
        name, end, _ = self.pattern[self.at + 2 :].partition(":]")
        if not end or name not in CLASSES:
            raise self.error(f"there is no class [:{name[:20]}:]; there are {', '.join(sorted(CLASSES))}")
        self.at += len(name) + 4
        return self.folded(CLASSES[name])

    def folded(self, ranges: Ranges) -> Ranges:
        """Give the small forms of a class's characters, where case does not matter."""
        if not self.ignore_case:
            return ranges
        if any(high - low > WIDEST for low, high in ranges):
            raise self.error(f"a range of more than {WIDEST} characters cannot ignore case")
        small = [fold(chr(number)) for low, high in ranges for number in range(low, high + 1)]
        return merged(tuple((ord(c), ord(c)) for c in small if len(c) == 1))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def merged(ranges: Ranges) -> Ranges:
    """Give ranges in order, without overlaps."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return tuple(found)


def complement(ranges: Ranges) -> Ranges:
    """Give the ranges between those of a class of ASCII, from the first character that text can hold to the last."""
    inner = merged(ranges)
    starts, ends = [1, *(high + 1 for _, high in inner)], [*(low - 1 for low, _ in inner), LAST]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


def written(ranges: Ranges, *, negated: bool) -> str:
    """Write a class as ranges of characters."""
    inside = "".join(
        quoted(chr(low)) if low == high else f"{quoted(chr(low))}-{quoted(chr(high))}" for low, high in merged(ranges)
    )
    return f"[{'^' if negated else ''}{inside}]"


def quoted(char: str) -> str:
    """Write a character so that it has no other meaning."""
    return f"\\{char}" if char in SPECIAL else char
