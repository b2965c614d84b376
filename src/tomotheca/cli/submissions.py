"""`tomotheca submissions`: what people offer, for curators."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, note

if TYPE_CHECKING:
    from tomotheca.desk import Desk
    from tomotheca.desk.submissions import Submission
    from tomotheca.settings import Settings

app = typer.Typer(help="Offers that came by the form on the page Contribute.", no_args_is_help=True)
PREFIX = "SUB-"
Reference = Annotated[str, typer.Argument(help="Reference, such as SUB-3.", metavar="SUB-N")]


@app.command("list")
def listing(
    status: Annotated[str, typer.Option("--status", help="Only those with this status, such as submitted.")] = "",
    root: Root = None,
    json: Json = False,
) -> None:
    """List what was offered, what changed last first; drafts, which are their contributors' alone, only when asked for."""
    with _desk(load(root)) as desk:
        found = desk.submissions.all(_status(status) if status else "")
    shown = [_short(s) for s in found if status or s.status != "draft"]
    lines = [f"{s['reference']:<9}{s['status']:<16}{s['changed_at'][:16]}  {s['title']}" for s in shown]
    emit(shown, as_json=json, text="\n".join(lines) or "Nothing was offered.")


@app.command("show")
def show(reference: Reference, root: Root = None, json: Json = False) -> None:
    """Show one offer whole, with the contact's address and everything that was said."""
    from dataclasses import asdict  # noqa: PLC0415

    with _desk(load(root)) as desk:
        found = desk.submissions.get(_number(reference))
        said = desk.submissions.notes(found.id)
    made = {**_short(found), "form": found.form, "notes": [asdict(n) for n in said]}
    lines = [f"{found.reference}: {found.title}", f"status: {_words(found.status)}"]
    lines += [f"deposition: {found.deposition}"] * (found.deposition is not None)
    lines += [f"{name}: {', '.join(values)}" for name, values in found.form.items()]
    lines += [f"{n.at[:16]} {n.side}{f' -> {_words(n.status)}' if n.status else ''}: {n.message}" for n in said]
    emit(made, as_json=json, text="\n".join(lines))


@app.command("set")
def change(
    reference: Reference,
    status: Annotated[str, typer.Argument(help="New status, such as in-review, needs-changes, accepted or declined.")],
    message: Annotated[str, typer.Option("--message", "-m", help="Words to the contributor.")] = "",
    root: Root = None,
    json: Json = False,
) -> None:
    """Bring an offer to another status; accepting it reserves a deposition. The contributor gets an e-mail where a mail server is set."""
    from tomotheca.desk.audit import doer  # noqa: PLC0415 - heavy
    from tomotheca.desk.submissions import CURATOR  # noqa: PLC0415
    from tomotheca.web.contribution import mail  # noqa: PLC0415
    from tomotheca.web.contribution.stages import STAGES  # noqa: PLC0415

    settings = load(root)
    with _desk(settings) as desk:
        found = desk.submissions.move(
            _number(reference), _status(status), side=CURATOR, who=doer(), message=message.strip()
        )
    subject, text = mail.moved(settings, found.reference, STAGES[found.status].name, message.strip())
    sent = mail.send(settings, next(iter(found.form.get("contact-email", ())), ""), subject, text)
    if settings.smtp_host and not sent:
        note("The e-mail to the contributor could not be sent.")
    reserved = (
        f" {settings.deposition_prefix}{found.deposition} is reserved for it." if found.status == "accepted" else ""
    )
    words = f"{found.reference} is {_words(found.status)}.{reserved}"
    emit({**_short(found), "mailed": sent}, as_json=json, text=words)


def _desk(settings: "Settings") -> "Desk":
    from tomotheca.desk import Desk  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError  # noqa: PLC0415

    if settings.desk_url is None and not (settings.state_folder / "desk.sqlite").is_file():
        message = f"there is no desk in {settings.state_folder}; give the portal's folder with --root"
        raise NotFoundError(message)
    return Desk.open(settings.desk_database)


def _number(reference: str) -> int:
    digits = reference.strip().upper().removeprefix(PREFIX)
    if not (digits.isascii() and digits.isdigit()):
        message = f"{reference!r} is no reference; write SUB-3"
        raise typer.BadParameter(message)
    return int(digits)


def _status(given: str) -> str:
    from tomotheca.desk.submissions import MOVES  # noqa: PLC0415 - heavy

    code = given.strip().lower().replace("-", "_").replace(" ", "_")
    if code not in MOVES:
        message = f"{given!r} is no status; there are {', '.join(s.replace('_', '-') for s in MOVES)}"
        raise typer.BadParameter(message)
    return code


def _words(status: str) -> str:
    return status.replace("_", " ")


def _short(found: "Submission") -> dict[str, Any]:
    return {
        "reference": found.reference, "status": _words(found.status), "title": found.title, "kind": list(found.form.get("kind", ())),
        "deposition": found.deposition, "created_at": found.created_at, "changed_at": found.changed_at, "submitted_at": found.submitted_at,
    }  # fmt: skip
