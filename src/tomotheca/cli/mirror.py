"""`tomotheca mirror`: a dataset of another server, its rows and, if wanted, its bytes."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from tomotheca.cli.options import Json, Root
from tomotheca.cli.options import load as settings_of
from tomotheca.cli.output import emit, note, progress, show_findings, size

if TYPE_CHECKING:
    from tomotheca.catalog.build import Indexed
    from tomotheca.cli.fetch.job import Result
    from tomotheca.cli.fetch.server import Server
    from tomotheca.cli.opened import Opened

Url = Annotated[str, typer.Argument(metavar="URL", help="Address of a portal that speaks this API.")]
Dataset = Annotated[
    str, typer.Option("--dataset", help="Number of the dataset, such as 10001 or DS-10001.", show_default=False)
]
Bytes = Annotated[
    bool, typer.Option("--files", help="Bring the files too, verified; run the command again to continue.")
]
Name = Annotated[
    str | None, typer.Option(help="Name of the loaded dump. Default: <host>-<number>.", show_default=False)
]
Renumber = Annotated[bool, typer.Option("--renumber", help="Give every row a new identifier.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")]
Token = Annotated[
    str,
    typer.Option(envvar="TOMOTHECA_TOKEN", help="Curator's token of that server, for hidden data.", show_default=False),
]

MIRRORS = "mirrors"
"""Folder of the portal with the files of mirrored datasets."""


def mirror(
    url: Url, *, dataset: Dataset, files: Bytes = False, name: Name = None, renumber: Renumber = False, jobs: Jobs = 4,
    token: Token = "", root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Take a dataset of another portal over: its rows at once, with --files also its bytes. Run it again to continue or renew."""
    from tomotheca.catalog.loaded import checked_name  # noqa: PLC0415 - heavy
    from tomotheca.cli.fetch.server import Server  # noqa: PLC0415
    from tomotheca.cli.opened import opened  # noqa: PLC0415

    number = _number(dataset)
    server, settings = Server(url, token), settings_of(root)
    known_as = checked_name(name or f"{urlsplit(server.base).netloc.replace(':', '-')}-{number}")
    folder = settings.root.absolute().resolve() / MIRRORS / known_as
    with closing(server), opened(settings, create=True) as portal, alone(folder):
        place = Place(portal, folder, known_as)
        _bring_rows(server, number, place.rows, quiet=json)
        done = place.load(server.base, with_files=place.has_files, renumber=renumber, quiet=json)
        result = _bring_files(server, number, place.files, jobs=jobs, quiet=json) if files else None
        if result and not result.failed:
            done = place.load(server.base, with_files=True, renumber=renumber, quiet=json)
    _tell(known_as, done, result, as_json=json)


@dataclass(frozen=True)
class Place:
    """Where a mirrored dataset lies."""

    portal: "Opened"
    folder: Path
    name: str

    @property
    def rows(self) -> Path:
        """Folder of the dump as it came."""
        return self.folder / "rows"

    @property
    def files(self) -> Path:
        """Folder of the files."""
        return self.folder / "files"

    @property
    def has_files(self) -> bool:
        """Say whether its files have come and are served."""
        kept = self.portal.shelf.find(self.name)
        return bool(kept and kept.about.tree)

    def load(self, origin: str, *, with_files: bool, renumber: bool, quiet: bool) -> "Indexed":
        """Load the rows, with the files where they are complete."""
        from tomotheca.catalog.loading import Beside, Loading  # noqa: PLC0415 - heavy
        from tomotheca.cli.fetch.job import read_sums  # noqa: PLC0415

        tree = Beside(self.files, digests=read_sums(self.files).get) if with_files else None
        with self.portal.files.lock(), progress(f"Indexing {self.name}", quiet=quiet) as bar:
            indexer = self.portal.indexer(bar.say)
            return Loading(self.portal.shelf, indexer, self.rows, self.name, origin, tree, renumber=renumber).run()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder of a mirrored dataset; the archive is free for others while bytes come.

    Raises
    ------
    ConflictError
        If another process is mirroring to it.
    """
    import os  # noqa: PLC0415 - only here

    from tomotheca.store import disk  # noqa: PLC0415 - heavy

    folder.mkdir(parents=True, exist_ok=True)
    with disk.alone(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o664), f"mirroring to {folder}"):
        yield


def _number(dataset: str) -> int:
    digits = dataset.strip().upper().removeprefix("DS-")
    if not digits.isdecimal():
        message = f"--dataset {dataset!r} is not a dataset; write 10001 or DS-10001"
        raise typer.BadParameter(message)
    return int(digits)


def _bring_rows(server: "Server", number: int, folder: Path, *, quiet: bool) -> None:
    from tomotheca.cli.fetch.rows import Collected, Remote  # noqa: PLC0415 - heavy

    with progress(f"Rows of dataset {number}", quiet=quiet) as bar:
        Collected(Remote(server), number, bar.say).write(folder)


def _bring_files(server: "Server", number: int, folder: Path, *, jobs: int, quiet: bool) -> "Result":
    """Bring the files that the server lists for the dataset; those that are there and right stay.

    Raises
    ------
    NotFoundError
        If the server is no Tomotheca and lists none.
    """
    from tomotheca.cli.fetch import ids, job, listing  # noqa: PLC0415 - heavy
    from tomotheca.errors import FormatError, NotFoundError  # noqa: PLC0415

    try:
        found = listing.fetch(server, ids.parse(f"DS-{number}"))
    except (NotFoundError, FormatError) as error:
        message = f"{server.base} does not list its files as a Tomotheca server does; its rows are here, and their addresses lead to its files"
        raise NotFoundError(message) from error
    texts = f"{server.base}/api/"  # written by the server for people who download; this server writes its own
    items = job.unique(item for item in found if not item.url.startswith(texts))
    folder.mkdir(parents=True, exist_ok=True)
    job.require_space(items, folder)
    with progress(f"Files of dataset {number}", bytes_=True, quiet=quiet) as bar:
        bar.total(sum(item.size for item in items))
        return job.run(server, items, folder, jobs=jobs, advance=bar.advance)


def _tell(name: str, done: "Indexed", result: "Result | None", *, as_json: bool) -> None:
    brought = f", {result.files} files of {size(result.bytes)}" if result else ""
    failed = result.failed if result else {}
    if not as_json:
        show_findings(done.findings)
    told = {"name": name, "rows": done.rows, "findings": done.findings, "files": result}
    emit(told, as_json=as_json, text="" if failed else f"Mirrored {name}: {done.rows} rows{brought}.")
    if failed:
        for sentence in failed.values():
            note(sentence)
        note(f"{len(failed)} files are missing; run the command again to continue")
        raise typer.Exit(1)
