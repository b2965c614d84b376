"""`tomotheca adopt`: an archive that somebody else has made becomes part of this one."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, plain, progress, show_findings, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomotheca.cli.opened import Opened
    from tomotheca.ingest.adopt import Adoption, Options
    from tomotheca.settings import Settings
    from tomotheca.store.files import Files

Folder = Annotated[
    str,
    typer.Argument(
        help="Folder in the layout of the public CryoET Data Portal: 10900/dataset_metadata.json and so on. "
        "The archive of this portal itself is completed where it is.",
    ),
]
Planned = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]
Copy = Annotated[
    bool,
    typer.Option(
        "--copy", help="Copy the files into the archive. Without it they stay where they are and are served from there."
    ),
]
NoHash = Annotated[
    bool,
    typer.Option(
        "--no-hash", help="Do not read files that stay where they are; `tomotheca doctor --hash` does it later."
    ),
]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Leave the catalogue as it is.")]


def adopt(
    folder: Folder, *, plan: Planned = False, copy: Copy = False, no_hash: NoHash = False, no_index: NoIndex = False,
    root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Take an existing archive in: documents are completed, files are listed, nothing is lost. Run it again to continue or to follow changes."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy

    settings = load(root)
    same = _is_archive(settings, folder)
    if same and copy:
        message = "the folder is the archive itself: its files are where they belong"
        raise typer.BadParameter(message, param_hint="--copy")
    if no_hash and (same or copy):
        message = "files in the archive always have a digest; only those that stay where they are may wait for theirs"
        raise typer.BadParameter(message, param_hint="--no-hash")
    tree = None if same else _tree(settings, folder)
    with _nothing(settings) if plan and _is_empty(settings) else opened(settings, create=True) as portal:
        options = _options(portal, tree, copy=copy, hashed=not no_hash)
        code = _plan(portal, options, json=json) if plan else _adopt(portal, options, index=not no_index, json=json)
    if code:
        raise typer.Exit(code)


def _is_empty(settings: "Settings") -> bool:
    return not settings.archive_is_remote and not settings.archive_folder.is_dir()


@contextmanager
def _nothing(settings: "Settings") -> "Iterator[Opened]":
    """Stand in for an archive that is not there yet: nothing is made."""
    from tomotheca.cli.opened import Opened  # noqa: PLC0415 - heavy
    from tomotheca.desk import Desk  # noqa: PLC0415
    from tomotheca.store.opening import open_files  # noqa: PLC0415

    with TemporaryDirectory() as folder, Desk.open(Path(folder) / "desk.sqlite") as desk:
        yield Opened(settings, open_files(settings), desk)


def _is_archive(settings: "Settings", folder: str) -> bool:
    if settings.archive_is_remote or "://" in folder:
        return folder.rstrip("/") == settings.archive_name.rstrip("/")
    return Path(folder).resolve() == settings.archive_folder.resolve()


def _tree(settings: "Settings", folder: str) -> "Files":
    """Give the files of the folder.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    SettingsError
        If it holds what must not be served, or lies in the archive.
    """
    from tomotheca.errors import NotFoundError, SettingsError  # noqa: PLC0415 - heavy
    from tomotheca.store.files import LocalFiles  # noqa: PLC0415

    if "://" in folder:
        message = f"{folder}: what is adopted is a folder, or the bucket of the archive itself; copy it (rclone copy) or mount it"
        raise SettingsError(message)
    path = Path(folder).resolve()
    if not path.is_dir():
        message = f"{folder}: there is no such folder"
        raise NotFoundError(message)
    if any(place.resolve().is_relative_to(path) for place in (settings.state_folder, settings.root)):
        message = f"{folder}: this portal's own state lies in there; name the folder that holds the data alone"
        raise SettingsError(message)
    if not settings.archive_is_remote and path.is_relative_to(settings.archive_folder.resolve()):
        message = f"{folder} lies in the archive: name the archive itself, {settings.archive_folder}"
        raise SettingsError(message)
    return LocalFiles(path)


def _options(portal: "Opened", tree: "Files | None", *, copy: bool, hashed: bool) -> "Options":
    from tomotheca.ingest.adopt import Options  # noqa: PLC0415 - heavy
    from tomotheca.schema import DOCUMENTS  # noqa: PLC0415

    named = (getattr(model, "kind", "") for model in DOCUMENTS)
    kinds = [kind for kind in named if kind not in {"", "deposition"}]
    dumps = portal.shelf.dumps()
    loaded = {kind: frozenset(n for dump in dumps for n in dump.ids(kind)) for kind in kinds if dumps}
    name = portal.settings.archive_name if tree is None else str(getattr(tree, "root", tree))
    mode = "same" if tree is None else "copy" if copy or portal.settings.archive_is_remote else "in place"
    workers = portal.settings.workers
    return Options(tree or portal.files, name, mode, hashed, workers, loaded)  # type: ignore[arg-type]  # one of the three


def _plan(portal: "Opened", options: "Options", *, json: bool) -> int:
    from tomotheca.ingest.adopt import plan  # noqa: PLC0415 - heavy

    with progress("Looking", quiet=json):
        planned = plan(options, portal.files, portal.desk)
    if not json:
        show_findings(planned.findings)
    answer = {
        "datasets": planned.datasets, "depositions": planned.depositions, "documents": [job.sheet.key for job in planned.jobs],
        "given": planned.given, "files": planned.files, "bytes": planned.bytes, "findings": planned.findings,
    }  # fmt: skip
    emit(answer, as_json=json, text=_summary(planned, options))
    return 1 if planned.errors else 0


def _summary(planned: "Adoption", options: "Options") -> str:
    lines = [job.sheet.key for job in planned.jobs]
    numbers = ", ".join(f"{count} of {kind}" for kind, count in planned.given.items()) or "none"
    where = {"same": "which are in the archive", "in place": "which stay where they are", "copy": "to be copied"}[
        options.mode
    ]
    lines.append(f"identifiers to be given: {numbers}")
    lines.append(
        f"{len(planned.jobs)} documents, {planned.files} files of {size(planned.bytes)}, {where}; nothing was written."
    )
    return "\n".join(lines)


def _adopt(portal: "Opened", options: "Options", *, index: bool, json: bool) -> int:
    from tomotheca.errors import FindingsError  # noqa: PLC0415 - heavy
    from tomotheca.ingest.adopt import adopt as carry_out  # noqa: PLC0415

    try:
        with progress("Adopting", bytes_=True, quiet=json) as bar:
            done = carry_out(options, files=portal.files, desk=portal.desk, progress=bar)
    except FindingsError as error:
        if not json:
            raise
        emit({"findings": error.findings, "written": 0}, as_json=True, text="")
        return 1
    version = None
    if index and (done.written or not portal.has_catalog()):
        with portal.files.lock(), progress("Indexing", quiet=json) as bar:
            everything = not portal.has_catalog()
            indexed = portal.index(
                *(() if everything else (list(done.datasets), list(done.depositions))), progress=bar.say
            )
            version = indexed.version
    if not json:
        show_findings(done.findings)
    words = f"{done.written} documents written, {done.unchanged} unchanged, {done.files} files listed, {size(done.copied)} copied in {done.seconds:.1f} s."
    emit({**plain(done), "version": version}, as_json=json, text=words)
    return 1 if done.failed else 0
