"""`tomotheca serve`: pages, APIs, files and viewer from one address."""

import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tomotheca.cli import USUAL
from tomotheca.cli.options import Root, load
from tomotheca.cli.output import note

if TYPE_CHECKING:
    from tomotheca.settings import Settings

HOST, PORT = "127.0.0.1", 8000
"""Where `serve` listens unless it is told otherwise."""

ANY = {"0.0.0.0", "::"}
"""Hosts that stand for every address of this machine."""

PATIENCE = 20
"""Seconds that a worker has to end its answers when the server is stopped."""

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one this machine has.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that answer. Default: the cores.", show_default=False)
]
Log = Annotated[bool, typer.Option("--access-log", help="Write one JSON line per request to the error stream.")]


def serve(
    host: Host = HOST, port: Port = PORT, workers: Workers = None, access_log: Log = False, root: Root = None
) -> None:
    """Serve the portal until it is stopped."""
    from granian import Granian  # noqa: PLC0415 - heavy
    from granian.constants import Interfaces  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    from tomotheca.api.metrics import FOLDER, begin  # noqa: PLC0415
    from tomotheca.api.who import Identity  # noqa: PLC0415

    settings = load(root)
    require_catalog(settings)
    Identity(settings)  # a setting that cannot be used is said here, not by every worker
    require_port(host, port)
    address = f"http://{shown(host)}:{port}"
    settings = settings.model_copy(update={"public_url": (settings.public_url or address).rstrip("/")})
    server = Granian(
        "tomotheca", address=host, port=port, interface=Interfaces.ASGI, workers=workers or settings.workers, websockets=False,
        log_level=LogLevels.warning, respawn_failed_workers=True, workers_kill_timeout=PATIENCE,
    )  # fmt: skip
    begin(settings.state_folder / FOLDER)
    server.on_startup(lambda: note(f"Tomotheca serves {settings.root} at {settings.public_url} (Ctrl-C stops it)"))
    if host in ANY and settings.public_url == address:
        note("Addresses in answers begin with that; set TOMOTHECA_PUBLIC_URL to the one that visitors use.")
    server.serve(target_loader=partial(application, settings, access_log), wrap_loader=False)


def shown(host: str) -> str:
    """Give a host as it stands in an address; for "every address of this machine", one that works here."""
    if host in ANY:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def application(settings: "Settings", access_log: bool) -> Any:
    """Make the application of one worker process."""
    import gc  # noqa: PLC0415
    import logging  # noqa: PLC0415

    end_with_the_server()
    from tomotheca.api.app import create_app  # noqa: PLC0415

    handler = logging.StreamHandler(sys.stderr)
    for name, level in (
        ("tomotheca.access", logging.INFO if access_log else logging.WARNING),
        ("tomotheca.problems", logging.INFO),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        logger.handlers = [handler]
    made = create_app(settings)
    # What is there now stays: looking through it again and again for garbage would hold up a request for a tenth of a second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*USUAL)  # looks are short now
    return made


def end_with_the_server() -> None:
    """See that this worker ends when it is told to while it still starts, and when the server itself is killed.

    A worker begins as a copy of the server, with handlers of signals that do nothing in a copy.
    """
    import ctypes  # noqa: PLC0415
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        to_be_told = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(to_be_told, signal.SIGTERM)


def require_catalog(settings: "Settings") -> None:
    """See that there is something to serve.

    Raises
    ------
    NotFoundError
        If there is no catalogue, or one of another version of the program.
    """
    from tomotheca.cli.opened import is_current  # noqa: PLC0415 - heavy
    from tomotheca.errors import NotFoundError  # noqa: PLC0415

    own_file = settings.catalog_url is None
    if own_file and not (settings.state_folder / "catalog.sqlite").is_file():
        message = f"there is nothing to serve in {settings.root} yet; `tomotheca ingest` takes data in, `tomotheca demo` makes some"
        if settings.archive_is_remote or settings.archive_folder.is_dir():
            message = f"{settings.root} has an archive and no catalogue; run `tomotheca index --root {settings.root}`"
        raise NotFoundError(message)
    if not is_current(settings.catalog_database):
        message = f"the catalogue in {settings.root} cannot be read by this version of the program; run `tomotheca index --root {settings.root}`"
        raise NotFoundError(message)


def require_port(host: str, port: int) -> None:
    """See that an address can be listened on.

    Raises
    ------
    ConflictError
        If somebody else does.
    SettingsError
        If it is no address of this machine.
    """
    from tomotheca.errors import ConflictError, SettingsError  # noqa: PLC0415

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if isinstance(error, socket.gaierror):
            message = f"{host} is not an address of this machine; give one with --host, such as 127.0.0.1"
            raise SettingsError(message) from error
        if isinstance(error, PermissionError):
            message = f"port {port} needs more rights than this user has; choose one above 1023 with --port"
            raise SettingsError(message) from error
        message = f"{host}:{port} is in use ({error.strerror}); stop what listens there or choose another with --port"
        raise ConflictError(message) from error
