"""Fixtures that drive a real chromium: ``chromium``, ``page`` and ``page_log``; and a demo portal to drive it at."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, sync_playwright
from tests.browser.portal import build, served

REPOSITORY = Path(__file__).parent.parent.parent
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class PageLog:
    """Everything a page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def foreign(self, *origins: str) -> list[str]:
        """Return the requests that went anywhere but to ``origins``."""
        return [url for url in self.requests if not self._is_local(url, origins)]

    def violations(self) -> list[str]:
        """Return the complaints about the content-security policy."""
        return [text for text in [*self.console, *self.errors] if "Content Security Policy" in text]

    @staticmethod
    def _is_local(url: str, origins: tuple[str, ...]) -> bool:
        parts = urlsplit(url)
        if parts.scheme in {"data", "about"}:
            return True
        return url.removeprefix("blob:").startswith(tuple(f"{origin}/" for origin in origins))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def launched(playwright: Playwright, **environment: str) -> Browser:
    """Start a chromium."""
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    return playwright.chromium.launch(executable_path=executable, args=list(FLAGS), env={**os.environ, **environment})


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launched(playwright)
    yield browser
    browser.close()


@pytest.fixture
def page_in_dejavu(playwright: Playwright, tmp_path: Path) -> Iterator[Page]:
    """Give a page of a browser on a machine that has no sans-serif but DejaVu Sans."""
    font = subprocess.run(["fc-match", "-f", "%{file}", "DejaVu Sans"], capture_output=True, text=True, check=True)
    assert "DejaVuSans" in font.stdout, f"fonts-dejavu-core is not installed: {font.stdout}"
    folders = f"<dir>{Path(font.stdout).parent}</dir><cachedir>{tmp_path}</cachedir>"
    (tmp_path / "fonts.conf").write_text(f"<?xml version='1.0'?><fontconfig>{folders}</fontconfig>")
    browser = launched(playwright, FONTCONFIG_FILE=str(tmp_path / "fonts.conf"))
    yield browser.new_page(viewport={"width": 1440, "height": 900})
    browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def page_log(page: Page) -> PageLog:
    """Record what ``page``, its frames and workers do from now on."""
    log = PageLog()

    def note_request(request: Request) -> None:
        log.requests.append(request.url)

    def note_console(message: ConsoleMessage) -> None:
        log.console.append(f"{message.type}: {message.text}")

    page.context.on("request", note_request)
    page.on("console", note_console)
    page.on("pageerror", lambda error: log.errors.append(str(error)))
    return log


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core, which the asset build leaves beside what it ships."""
    builds = sorted((REPOSITORY / "build/assets").glob("*/dev/axe.min.js"), key=lambda path: path.stat().st_mtime)
    if not builds:
        pytest.skip("the browser assets were not built here (make test builds them)")
    return builds[-1].read_text(encoding="utf-8")


@pytest.fixture
def accessibility_findings(page: Page, axe: str) -> Callable[[], list[str]]:
    """Return a function that says what axe-core finds wrong with the page as it is, WCAG 2.2 A and AA."""

    def find() -> list[str]:
        page.evaluate(f"() => {{ {axe}; }}")
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        result = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", tags)
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]

    return find


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the small demo portal, for every test that changes none of its data."""
    root = tmp_path_factory.mktemp("portal")
    build(root)
    with served(root) as address:
        yield address


@pytest.fixture(scope="module")
def portal(demo: str) -> str:
    """Return the address of the demo portal; a module with data of its own has a fixture of this name."""
    return demo


@pytest.fixture(scope="module")
def state(portal: str) -> dict[str, Any]:
    """Return the viewer's state of the first run."""
    with urlopen(f"{portal}/api/v1/viewer/runs/1/state.json") as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
