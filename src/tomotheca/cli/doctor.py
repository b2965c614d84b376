"""`tomotheca doctor`: what is wrong with an archive, and what to do about it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, note, progress, size

if TYPE_CHECKING:
    from tomotheca.cli.opened import Opened
    from tomotheca.desk.diagnoses import Kept
    from tomotheca.doctor.core import Rule
    from tomotheca.doctor.examine import Report
    from tomotheca.settings import Settings

Dataset = Annotated[
    str, typer.Argument(help="Dataset, such as DS-10001 or 10001; all without one.", show_default=False)
]
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Apply only this rule, or those of a pattern such as mrc.*; may be repeated."),
]
Severity = Annotated[Literal["error", "warning", "note"], typer.Option(help="Leave out what is less bad than this.")]
Profile = Annotated[
    Literal["default", "cz"], typer.Option(help="cz adds the stricter forms of the public CryoET Data Portal.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes. Default: the cores.", show_default=False)]
Hash = Annotated[
    bool, typer.Option("--hash", help="Read every file: compare its SHA-256, or note it where there is none.")
]
History = Annotated[bool, typer.Option("--history", help="Only list what was found since the desk exists.")]
Ignore = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="RULE PATH",
        help="Leave what a rule says of a key (or of everything below a folder/) as it is; with --reason.",
        show_default=False,
    ),
]
Heed = Annotated[
    tuple[str, str] | None, typer.Option(metavar="RULE PATH", help="Take an --ignore back.", show_default=False)
]
Reason = Annotated[str, typer.Option(help="Why something is left as it is.", show_default=False)]


def doctor(
    dataset: Dataset = "", *, rule: Rules = None, severity: Severity = "note", profile: Profile = "default", strict: Strict = False,
    workers: Workers = None, hash_: Hash = False, history: History = False, ignore: Ignore = None, heed: Heed = None, reason: Reason = "",
    root: Root = None, json: Json = False,
) -> None:  # fmt: skip
    """Examine the archive: documents, manifests, headers and what they say of each other. Nothing is changed."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy

    settings = load(root)
    number = _number(dataset)
    with opened(settings) as portal:
        if ignore or heed:
            _decide(portal, ignore, heed, reason, json=json)
            return
        rules = _rules(settings, rule or [], profile, severity)
        if history:
            _history(portal, rules, number, json=json)
            return
        failed = _examine(portal, rules, number, (strict, hash_), workers=workers or settings.workers, json=json)
    if failed:
        raise typer.Exit(1)


def _number(text: str) -> int | None:
    digits = text.upper().removeprefix("DS-")
    if text and not (digits.isascii() and digits.isdecimal()):
        message = f"{text!r} is not a dataset; write DS-10001"
        raise typer.BadParameter(message)
    return int(digits) if text else None


def _rules(settings: "Settings", patterns: list[str], profile: Any, severity: Any) -> "tuple[Rule, ...]":
    from tomotheca.doctor import registry  # noqa: PLC0415 - heavy

    wanted: Any = None if settings.annotation_per_tomogram == "off" else settings.annotation_per_tomogram
    given = registry.set_severity(registry.RULES, registry.ANNOTATED, wanted)
    return registry.select(patterns, profile=profile, severity=severity, given=given)


def _decide(
    portal: "Opened", ignore: tuple[str, str] | None, heed: tuple[str, str] | None, reason: str, *, json: bool
) -> None:
    from tomotheca.doctor import registry  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError  # noqa: PLC0415

    if ignore:
        name, where = ignore
        registry.select([name], profile="cz")
        if not reason.strip():
            message = "say why with --reason: whoever comes after you will ask"
            raise typer.BadParameter(message)
        portal.desk.diagnoses.waive(name, where, reason.strip())
        emit({"rule": name, "where": where, "reason": reason}, as_json=json, text=f"{name} is ignored at {where}.")
    if heed:
        name, where = heed
        if not portal.desk.diagnoses.enforce(name, where):
            message = f"{name} is not ignored at {where}; `tomotheca doctor --history` lists what is"
            raise NotFoundError(message)
        emit({"rule": name, "where": where}, as_json=json, text=f"{name} is heeded again at {where}.")


