"""Write a configuration as YAML, each guess with its confidence and reason as a comment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tomotheca.ingest.draft.guesses import WORD, Alias, Guess, Node, Todo

COLUMN = 56
"""Where comments begin, unless the line is longer."""

HINT = ""
"""Key of a mapping whose value is a comment of its own line."""


@dataclass(slots=True)
class Written:
    """Lines of a file, and what stands where."""

    lines: list[str] = field(default_factory=list)
    todos: list[tuple[int, str, Todo]] = field(default_factory=list)
    """Line, path and what is to be given."""

    guesses: list[tuple[int, str, Guess]] = field(default_factory=list)


def write(content: Mapping[str, Node], head: str) -> Written:
    """Write a configuration; lines of the head become comments above it."""
    writer = _Writer()
    writer.made.lines += [f"# {line}".rstrip() for line in head.splitlines()]
    for key, node in content.items():
        writer.put("", f"{key}:", node, key)
    return writer.made


@dataclass(slots=True)
class _Writer:
    made: Written = field(default_factory=Written)
    named: set[str] = field(default_factory=set)

    def put(self, indent: str, head: str, node: Node, path: str) -> None:
        """Write a node behind a key or a dash."""
        if isinstance(node, Alias):
            if node.name in self.named:
                self.made.lines.append(f"{indent}{head} *{node.name}")
                return
            self.named.add(node.name)
            self.put(indent, f"{head} &{node.name}", node.block, path)
        elif isinstance(node, Guess):
            self._guess(indent, head, node, path)
        elif isinstance(node, Todo):
            self.made.todos.append((len(self.made.lines) + 1, path, node))
            self._line(f"{indent}{head} {WORD}", f"{WORD}: {node.words}; no file says it")
        elif isinstance(node, Mapping) and node and not _flat(node):
            self.made.lines.append(f"{indent}{head}")
            self._mapping(indent + "  ", node, path)
        elif isinstance(node, list) and node and not all(_plain(item) for item in node):
            self.made.lines.append(f"{indent}{head}")
            for i, item in enumerate(node):
                self._item(indent, item, f"{path}[{i}]")
        else:
            self.made.lines.append(f"{indent}{head} {scalar(node)}")

    def _guess(self, indent: str, head: str, node: Guess, path: str) -> None:
        self.made.guesses.append((len(self.made.lines) + 1, path, node))
        self._line(f"{indent}{head} {scalar(node.value)}", f"{node.confidence}: {node.reason}")

    def _mapping(self, indent: str, node: Mapping[str, Node], path: str) -> None:
        for key, value in node.items():
            if key == HINT:
                self.made.lines.append(f"{indent}# {_one_line(str(value))}")
                continue
            self.put(indent, f"{key}:", value, f"{path}.{key}")

    def _item(self, indent: str, item: Node, path: str) -> None:
        """Write an item of a list: the first key of a mapping stands behind the dash."""
        if not isinstance(item, Mapping) or _flat(item):
            self.put(indent, "-", item, path)
            return
        for i, (key, value) in enumerate(item.items()):
            before = len(self.made.lines)
            if key == HINT:
                self.made.lines.append(f"{indent}  # {_one_line(str(value))}")
                continue
            self.put(indent + "  ", f"{key}:", value, f"{path}.{key}")
            if i == 0:
                self.made.lines[before] = f"{indent}- {self.made.lines[before].lstrip()}"

    def _line(self, text: str, comment: str) -> None:
        self.made.lines.append(f"{text.ljust(COLUMN)}  # {_one_line(comment)}")


def _one_line(text: str) -> str:
    """Keep a comment on its line, whatever names of files have in them."""
    return re.sub(r"[^\x20-\x7e\u00a1-\ud7ff]", " ", text)


def _plain(node: Node) -> bool:
    return not isinstance(node, Mapping | list | Alias | Guess | Todo)


def _flat(node: Mapping[str, Node]) -> bool:
    """Whether a mapping fits a line: plain values, or mappings of such."""
    simple = all(
        k != HINT
        and (_plain(v) or (isinstance(v, list) and all(map(_plain, v))) or (isinstance(v, Mapping) and _flat(v)))
        for k, v in node.items()
    )
    return simple and len(scalar(dict(node))) <= 120  # noqa: PLR2004  # what fits a line


def scalar(value: Any) -> str:
    """Write a plain value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=2**31, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("\n...\n")


def text_of(written: Written) -> str:
    """Give the text of a file."""
    return "\n".join(written.lines) + "\n"
