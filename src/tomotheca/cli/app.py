"""Every command, in one list that can be read top to bottom."""

from __future__ import annotations

import typer

from tomotheca.cli import (
    about,
    adopt,
    audit,
    check,
    demo,
    desk,
    doctor,
    download,
    draft,
    dump,
    index,
    ingest,
    load,
    mirror,
    publish,
    remove,
    serve,
    submissions,
)

app = typer.Typer(
    name="tomotheca",
    help="A data portal for cryo-electron tomography: take in a lab's files, keep them in one archive, serve them.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command takes --debug, which shows where an error came from. Exit codes: 0 done, 1 something is wrong with the data, "
    "2 wrong command line or setting, 3 not found, 4 not allowed, 5 in use, 6 the disk or the network, 130 stopped.",
)  # fmt: skip

app.command("demo")(demo.demo)
app.command("ingest")(ingest.ingest)
app.command("index")(index.index)
app.command("dump")(dump.dump)
app.command("load")(load.load)
app.command("mirror")(mirror.mirror)
app.command("publish")(publish.publish)
app.command("remove")(remove.remove)
app.command("adopt")(adopt.adopt)
app.command("audit")(audit.audit)
app.command("serve")(serve.serve)
app.command("draft")(draft.draft)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("download")(download.download)
app.add_typer(desk.app, name="desk")
app.add_typer(submissions.app, name="submissions")
app.command("settings")(about.settings)
app.command("version")(about.version)
