"""`tomotheca dump`: the public catalogue as files."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root
from tomotheca.cli.options import load as settings_of
from tomotheca.cli.output import emit, note, progress

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder to write to: new, empty, or with a dump that is replaced.")
]
Everything = Annotated[
    bool, typer.Option("--all", help="Hidden rows too, and who may see them: for moving a portal, not for publishing.")
]
Address = Annotated[
    str | None,
    typer.Option("--public-url", help="Address of the server in web addresses of files.", show_default=False),
]


def dump(
    folder: Folder, *, everything: Everything = False, public_url: Address = None, root: Root = None, json: Json = False
) -> None:
    """Write what the public sees of the catalogue as one NDJSON file for each kind, which `load` reads."""
    from tomotheca.catalog.catalog import Catalog  # noqa: PLC0415 - heavy
    from tomotheca.catalog.database import connect  # noqa: PLC0415
    from tomotheca.catalog.dump import write_dump  # noqa: PLC0415
    from tomotheca.cli.serve import HOST, PORT, require_catalog  # noqa: PLC0415

    settings = settings_of(root)
    require_catalog(settings)
    address = public_url or settings.public_url
    if not address:
        address = f"http://{HOST}:{PORT}"
        note(f"Web addresses begin with {address}; set TOMOTHECA_PUBLIC_URL or give --public-url to have others.")
    catalog = Catalog(settings.catalog_database, public_url=address.rstrip("/"), bucket=settings.bucket)
    engine = connect(settings.catalog_database)
    with progress("Writing rows", quiet=json) as bar:
        counts = write_dump(catalog, engine, folder, hidden=everything, total=bar.total, advance=bar.advance)
    engine.dispose()
    rows = sum(counts.values())
    words = f"{rows} rows of {counts['dataset']} datasets in {folder}."
    emit({"folder": str(folder), "rows": rows, "kinds": counts}, as_json=json, text=words)
