"""Empty databases for tests: SQLite files, and schemas in a real PostgreSQL that is started for the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

KINDS = ("sqlite", "postgresql")
PATIENCE = 60
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
    "max_connections": "200", "shared_buffers": "64MB",
}  # fmt: skip
"""Of a server that nobody needs after the tests, and that only this machine reaches."""


@dataclass
class Server:
    """A PostgreSQL server of our own."""

    programs: Path
    folder: Path
    owner: dict[str, Any]
    """User to run it as, where this is root, which PostgreSQL refuses."""

    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str = "postgres", **query: str) -> str:
        """Give the address of a database."""
        named = "".join(f"&{name}={quote(value)}" for name, value in query.items())
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder))}{named}"

    def create(self) -> None:
        """Make the server's files."""
        command = [self.programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "--no-sync"]
        # Neither the language nor the order of words that the server knows may matter.
        command += ["--locale=C", "--encoding=UTF8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, **self.owner)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        given = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *given]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, **self.owner
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server; at once means without writing down what it has only in memory."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self.process.wait(PATIENCE)
            self.process = None

    def execute(self, statement: str) -> None:
        """Run a statement as the server's administrator."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def new(self) -> str:
        """Give the address of an empty place in the server: a schema that names without one mean."""
        name = f"place_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(options=f"-c search_path={name}")


def programs() -> Path | None:
    """Give the folder of PostgreSQL's programs, the newest where there are several."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: int(folder.parent.name.split(".")[0]),
        default=None,
    )


@contextmanager
def running() -> Iterator[Server]:
    """Run a PostgreSQL server in a temporary folder."""
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL here (scripts/programs.sh)")
    owner = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="tomotheca-postgresql-"))
    server = Server(found, folder, owner)
    try:
        if owner:
            shutil.chown(folder, **owner)
        server.create()
        server.start()
        yield server
    finally:
        server.stop(at_once=True)
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Database:
    """One kind of database; gives as many empty ones as a test asks for."""

    kind: str
    folder: Path
    server: Server | None = None
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What is made once for each kind, by name, and can be closed; whoever shares it must not change it."""

    def new(self) -> str:
        """Give the address of an empty database."""
        if self.server is not None:
            return self.server.new()
        return f"sqlite:///{Path(tempfile.mkdtemp(dir=self.folder)) / 'catalog.sqlite'}"

    def keep(self, name: str, make: Any) -> Any:
        """Give what is made once for this kind of database."""
        key = (self.kind, name)
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]
