"""`tomotheca publish`: make a hidden dataset or deposition public."""

from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tomotheca.cli.opened import Opened

PUBLIC = {"state": "public", "until": None}
DEPOSITION = "DP-"
MOST = 20
"""Texts still to be given that are named."""


def publish(
    entity: Annotated[
        str,
        typer.Argument(help="Dataset or deposition, such as DS-10001, 10001 or DP-10300.", metavar="DATASET"),
    ],
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a dataset public, and the deposition it belongs to, without which it would stay hidden; or a deposition alone."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy

    digits = entity.upper().removeprefix("DS-").removeprefix(DEPOSITION)
    if not digits.isdecimal():
        message = f"{entity!r} is not a dataset or deposition; write DS-10001 or DP-10300"
        raise typer.BadParameter(message)
    number = int(digits)
    with opened(load(root)) as portal, portal.files.lock():
        if entity.upper().startswith(DEPOSITION):
            _deposition(portal, number, json=json)
        else:
            _dataset(portal, number, json=json)


def _dataset(portal: "Opened", number: int, *, json: bool) -> None:
    from tomotheca.store import documents, layout, tree  # noqa: PLC0415 - heavy

    key = layout.Dataset(number).document
    deposition = documents.read(portal.files, key).get("deposition_id") if portal.files.exists(key) else None
    above = layout.Deposition(int(deposition)).document if deposition is not None else ""
    _finished(portal, [key, *(below for _, below in tree.documents(portal.files, number)), *([above] if above else [])])
    changed = _show(portal, key, f"dataset {number}")
    if above and portal.files.exists(above):
        changed |= _show(portal, above, f"deposition {deposition}")
    _note(portal, "dataset", number, changed=changed)
    done = portal.index([number], [] if deposition is None else [int(deposition)])
    words = f"DS-{number} is public." if changed else f"DS-{number} was public already."
    emit({"dataset": number, "changed": changed, "version": done.version}, as_json=json, text=words)


def _deposition(portal: "Opened", number: int, *, json: bool) -> None:
    from tomotheca.store import layout  # noqa: PLC0415 - heavy

    key = layout.Deposition(number).document
    _finished(portal, [key])
    changed = _show(portal, key, f"deposition {number}")
    _note(portal, "deposition", number, changed=changed)
    done = portal.index([], [number])
    words = f"DP-{number} is public." if changed else f"DP-{number} was public already."
    emit({"deposition": number, "changed": changed, "version": done.version}, as_json=json, text=words)


def _finished(portal: "Opened", keys: "Iterable[str]") -> None:
    """Refuse to show what has texts that are still to be given."""
    from tomotheca.errors import Finding, InvalidDocumentError  # noqa: PLC0415 - heavy
    from tomotheca.ingest.todo import inside  # noqa: PLC0415
    from tomotheca.store import documents  # noqa: PLC0415

    message = "is still TODO: give it in the configuration, and ingest again."
    found = [
        Finding("error", key, message, ".".join(map(str, location)))
        for key in dict.fromkeys(keys)
        if portal.files.exists(key)
        for location, _ in inside(documents.read(portal.files, key), ())
    ]
    if found:
        raise InvalidDocumentError(found[:MOST])


def _note(portal: "Opened", kind: str, number: int, *, changed: bool) -> None:
    from tomotheca.desk import Deed  # noqa: PLC0415 - heavy

    if changed:
        portal.desk.audit.note([Deed("publish", kind, number)])


def _show(portal: "Opened", key: str, name: str) -> bool:
    """Write into a document that everybody may see it; whether that is new."""
    from tomotheca.errors import NotFoundError  # noqa: PLC0415 - heavy
    from tomotheca.store import documents  # noqa: PLC0415

    if not portal.files.exists(key):
        message = f"there is no {name} in {portal.settings.archive_name}"
        raise NotFoundError(message)
    return documents.write(portal.files, key, {**documents.read(portal.files, key), "visibility": PUBLIC})
