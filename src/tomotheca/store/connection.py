"""The connection to an object store: how it is made, and what its errors are called here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError, SettingsError, StorageError
from tomotheca.store.sources import unreadable

if TYPE_CHECKING:
    from obstore.store import S3Store

RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
CLIENT: dict[str, Any] = {"connect_timeout": "5s", "timeout": "60s", "allow_http": True}
"""Plain HTTP is for stores in the same network; which one is used is said by the address that the operator gives."""


def connect(url: str, endpoint: str | None) -> S3Store:
    """Make a connection to ``s3://bucket/prefix``; nothing is asked yet.

    Raises
    ------
    SettingsError
        If the address cannot be used, or the package for object stores is not installed.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        message = f"archive {url}: an archive is a folder or s3://bucket/prefix"
        raise SettingsError(message)
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = f"archive {url}: object stores need the extra `s3`: run `pip install 'tomotheca[s3]'`"
        raise SettingsError(message) from error
    given = {"endpoint": endpoint.rstrip("/")} if endpoint else {}
    try:
        return S3Store(bucket, prefix=prefix or None, client_options=CLIENT, retry_config=RETRIES, **given)  # type: ignore[arg-type]  # the dictionaries above
    except Exception as error:
        message = f"archive {url}: it cannot be used: {_first_line(error)}"
        raise SettingsError(message) from error


@contextmanager
def store_errors(key: str, *, listed: bool = False) -> Iterator[None]:
    """Turn what the store says about a key into our errors; one that the catalogue lists must be there.

    Raises
    ------
    NotFoundError
        If there is nothing of that name.
    StorageError
        If the store refuses for any other reason.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError  # noqa: PLC0415 - an extra

    try:
        yield
    except FileNotFoundError as error:
        if listed:
            raise unreadable(key) from error
        message = f"{key}: no such file in the archive"
        raise NotFoundError(message) from error
    except PreconditionError as error:
        raise unreadable(key) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        if listed:
            raise _away(key) from error
        message = f"{key or 'the archive'}: the object store refuses its key: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise StorageError(message) from error
    except (BaseError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        if listed:
            raise _away(key) from error
        message = f"{key or 'the archive'}: the object store does not answer as it should: {_first_line(error)}"
        raise StorageError(message) from error


def _away(key: str) -> StorageError:
    """Say to visitors that the store does not answer; why is in the log."""
    return StorageError(
        f"{key} cannot be read now: the object store that holds it does not answer as it should; try again later"
    )


def _first_line(error: Exception) -> str:
    """Give what a store says in one line, without its XML and its address, which is nobody's business but the operator's."""
    line = str(error).partition("\n")[0].partition("<?xml")[0].strip().rstrip(":")
    return re.sub(r"https?://\S+", "it", line)[:300]
