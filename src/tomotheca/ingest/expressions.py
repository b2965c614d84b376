"""Regular expressions of configurations: Python's own, without those that could run for ever.

An expression is read as an automaton whose states are its characters and classes (Glushkov's). Two ways to read the same text in a circle
mean that a text that does not match is tried in exponentially many ways, such as those of ``(a+)+`` or ``(a|a)*``: it is refused. What is
merely slow, such as ``.*a.*b.*c`` in a long path, or many optional parts, is stopped after `SECONDS` while it runs.
"""

from __future__ import annotations

import re
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from re import _constants as c  # type: ignore[attr-defined]  # the parser that `re` itself uses
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 100_000
"""Characters of an expression; lists of runs are long."""

COPIES = 10
"""Repetitions up to which a part is written out; more are taken for any number."""

LARGEST = 20_000
"""Characters and classes of an expression, written out."""

LARGEST_CIRCLE = 400
"""Characters and classes within one repetition."""

SECONDS = 5.0
"""One name may take."""

SHORT, FEW = 256, 2
"""Characters of a name, and choices of an expression, that cannot take long: they are matched without a clock, which costs more."""

CODES = 256
OTHER = 1 << CODES
"""Every character beyond Latin-1."""

EVERY = (OTHER << 1) - 1
CIRCLE = "repeats what is repeated already, or has alternatives that begin alike: some names would take for ever; repeat once only"


class ExpressionError(Exception):
    """An expression takes too long; the text says which and on what."""


def check(pattern: str) -> re.Pattern[str]:
    """Compile an expression of a configuration.

    Raises
    ------
    ValueError
        With what is wrong with it, if it is malformed, too large, or could run for ever.
    """
    if len(pattern) > LONGEST:
        message = f"is longer than {LONGEST} characters"
        raise ValueError(message)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
            _Automaton(compiled.flags & re.IGNORECASE != 0).read(_parser.parse(pattern))
    except (re.error, OverflowError) as error:
        message = f"is not a regular expression: {error}"
        raise ValueError(message) from error
    except RecursionError as error:
        message = "is not a regular expression: too many groups lie in one another"
        raise ValueError(message) from error
    return compiled


def search(pattern: re.Pattern[str] | str, text: str) -> re.Match[str] | None:
    """Search text for an expression.

    Raises
    ------
    ExpressionError
        If that takes more than `SECONDS`.
    """
    with _limited(pattern, text):
        return re.search(pattern, text)


def match(pattern: re.Pattern[str] | str, text: str) -> re.Match[str] | None:
    """Match an expression at the beginning of text.

    Raises
    ------
    ExpressionError
        If that takes more than `SECONDS`.
    """
    with _limited(pattern, text):
        return re.match(pattern, text)


@contextmanager
def _limited(pattern: re.Pattern[str] | str, text: str) -> Iterator[None]:
    """Stop after `SECONDS`: the engine listens to signals, which arrive in the main thread alone."""
    said = pattern if isinstance(pattern, str) else pattern.pattern
    if len(text) <= SHORT and sum(map(said.count, "*+?{|")) <= FEW:
        yield
        return
    earlier, _ = signal.getitimer(signal.ITIMER_REAL)
    if threading.current_thread() is not threading.main_thread() or 0 < earlier <= SECONDS:
        yield
        return

    def stop(*_: object) -> None:
        message = (
            f"the regular expression {said[:200]} takes more than {SECONDS:g} s for {text[:200]}: write it more simply"
        )
        raise ExpressionError(message)

    before, began = signal.signal(signal.SIGALRM, stop), time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if earlier:  # somebody else's clock goes on
            signal.setitimer(signal.ITIMER_REAL, max(earlier - (time.monotonic() - began), 0.001))


@dataclass(slots=True)
class _Part:
    """A piece of an expression: its first and last states, and whether it may be empty."""

    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    empty: bool = True