def _history(portal: "Opened", rules: "tuple[Rule, ...]", number: int | None, *, json: bool) -> None:
    from tomotheca.doctor import report  # noqa: PLC0415 - heavy

    names = {rule.id for rule in rules}
    folder = "" if number is None else f"{number}/"
    kept = [d for d in portal.desk.diagnoses.all() if d.rule in names and d.where.startswith(folder)]
    listed = report.history(kept, portal.desk.diagnoses.waivers())
    lines = [
        f"{one.state:<8} {one.first_seen} to {one.until}  {one.rule}  {one.where}: {one.message}" for one in listed
    ]
    emit({"history": listed}, as_json=json, text="\n".join(lines) or "Nothing was ever found.")


def _examine(
    portal: "Opened",
    rules: "tuple[Rule, ...]",
    number: int | None,
    asked: tuple[bool, bool],
    *,
    workers: int,
    json: bool,
) -> bool:
    from tomotheca.doctor import report  # noqa: PLC0415 - heavy
    from tomotheca.doctor.examine import Options, examine  # noqa: PLC0415

    strict, thorough = asked
    datasets = _datasets(portal, number)
    if thorough:
        _hash(portal, datasets, quiet=json)
    marks, buried = portal.desk.high_water(), frozenset((s.kind, s.id) for s in portal.desk.tombstones())
    chosen = None if number is None else (number,)
    options = Options(rules, chosen, thorough, workers, marks, buried)
    with progress("Examining", quiet=json) as bar:

        def show(done: int, total: int) -> None:
            if done == 1:
                bar.total(total)
            bar.advance(1)

        found = examine(portal.files, options, show)
    kept = portal.desk.diagnoses.keep(found.problems, scopes=found.scopes, rules=found.rules)
    first = {(d.rule, d.where, d.path): d.first_seen for d in portal.desk.diagnoses.all()}
    made = report.split(found.problems, portal.desk.diagnoses.waivers())
    if json:
        emit(report.plain(found, made, kept, first), as_json=True, text="")
    else:
        _show(found, made, kept)
    counts = made.counts
    return bool(counts["error"] or (strict and counts["warning"]))


def _datasets(portal: "Opened", number: int | None) -> list[int]:
    from tomotheca.errors import NotFoundError  # noqa: PLC0415 - heavy
    from tomotheca.store import tree  # noqa: PLC0415

    found = list(tree.datasets(portal.files))
    if number is not None and number not in found:
        message = f"there is no dataset {number} in {portal.settings.archive_name}"
        raise NotFoundError(message)
    return found if number is None else [number]


def _hash(portal: "Opened", datasets: list[int], *, quiet: bool) -> None:
    from tomotheca.doctor.hashing import fill  # noqa: PLC0415 - heavy

    with portal.files.lock(), progress("Hashing", quiet=quiet) as bar:
        done = fill(portal.files, datasets, bar.say)
        if done.datasets and portal.has_catalog():
            portal.index(list(done.datasets), [])
    if done.files and not quiet:
        note(f"Noted the SHA-256 of {done.files} files, {size(done.bytes)}.")
    for key in done.left if not quiet else ():
        note(f"{key} cannot be hashed: its source is gone, changed, or elsewhere")


def _show(found: "Report", made: Any, kept: "Kept") -> None:
    from rich.console import Console  # noqa: PLC0415 - colours where there is a terminal

    from tomotheca.doctor import report  # noqa: PLC0415

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for line in report.lines(made):
        console.print(line.text, style=line.style or None)
    for sentence in report.summary(found, made, kept):
        console.print(sentence)
