"""Run the block of docs/clients.md that makes a training batch with copick-torch, in an environment of its own (6 GB)."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
FOLDER = REPOSITORY / ".cache/copick-torch-venv"
PACKAGES = ("copick==1.31.0", "copick-torch==1.2.1")


def install() -> None:
    """Make the environment; quick when it is there."""
    uv, python = REPOSITORY / ".venv/bin/uv", FOLDER / "bin/python"
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, FOLDER], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)


if __name__ == "__main__":
    install()
    command = [sys.executable, "-m", "pytest", "-q", "tests/clients/test_recipes.py", "-k", "copick-torch"]
    environment = {**os.environ, "CI": "true", "TOMOTHECA_COPICK_TORCH": str(FOLDER)}
    sys.exit(subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode)