class _Automaton:
    """States and the steps between them; a step that is there twice is two ways to read the same."""

    def __init__(self, ignore_case: bool) -> None:
        self.ignore_case = ignore_case
        self.signs: list[int] = []
        self.steps: list[dict[int, int]] = []
        self.nothings = 0
        """Alternatives that can be passed in two ways without reading anything."""

    def read(self, tree: Any) -> None:
        """Read an expression.

        Raises
        ------
        ValueError
            If it could run for ever, or is too large to say.
        """
        self._sequence(tree)
        for circle in self._circles():
            if any(many > 1 and to in circle for state in circle for to, many in self.steps[state].items()):
                raise ValueError(CIRCLE)
            if len(circle) > LARGEST_CIRCLE:
                message = f"repeats more than {LARGEST_CIRCLE} characters and classes: write the repeated part shorter"
                raise ValueError(message)
            if self._is_ambiguous(circle):
                raise ValueError(CIRCLE)

    def _state(self, sign: int) -> _Part:
        if len(self.signs) >= LARGEST:
            message = f"has more than {LARGEST} characters and classes, repetitions written out: write it shorter"
            raise ValueError(message)
        self.signs.append(sign)
        self.steps.append({})
        state = len(self.signs) - 1
        return _Part([state], [state], empty=False)

    def _step(self, before: _Part, after: _Part) -> None:
        for state in before.last:
            steps = self.steps[state]
            for to in after.first:
                steps[to] = steps.get(to, 0) + 1

    def _follow(self, before: _Part, after: _Part) -> _Part:
        self._step(before, after)
        return _Part(
            before.first + after.first if before.empty else before.first,
            before.last + after.last if after.empty else after.last,
            before.empty and after.empty,
        )

    def _sequence(self, tree: Any) -> _Part:
        found = _Part()
        for op, value in tree:
            found = self._follow(found, self._one(op, value))
        return found

    def _one(self, op: Any, value: Any) -> _Part:
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            return self._repeated(*value)
        if op is c.SUBPATTERN:
            return self._sequence(value[-1])
        if op is c.ATOMIC_GROUP:
            return self._sequence(value)
        if op is c.BRANCH:
            return self._either([self._sequence(each) for each in value[1]])
        if op is c.GROUPREF_EXISTS:
            return self._either([self._sequence(each) if each is not None else _Part() for each in value[1:]])
        if op in (c.ASSERT, c.ASSERT_NOT):
            self._sequence(value[1])
            return _Part()
        if op is c.AT:
            return _Part()
        return self._state(_sign(op, value, self.ignore_case))

    def _either(self, parts: list[_Part]) -> _Part:
        self.nothings += sum(part.empty for part in parts) > 1
        return _Part(
            [s for part in parts for s in part.first],
            [s for part in parts for s in part.last],
            any(part.empty for part in parts),
        )

    def _repeated(self, least: int, most: int, tree: Any) -> _Part:
        if most > COPIES:
            before = self.nothings
            found = self._sequence(tree)
            if self.nothings > before:
                raise ValueError(CIRCLE)
            self._step(found, found)
            return _Part(found.first, found.last, found.empty or least == 0)
        parts = [self._sequence(tree) for _ in range(most)]
        found = _Part()
        for number in reversed(range(most)):
            found = self._follow(parts[number], found)
            found.empty = found.empty or number >= least
        return found

    def _circles(self) -> Iterator[frozenset[int]]:
        """Give the sets of states that lead to each other (Tarjan's)."""
        order: dict[int, int] = {}
        low: dict[int, int] = {}
        waiting: list[int] = []
        inside: set[int] = set()
        for root in range(len(self.steps)):
            if root in order:
                continue
            way = [(root, iter(self.steps[root]))]
            order[root] = low[root] = len(order)
            waiting.append(root)
            inside.add(root)
            while way:
                state, left = way[-1]
                for to in left:
                    if to not in order:
                        order[to] = low[to] = len(order)
                        waiting.append(to)
                        inside.add(to)
                        way.append((to, iter(self.steps[to])))
                        break
                    if to in inside:
                        low[state] = min(low[state], order[to])
                else:
                    way.pop()
                    if way:
                        low[way[-1][0]] = min(low[way[-1][0]], low[state])
                    if low[state] == order[state]:
                        at = waiting.index(state)
                        found = frozenset(waiting[at:])
                        del waiting[at:]
                        inside -= found
                        if len(found) > 1 or state in self.steps[state]:
                            yield found

    def _is_ambiguous(self, circle: frozenset[int]) -> bool:
        """Whether two ways that part at a state meet there again after the same text."""
        next_of = {state: [to for to in self.steps[state] if to in circle] for state in circle}
        pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        todo = [(state, state) for state in circle]
        while todo:
            pair = todo.pop()
            if pair in pairs:
                continue
            pairs[pair] = [(a, b) for a in next_of[pair[0]] for b in next_of[pair[1]] if self.signs[a] & self.signs[b]]
            todo += pairs[pair]
        before: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for pair, following in pairs.items():
            for each in following:
                before.setdefault(each, []).append(pair)
        return any(_meets(state, pairs, before) for state in circle)


def _meets(state: int, after: dict[Any, list[Any]], before: dict[Any, list[Any]]) -> bool:
    """Whether a pair of two different states lies on a way from a state beside itself, and back."""
    start = (state, state)
    return any(a != b for a, b in _reached(start, after) & _reached(start, before))


def _reached(start: Any, steps: dict[Any, list[Any]]) -> set[Any]:
    found: set[Any] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        if here not in found:
            found.add(here)
            todo += steps.get(here, ())
    return found


def _sign(op: Any, value: Any, ignore_case: bool) -> int:
    """Give the characters that a part stands for, a bit for each."""
    if op is c.ANY:
        return EVERY
    if op is c.LITERAL:
        return _range(value, value, ignore_case)
    if op is c.NOT_LITERAL:
        return EVERY & ~_range(value, value, ignore_case) | OTHER
    if op is not c.IN:  # nothing that is known: it may be anything
        return EVERY
    found, negated = 0, False
    for kind, inner in value:
        if kind is c.NEGATE:
            negated = True
        elif kind is c.LITERAL:
            found |= _range(inner, inner, ignore_case)
        elif kind is c.RANGE:
            found |= _range(inner[0], inner[1], ignore_case)
        else:
            found |= _category(inner)
    return EVERY & ~found | OTHER if negated else found


def _range(low: int, high: int, ignore_case: bool) -> int:
    found = OTHER if high >= CODES or ignore_case else 0
    for code in range(low, min(high + 1, CODES)):
        char = chr(code)
        for each in {char, char.lower(), char.upper()} if ignore_case else {char}:
            found |= 1 << ord(each) if len(each) == 1 and ord(each) < CODES else OTHER
    return found


@cache
def _category(kind: Any) -> int:
    """Give the characters of a class such as that of digits."""
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[str(kind).rpartition("_")[2]]
    letter = letter.upper() if "_NOT_" in str(kind) else letter
    return OTHER | sum(1 << code for code in range(CODES) if re.match(f"\\{letter}", chr(code)))
