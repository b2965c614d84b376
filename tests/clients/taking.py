"""Dialogs of a site, and commands that are run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.api.serving import clean

if TYPE_CHECKING:
    import httpx


def dialog(site: httpx.Client, page: str, query: str) -> Any:
    found = site.get(f"{page}.json?{query}").json()["overlay"]
    assert found, query
    return found


def brought(folder: Path) -> dict[str, int]:
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def shell(command: str, folder: Path, programs: Path, **names: str) -> str:
    """Run a command as it stands, in bash."""
    env = {
        **clean(),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **names,
    }
    words = ["bash", "-c", f"set -o pipefail\n{command}"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def key_of(site: httpx.Client, kind: str, **where: Any) -> dict[str, Any]:
    answer = site.get(f"/api/v1/{kind}", params={"limit": 50}).json()["items"]
    return next(r for r in answer if all(r[k] == v for k, v in where.items()))
