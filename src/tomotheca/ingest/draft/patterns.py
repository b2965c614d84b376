"""From paths to patterns: what a source must say so that it finds these files of these runs, and no others."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from os.path import commonpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomotheca.ingest.listing import Listing

MAGIC = re.compile(r"[*?\[]")
RUN = "{run_name}"
MANY = 4
"""Files of one run in one folder from which on a pattern is looked for."""


def sources(
    listing: Listing, paths: Mapping[str, Sequence[str]], *, filters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Give sources that find the files of each run.

    Parameters
    ----------
    paths
        Files by run.
    filters
        Parents that must be there besides: kind to regular expressions.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for run, found in paths.items():
        groups.setdefault(tuple(patterns(listing, run, found)), []).append(run)
    made = []
    for globs, runs in sorted(groups.items()):
        finder: dict[str, Any] = {"source_glob": {"list_glob": globs[0]}}
        if len(globs) > 1:
            finder = {"source_multi_glob": {"list_globs": list(globs)}}
        include = {**({"run": [one_of(runs)]} if len(groups) > 1 else {}), **(filters or {})}
        made.append({**finder, **({"parent_filters": {"include": include}} if include else {})})
    return made


def one_of(names: Sequence[str]) -> str:
    """Give a regular expression that these names match, and no others."""
    return f"^({'|'.join(re.escape(name) for name in names)})$"


def patterns(listing: Listing, run: str, paths: Sequence[str]) -> Iterator[str]:
    """Give patterns for files of one run; a folder with many of them becomes one pattern where that finds no others."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    for folder, names in sorted(folders.items()):
        head = f"{template(folder, run)}/" if folder else ""
        found = _wild(listing.folder(folder), names, run) if len(names) >= MANY else None
        if found is not None:
            yield head + found
        else:
            yield from (head + template(name, run) for name in sorted(names))


def _wild(present: Mapping[str, bool], names: Sequence[str], run: str) -> str | None:
    """Give a pattern that fits these names of a folder and no others; None if there is none."""
    wanted = set(names)
    endings = {_ending(name) for name in names}
    if len(endings) > 1:
        return None
    (ending,) = endings
    first = commonpath(list(names))
    tries = ["*", f"{run}_*", f"{run}*", f"*{run}*", f"{first}*"]
    for head in tries:
        pattern = "*".join(escaped(part) for part in (head + ending).split("*"))
        if {name for name in present if fnmatch.fnmatchcase(name, pattern)} == wanted:
            return "*".join(template(part, run) for part in (head + ending).split("*"))
    return None


def _ending(name: str) -> str:
    """Give the ending of a name, of compressed files both."""
    parts = name.rsplit(".", 2)
    return f".{parts[-2]}.{parts[-1]}" if len(parts) == 3 and parts[-1].lower() == "bz2" else f".{parts[-1]}"  # noqa: PLR2004


def template(text: str, run: str) -> str:
    """Put ``{run_name}`` where the name of the run stands by itself, and take their meaning from all other signs."""
    form = rf"(?<![A-Za-z0-9]){re.escape(run)}(?![A-Za-z0-9])"
    return RUN.join(escaped(part).replace("{", "{{").replace("}", "}}") for part in re.split(form, text))


def escaped(text: str) -> str:
    """Take the meaning that signs have in patterns from a text."""
    return MAGIC.sub(lambda match: f"[{match[0]}]", text)


def runs_source(listing: Listing, runs: Sequence[str], firsts: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, Any]:
    """Give the source of the runs: a pattern that finds their names, so that it finds later ones too, else the names.

    Parameters
    ----------
    firsts
        Files by run, of one thing each; the first that all runs have and whose pattern gives exactly the names is taken.
    """
    for paths in firsts:
        if set(paths) != set(runs):
            continue
        forms = set.intersection(*({template(path, run) for path in found} for run, found in paths.items()))
        for form in sorted(forms, key=lambda f: (len(f), f)):
            if (source := _names(listing, form, set(runs))) is not None:
                return source
    return {"literal": {"value": list(runs)}}


def _names(listing: Listing, form: str, runs: set[str]) -> dict[str, Any] | None:
    parts = form.split("/")
    last = next((i for i in reversed(range(len(parts))) if RUN in parts[i]), None)
    if last is None or "{{" in form or "[" in form:
        return None
    pattern = "/".join(parts[: last + 1]).replace(RUN, "*")
    before, _, after = parts[last].partition(RUN)
    regex = f"^{re.escape(before)}(.+){re.escape(after)}$"
    if RUN in after:
        return None
    names = [match[1] for path in listing.glob(pattern) if (match := re.match(regex, path.rpartition("/")[2]))]
    return {"source_glob": {"list_glob": pattern, "name_regex": regex}} if set(names) == runs else None
