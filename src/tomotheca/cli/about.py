"""`tomotheca version` and `tomotheca settings`."""

import platform

from tomotheca.cli.options import Json, Root
from tomotheca.cli.output import emit


def version(json: Json = False) -> None:
    """Print the version of the program."""
    from tomotheca import __version__  # noqa: PLC0415 - read when asked for

    emit({"tomotheca": __version__, "python": platform.python_version()}, as_json=json, text=f"tomotheca {__version__}")


def settings(root: Root = None, json: Json = False) -> None:
    """List every setting: its value, where that comes from, and what it means. Secrets are not shown."""
    from tomotheca import settings as all_settings  # noqa: PLC0415 - heavy

    found = all_settings.describe(root=root)
    wide = max(len(s.variable) for s in found)
    text = "\n\n".join(
        f"{s.variable:<{wide}}  {s.value or '(not set)'}  [{s.origin}]\n{'':<{wide}}  {' '.join(s.meaning.split())}"
        for s in found
    )
    emit(found, as_json=json, text=text)
