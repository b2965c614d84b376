"""What is still TODO in a configuration: allowed where a text stands and nobody sees it, a mistake everywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.config import Configuration, Entry
    from tomotheca.ingest.yamlsource import Location

TODO = re.compile(r"TODO\b")
"""How a value begins that is still to be given."""


TODO_SAID = "is still TODO"


def is_todo(value: Any) -> bool:
    """Whether a value is still to be given."""
    return isinstance(value, str) and TODO.match(value) is not None


def todos(configuration: Configuration) -> Iterator[Finding]:
    """Find every text that is still TODO, each line once; what should be a number or a code is found by the grammar.

    It is a warning while all that the configuration describes is private, else an error: a TODO is not to be published.
    """
    hidden = all(_is_hidden(e) for name in ("depositions", "datasets") for e in configuration.of(name))
    seen = {f.where for f in configuration.errors if TODO_SAID in f.message}
    for entries in configuration.entries.values():
        for entry in entries:
            for location, key in inside(entry.metadata, (*entry.location, "metadata")):
                where = configuration.text.where(location)
                if where in seen:
                    continue
                seen.add(where)
                words = (
                    "before it is published" if hidden else "or write visibility: private into datasets and depositions"
                )
                yield configuration.text.finding(
                    "warning" if hidden else "error", location, f"{key} {TODO_SAID}: give it {words}."
                )


def _is_hidden(entry: Entry) -> bool:
    if entry.metadata is None:
        return True
    visibility = entry.metadata.get("visibility")
    return isinstance(visibility, dict) and visibility.get("state") == "private"


def inside(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Find the texts inside a value that are still to be given: where each stands, and the key that it stands under."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from inside(inner, (*location, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from inside(inner, (*location, i))
    elif is_todo(value):
        yield location, str(next((part for part in reversed(location) if isinstance(part, str)), ""))
