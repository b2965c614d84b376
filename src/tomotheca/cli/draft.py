"""`tomotheca draft`: a folder that nobody has described -> a configuration."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit

if TYPE_CHECKING:
    from tomotheca.ingest.draft import Draft, Numbers
    from tomotheca.settings import Settings

LISTED = 20
"""Files of one kind that are named; the others are counted."""

FIRST_DATASET, FIRST_DEPOSITION = 10001, 10300

Folder = Annotated[Path, typer.Argument(help="Folder with the files of a lab.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write the configuration to.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]
Dataset = Annotated[
    int | None, typer.Option(min=1, help="Number of the dataset. Default: the next free one.", show_default=False)
]
Deposition = Annotated[
    int | None, typer.Option(min=1, help="Number of the deposition. Default: the next free one.", show_default=False)
]


def draft(  # noqa: PLR0917  # what typer calls
    folder: Folder, output: Output = Path("config.yaml"), dataset: Dataset = None, deposition: Deposition = None, force: Force = False,
    root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Look at a folder of IMOD, AreTomo or plain MRC files and write a configuration for it, with its reasons as comments. Nothing else is written."""
    from tomotheca.ingest.draft import draft as make  # noqa: PLC0415 - heavy

    table = output.with_name(f"{output.stem}.runs.tsv")
    _free(folder, (output, table), force=force)
    numbers = _numbers(load(root), dataset, deposition)
    made = make(folder, numbers, map_name=table.name, today=datetime.now(UTC).date())
    _write(output, made.text)
    if made.map_text:
        _write(table, made.map_text)
    emit(_described(made, output, table), as_json=json, text=_report(made, folder, output, table))


def _free(folder: Path, outputs: tuple[Path, ...], *, force: bool) -> None:
    """Refuse to write into the source, or over what is there."""
    from tomotheca.errors import ConflictError  # noqa: PLC0415 - heavy

    for path in outputs:
        if path.absolute().resolve().is_relative_to(folder.absolute().resolve()):
            message = f"{path} lies in the folder that is described, which is only read: name another place with -o"
            raise ConflictError(message)
        if path.exists() and not force:
            message = f"{path} is there already: name another file with -o, or use --force"
            raise ConflictError(message)


def _numbers(settings: "Settings", dataset: int | None, deposition: int | None) -> "Numbers":
    """Give the numbers asked for, or the next that neither archive nor desk has ever given."""
    from tomotheca.ingest.draft import Numbers  # noqa: PLC0415 - heavy

    given = _given(settings) if dataset is None or deposition is None else {}
    return Numbers(
        dataset or max(FIRST_DATASET, given.get("dataset", 0) + 1),
        deposition or max(FIRST_DEPOSITION, given.get("deposition", 0) + 1),
    )


def _given(settings: "Settings") -> dict[str, int]:
    """Look up the highest numbers, without making an archive or a desk where there is none."""
    from tomotheca.desk import Desk  # noqa: PLC0415 - heavy
    from tomotheca.store import documents  # noqa: PLC0415
    from tomotheca.store.opening import open_files  # noqa: PLC0415

    is_there = settings.archive_is_remote or settings.archive_folder.is_dir()
    found = dict(documents.highest_ids(open_files(settings))) if is_there else {}
    if settings.desk_url is not None or (settings.state_folder / "desk.sqlite").is_file():
        with Desk.open(settings.desk_database) as desk:
            for kind, number in desk.high_water().items():
                found[kind] = max(found.get(kind, 0), number)
    return found


def _write(path: Path, text: str) -> None:
    from tomotheca.errors import StorageError  # noqa: PLC0415 - heavy

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise StorageError(message) from error


def _described(made: "Draft", output: Path, table: Path) -> dict[str, object]:
    return {
        "configuration": str(output),
        "map": str(table) if made.map_text else None,
        "layout": made.survey.layout,
        "runs": list(made.survey.runs),
        "todo": [{"line": line, "path": path, "words": todo.words} for line, path, todo in made.todos],
        "guesses": [
            {"line": line, "path": path, "value": g.value, "confidence": g.confidence, "reason": g.reason}
            for line, path, g in made.guesses
        ],
        "notes": made.notes,
        "left": [{"path": path, "reason": reason} for path, reason in made.left],
    }


def _report(made: "Draft", folder: Path, output: Path, table: Path) -> str:
    """Say what was found, what is to be given, what is left out, and how it goes on."""
    from tomotheca.ingest.draft.guesses import listed  # noqa: PLC0415 - heavy

    runs = made.survey.runs
    parts: dict[str, int] = {}
    for file in made.survey.files.values():
        if file.part != "left":
            parts[file.part] = parts.get(file.part, 0) + 1
    lines = [
        f"{output}: {len(runs)} runs ({listed(runs)}), {' and '.join(made.survey.layout)}: {', '.join(f'{n} {part}' for part, n in sorted(parts.items()))}."
    ]
    if made.map_text:
        lines.append(f"{table}: what differs from run to run.")
    lines += made.notes
    unsure = [(line, path) for line, path, guess in made.guesses if guess.confidence == "unsure"]
    lines.append(
        f"To look at: {len(unsure)} values that are unsure, {len(made.guesses) - len(unsure)} that files say or suggest."
    )
    lines += [f"{output}:{line}: TODO {path}: {todo.words}" for line, path, todo in made.todos]
    lines += _left(made)
    lines.append(f"Then: tomotheca check {output} --source {folder} && tomotheca ingest {output} --source {folder}")
    return "\n".join(lines)


def _left(made: "Draft") -> list[str]:
    """Name the files that no entry covers, by reason."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in made.left:
        by_reason.setdefault(reason, []).append(path)
    lines = []
    for reason, paths in sorted(by_reason.items()):
        lines += [f"not taken: {path}: {reason}" for path in paths[:LISTED]]
        if len(paths) > LISTED:
            lines.append(f"not taken: … and {len(paths) - LISTED} more: {reason}")
    if made.left:
        lines.append(f"{len(made.left)} files that no entry covers.")
    return lines
