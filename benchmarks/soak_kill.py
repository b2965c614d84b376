"""Kill the ingest at random moments a hundred times: after each, the archive is whole and a re-run completes it."""

import os
import subprocess
import sys
from pathlib import Path

KILLS = "100"

if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", "-q", "tests/ingest/test_kill.py"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, env={**os.environ, "TOMOTHECA_KILLS": KILLS}, check=False
    )
    sys.exit(done.returncode)
