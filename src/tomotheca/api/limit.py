"""A share of requests for each client, counted for all server processes together."""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import math
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MINUTE = 60.0
SLOT = struct.Struct("=Qd")
"""A client's number, and the moment at which its share is whole again."""

SLOTS = 1 << 16
TRIED = 8
"""Neighbouring slots that a client may have."""

NEIGHBOURS = 64
"""Bits of an IPv6 address that tell clients apart: a client has all the addresses below them."""

EXEMPT = {"/healthz", "/readyz", "/metrics"}
"""What machines ask about the server itself."""


class RateLimit:
    """Counts requests per client.

    A client may make as many requests as its share of a minute at once; its share then comes back evenly. What is kept of a client is one
    moment: that at which its share will be whole again (the generic cell rate algorithm of ITU-T I.371). The table is a file that all
    processes of a server have in memory; a lock on it makes reading and writing one step.

    Parameters
    ----------
    per_minute : int
        Requests that a client may make in a minute; 0 is no limit.
    path : Path
        File of the table; it is made when there is a limit. Where it cannot be written, each process counts for itself.
    proxies : tuple of networks
        Proxies whose word about a client's address is believed.
    """

    def __init__(self, per_minute: int, path: Path, proxies: tuple[Network, ...] = ()) -> None:
        self.per_minute, self.proxies = per_minute, proxies
        self._step = MINUTE / per_minute if per_minute else 0.0
        if per_minute:
            self._file = _opened(path)
            os.ftruncate(self._file, SLOTS * SLOT.size)
            self._table = mmap.mmap(self._file, SLOTS * SLOT.size)

    def wait(self, path: str, peer: Any, headers: Mapping[str, str]) -> int:
        """Count a request; give the seconds to wait, 0 when it may pass."""
        if not self.per_minute or path in EXEMPT:
            return 0
        number = _number(client(peer, headers, self.proxies))
        now = time.time()  # the same clock in every process
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            slot, whole = self._find(number, now)
            whole = min(max(whole, now), now + MINUTE) + self._step
            if whole - now > MINUTE + self._step / 2:
                return math.ceil(whole - now - MINUTE)
            SLOT.pack_into(self._table, slot, number, whole)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return 0

    def _find(self, number: int, now: float) -> tuple[int, float]:
        """Give a client's slot; for a new client one that is free, or that of the neighbour whose share is whole soonest."""
        best, soonest = 0, math.inf
        for step in range(TRIED):
            slot = (number + step) % SLOTS * SLOT.size
            owner, whole = SLOT.unpack_from(self._table, slot)
            if owner == number:
                return slot, whole
            if whole < soonest:
                best, soonest = slot, whole
        return best, now


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        with tempfile.TemporaryFile() as own:
            return os.dup(own.fileno())


def client(peer: Any, headers: Mapping[str, str], proxies: tuple[Network, ...]) -> str:
    """Give the address a request comes from.

    Behind proxies that are believed it is the last address in ``X-Forwarded-For`` that is not one of theirs: those before it are what the
    client itself says.
    """
    address = str(peer[0]) if peer else ""
    if not proxies or not _is_in(address, proxies):
        return address
    for given in reversed(headers.get("x-forwarded-for", "").split(",")):
        if not (named := given.strip()):
            break
        address = named
        if not _is_in(named, proxies):
            break
    return address


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _number(address: str) -> int:
    """Give the number that stands for a client in the table; never 0, which is nobody's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        told = address.encode()
    else:
        plain = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else parsed
        told = plain.packed if plain else parsed.packed[: NEIGHBOURS // 8]
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest()) or 1
