"""The command line: one module per command, imported when it is asked for."""

from __future__ import annotations

import gc

__all__ = ["main"]

SELDOM, USUAL = 20_000, gc.get_threshold()
"""Objects made between two looks for garbage: loading the program makes so many that looking as often as usual is a tenth of its time."""


def main() -> None:
    """Run the command that the process was called with, and end the process with its exit code."""
    gc.set_threshold(SELDOM)
    try:
        from tomotheca.cli.run import run  # noqa: PLC0415 - so that importing the entry point costs nothing

        code = run()
    except KeyboardInterrupt:
        code = 130
    finally:
        gc.freeze()  # what is left goes with the process: going through it once more would take a quarter of a second
    raise SystemExit(code)
