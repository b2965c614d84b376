"""The address of a page as a value: parameters that can be changed without touching the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, quote_plus

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Address:
    """A path with its parameters, in order. Parameters without a value are not there."""

    path: str
    pairs: Pairs = ()

    def first(self, name: str, default: str = "") -> str:
        """Give the first value of a parameter."""
        return next((v for k, v in self.pairs if k == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of a parameter."""
        return tuple(v for k, v in self.pairs if k == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Give the names of the parameters, each once."""
        return tuple(dict.fromkeys(k for k, _ in self.pairs))

    def put(self, **changes: object) -> Address:
        """Set parameters; None removes. Write ``-`` in a name as ``_``."""
        return self.set({k.replace("_", "-"): v for k, v in changes.items()})

    def set(self, changes: dict[str, object]) -> Address:
        """Set parameters; None or an empty text removes."""
        kept = tuple((k, v) for k, v in self.pairs if k not in changes)
        return Address(self.path, kept + tuple((k, str(v)) for k, v in changes.items() if v not in {None, ""}))

    def without(self, names: Iterable[str]) -> Address:
        """Leave parameters out."""
        gone = set(names)
        return Address(self.path, tuple((k, v) for k, v in self.pairs if k not in gone))

    def drop(self, name: str, value: str) -> Address:
        """Leave out one value of a parameter."""
        return Address(self.path, tuple((k, v) for k, v in self.pairs if (k, v) != (name, value)))

    def only(self, names: Iterable[str]) -> Address:
        """Keep these parameters alone."""
        kept = set(names)
        return Address(self.path, tuple((k, v) for k, v in self.pairs if k in kept))

    def at(self, path: str) -> Address:
        """Give the same parameters at another path."""
        return Address(path, self.pairs)

    def __str__(self) -> str:
        query = "&".join(f"{_quoted(k, '')}={_quoted(v, '/:,')}" for k, v in self.pairs)
        return quote(self.path, safe="/.-_~:@") + ("?" + query if query else "")


@lru_cache(1024)
def _quoted(text: str, safe: str) -> str:
    """Quote a name or a value; the links of one page repeat most of them."""
    return quote_plus(text, safe=safe)
