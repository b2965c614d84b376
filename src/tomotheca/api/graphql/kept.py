"""Answers to identical requests, kept until the catalogue changes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

LARGEST = 1 << 20
"""Bytes of the largest answer that is kept."""

SHORT = 1 << 12
"""Bytes up to which a request stands for itself; a longer one is kept as its digest."""

OVERHEAD = 300
"""Bytes that an entry takes beside the request and the answer."""

Key = tuple[str, str, bytes]


class Answers:
    """The answers that were asked for last, in a bounded amount of memory. Used by one thread.

    Parameters
    ----------
    most : int
        Bytes that keys and answers may take together; 0 keeps none.
    """

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self._kept: OrderedDict[Key, bytes] = OrderedDict()

    @staticmethod
    def key(stamp: str, form: str, request: bytes) -> Key:
        """Give the key of a request as it came: the catalogue's stamp for the viewer, how it is written, its bytes."""
        return stamp, form, request if len(request) <= SHORT else hashlib.blake2b(request, digest_size=32).digest()

    def get(self, key: Key) -> bytes | None:
        """Give the kept answer, if there is one."""
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, answer: bytes) -> None:
        """Keep an answer; those asked for longest ago make room."""
        if len(answer) > LARGEST or key in self._kept:
            return
        self._kept[key] = answer
        self.size += _size(key, answer)
        while self.size > self.most:
            self.size -= _size(*self._kept.popitem(last=False))


def _size(key: Key, answer: bytes) -> int:
    return len(key[2]) + len(answer) + OVERHEAD
