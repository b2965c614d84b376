"""Rules about every document, its manifest and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.look import Broken
from tomotheca.doctor.subjects import Listed, Numbers, Paper, Shelved
from tomotheca.errors import InvalidDocumentError, TomothecaError
from tomotheca.schema import SCHEMA, Dataset, Deposition, Run
from tomotheca.schema.context import Context
from tomotheca.schema.core import Entity
from tomotheca.schema.rows import items
from tomotheca.store import layout
from tomotheca.store.verify import MEND, verify

BOUNDS = {
    "greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error", "finite_number", "string_pattern_mismatch",
}  # fmt: skip
"""Kinds of mistakes that a document may have and still be shown."""

AGAIN = "run the ingest of its configuration again"
MOST = 20
"""Files that one finding of a folder names at most."""


def readable(paper: Paper) -> Iterator[Said]:
    """The document is a JSON object."""
    if isinstance(paper.data, Broken):
        yield f"the document {paper.data.reason}"


def fields(paper: Paper) -> Iterator[Said]:
    """Every field that must be there is, and has the type of the schema."""
    yield from (said for kind, said in _mistakes(paper) if kind not in BOUNDS)


def bounds(paper: Paper) -> Iterator[Said]:
    """Numbers are in the bounds of the schema, words among its codes."""
    yield from (said for kind, said in _mistakes(paper) if kind in BOUNDS)


def _mistakes(paper: Paper) -> Iterator[tuple[str, Said]]:
    if isinstance(paper.data, Broken):
        return
    try:
        paper.model.model_validate(paper.data)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            given = "" if one["type"] == "missing" else f": {one['input']!r}"[:80]
            yield one["type"], At(f"{one['msg']}{given}", path=".".join(map(str, one["loc"])))
    except RecursionError:
        yield "recursion", "the document is nested too deeply to be read"


def names(paper: Paper) -> Iterator[Said]:
    """A run, dataset or deposition has the name or number of its folder."""
    if isinstance(paper.data, Broken):
        return
    wanted: dict[type[Any], tuple[str, object]] = {
        Run: ("run_name", paper.place.run),
        Dataset: ("dataset_identifier", paper.place.dataset),
        Deposition: ("deposition_identifier", paper.place.deposition),
    }
    name, folder = wanted.get(paper.model, ("", None))
    if name and paper.data.get(name) != folder:
        yield At(f"the document says {paper.data.get(name)!r}, its folder {folder!r}"[:200], path=name)


def deposition(paper: Paper) -> Iterator[Said]:
    """The deposition that a document names has a document itself."""
    number = values.whole(paper.data, "deposition_id")
    if number is not None and number not in paper.depositions:
        yield At(f"deposition {number} has no document: pages cannot name it", path="deposition_id")


def identified(paper: Paper) -> Iterator[Said]:
    """The document has a number of its own, and one for each row that comes out of it."""
    if isinstance(paper.data, Broken):
        return
    if issubclass(paper.model, Entity) and values.whole(paper.data, "id") is None:
        yield At("the document has no number", path="id")
    given = values.mapping(paper.data, "ids")
    missing: dict[str, list[str]] = {}
    try:
        for _, kind, item in items(paper.model, paper.data, _Blank(paper.where, paper.data)):
            natural = SCHEMA.kinds[kind].natural(item)
            if values.whole(given, kind, natural) is None:
                missing.setdefault(kind, []).append(natural)
    except (KeyError, TypeError, AttributeError, ValueError, InvalidDocumentError):
        return  # the fields are not there, which another rule says
    for kind, naturals in missing.items():
        yield At(f"no number for {kind} {values.some(naturals)}", path=f"ids.{kind}")


class _Blank(Context):
    """A context in which rows are made only for their natural keys."""

    __slots__ = ()

    def __init__(self, key: str, document: Mapping[str, Any]) -> None:
        super().__init__(key, document=document)

    def child_id(self, kind: str, natural: str) -> int:
        """Give any number: only the key is asked for."""
        del kind, natural
        return 0


def manifest_named(paper: Paper) -> Iterator[Said]:
    """The document names the digest of the manifest beside it."""
    if isinstance(paper.data, Broken) or paper.manifest == "":
        return
    said = paper.data.get("manifest")
    if paper.manifest is None:
        yield "there is no manifest beside the document: its files are not served"
    elif said != paper.manifest:
        yield At("the manifest is not the one that the document names", path="manifest")


def manifest_readable(listed: Listed) -> Iterator[Said]:
    """The manifest can be read line by line."""
    if isinstance(listed.entries, Broken):
        yield f"the manifest {listed.entries.reason}"


def files_there(listed: Listed) -> Iterator[Said]:
    """Every file that a manifest lists is there with its size (with --hash: and its content)."""
    if isinstance(listed.entries, Broken):
        return
    for entry in listed.entries:
        try:
            found = verify(listed.files, entry, thorough=listed.thorough)
        except (TomothecaError, OSError, ValueError) as error:
            yield At(f"cannot be compared with its manifest ({' '.join(str(error).split())})", where=entry.key)
            continue
        if found is not None:
            message = found.message.removesuffix(f": {MEND}")
            yield At(message, where=found.where) if entry.source is None else At(f"{found.where}: {message}", entry.key)


def keys_belong(listed: Listed) -> Iterator[Said]:
    """A manifest lists files of its own folder only, each once, and no document."""
    if isinstance(listed.entries, Broken):
        return
    folder = listed.where.rpartition("/")[0] + "/"
    seen: set[str] = set()
    for entry in listed.entries:
        if layout.manifest_folder(str(entry.key)) != folder:
            yield At(f"{entry.key!s} does not belong into this manifest"[:300], path=str(entry.key)[:200])
        elif entry.key in seen:
            yield At(f"{entry.key} is listed twice", path=entry.key)
        seen.add(entry.key)


def hashed(listed: Listed) -> Iterator[Said]:
    """Every file has a recorded SHA-256."""
    if isinstance(listed.entries, Broken):
        return
    bare = [entry.key for entry in listed.entries if entry.sha256 is None]
    if bare:
        yield f"{len(bare)} files that stay in their place have no digest ({values.some(bare, 1)})"


def unchanged(listed: Listed) -> Iterator[Said]:
    """A file that stays in its place is the one that was taken in, by size and time of its last change."""
    if isinstance(listed.entries, Broken):
        return
    for entry in listed.entries:
        source = entry.source or ""
        if not source or "://" in source or entry.members is not None or entry.mtime is None:
            continue
        try:
            found = Path(source).stat()
        except OSError as error:
            yield At(f"{source}: cannot be looked at ({error.strerror or error})", where=entry.key)
            continue
        if (found.st_size, found.st_mtime_ns) != (entry.size, entry.mtime):
            since = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(" ", "seconds")
            yield At(f"{source}: has changed ({since}) since it was taken in: it is not served", where=entry.key)


def unlisted(shelved: Shelved) -> Iterator[Said]:
    """Every file in the folder of a run or dataset is listed in a manifest."""
    for key in shelved.unlisted[:MOST]:
        yield At("the file is in no manifest: it is not served", where=key)
    if len(shelved.unlisted) > MOST:
        yield f"{len(shelved.unlisted) - MOST} more files are in no manifest"


def unfinished(shelved: Shelved) -> Iterator[Said]:
    """Every folder with files has a document."""
    for folder in shelved.unfinished[:MOST]:
        yield At("the folder has files and no document: an ingest was interrupted, or a document is lost", where=folder)
    if len(shelved.unfinished) > MOST:
        yield f"{len(shelved.unfinished) - MOST} more folders have no document"


def unique(numbers: Numbers) -> Iterator[Said]:
    """No two rows of a kind have one number."""
    seen: dict[tuple[str, int], str] = {}
    for kind, number, key in numbers.given:
        first = seen.setdefault((kind, number), key)
        if first != key:
            yield At(f"{kind} {number} is also in {first}", where=key, path=f"{kind} {number}")


def below_mark(numbers: Numbers) -> Iterator[Said]:
    """No number is above the highest that the desk has given."""
    highest: dict[str, tuple[int, str]] = {}
    for kind, number, key in numbers.given:
        if number > highest.get(kind, (0, ""))[0]:
            highest[kind] = number, key
    for kind, (number, key) in sorted(highest.items()):
        if number > (mark := numbers.marks.get(kind, 0)):
            yield At(f"{kind} {number} is above {mark}, the highest that the desk has given", where=key, path=kind)


NAMED = frozenset({"dataset", "deposition"})
"""Kinds whose numbers stand in configurations."""


def not_buried(numbers: Numbers) -> Iterator[Said]:
    """No number is one that was removed, unless a configuration gave it again."""
    for kind, number, key in numbers.given:
        if (kind, number) in numbers.buried and kind not in NAMED:
            yield At(f"{kind} {number} was removed once", where=key, path=f"{kind} {number}")


RESTORE = "restore the document from a backup, or run the ingest of its configuration again"
RULES: tuple[Rule, ...] = (
    Rule("document.readable", "error", Paper, readable, RESTORE),
    Rule("document.fields", "error", Paper, fields, "correct the configuration and ingest it again"),
    Rule("document.bounds", "warning", Paper, bounds, "correct the configuration and ingest it again"),
    Rule("document.names", "error", Paper, names, "put the document back into its folder, or run the ingest again"),
    Rule("document.deposition", "warning", Paper, deposition, "ingest a configuration that describes the deposition"),
    Rule("document.manifest", "error", Paper, manifest_named, AGAIN),
    Rule("manifest.readable", "error", Listed, manifest_readable, AGAIN),
    Rule("manifest.files", "error", Listed, files_there, AGAIN),
    Rule("manifest.keys", "error", Listed, keys_belong, AGAIN),
    Rule("manifest.hashed", "note", Listed, hashed, "`tomotheca doctor --hash` reads them once and notes their digests"),
    Rule("source.unchanged", "error", Listed, unchanged, "run the ingest again, or put the old file back with its time (`cp -p`)"),
    Rule("manifest.unlisted", "warning", Shelved, unlisted, "remove the file, or ingest it"),
    Rule("manifest.unfinished", "warning", Shelved, unfinished, "run the ingest again, or remove the folder"),
    Rule("identifier.given", "error", Paper, identified, "run the ingest again: it gives the numbers that are missing"),
    Rule("identifier.unique", "error", Numbers, unique, "restore one of the two documents from a backup"),
    Rule("identifier.mark", "error", Numbers, below_mark, "restore the desk from its backup, or run any ingest: it teaches a new desk what the archive has"),
    Rule("identifier.buried", "error", Numbers, not_buried, "remove the row, or take it in anew so that it gets another number"),
)  # fmt: skip
