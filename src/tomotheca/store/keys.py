"""Keys: paths inside the archive, and the rules that keep them there."""

from __future__ import annotations

import unicodedata

from tomotheca.errors import UnsafePathError

TEMPORARY = ".tmp-"
"""Beginning of the names that unfinished writes have."""

LONGEST = 240
"""Bytes that one segment may have; file systems take 255, and temporary names need some."""

REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates and line separators: no file of ours has them in its name."""


def check(key: str, *, root: bool = False) -> str:
    """Give the key back when it is safe.

    Parameters
    ----------
    key : str
        A file's key, or a folder's with its final ``/``.
    root : bool
        Let the empty key pass, which is the archive itself.

    Raises
    ------
    UnsafePathError
        If the key is absolute, goes up, has odd characters, or names an unfinished write.
    """
    if not key and root:
        return key
    if problem := segment_problem(key):
        message = f"{key!r} is not a path inside the archive: {problem}"
        raise UnsafePathError(message)
    return key


def segment_problem(key: str) -> str:
    """Say in a few words what is wrong with a key; empty when nothing is."""
    if not key:
        return "it is empty"
    if "\\" in key:
        return "it has a backslash"
    if not key.isascii() or not key.isprintable():
        odd = next((c for c in key if unicodedata.category(c) in REFUSED_CATEGORIES), None)
        if odd is not None:
            return f"it has the character {odd!r}"
    for segment in key.removesuffix("/").split("/"):
        if segment in {"", ".", ".."}:
            return f"it has the part {segment!r}"
        if segment.startswith(TEMPORARY):
            return f"names that begin with {TEMPORARY} are those of unfinished writes"
        if len(segment) > LONGEST // 4 and len(segment.encode()) > LONGEST:
            return f"a part is longer than {LONGEST} bytes"
    return ""
