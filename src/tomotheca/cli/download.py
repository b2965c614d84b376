"""`tomotheca download`: from any server, resumable, verified."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json
from tomotheca.cli.output import emit, note, progress, size

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="What to bring: DS-10001, RN-12, TS-3, TM-5, AN-7, AL-2, DEP-10300.", show_default=False
    ),
]
From = Annotated[str, typer.Option("--from", help="Address of the server.", show_default=False)]
To = Annotated[Path, typer.Option("--to", help="Folder to write below.")]
Only = Annotated[
    str,
    typer.Option(
        help="Kinds of files, with commas: frames, gains, mdoc, tiltseries, angles, alignments, tomograms, annotations, points, images, viewer, metadata."
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="Volumes as mrc or zarr, both without it; points also as csv or star; sections of a tilt series as csv.",
    ),
]
Box = Annotated[
    str, typer.Option(help="Box of a tomogram or mask in voxels of level 0: 100:228,0:128,40:168; comes as MRC.")
]
Level = Annotated[str, typer.Option(metavar="N", help="Level of the pyramid, 0 is the finest; comes as MRC.")]
Frame = Annotated[str, typer.Option(help="Coordinates of points as csv or star: voxel, angstrom or centred-angstrom.")]
File = Annotated[str, typer.Option(metavar="N", help="One file of an annotation, by its number.")]
Dataset = Annotated[str, typer.Option(metavar="DS-N", help="Of a deposition: only what lies in this dataset.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="List files and bytes, and bring nothing.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")]
Token = Annotated[
    str,
    typer.Option(envvar="TOMOTHECA_TOKEN", help="Curator's token of that server, for hidden data.", show_default=False),
]


def download(
    ids: Ids, *, source: From, to: To = Path(), only: Only = "", form: Format = "", box: Box = "", level: Level = "",
    frame: Frame = "", file: File = "", dataset: Dataset = "", dry_run: Dry = False, jobs: Jobs = 4, token: Token = "", json: Json = False,
) -> None:  # fmt: skip
    """Bring datasets, runs, tilt series, tomograms, annotations or depositions from a server. Run it again to continue."""
    from tomotheca.cli.fetch import ids as identifiers  # noqa: PLC0415 - heavy
    from tomotheca.cli.fetch import job, listing  # noqa: PLC0415
    from tomotheca.cli.fetch.server import Server  # noqa: PLC0415

    wanted = [identifiers.parse(text) for text in ids]
    server = Server(source, token)
    asks = {"only": only, "format": form, "box": box, "level": level, "frame": frame, "file": file, "dataset": dataset}
    items = job.unique(item for one in wanted for item in listing.fetch(server, one, asks))
    total = sum(item.size for item in items)
    words = f"{len(items)} files, {size(total)}"
    if dry_run:
        listed = "\n".join(f"{item.size:>14}  {item.path}" for item in items)
        emit({"files": len(items), "bytes": total, "items": items}, as_json=json, text=f"{listed}\n{words}")
        return
    job.require_space(items, to)
    with progress(f"Downloading {', '.join(ids)[:40]}", bytes_=True, quiet=json) as bar:
        bar.total(total)
        done = job.run(server, items, to, jobs=jobs, advance=bar.advance)
    kept = f", {done.verified} were there already" if done.verified else ""
    emit(done, as_json=json, text=f"{words} in {to}{kept}; digests in {to / job.SUMS}." if not done.failed else "")
    if done.failed:
        if not json:
            for sentence in done.failed.values():
                note(sentence)
            note(f"{len(done.failed)} of {words} are missing; run the command again to continue")
        raise typer.Exit(1)
