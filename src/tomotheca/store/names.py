"""Names that ingest makes or takes: file stems of annotations, names of runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tomotheca.store import keys, layout

LONGEST_RUN_NAME = 200
"""Bytes; file names made from it must stay below what file systems take."""

LONGEST_DESCRIPTION = 50


def annotation_stem(annotated: Mapping[str, str | None], version: object = "1.0") -> str:
    """Give the file stem of an annotation from what it labels: its description when that is short, else its name.

    >>> annotation_stem({"name": "Cytosolic Ribosome"}, "1.0")
    'cytosolic_ribosome-1.0'
    """
    description = annotated.get("description")
    label = description if description and len(description) <= LONGEST_DESCRIPTION else annotated["name"]
    return f"{re.sub('[^0-9a-z]', '_', (label or '').lower())}-{version}"


def run_name_problem(name: str) -> str:
    """Say what is wrong with the name of a run in one sentence; empty when nothing is."""
    problem = _problem(name)
    return f"{name!r} cannot be the name of a run: {problem}" if problem else ""


def _problem(name: str) -> str:
    if "/" in name:
        return "it has the character '/'"
    if name.startswith("."):
        return "it begins with a dot"
    if name in layout.RESERVED_RUN_NAMES:
        return "the archive uses it for something else"
    if not name.isprintable():
        return "it has characters that cannot be printed"
    if len(name.encode(errors="replace")) > LONGEST_RUN_NAME:
        return f"it is longer than {LONGEST_RUN_NAME} bytes"
    return keys.segment_problem(name)
