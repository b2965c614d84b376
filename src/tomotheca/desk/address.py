"""Addresses of databases: which ones desk and catalogue take, and how they are shown without their passwords."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from tomotheca.errors import SettingsError
from tomotheca.settings import without_password

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
"""Databases that can be used, each with the one driver that is."""


def database_url(where: str | Path, whose: str = "desk") -> URL:
    """Read an address; a path is that of an SQLite file, and ``postgresql://`` means the driver psycopg.

    Parameters
    ----------
    where : str or Path
        ``sqlite:////var/lib/tomotheca/desk.sqlite``, ``postgresql://user:password@host/database`` or a path.
    whose : str
        What is kept there, for error sentences.

    Raises
    ------
    SettingsError
        If it is no address, or of a database or driver that cannot be used.
    """
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except (sa.exc.ArgumentError, ValueError) as error:
        message = f"{without_password(where)!r} is not a database URL: write sqlite:///path/to/{whose}.sqlite or postgresql://user@host/database"
        raise SettingsError(message) from error
    name, _, driver = url.drivername.partition("+")
    if name not in DRIVERS:
        message = f"{url.drivername!r} is not a database that the {whose} can use: its database URL begins with sqlite: or postgresql:"
        raise SettingsError(message)
    if driver and f"{name}+{driver}" not in {DRIVERS[name], "sqlite+pysqlite"}:
        message = (
            f"the {whose} cannot use the driver {driver!r}: its database URL begins with {DRIVERS[name]}: or {name}:"
        )
        raise SettingsError(message)
    return url.set(drivername=DRIVERS[name])


def shown(url: URL) -> str:
    """Give an address without its password, wherever that stands in it."""
    secret = {name: "***" for name in url.query if "pass" in name.lower()}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def readable(url: URL) -> URL:
    """Give the address at which an SQLite file is opened where nothing can be written: no journal can be made beside it there.

    While another process has the file open, its journal is there and can be read like any other; without one the file is what it is, and
    is read as a file that does not change.
    """
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"} or "uri" in url.query:
        return url
    path = Path(str(url.database)).absolute()
    if not path.is_file() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return url
    if path.with_name(f"{path.name}-wal").exists():
        return url
    return url.set(database=f"file:{quote(str(path))}").update_query_dict(
        {"mode": "ro", "immutable": "1", "uri": "true"}
    )


def create_engine(url: URL, **options: object) -> sa.Engine:
    """Make the engine of an address.

    Raises
    ------
    SettingsError
        If the driver is not installed.
    """
    try:
        return sa.create_engine(url, **options)
    except ImportError as error:
        message = f"{shown(url)} needs the driver psycopg, which is not installed ({error}): install it with pip install 'tomotheca[postgres]'"
        raise SettingsError(message) from error


def reason(error: object) -> str:
    """Give what a driver says is wrong, in one line."""
    return " ".join(str(error).split())
