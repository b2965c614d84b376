"""`tomotheca index`: documents -> catalogue."""

from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, progress, show_findings

Number = Annotated[
    int | None,
    typer.Argument(help="Number of a dataset; without one the whole catalogue is built anew.", show_default=False),
]


def index(dataset: Number = None, root: Root = None, json: Json = False) -> None:
    """Build the catalogue from the archive's documents. Visitors see the old one until the new one is complete."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy

    with opened(load(root)) as portal, portal.files.lock(), progress("Indexing", quiet=json) as bar:
        done = portal.index(None if dataset is None else [dataset], progress=bar.say)
    if not json:
        show_findings(done.findings)
    words = f"Indexed {done.datasets} datasets and {done.depositions} depositions: {done.rows} rows, {done.files} files in {done.seconds:.1f} s."
    emit(done, as_json=json, text=words)
    if any(f.severity == "error" for f in done.findings):
        raise typer.Exit(1)
