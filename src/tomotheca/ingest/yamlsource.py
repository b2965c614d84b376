"""YAML with positions: plain values, and the line on which each of them stands."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tomotheca.errors import ConfigurationError, Finding, one_line

Location = tuple[str | int, ...]
"""Path of a value inside the file: keys and list indices."""

LARGEST = 500_000
"""Values in one file, aliases written out; more is a mistake or an attack."""

LONGEST = 16 << 20
"""Bytes of one file; the longest configurations have a tenth of a mebibyte."""

DEEPEST = 100
"""Blocks around a value; libyaml ends the process where there are some ten thousand."""


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file that was read."""

    path: Path
    sha256: str
    data: Any
    lines: Mapping[Location, int] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    def where(self, location: Location) -> str:
        """Give file and line of a value, or of the nearest thing around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.path}:{self.lines.get(location, 1)}"

    def finding(self, severity: Any, location: Location, message: str) -> Finding:
        """Make a finding about a value."""
        return Finding(severity, self.where(location), message, dotted(location))


def dotted(location: Location) -> str:
    """Write a location as ``tomograms[0].metadata.voxel_spacing``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read(path: Path) -> Source:
    """Read a YAML file.

    Raises
    ------
    ConfigurationError
        If it cannot be read or is not YAML; the finding names the line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            [Finding("error", str(path), f"cannot be read: {error.strerror or error}.")]
        ) from error
    if len(raw) > LONGEST:
        raise ConfigurationError(
            [Finding("error", str(path), f"has more than {LONGEST >> 20} MiB: is it the right file?")]
        )
    return parse(raw, path)


def parse(raw: bytes, path: Path) -> Source:
    """Parse the bytes of a YAML file; see `read`."""
    try:
        text = raw.decode("utf-8-sig")
        _check_depth(text)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            [Finding("error", str(path), f"is not UTF-8 text (byte {error.start}): save it as UTF-8.")]
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError([_syntax(path, error)]) from error
    builder = _Builder(path)
    try:
        data = None if node is None else builder.build(node, ())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError([_syntax(path, error)]) from error
    return Source(path, hashlib.sha256(raw).hexdigest(), data, builder.lines, tuple(builder.findings))


def _syntax(path: Path, error: Exception) -> Finding:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or (
        str(error) if not isinstance(error, RecursionError) else "it is nested too deeply"
    )
    return Finding("error", where, f"is not valid YAML: {one_line(problem)}.")


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            message = f"line {line} is nested more than {DEEPEST} deep"
            raise yaml.YAMLError(message)


class _Builder:
    """Turns nodes into plain values and notes where each stood."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Location, int] = {}
        self.findings: list[Finding] = []
        self._scalars = yaml.SafeLoader("")
        self._open: list[yaml.Node] = []

    def build(self, node: yaml.Node, location: Location) -> Any:
        """Build the value of a node that stands at a location."""
        self.lines.setdefault(location, node.start_mark.line + 1)
        if len(self.lines) > LARGEST:
            message = f"it has more than {LARGEST} values once its aliases are written out"
            raise yaml.YAMLError(message)
        if any(node is outer for outer in self._open):
            raise yaml.constructor.ConstructorError(None, None, "an alias refers to a block around it", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalars.construct_object(node)
        self._open.append(node)
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
            return self._mapping(node, location)
        finally:
            self._open.pop()

    def _mapping(self, node: Any, location: Location) -> dict[Any, Any]:
        given = {id(key) for key, _ in node.value}
        own: set[Any] = set()
        self._scalars.flatten_mapping(node)
        built: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalars.construct_object(key_node)
            if not isinstance(key, str | int | float | bool):
                key = str(key)
            here = (*location, key)
            if key in built and id(key_node) in given and key in own:
                self._repeated(key, here, key_node)
            if id(key_node) in given:
                own.add(key)
            built[key] = self.build(value_node, here)
            self.lines[here] = key_node.start_mark.line + 1
        return built

    def _repeated(self, key: object, location: Location, node: yaml.Node) -> None:
        where = f"{self.path}:{node.start_mark.line + 1}"
        message = f"{key} is given twice, first on line {self.lines[location]}: keep one."
        self.findings.append(Finding("error", where, message, dotted(location)))
