"""The command line: one module per command, imported when it is asked for."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was called with, and end the process with its exit code."""
    try:
        from tomotheca.cli.run import run  # noqa: PLC0415 - so that importing the entry point costs nothing

        code = run()
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
