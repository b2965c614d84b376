"""Open an address in a real chromium and print, as JSON, what it was answered until a file of an array directory came."""

from __future__ import annotations

import json
import sys
import time

from playwright.sync_api import Response, sync_playwright
from tests.browser.conftest import FLAGS

PATIENCE = 60


def visit(executable: str, address: str, wanted: str) -> list[dict[str, object]]:
    """Give the answers that a page got, once one of them is for an address that has ``wanted`` in it."""
    answers: list[dict[str, object]] = []

    def note(response: Response) -> None:
        answers.append({"url": response.url, "status": response.status})

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page()
        page.context.on("response", note)
        page.goto(address)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not any(wanted in str(answer["url"]) for answer in answers):
            page.wait_for_timeout(100)
        browser.close()
    return answers


if __name__ == "__main__":
    print(json.dumps(visit(*sys.argv[1:4])))  # noqa: T201 - its output is its answer
