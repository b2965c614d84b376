"""A server on the other side: connections that stay open, redirects, proxies, second tries."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from tomotheca.errors import (
    AccessError,
    GoneError,
    NotFoundError,
    QueryError,
    SettingsError,
    StorageError,
    TomothecaError,
)

TIMEOUT = 60.0
TRIES = 6
MOST_REDIRECTS = 5
LONGEST_WAIT = 30.0
LATER = {429, 500, 502, 503, 504}
REDIRECTS = {301, 302, 303, 307, 308}
REFUSALS: Mapping[int, type[TomothecaError]] = {
    400: QueryError,
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    410: GoneError,
}
BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, OSError)
"""What a connection that breaks raises."""


class BusyError(StorageError):
    """The server asks to come back later."""

    def __init__(self, message: str, wait: float) -> None:
        self.wait = wait
        super().__init__(message)


@dataclass
class Server:
    """One server; safe to use from several threads.

    Parameters
    ----------
    base : str
        Its address.
    token : str
        Sent as a bearer token to this server and no other.
    """

    base: str
    token: str = ""
    timeout: float = TIMEOUT
    _local: threading.local = field(default_factory=threading.local, repr=False)
    _opened: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if urlsplit(self.base).scheme not in {"http", "https"} or not urlsplit(self.base).netloc:
            message = f"{self.base!r} is not the address of a server; write one like https://tomograms.example.org"
            raise SettingsError(message)
        self.base = self.base.rstrip("/")

    @contextmanager
    def get(
        self, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask for an address once, and give the answer while its body is read. With a body it is a question sent by POST.

        Raises
        ------
        NotFoundError, AccessError, QueryError
            If the server says so.
        StorageError
            If it cannot be reached or has a problem of its own.
        """
        for _ in range(MOST_REDIRECTS):
            response = self._ask(url, headers or {}, body)
            if response.status in REDIRECTS and (target := response.getheader("location")):
                response.read()
                url = urljoin(url, target)
                continue
            try:
                if response.status >= 400 and response.status != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # noqa: PLR2004 - client errors begin here
                    raise _refusal(url, response)
                yield response
            except BaseException:
                self._drop(url)
                raise
            if not response.isclosed():
                self._drop(url)
            return
        message = f"{url}: too many redirects"
        raise StorageError(message)

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes | None) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        own = parts.netloc == urlsplit(self.base).netloc
        sent = {"Accept-Encoding": "identity", "User-Agent": "tomotheca", "Accept": "application/json, */*", **headers}
        if self.token and own:
            sent["Authorization"] = f"Bearer {self.token}"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        for fresh in (False, True):
            connection, through_proxy = self._connection(url, fresh=fresh)
            try:
                connection.request(
                    "GET" if body is None else "POST", url if through_proxy else path, body, headers=sent
                )
                return connection.getresponse()
            except BROKEN as error:
                self._drop(url)
                if fresh:
                    message = f"{parts.scheme}://{parts.netloc} cannot be reached ({str(error) or type(error).__name__}); check the address and the network"
                    raise StorageError(message) from error
        raise AssertionError

    def _connection(self, url: str, *, fresh: bool) -> tuple[http.client.HTTPConnection, bool]:
        """Give this thread's connection to a host, through the proxy that the environment names."""
        parts = urlsplit(url)
        known = self._local.__dict__.setdefault("open", {})
        key = (parts.scheme, parts.netloc)
        if fresh or key not in known:
            known[key] = _connect(parts.scheme, parts.netloc, self.timeout)
            self._opened.append(known[key][0])
        found: tuple[http.client.HTTPConnection, bool] = known[key]
        return found

    def close(self) -> None:
        """Close every connection, once all threads are done."""
        while self._opened:
            self._opened.pop().close()

    def _drop(self, url: str) -> None:
        parts = urlsplit(url)
        found = self._local.__dict__.get("open", {}).pop((parts.scheme, parts.netloc), None)
        if found:
            found[0].close()
            if found[0] in self._opened:
                self._opened.remove(found[0])


def _connect(scheme: str, host: str, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    if not proxy:
        return kind(host, timeout=timeout), False
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}").netloc.rpartition("@")[2]
    connection = kind(through, timeout=timeout)
    if scheme == "https":
        connection.set_tunnel(host)
    return connection, scheme == "http"


def _refusal(url: str, response: http.client.HTTPResponse) -> TomothecaError:
    sentence = _sentence(response.read(10_000)) or f"{url}: the server answers {response.status} {response.reason}"
    if response.status in LATER:
        wait = response.getheader("retry-after")
        return BusyError(sentence, float(wait) if wait and wait.isdecimal() else 0.0)
    return REFUSALS.get(response.status, StorageError)(sentence)


def _sentence(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found["error"]) if isinstance(found, dict) and found.get("error") else ""


def patience(attempt: int, error: BaseException) -> float:
    """Give the seconds to wait before the next try."""
    asked = error.wait if isinstance(error, BusyError) else 0.0
    usual: float = 0.25 * 2**attempt
    return min(LONGEST_WAIT, max(asked, usual))


def pause(seconds: float, stop: threading.Event | None = None) -> None:
    """Wait, unless the work is called off."""
    if stop is None:
        time.sleep(seconds)
    else:
        stop.wait(seconds)
