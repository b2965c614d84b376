"""`tomotheca check`: what is wrong with a configuration, before anything is written."""

from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json
from tomotheca.cli.output import emit, show_findings

Config = Annotated[Path, typer.Argument(help="Ingest configuration, a YAML file.", show_default=False)]
Source = Annotated[
    str | None,
    typer.Option(
        help="Folder of the files, or s3://bucket/prefix; patterns are tried on it, headers are read.",
        show_default=False,
    ),
]
SyntaxOnly = Annotated[bool, typer.Option("--syntax-only", help="Look at the text alone, also when a source is given.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")]


def check(
    config: Config, source: Source = None, syntax_only: SyntaxOnly = False, strict: Strict = False, json: Json = False
) -> None:
    """Check an ingest configuration: its grammar, its rules and, with a source, what its patterns find. Needs no archive."""
    from tomotheca.ingest.check import check as examine  # noqa: PLC0415 - heavy
    from tomotheca.ingest.far import source as place  # noqa: PLC0415 - heavy

    findings = examine(config, None if syntax_only or source is None else place(source))
    counts = {severity: sum(f.severity == severity for f in findings) for severity in ("error", "warning", "note")}
    if not json:
        show_findings(findings)
    words = ", ".join(f"{n} {severity}{'' if n == 1 else 's'}" for severity, n in counts.items())
    emit({**counts, "findings": findings}, as_json=json, text=f"{config}: {words}")
    if counts["error"] or (strict and counts["warning"]):
        raise typer.Exit(1)
