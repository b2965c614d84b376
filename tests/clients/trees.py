"""What a folder of the archive looks like from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.store.documents import public_bytes

if TYPE_CHECKING:
    from tests.api.serving import World


def served(world: World, folder: str) -> Iterator[tuple[str, bytes]]:
    """Give the files of a folder that everybody may have."""
    for key in world.files.walk(folder):
        if "manifest." not in key:
            yield key, world.bytes_of(key)


def check(world: World, folder: str, root: Path, cut: str, *, only: str = "") -> None:
    """Compare what a client wrote below ``root`` with the archive: the same files with the same bytes.

    Documents that have e-mail addresses, or name what depositions have added, are served without; they are compared field by field.
    """
    expected = {key.removeprefix(cut): data for key, data in served(world, folder) if only in key}
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert expected
    assert found.keys() == expected.keys()
    for name, data in expected.items():
        if b'"additions"' in data:  # that nothing is said of them is tested with hidden data
            assert found[name] == public_bytes(data)
        elif b"@example.org" in data:
            assert b"@example.org" not in found[name]
            assert json.loads(found[name]) == without_emails(json.loads(data))
        else:
            assert found[name] == data, name


def without_emails(value: Any) -> Any:
    """Give a document without its e-mail addresses."""
    if isinstance(value, dict):
        return {name: without_emails(inner) for name, inner in value.items() if name != "email"}
    return [without_emails(inner) for inner in value] if isinstance(value, list) else value
