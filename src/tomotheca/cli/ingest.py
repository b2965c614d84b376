"""`tomotheca ingest`: a lab's files -> the archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, note, plain, show_findings, size
from tomotheca.cli.team import Wanted, joined, script

if TYPE_CHECKING:
    from tomotheca.formats.omezarr import Form
    from tomotheca.ingest.inplace import Staying
    from tomotheca.ingest.pictures import Elsewhere
    from tomotheca.ingest.plan import IngestOptions
    from tomotheca.ingest.work import Plan
    from tomotheca.settings import Settings

Config = Annotated[Path, typer.Argument(help="Ingest configuration, a YAML file.", show_default=False)]
Source = Annotated[
    str | None,
    typer.Option(
        help="Folder of the files, or s3://bucket/prefix; its source_prefix lies below. Default: that of the configuration.",
        show_default=False,
    ),
]
Planned = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]
Only = Annotated[
    str, typer.Option(help="Take in only these, with commas: tiltseries, alignments, tomograms, annotations.")
]
Run = Annotated[str, typer.Option(help="Take in only runs whose name matches this regular expression.")]
Private = Annotated[bool, typer.Option("--private", help="Hide what is described here until `tomotheca publish`.")]
Force = Annotated[bool, typer.Option("--force", help="Do everything again, also what is there and unchanged.")]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Read sources and files of the archive again, whatever their size and time, and do again what differs.",
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes. Default: the cores.", show_default=False)]
Bucket = Annotated[
    list[str] | None,
    typer.Option(
        help="Folder with a copy of a bucket that key photos are named from, as NAME=FOLDER.", show_default=False
    ),
]
Fetch = Annotated[bool, typer.Option("--fetch", help="Fetch key photos from the web addresses that name them.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave in the archive what the configuration does not produce any more.")
]
InPlace = Annotated[
    bool | None,
    typer.Option(
        "--in-place/--copy",
        help="Leave MRC volumes where they are and serve them from there; only coarse levels are written. Default: the setting in_place.",
        show_default=False,
    ),
]
Zarr = Annotated[
    str | None,
    typer.Option(
        help="Version of OME-Zarr to write, 0.4 or 0.5; what the archive has in the other is written anew. Default: the setting zarr.",
        show_default=False,
    ),
]
Dask = Annotated[
    str,
    typer.Option(
        help="Have a Dask cluster do the steps: address of its scheduler. Needs the extra dask.", show_default=False
    ),
]
Slurm = Annotated[
    Path | None,
    typer.Option(
        help="Have jobs of SLURM do the steps: YAML file with jobs, cores, memory, walltime, ... Needs the extra dask; --plan shows the job's script.",
        show_default=False,
    ),
]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Leave the catalogue as it is.")]


def ingest(
    config: Config, *, source: Source = None, plan: Planned = False, only: Only = "", run: Run = "", private: Private = False, force: Force = False, verify: Verify = False,
    workers: Workers = None, bucket: Bucket = None, fetch: Fetch = False, keep: Keep = False, in_place: InPlace = None, zarr: Zarr = None, dask: Dask = "", slurm: Slurm = None, no_index: NoIndex = False, root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Take a lab's files in as a configuration says. Run it again to continue or to add; what is unchanged stays as it is."""
    settings = load(root)
    if not (plan or dask or slurm) and (workers or settings.workers) > 1:
        _get_ready(source, config)
    from tomotheca.ingest.plan import IngestOptions  # noqa: PLC0415 - heavy

    words = tuple(part.strip() for part in only.split(",") if part.strip())
    options = IngestOptions(
        config, _source(settings, source, config), words, run, force, private, workers or settings.workers, settings.memory,
        elsewhere=_elsewhere(bucket, settings.state_folder / "pictures" if fetch and not plan else None), keep=keep, verify=verify, staying=_staying(settings, in_place),
        form=_form(settings, zarr),
    )  # fmt: skip
    if in_place and source and "://" in source:
        message = "volumes of a bucket cannot be served from where they are: leave it out, or mount the bucket"
        raise typer.BadParameter(message, param_hint="--in-place")
    if plan and verify:
        message = "a plan reads no files: leave one of the two out"
        raise typer.BadParameter(message, param_hint="--verify")
    wanted = Wanted(dask, slurm)
    if plan and (text := script(wanted)):
        note(text)
    code = (
        _plan(settings, options, json=json)
        if plan
        else _ingest(settings, options, wanted, index=not no_index, json=json)
    )
    if code:
        raise typer.Exit(code)


def _get_ready(source: str | None, config: Path) -> None:
    """Have the processes that will do the work loaded while this one plans it, where there is work for several."""
    from tomotheca.ingest import workers  # noqa: PLC0415 - heavy

    if not (source and "://" in source) and workers.are_worth_it(Path(source) if source else config.parent):
        workers.get_ready()


def _source(settings: "Settings", given: str | None, config: Path) -> Path:
    from tomotheca.ingest.far import source  # noqa: PLC0415 - heavy

    return source(given, settings.archive_endpoint) if given else config.parent


