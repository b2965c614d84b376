"""`tomotheca remove`: take something out of the archive, with its files and rows."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, note, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomotheca.cli.removing import Asked
    from tomotheca.ingest.removal import Goes
    from tomotheca.ingest.withdrawal import Withdrawn

Entity = Annotated[str, typer.Argument(help="What to remove: DS-10001, RN-12, TS-3, AL-4, TM-5, AN-7 or DEP-10300.")]
Reason = Annotated[str, typer.Option(help="Why; the page of what was removed says it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Dependents = Annotated[
    bool, typer.Option("--with-dependents", help="Remove what refers to it too, and what others have added to it.")
]
SHOWN = 12


def remove(
    entity: Entity,
    *,
    reason: Reason = "",
    with_dependents: Dependents = False,
    yes: Yes = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Remove a dataset, run, tilt series, alignment, tomogram, annotation or deposition: documents, files and rows. Its number is never given again."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy
    from tomotheca.cli.removing import find  # noqa: PLC0415
    from tomotheca.ingest import removal  # noqa: PLC0415

    with opened(load(root)) as portal, portal.files.lock():
        removal.finish(portal.files, portal.desk)
        found = find(portal, entity)
        _refuse(found, with_dependents=with_dependents)
        goes = found.goes(portal.files, everything=with_dependents)
        if not json:
            _show(goes, found.withdrawn)
        _ask(found.name, yes=yes)
        papers = (*found.papers, *found.dependents)
        done = removal.remove(
            portal.files,
            portal.desk,
            papers,
            removal.Why("remove", reason or "removed by the curator"),
            withdrawn=found.withdrawn,
        )
        version = portal.index([], []).version
    words = f"Removed {found.name}: {done.documents} documents, {done.files} files, {size(done.bytes)}."
    answer = {
        "removed": goes,
        "documents": done.documents,
        "files": done.files,
        "bytes": done.bytes,
        "version": version,
    }
    emit(answer, as_json=json, text=words)


def _refuse(found: "Asked", *, with_dependents: bool) -> None:
    from tomotheca.errors import ConflictError  # noqa: PLC0415 - heavy

    names = [*(p.name for p in found.dependents), *(w.name for w in found.withdrawn)]
    if names and not with_dependents:
        shown = "; ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        message = f"{found.name} is not removed: {len(names)} depend on it ({shown}); remove them first, or add --with-dependents"
        raise ConflictError(message)


def _show(goes: "Sequence[Goes]", withdrawn: "Sequence[Withdrawn]") -> None:
    for one in goes[:SHOWN]:
        note(f"{one.name}: {one.files} files, {size(one.bytes)}")
    if len(goes) > SHOWN:
        note(f"… and {len(goes) - SHOWN} more documents")
    for added in withdrawn:
        note(f"{added.name}: {added.members} files, {size(added.bytes)}")
    count = sum(g.files for g in goes) + sum(w.members for w in withdrawn)
    total = sum(g.bytes for g in goes) + sum(w.bytes for w in withdrawn)
    note(f"{len(goes)} documents, {count} files, {size(total)} in all.")


def _ask(name: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        message = "nobody can be asked here: add --yes"
        raise typer.BadParameter(message)
    if not typer.confirm(f"Remove {name} for ever?", err=True):
        raise typer.Exit(130)
