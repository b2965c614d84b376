"""From an exception to a sentence and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from tomotheca.cli.app import app
from tomotheca.cli.output import show_findings
from tomotheca.errors import (
    AccessError,
    ConflictError,
    FindingsError,
    GoneError,
    NotFoundError,
    QueryError,
    SettingsError,
    StorageError,
    TomothecaError,
)  # fmt: skip

EXIT_CODES: Mapping[type[BaseException], int] = {
    FindingsError: 1,
    GoneError: 3,
    NotFoundError: 3,
    AccessError: 4,
    ConflictError: 5,
    StorageError: 6,
    QueryError: 2,
    SettingsError: 2,
    TomothecaError: 1,
}
"""Exit code of each error; the first class in an error's ancestry counts. 0 is success, 2 also a wrong command line, 130 Ctrl-C."""

UNEXPECTED, INTERRUPTED = 70, 130
DEBUG, VERSION = "--debug", "--version"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words behind the program's name; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words
    words = [word for word in words if word != DEBUG] or ["--help"]
    if words[0] == VERSION:
        words[0] = "version"
    try:
        code = int(app(words, prog_name="tomotheca", standalone_mode=False) or 0)
    except typer.Exit as done:
        code = done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the top of the program: a user sees a sentence, the rest goes to a file
        if debug:
            traceback.print_exc()
        return tell(error)
    if code == INTERRUPTED:
        say("stopped")
    return code


def tell(error: Exception) -> int:
    """Say in a sentence what went wrong, and give the exit code."""
    match error:
        case TyperException():
            say(f"{error.format_message().rstrip('.')}; see `{_help(error)}`")
            return error.exit_code
        case FindingsError():
            show_findings(error.findings)
            say("nothing was written")
        case TomothecaError():
            say(str(error))
        case _:
            say(
                f"this is a mistake in the program, not yours: {type(error).__name__}: {error}; the details are in {_kept(error)}"
            )
    return exit_code(error)


def exit_code(error: BaseException) -> int:
    """Give the exit code of an error."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), UNEXPECTED)


def say(sentence: str) -> None:
    """Write a sentence to the error stream."""
    print(f"tomotheca: {sentence}", file=sys.stderr)


def _help(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'tomotheca'} --help"


def _kept(error: Exception) -> Path:
    """Write the traceback to a file that nobody else can have put there."""
    descriptor, name = tempfile.mkstemp(prefix="tomotheca-error-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        traceback.print_exception(error, file=out)
    return Path(name)
