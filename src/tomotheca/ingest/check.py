"""Check a configuration: its grammar, its rules, and (with a source) what its patterns find."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tomotheca.errors import Finding
from tomotheca.ingest import config
from tomotheca.ingest.config import Configuration
from tomotheca.ingest.rules import rules


def load(path: Path) -> Configuration:
    """Read a configuration with everything that can be found without its source.

    Raises
    ------
    ConfigurationError
        If it cannot be read at all: no file, no UTF-8, no YAML.
    """
    configuration = config.read(path)
    return replace(configuration, findings=in_order([*configuration.findings, *rules(configuration)]))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by place in their file, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=_place))


def _place(finding: Finding) -> tuple[str, int, str, str]:
    file, _, line = finding.where.rpartition(":")
    return (file, int(line), finding.path, finding.message) if line.isdigit() else (finding.where, 0, finding.path, finding.message)
