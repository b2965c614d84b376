"""Addresses in the rows of a dump, and the keys that they have in a folder of files: what stands before a key is found out from both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.store import keys

if TYPE_CHECKING:
    from tomotheca.catalog.dumpread import Block
    from tomotheca.schema import Schema

SAMPLE = 2000
"""Addresses by which prefixes are found."""

MOST_PREFIXES = 8


@dataclass(frozen=True)
class Addresses:
    """Turns addresses into keys, where a key is known."""

    schema: Schema
    prefixes: tuple[str, ...] = ()
    known: Collection[str] | None = None
    """Keys without a slash at the end; None for any."""

    def key(self, address: str) -> str:
        """Give the key that an address has; empty for none."""
        for prefix in self.prefixes:
            if address.startswith(prefix):
                key = address[len(prefix) :]
                if key and (self.known is None or key.rstrip("/") in self.known):
                    return key
        return ""

    def localise(self, block: Block) -> dict[str, list[str]]:
        """Put keys in the place of addresses that have one, and give the keys of each column by its name, empty where there is none."""
        found: dict[str, list[str]] = {}
        for column in self.schema.columns(block.kind):
            if not column.location:
                continue
            values = block.columns[column.name]
            found[column.name] = [self.key(v) if v else "" for v in values]
            block.columns[column.name] = [key or v for key, v in zip(found[column.name], values, strict=True)]
        return found


def addresses_of(schema: Schema, block: Block) -> Iterator[str]:
    """Give every address in some rows."""
    for column in schema.columns(block.kind):
        if column.location:
            yield from (v for v in block.columns[column.name] if v)


@dataclass
class Detector:
    """Finds out what stands before the keys of a tree: the beginning that leaves a path there is, for as many addresses as possible."""

    tree: Path
    _exists: dict[str, bool] = field(default_factory=dict)

    def prefixes(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Give prefixes, the one that explains most first; of two that explain the same the shorter."""
        open_ = [dict(self._candidates(a)) for a in sample(addresses)]
        found: list[str] = []
        while len(found) < MOST_PREFIXES:
            votes = Counter(prefix for candidates in open_ for prefix in candidates)
            if not votes:
                break
            best = min(votes, key=lambda prefix: (-votes[prefix], len(prefix)))
            found.append(best)
            open_ = [candidates for candidates in open_ if best not in candidates]
        return tuple(found)

    def _candidates(self, address: str) -> Iterator[tuple[str, str]]:
        scheme, slashes, rest = address.partition("://")
        parts = rest.rstrip("/").split("/")
        for cut in range(1, len(parts)):
            key = "/".join(parts[cut:])
            if not keys.segment_problem(key) and self._there(key):
                yield f"{scheme}{slashes}{'/'.join(parts[:cut])}/", key

    def _there(self, key: str) -> bool:
        if key not in self._exists:
            self._exists[key] = (self.tree / key).exists()
        return self._exists[key]


def sample(addresses: Sequence[str]) -> Iterable[str]:
    """Give some addresses from the whole list."""
    step = max(1, len(addresses) // SAMPLE)
    return addresses[::step]
