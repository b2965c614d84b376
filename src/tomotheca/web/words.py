"""The words of pages in the language of who reads them, from gettext catalogues; English is what the sources say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.schema import vocabulary

if TYPE_CHECKING:
    from tomotheca.settings import Settings

DOMAIN = "tomotheca"
FILE = f"LC_MESSAGES/{DOMAIN}.mo"
SIGNS = {"thousands separator": ",", "decimal mark": ".", "direction of writing": "ltr"}
"""Messages that are no words, by their context: a catalogue says how its language writes numbers, and `ltr` or `rtl`."""


@dataclass(frozen=True, eq=False)
class Words:
    """One language."""

    language: str = "en"
    catalogue: NullTranslations = field(default_factory=NullTranslations)

    @property
    def direction(self) -> str:
        """Direction in which it is written, as HTML says it."""
        return "rtl" if self.sign("direction of writing") == "rtl" else "ltr"

    def sign(self, name: str) -> str:
        """Give one of the signs."""
        return self.catalogue.pgettext(name, SIGNS[name])

    def numbers(self, text: str) -> str:
        """Write a number that is written in English as this language writes it."""
        if self is ENGLISH:
            return text
        return text.translate(self._marks)

    @cached_property
    def _marks(self) -> Mapping[int, str]:
        return {ord(","): self.sign("thousands separator"), ord("."): self.sign("decimal mark")}

    def translate(self, message: str) -> str:
        """Give a message in this language; what no catalogue knows stays as it is."""
        return message if self is ENGLISH or not message else self.catalogue.gettext(message)


ENGLISH = Words()
_CURRENT: ContextVar[Words] = ContextVar("words", default=ENGLISH)


current = _CURRENT.get
"""Gives the language that is spoken now: English, except while a page for people is made."""


@contextmanager
def speaking(words: Words) -> Iterator[None]:
    """Speak a language."""
    token = _CURRENT.set(words)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def say(message: str, *parts: Any) -> str:
    """Give a message in the language that is spoken, its places filled in: ``say("Run {} of {}", name, title)``."""
    text = _CURRENT.get().translate(message)
    return text.format(*parts) if parts else text


def some(one: str, many: str, amount: int, *parts: Any) -> str:
    """Give the form of a message that goes with a number."""
    return _CURRENT.get().catalogue.ngettext(one, many, amount).format(*parts)


def label(enum: str, code: object) -> str:
    """Give the words for a code of the vocabulary."""
    return say(vocabulary.label(enum, code))


@cache
def installed(folder: Path | None) -> Mapping[str, Words]:
    """Give the languages whose catalogues are in a folder, English first."""
    found = {"en": ENGLISH}
    for path in sorted(folder.glob(f"*/{FILE}")) if folder else ():
        with path.open("rb") as file:
            found[path.parent.parent.name] = Words(path.parent.parent.name, GNUTranslations(file))
    return found


def varied(settings: Settings) -> str:
    """Name the header that pages depend on, where there is more than one language."""
    return "Accept-Language" if len(installed(settings.languages)) > 1 else ""


def choose(settings: Settings, accept: str) -> Words:
    """Give the installed language that a visitor prefers, from the header `Accept-Language`."""
    known = installed(settings.languages)
    if len(known) == 1:
        return ENGLISH
    exact = {name.lower(): words for name, words in known.items()}
    bases = {name.lower().partition("-")[0]: words for name, words in reversed(list(known.items()))}
    for tag in _wanted(accept):
        if words := exact.get(tag) or bases.get(tag.partition("-")[0]):
            return words
    return ENGLISH


def _wanted(accept: str) -> list[str]:
    """Give the tags of languages, the dearest first."""
    found = []
    for part in accept[:500].lower().split(","):
        tag, _semicolon, rest = part.partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag.strip() and weight > 0:
            found.append((-weight, tag.strip()))
    return [tag for _weight, tag in sorted(found, key=lambda pair: pair[0])]
