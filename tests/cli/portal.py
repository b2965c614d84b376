"""A portal that a test drives by commands, with its catalogue in a database of either kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.catalog import Catalog
from tomotheca.cli.run import run

if TYPE_CHECKING:
    import pytest


@dataclass
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """Give the answer of a command with ``--json``."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Portal:
    """A portal of a test's own."""

    root: Path
    url: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    opened: list[Catalog] = field(default_factory=list)

    def run(self, *words: object, code: int | None = 0) -> Done:
        """Run a command and see how it ends."""
        self.monkeypatch.setenv("TOMOTHECA_CATALOG_URL", self.url)
        self.monkeypatch.setenv("TOMOTHECA_PUBLIC_URL", "http://portal.example")
        self.capsys.readouterr()
        found = run([*map(str, words), "--root", str(self.root)])
        said = self.capsys.readouterr()
        assert code is None or found == code, said.err
        return Done(found, said.out, said.err)

    def dump(self, folder: Path, *options: str) -> Path:
        """Write a dump."""
        self.run("dump", folder, *options)
        return folder

    @property
    def catalog(self) -> Catalog:
        """The catalogue as a server opens it."""
        if not self.opened:
            self.opened.append(Catalog(self.url, public_url="http://portal.example"))
        return self.opened[0]

    def close(self) -> None:
        """Close the catalogue."""
        while self.opened:
            self.opened.pop().engine.dispose()
