"""`tomotheca desk`: what must not be lost."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit

app = typer.Typer(
    help="The desk: identifiers, tombstones, the journal. It cannot be rebuilt from the archive alone.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Keep ``backup`` a command of its own while it is the only one."""


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; an older copy there is replaced.")],
    root: Root = None,
    json: Json = False,
) -> None:
    """Copy the desk to a file while it is in use, and check the copy."""
    from tomotheca.desk import Desk  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError  # noqa: PLC0415

    settings = load(root)
    if settings.desk_url is None and not (settings.state_folder / "desk.sqlite").is_file():
        message = f"there is no desk in {settings.state_folder}; give the portal's folder with --root"
        raise NotFoundError(message)
    with Desk.open(settings.desk_database) as desk:
        desk.backup(file)
    emit({"file": file, "bytes": file.stat().st_size}, as_json=json, text=f"The desk was copied to {file}.")
