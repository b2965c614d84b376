"""`tomotheca adopt`: an archive that somebody else has made."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Root, load


def adopt(
    folder: Annotated[Path, typer.Argument(help="Folder in the layout of the public CryoET Data Portal.")],
    root: Root = None,
) -> None:
    """Take an existing archive in. This version does not do it yet, and says so."""
    from tomotheca.errors import QueryError  # noqa: PLC0415 - heavy

    load(root)
    message = (
        f"{folder} is not adopted: this version takes files in with `tomotheca ingest` and a configuration, and dumps with `tomotheca load`; "
        "it gives no numbers to the documents of somebody else's archive yet"
    )
    raise QueryError(message)
