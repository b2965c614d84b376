"""How long until the viewer shows a tomogram: from the click to "ready", in chromium with WebGL drawn by the processor, nothing kept from before.

Two portals by the real server: a tomogram of 2 GiB, and the demo's with annotations of every shape. Each visit has a new browser profile. The baseline in the same run
is the viewer itself without any data, until its own page has loaded. Goal: ready within 5 s. Run ``python benchmarks/bench_viewer.py [--visits 5]``; it needs chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench_slices import TOMOGRAM, build, memory, serving
from tomotheca.formats.omezarr import Form

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-quic", "--no-first-run",
)  # fmt: skip
PATIENCE = 120_000
"""Milliseconds that a visit may take."""

READY = "() => document.querySelector('iframe')?.contentDocument?.documentElement.dataset.ready === 'true'"
SHAPE = (512, 1024, 1024)


def visit(browser: Browser, address: str, *, ready: str = "") -> float:
    """Go somewhere with an empty profile; gives seconds until it has loaded, or until it says that it is ready."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, timeout=PATIENCE)
    if ready:
        page.wait_for_function(ready, timeout=PATIENCE)
    spent = time.perf_counter() - began
    context.close()
    return spent


def main() -> None:
    """Build, measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=5)
    asked = parser.parse_args()
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        raise SystemExit("there is no chromium (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        large, demo = Path(name, "large"), Path(name, "demo")
        large.mkdir()
        build(large, SHAPE, Form("0.4"))
        subprocess.run(
            [sys.executable, "-m", "tomotheca", "demo", "--offline", "--root", demo], check=True, capture_output=True
        )
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        for what, root, path in (
            ("2 GiB", large, f"/view/tomograms/{TOMOGRAM}"),
            ("demo with annotations", demo, "/view/runs/1"),
        ):
            with serving(root) as (url, server):
                visit(browser, url + "/")
                bare = [visit(browser, url + "/viewer/") for _ in range(asked.visits)]
                times = [visit(browser, url + path, ready=READY) for _ in range(asked.visits)]
                middle, base = statistics.median(times), statistics.median(bare)
                print(json.dumps({
                    "viewer": what, "ready_s": round(middle, 2), "slowest_s": round(max(times), 2), "bare_viewer_s": round(base, 2),
                    "ratio": round(middle / base, 2), "server_mib": memory(server),
                }), flush=True)  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main()
