"""Key photos that lie elsewhere than below the source: in the folder that stands for a bucket, or at a web address."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import URLError
from urllib.parse import urlsplit

from tomotheca.ingest.work import Input

LARGEST = 64 << 20
"""Bytes of a picture that is fetched; more is none."""

TIMEOUT = 30
"""Seconds."""

WEB = ("http", "https")


class PictureProblem(Exception):
    """A picture cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where pictures may come from besides the source."""

    buckets: Mapping[str, Path] = field(default_factory=dict)
    """Folders by the name of the bucket that they are a copy of."""

    fetched: Path | None = None
    """Folder that keeps what was fetched from the web; None fetches nothing."""

    def find(self, address: str) -> Input:
        """Give the picture at an address: ``bucket/key``, ``s3://bucket/key`` or ``https://host/path``.

        Raises
        ------
        PictureProblem
            If there is none, or it may not be fetched.
        """
        parts = urlsplit(address)
        local = self._fetch(address) if parts.scheme in WEB else self._in_bucket(address)
        try:
            status = local.stat()
        except OSError as error:
            message = f"{local} cannot be read: {error.strerror or error}"
            raise PictureProblem(message) from error
        return Input(address, local, status.st_size, status.st_mtime_ns)

    def _in_bucket(self, address: str) -> Path:
        name, _, key = address.removeprefix("s3://").strip("/").partition("/")
        folder = self.buckets.get(name)
        if folder is None:
            message = f"is not below the source: give --bucket {name}=FOLDER if a copy of it is there"
            raise PictureProblem(message)
        local = folder / key
        if not local.resolve().is_relative_to(folder.resolve()):
            message = f"leads out of {folder}"
            raise PictureProblem(message)
        return local

    def _fetch(self, address: str) -> Path:
        if self.fetched is None:
            message = "is a web address: give --fetch to have it fetched"
            raise PictureProblem(message)
        name = hashlib.sha256(address.encode()).hexdigest() + PurePosixPath(urlsplit(address).path).suffix[:8]
        local = self.fetched / name
        if not local.exists():
            self.fetched.mkdir(parents=True, exist_ok=True)
            unfinished = local.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(_download(address))
            unfinished.replace(local)
        return local


def _download(address: str) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "tomotheca"})  # of the web, as looked
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            data: bytes = answer.read(LARGEST + 1)
    except (URLError, HTTPException, OSError, ValueError) as error:
        message = f"cannot be fetched: {error}"
        raise PictureProblem(message) from error
    if len(data) > LARGEST:
        message = f"has more than {LARGEST >> 20} MiB: is it a picture?"
        raise PictureProblem(message)
    return data


def buckets(given: list[str]) -> dict[str, Path]:
    """Read ``NAME=FOLDER`` words of the command.

    Raises
    ------
    ValueError
        If a word is none, or the folder is not there.
    """
    found = {}
    for word in given:
        name, separator, folder = word.partition("=")
        if not (separator and name and folder and Path(folder).is_dir()):
            message = f"{word!r} should be NAME=FOLDER with a folder that is there"
            raise ValueError(message)
        found[name] = Path(folder)
    return found
