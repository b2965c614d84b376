"""Who is asking: the curator's token in a header, a cookie or a password, or a name from a proxy that is believed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer
from tomotheca.errors import AccessError, SettingsError

if TYPE_CHECKING:
    from tomotheca.settings import Settings

COOKIE = "tomotheca_curator"
LASTS = 30 * 24 * 3600
"""Seconds that a sign-in holds."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Identity:
    """Decides who a request comes from. It knows the token and shows it to nobody.

    Raises
    ------
    SettingsError
        If an address in `trusted_proxies` is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = settings.curator_token.get_secret_value() if settings.curator_token else ""
        self._key = hashlib.sha256(b"tomotheca cookie\0" + self._token.encode()).digest()
        self._header = (settings.trusted_header or "").lower()
        self.proxies = _networks(settings.trusted_proxies)

    @property
    def token(self) -> str:
        """Secret key of the S3 access key ``curator``; empty when there is no curator."""
        return self._token

    def viewer(self, headers: Mapping[str, str], client: Any = None) -> Viewer:
        """Give the viewer behind a request.

        Raises
        ------
        AccessError
            If the request shows a bearer token that is not the curator's.
        """
        if authorization := headers.get("authorization"):
            scheme, _, value = authorization.partition(" ")
            if scheme.lower() == "bearer":
                if not self.is_token(value.strip()):
                    message = "This token is not valid here; leave it out or use the one of this server's operator."
                    raise AccessError(message)
                return CURATOR
            if scheme.lower() == "basic" and self.is_token(_password(value)):
                return CURATOR
        if self._token and COOKIE in headers.get("cookie", "") and self._is_cookie(headers["cookie"]):
            return CURATOR
        if self._header and (name := headers.get(self._header)) and self._is_proxy(client):
            return Viewer(name, curator=True)
        return ANONYMOUS

    def is_token(self, given: str) -> bool:
        """Compare with the token in constant time; nobody has an empty one."""
        return bool(self._token) and hmac.compare_digest(given.encode(), self._token.encode())

    def cookie(self) -> str:
        """Give a value for the cookie: when it ends, and a signature."""
        until = str(int(time.time()) + LASTS)
        return f"{until}.{self._sign(until)}"

    def _is_cookie(self, header: str) -> bool:
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return False
        until, _, signature = (morsel.value if morsel else "").partition(".")
        good = hmac.compare_digest(signature.encode(), self._sign(until).encode())
        return good and until.isdecimal() and int(until) > time.time()

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _is_proxy(self, client: Any) -> bool:
        try:
            address = ipaddress.ip_address(client[0])
        except (ValueError, TypeError, IndexError):
            return False
        return any(address in network for network in self.proxies)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError as error:
        message = f"setting trusted_proxies: {error}; give addresses or networks, separated by commas"
        raise SettingsError(message) from error


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