def _staying(settings: "Settings", wanted: bool | None) -> "Staying | None":
    """Give the wish that volumes stay where they are; what belongs to the portal itself is never served as a source."""
    from tomotheca.ingest.inplace import Staying  # noqa: PLC0415 - heavy

    if not (settings.in_place if wanted is None else wanted):
        return None
    own = [
        settings.state_folder,
        settings.loaded_folder,
        *([] if settings.archive_is_remote else [settings.archive_folder]),
    ]
    return Staying(tuple(own))


def _form(settings: "Settings", version: str | None) -> "Form":
    """Give the form in which OME-Zarr images are written."""
    from tomotheca.formats.omezarr.form import CODECS, VERSIONS, Form  # noqa: PLC0415 - heavy

    wanted = next((known for known in VERSIONS if known == (version or settings.zarr)), None)
    if wanted is None:
        message = f"{version} is none of {', '.join(VERSIONS)}"
        raise typer.BadParameter(message, param_hint="--zarr")
    codec = next((known for known in CODECS if known == settings.zarr_codec), None)
    chunk = int(settings.zarr_chunk) if settings.zarr_chunk else None
    return Form(wanted, chunk, codec, settings.zarr_level)


def _elsewhere(bucket: list[str] | None, fetched: Path | None) -> "Elsewhere":
    from tomotheca.ingest.pictures import Elsewhere, buckets  # noqa: PLC0415 - heavy

    try:
        return Elsewhere(buckets(bucket or []), fetched)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--bucket") from error


def _plan(settings: "Settings", options: "IngestOptions", *, json: bool) -> int:
    from tomotheca.errors import ConfigurationError  # noqa: PLC0415 - heavy
    from tomotheca.ingest.plan import plan  # noqa: PLC0415
    from tomotheca.store.opening import open_files  # noqa: PLC0415

    try:
        planned = plan(options, open_files(settings))
    except ConfigurationError as error:
        return _refused(error, json=json)
    if not json:
        show_findings(planned.findings)
    emit(_described(planned), as_json=json, text=_summary(planned))
    return 1 if planned.errors else 0


def _described(planned: "Plan") -> dict[str, Any]:
    steps = [
        {"kind": s.kind, "key": s.key, "name": s.natural, "files": s.outputs, "bytes": s.bytes} for s in planned.steps
    ]
    named = {name: getattr(planned, name) for name in ("matched", "collapsed", "skipped", "unmatched", "findings")}
    removed = planned.stale.goes
    return {
        "datasets": planned.datasets,
        "depositions": planned.depositions,
        "steps": steps,
        "removed": removed,
        **named,
    }


def _summary(planned: "Plan") -> str:
    lines = [f"{s.kind:<12} {size(s.bytes):>9}  {s.key}" for s in planned.steps]
    for where, paths in planned.matched.items():
        lines.append(f"{where}: {len(paths)} found, {paths[0]}{' and so on' if len(paths) > 1 else ''}")
    lines += [f"left out: {words}" for words in planned.skipped] + [f"one item: {words}" for words in planned.collapsed]
    lines += [f"removed: {g.name}, {g.files} files, {size(g.bytes)}" for g in planned.stale.goes]
    lines += [f"not named: {path}" for path in planned.unmatched[:20]]
    if len(planned.unmatched) > 20:  # noqa: PLR2004 - as many as fit
        lines.append(f"… and {len(planned.unmatched) - 20} more files that nothing names")
    total = size(sum(s.bytes for s in planned.steps))
    return "\n".join([*lines, f"{len(planned.steps)} documents from {total}; nothing was written."])


def _ingest(settings: "Settings", options: "IngestOptions", wanted: Wanted, *, index: bool, json: bool) -> int:
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy
    from tomotheca.cli.taking_in import index_touched, take_in  # noqa: PLC0415
    from tomotheca.errors import ConfigurationError  # noqa: PLC0415

    if not options.config.is_file():
        message = f"there is no configuration {options.config}"
        raise typer.BadParameter(message)
    with opened(settings, create=True) as portal:
        try:
            with joined(settings, options, wanted) as chosen:
                done = take_in(portal, chosen, quiet=json, events=json)
        except ConfigurationError as error:
            return _refused(error, json=json)
        version = index_touched(portal, [done], quiet=json) if index else None
    if not json:
        show_findings(done.findings)
    words = f"{done.written} documents written, {done.unchanged} unchanged, {size(done.bytes)} of files in {done.seconds:.1f} s."
    if done.removed.documents:
        words += f" {done.removed.documents} documents that the configuration does not produce any more were removed."
    emit({**plain(done), "version": version}, as_json=json, text=words)
    return 1 if done.failed else 0


def _refused(error: Exception, *, json: bool) -> int:
    findings = getattr(error, "findings", ())
    if json:
        emit({"findings": findings, "written": 0}, as_json=True, text="")
        return 1
    raise error
