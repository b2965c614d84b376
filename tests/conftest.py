"""What every test relies on."""

import os
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from tests import databases

REPOSITORY = Path(__file__).parent.parent
LONG = {"browser", "cli", "clients", "ingest"}
"""Folders of tests that start browsers, servers and commands."""

IS_CI = os.environ.get("CI", "") not in {"", "0", "false"}

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

settings.register_profile("tomotheca", deadline=None, print_blob=True)
settings.load_profile("tomotheca")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return refuse_skip(report)


def refuse_skip(report: Report) -> Report:
    """Make a skip a failure where nothing may be missing."""
    if IS_CI and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, which CI=true forbids: {reason}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take minutes before the many that take seconds: processes that share them out end together."""
    items.sort(key=lambda item: LONG.isdisjoint(item.path.parts))


@pytest.fixture
def free_port() -> int:
    """Return a TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Return the folder of other packages' unpacked source distributions (see ``scripts/real_files.sh``)."""
    folder = REPOSITORY / ".cache/real-files"
    if not (folder / ".complete").is_file():
        pytest.skip("the real files were not fetched (scripts/real_files.sh)")
    return folder


@pytest.fixture(scope="session")
def kept() -> dict[tuple[str, str], Any]:
    """Return what is kept for all tests, by kind of database and name, whatever their order."""
    return {}


@pytest.fixture(scope="session")
def postgresql(kept: dict[tuple[str, str], Any]) -> Iterator[databases.Server]:
    """Return a PostgreSQL server that the whole session shares; what is kept is closed before it stops."""
    with databases.running() as server:
        yield server
        for thing in kept.values():
            thing.close()


@pytest.fixture(scope="session", params=databases.KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kept: dict[tuple[str, str], Any]
) -> databases.Database:
    """Return each kind of database in turn; see ``databases.Database``."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    return databases.Database(request.param, tmp_path_factory.mktemp("databases"), server, kept)
