"""`tomotheca load`: rows of another portal, identifiers kept."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root
from tomotheca.cli.options import load as settings_of
from tomotheca.cli.output import emit, progress, show_findings

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a dump: one NDJSON file for each kind.")]
Name = Annotated[
    str | None, typer.Option(help="Name of the loaded dump. Default: that of the folder.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace what was loaded under the name, whatever it was.")]


def load(folder: Folder, name: Name = None, force: Force = False, root: Root = None, json: Json = False) -> None:
    """Take the rows of a dump in and serve them, identifiers kept. The same name again replaces what was loaded under it."""
    from tomotheca.catalog.loading import Loading  # noqa: PLC0415 - heavy
    from tomotheca.cli.opened import opened  # noqa: PLC0415

    with opened(settings_of(root), create=True) as portal, portal.files.lock(), progress("Loading", quiet=json) as bar:
        loading = Loading(portal.shelf, portal.indexer(bar.say), folder.resolve(), name or folder.resolve().name)
        done = loading.run(force=force)
    if not json:
        show_findings(done.findings)
    words = f"Loaded {loading.name}: {done.datasets} datasets and {done.depositions} depositions, {done.rows} rows, {done.files} files in {done.seconds:.1f} s."
    emit(done, as_json=json, text=words)
