"""AWS Signature Version 4, as far as reading needs it: in a header or in the query."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
LONGEST = timedelta(days=7)
EMPTY = hashlib.sha256(b"").hexdigest()
_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signed request claims."""

    access_key: str
    scope: str
    """Date, region, service and ``aws4_request``."""

    signed_headers: tuple[str, ...]
    signature: str
    moment: str
    expires: int | None = None
    """Seconds that a signature in the query holds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that was signed."""

    method: str
    path: str
    """Decoded."""

    query: str
    headers: Mapping[str, str]


def claim(asked: Asked) -> Signed | None:
    """Read the signature of a request; None when it has none of this kind."""
    authorization = asked.headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        parts = dict(_PART.findall(authorization))
        return _signed(parts, asked.headers.get("x-amz-date", ""), None)
    query = dict(parse_qsl(asked.query, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        return None
    parts = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
    expires = query.get("X-Amz-Expires", "")
    return _signed(parts, query.get("X-Amz-Date", ""), int(expires) if expires.isdecimal() else 0)


def _signed(parts: Mapping[str, str], moment: str, expires: int | None) -> Signed | None:
    access_key, _, scope = parts.get("Credential", "").partition("/")
    names = tuple(n for n in parts.get("SignedHeaders", "").split(";") if n)
    if not (access_key and scope and names and parts.get("Signature")):
        return None
    return Signed(access_key, scope, names, parts["Signature"], moment, expires)


def problem(asked: Asked, signed: Signed, secret: str, now: datetime | None = None) -> str:
    """Verify a signature.

    Returns
    -------
    str
        S3's error code, or nothing when the signature is good.
    """
    try:
        moment = datetime.strptime(signed.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "AccessDenied"
    age = (now or datetime.now(UTC)) - moment
    if signed.expires is None and abs(age) > SKEW:
        return "RequestTimeTooSkewed"
    if signed.expires is not None and not -SKEW <= age <= min(timedelta(seconds=signed.expires), LONGEST):
        return "AccessDenied"
    date, _, purpose = signed.scope.partition("/")
    if (
        "host" not in signed.signed_headers
        or date != signed.moment[:8]
        or purpose.split("/")[1:] != ["s3", "aws4_request"]
    ):
        return "SignatureDoesNotMatch"
    good = hmac.compare_digest(sign(asked, signed, secret).encode(), signed.signature.encode())
    return "" if good else "SignatureDoesNotMatch"


def sign(asked: Asked, signed: Signed, secret: str) -> str:
    """Compute the signature of a request."""
    text = "\n".join(
        [ALGORITHM, signed.moment, signed.scope, hashlib.sha256(canonical(asked, signed).encode()).hexdigest()]
    )
    key = b"AWS4" + secret.encode()
    for part in [*signed.scope.split("/"), text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def canonical(asked: Asked, signed: Signed) -> str:
    """Write a request in the one form that both sides sign."""
    pairs = sorted((_quoted(name), _quoted(value)) for name, value in _pairs(asked.query) if name != "X-Amz-Signature")
    payload = "UNSIGNED-PAYLOAD" if signed.expires is not None else EMPTY
    return "\n".join(
        [
            asked.method,
            quote(asked.path, safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(asked.headers.get(name, '').split())}" for name in signed.signed_headers),
            "",
            ";".join(signed.signed_headers),
            asked.headers.get("x-amz-content-sha256", payload),
        ]
    )


def _pairs(query: str) -> list[tuple[str, str]]:
    split = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in split]


def _quoted(text: str) -> str:
    return quote(text, safe="~")
