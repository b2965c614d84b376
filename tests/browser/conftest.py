"""Fixtures that drive a real chromium: ``chromium``, ``page`` and ``page_log``."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, sync_playwright

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


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
    yield browser
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
