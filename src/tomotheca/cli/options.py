"""Options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tomotheca.settings import Settings

Root = Annotated[
    Path | None,
    typer.Option(
        "--root", help="Folder of the portal; else TOMOTHECA_ROOT, else ./tomotheca-data.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def load(root: Path | None) -> "Settings":
    """Read the settings."""
    from tomotheca import settings  # noqa: PLC0415 - heavy

    return settings.load(root=root)
