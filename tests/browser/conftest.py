"""Fixtures that drive a real chromium: ``chromium``, ``page`` and ``page_log``."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, sync_playwright

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
