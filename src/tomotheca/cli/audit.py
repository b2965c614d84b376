"""`tomotheca audit`: who did what to a dataset or deposition, and when."""

from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit

if TYPE_CHECKING:
    from tomotheca.desk import Deed

Entity = Annotated[
    str,
    typer.Argument(
        help="Dataset or deposition, such as DS-10001, 10001 or DEP-10300; without one all.", metavar="[DATASET]"
    ),
]


def audit(entity: Entity = "", root: Root = None, json: Json = False) -> None:
    """List what was done to a dataset or deposition: taken in, published, removed, by whom and when. The oldest comes first."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy
    from tomotheca.cli.removing import asked  # noqa: PLC0415
    from tomotheca.desk import marks  # noqa: PLC0415

    kind, number = asked(entity if not entity.isdecimal() else f"DS-{entity}") if entity else ("", None)
    if kind not in {"", "dataset", "deposition"}:
        message = f"the record is kept by dataset and deposition, and {entity} is a {kind}: write DS-10001 or DEP-10300"
        raise typer.BadParameter(message)
    with opened(load(root)) as portal:
        portal.desk.audit.restore(marks.audit(portal.files))
        found = portal.desk.audit.all(kind, number)
    lines = [_line(deed) for deed in found] or ["Nothing is recorded."]
    emit({"deeds": found}, as_json=json, text="\n".join(lines))


def _line(deed: "Deed") -> str:
    said = ", ".join(f"{name} {value}" for name, value in deed.details.items() if not isinstance(value, list) and value)
    return f"{deed.at}  {deed.who}  {deed.action} {deed.kind} {deed.id}{': ' if said else ''}{said}"
