"""Try the patterns of a configuration without its source: braces, variables, brackets, steps out of the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tomotheca.ingest import language
from tomotheca.ingest.finders import FILTERED
from tomotheca.ingest.language import CONTAINERS
from tomotheca.ingest.language_shapes import Shape
from tomotheca.ingest.listing import segments_of
from tomotheca.ingest.maps import PAIRS
from tomotheca.ingest.template import FIELD, named

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.config import Configuration, Entry, Source
    from tomotheca.ingest.language import Container

LONGEST = 4096
"""Characters of a pattern, as of a path."""

PARTS = ("name", "path", "id", "output_path")
"""What can be said of each parent: ``{run_name}``."""

SET = re.compile(r"\[[!^]?\]?[^]]*\]")
FILLED = ("filter_value", "mesh_source_path")
"""Texts of a shape that variables are filled into, besides its patterns."""


def patterns(configuration: Configuration) -> Iterator[Finding]:
    """Give every finding about the patterns of a configuration."""
    columns = _columns(configuration)
    for entries in configuration.entries.values():
        for entry in entries:
            known = None if columns is None else {*columns, *parents(entry.container)}
            for source in entry.sources:
                if any(len(pattern) > LONGEST for pattern in source.globs):
                    message = f"a pattern has more than {LONGEST} characters, so many no path has: mend it."
                    yield configuration.text.finding("error", source.location, message)
                else:
                    yield from _of_source(configuration, entry, source, known)


def parents(container: Container) -> set[str]:
    """List the variables that say something of the parents of a container's items."""
    kinds = ["tiltseries"] if container.per_series else []
    while container.parent:
        container = CONTAINERS[container.parent]
        kinds.append(container.kind)
    said = {f"{kind}_{part}" for kind in kinds for part in PARTS} | {f"int_{kind}_name" for kind in kinds}
    return {*said, "output_path"} if kinds else said


def _columns(configuration: Configuration) -> set[str] | None:
    """List the columns of the map files; None where only the files know them."""
    standard = configuration.standard
    if standard is None or standard.run_data_map_file:
        return None
    return {variable for key, variable in PAIRS.items() if getattr(standard, key)}


def _of_source(configuration: Configuration, entry: Entry, source: Source, known: set[str] | None) -> Iterator[Finding]:
    def said(severity: str, message: str) -> Finding:
        return configuration.text.finding(severity, source.location, message)

    if isinstance(source.finder, language.DestinationFilter) and entry.container.kind not in FILTERED:
        yield said(
            "error", f"destination_filter finds {', '.join(FILTERED)} only: use destination_glob for {entry.name}."
        )
    for pattern in source.globs:
        if not pattern.strip("/ "):
            yield said("error", "the pattern is empty: say which files are meant.")
        elif "[" in SET.sub("", pattern):
            yield said("warning", f"{pattern} has a [ without a ]: it is taken as that character.")
        try:
            segments_of(pattern)
        except ValueError as error:
            yield said("error", f"{pattern}: {error}.")
    texts = (
        [t for name in FILLED if (t := getattr(source.finder, name, None))] if isinstance(source.finder, Shape) else []
    )
    for text in (*source.globs, *texts):
        if re.search(r"[{}]", FIELD.sub("", text)):
            yield said("error", f"{text} has a brace without its partner: write {{{{ or }}}} for the character itself.")
        elif known is not None and (unknown := sorted(named(text) - known)):
            words = ", ".join(sorted(known))
            yield said("error", f"the variable {{{unknown[0]}}} is unknown here; known are {words}.")
