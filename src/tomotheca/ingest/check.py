"""Check a configuration: its grammar, its rules, and (with a source) what its patterns find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tomotheca.errors import ConfigurationError, Finding
from tomotheca.ingest import config
from tomotheca.ingest.patterns import patterns
from tomotheca.ingest.rules import rules
from tomotheca.ingest.todo import todos

if TYPE_CHECKING:
    from tomotheca.ingest.config import Configuration


def load(path: Path) -> Configuration:
    """Read a configuration with everything that can be found without its source.

    Raises
    ------
    ConfigurationError
        If it cannot be read at all: no file, no UTF-8, no YAML.
    """
    configuration = config.read(path)
    return replace(
        configuration,
        findings=in_order(
            [*configuration.findings, *rules(configuration), *patterns(configuration), *todos(configuration)]
        ),
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by place in their file, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=_place))


def _place(finding: Finding) -> tuple[str, int, str, str]:
    file, _, line = finding.where.rpartition(":")
    return (
        (file, int(line), finding.path, finding.message)
        if line.isdigit()
        else (finding.where, 0, finding.path, finding.message)
    )


def check(config: Path, source: Path | None = None) -> list[Finding]:
    """Check a configuration, and with a source everything that an ingest would refuse.

    Parameters
    ----------
    config
        The configuration.
    source
        Folder below which its `source_prefix` lies; None checks the text alone.

    Returns
    -------
    list of Finding
        In the order of the file.
    """
    from tomotheca.ingest import sourcecheck  # noqa: PLC0415  # the same
    from tomotheca.ingest.plan import IngestOptions, plan, sources  # noqa: PLC0415  # planning uses this module
    from tomotheca.store.files import LocalFiles  # noqa: PLC0415

    try:
        configuration = load(config)
        if source is None or configuration.errors:
            return list(configuration.findings)
        with TemporaryDirectory() as empty:
            planned = plan(IngestOptions(config, source), LocalFiles(empty), alone=True)
        root = sources(configuration, source).root
        return list(in_order([*planned.findings, *sourcecheck.examine(root, planned)]))
    except ConfigurationError as error:
        return list(error.findings)
