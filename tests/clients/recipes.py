"""The blocks of docs/clients.md, and how they are run: as they stand, but for the server's address."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.serving import clean

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/clients.md"
ADDRESS = "http://127.0.0.1:8000"
"""Where the page says that the portal is."""

BLOCK = re.compile(r"^```(\w*)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLIENTS = REPOSITORY / ".cache/clients-venv"
COPICK = REPOSITORY / ".cache/copick-venv"
PATIENCE = 300


@dataclass(frozen=True)
class Recipe:
    """A block of code in the page."""

    language: str
    name: str
    text: str

    def at(self, url: str) -> str:
        """Give the code for a server at another address."""
        return self.text.replace(ADDRESS, url)


def read() -> list[Recipe]:
    """Give all blocks of the page."""
    return [Recipe(*match) for match in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def environment(recipe: str) -> Path:
    """Give the virtual environment of a recipe, or skip where it could not be made."""
    named = os.environ.get("TOMOTHECA_COPICK_TORCH")
    if recipe == "copick-torch" and named:
        return Path(named)
    folder = COPICK if recipe.startswith("copick") else CLIENTS
    if not (folder / ".complete").is_file():
        pytest.skip("the clients were not installed (scripts/clients.sh)")
    return folder


def command(language: str, text: str, venv: Path) -> list[str]:
    """Give the words that run a block."""
    if language == "python":
        return [str(venv / "bin/python"), "-c", text]
    return ["bash", "-euo", "pipefail", "-c", text]


def variables(venv: Path, folder: Path) -> dict[str, str]:
    """Give the environment of somebody who uses the clients for the first time."""
    kept = {name: value for name, value in clean().items() if not name.startswith(("PYTHON", "RCLONE_", "COPICK_"))}
    path = os.pathsep.join([str(venv / "bin"), str(REPOSITORY / ".venv/bin"), os.environ["PATH"]])
    return {**kept, "PATH": path, "HOME": str(folder / ".home"), "AWS_EC2_METADATA_DISABLED": "true"}


def run(recipe: Recipe, url: str, folder: Path, *, then: str = "") -> str:
    """Run a block in a folder, with more Python after it to keep what it made, and give what it printed."""
    venv = environment(recipe.name)
    words = command(recipe.language, recipe.at(url) + then, venv)
    done = subprocess.run(
        words, cwd=folder, env=variables(venv, folder), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, f"{recipe.name}:\n{done.stderr[-4000:]}"
    return done.stdout
