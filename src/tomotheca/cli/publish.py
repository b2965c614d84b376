"""`tomotheca publish`: make a hidden dataset public."""

from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit

PUBLIC = {"state": "public", "until": None}


def publish(
    dataset: Annotated[str, typer.Argument(help="Dataset, such as DS-10001 or 10001.")],
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a dataset public, and the deposition it belongs to, without which it would stay hidden."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError  # noqa: PLC0415
    from tomotheca.store import documents, layout  # noqa: PLC0415

    digits = dataset.upper().removeprefix("DS-")
    if not digits.isdecimal():
        message = f"{dataset!r} is not a dataset; write DS-10001"
        raise typer.BadParameter(message)
    number = int(digits)
    with opened(load(root)) as portal, portal.files.lock():
        key = layout.Dataset(number).document
        if not portal.files.exists(key):
            message = f"there is no dataset {number} in {portal.settings.archive_name}"
            raise NotFoundError(message)
        document = documents.read(portal.files, key)
        changed = documents.write(portal.files, key, {**document, "visibility": PUBLIC})
        deposition = document.get("deposition_id")
        if deposition is not None:
            above = layout.Deposition(int(deposition)).document
            if portal.files.exists(above):
                whole = documents.read(portal.files, above)
                changed |= documents.write(portal.files, above, {**whole, "visibility": PUBLIC})
        done = portal.index([number], [] if deposition is None else [int(deposition)])
    words = f"DS-{number} is public." if changed else f"DS-{number} was public already."
    emit({"dataset": number, "changed": changed, "version": done.version}, as_json=json, text=words)
