"""`tomotheca load`: rows of another portal, identifiers kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root
from tomotheca.cli.options import load as settings_of
from tomotheca.cli.output import emit, progress, show_findings

if TYPE_CHECKING:
    from tomotheca.catalog.loading import Beside
    from tomotheca.settings import Settings

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a dump: one NDJSON file for each kind.")]
Name = Annotated[
    str | None, typer.Option(help="Name of the loaded dump. Default: that of the folder.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace what was loaded under the name, whatever it was.")]
Files = Annotated[
    Path | None,
    typer.Option(
        "--files",
        metavar="TREE",
        help="Folder with the files that rows name; they stay there and are served.",
        show_default=False,
    ),
]
Renumber = Annotated[
    bool,
    typer.Option(
        "--renumber", help="Give every row a new identifier; what it was stays in loaded/<name>/origin.ndjson."
    ),
]
Origin = Annotated[
    str,
    typer.Option(help="Address of where the rows are from, kept with them. Default: the folder.", show_default=False),
]
Prefix = Annotated[
    list[str] | None,
    typer.Option(
        help="What stands before a path in TREE in the addresses of rows, such as s3://bucket/; found out without it.",
        show_default=False,
    ),
]


def load(
    folder: Folder, *, name: Name = None, files: Files = None, prefix: Prefix = None, renumber: Renumber = False,
    origin: Origin = "", force: Force = False, root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Take the rows of a dump in and serve them, identifiers kept. The same name again replaces what was loaded under it."""
    from tomotheca.catalog.loading import Loading  # noqa: PLC0415 - heavy
    from tomotheca.cli.opened import opened  # noqa: PLC0415

    with opened(settings_of(root), create=True) as portal, portal.files.lock(), progress("Loading", quiet=json) as bar:
        tree = beside(portal.settings, files, prefix or [])
        source = folder.resolve()
        loading = Loading(
            portal.shelf,
            portal.indexer(bar.say),
            source,
            name or source.name,
            origin=origin,
            tree=tree,
            renumber=renumber,
        )
        done = loading.run(force=force)
    if not json:
        show_findings(done.findings)
    words = f"Loaded {loading.name}: {done.datasets} datasets and {done.depositions} depositions, {done.rows} rows, {done.files} files in {done.seconds:.1f} s."
    emit(done, as_json=json, text=words)


def beside(settings: "Settings", files: Path | None, prefixes: list[str]) -> "Beside | None":
    """Give the folder of files that goes with a dump.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    SettingsError
        If it holds what must not be served, or prefixes stand without it.
    """
    from tomotheca.catalog.loading import Beside  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError, SettingsError  # noqa: PLC0415

    if files is None:
        if prefixes:
            message = "--prefix says where files of --files belong; give both or neither"
            raise SettingsError(message)
        return None
    tree = files.resolve()
    if not tree.is_dir():
        message = f"--files {files}: there is no such folder"
        raise NotFoundError(message)
    if any(place.resolve().is_relative_to(tree) for place in (settings.state_folder, settings.root)):
        message = f"--files {files}: this portal's own state lies in there; name the folder that holds the data alone"
        raise SettingsError(message)
    return Beside(tree, tuple(prefixes))
