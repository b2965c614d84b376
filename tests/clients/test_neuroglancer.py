"""The block about Neuroglancer, and what a browser gets that opens the two addresses it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.conftest import EXECUTABLES
from tests.clients.recipes import REPOSITORY, command, environment, read, variables

if TYPE_CHECKING:
    from tests.api.serving import Running

pytestmark = pytest.mark.browser

STAY = "\nimport sys\nsys.stdout.flush()\nsys.stdin.read()\n"
CHUNK = "/TS_001.zarr/0/0/0/0"


@pytest.fixture(scope="module")
def addresses(demo: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Run the block, and keep it running: the second address is of a server inside it."""
    (recipe,) = (recipe for recipe in read() if recipe.name == "neuroglancer")
    venv, folder = environment(recipe.name), tmp_path_factory.mktemp("neuroglancer")
    words = command(recipe.language, recipe.at(demo.url) + STAY, venv)
    with subprocess.Popen(
        words, env=variables(venv, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield [process.stdout.readline().strip(), process.stdout.readline().strip()]
        process.communicate("", timeout=20)


def visit(address: str, wanted: str) -> list[dict[str, Any]]:
    """Give the answers that a browser gets, in a process of its own: playwright wants to be alone."""
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    words = [sys.executable, "-m", "tests.clients.browse", executable, address, wanted]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("which", [0, 1], ids=["the viewer of the site", "a viewer of another site"])
def test_a_browser_reads_the_volume(addresses: list[str], demo: Running, which: int) -> None:
    """Chunks are asked for when the description was read, so a page of another site was allowed to."""
    answers = visit(addresses[which], CHUNK)
    assert addresses[which].startswith(demo.url) == (which == 0)
    assert {
        answer["status"] for answer in answers if answer["url"].startswith(demo.url) and CHUNK in answer["url"]
    } == {200}
