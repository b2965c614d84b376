"""What happens to files: cut off, overwritten, wrongly encoded, with claims that nobody can meet."""

import json
import re
import struct
from collections.abc import Iterator
from typing import Any

WORDS = (
    b"nan", b"inf", b"-Infinity", b"1e400", b"-1e308", b"-1", b"0", b"9" * 30, b"1_0", "１２".encode(), b"", b"'", b'"', b"''", b";", b"[", b"{",
    b"null", b"true", b"0x10", b"\xff\xfe", b"\0", b"../../../etc/passwd", b"/etc/passwd", b"C:\\a\\..\\b", b"%s{0}{run_name}", b"\x1b[31m",
    b"*all", b"&a", b"!!python/object/apply:os.system [id]", b"0.0.0",
)  # fmt: skip
"""Put in the place of a word."""

BOMB = 1 << 15
"""Bytes of what is put in again and again."""

BOMBS = (
    b"9", b" ", b'"', b"'", b"[", b"{", b"(", b",", b"=", b"#", b"\n", b"\r", b"\n ", b" \t", b"_a\n", b"a b\n", b"[ZValue = 1]\n", b"[T = ",
    b"[ZValue = ", b"loop_\n", b"data_a\n", b";\n", b"EXCLUDELIST 1\n", b"1 1 1 1 1 1\n", b"1-", b"- ", b"a: &a [*a, *a]\n", b'{"a":', b"-\n", b"0 99999 0 0 1\n",
)  # fmt: skip
"""Repeated until they fill `BOMB` bytes."""

NUMBERS = (0, -1, 1, 7, 2**31 - 1, -(2**31), 2**24, 10**9, 0x7FC00000, 0x7F800000)
"""Put in the place of a binary word of four bytes; the last two are NaN and infinity."""

MOST_CUTS, MOST_WORDS, MOST_PLACES = 40, 14, 30


def cuts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut a file off at its lines and at lengths all over it."""
    ends = {match.end() for match in re.finditer(rb"\n", data)} if len(data) < 1 << 16 else set()
    places = {
        0,
        1,
        2,
        3,
        4,
        8,
        16,
        100,
        1023,
        1024,
        1025,
        len(data) - 1,
        *(len(data) * i // 24 for i in range(24)),
        *sorted(ends)[:16],
    }
    for place in sorted(places)[:MOST_CUTS]:
        if 0 <= place < len(data):
            yield f"cut at {place}", data[:place]


def encodings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Write a text as other programs would."""
    text = data.decode("latin-1")
    yield "mark", b"\xef\xbb\xbf" + data
    yield "two marks", b"\xef\xbb\xbf" * 2 + data
    yield "CRLF", data.replace(b"\n", b"\r\n")
    yield "CR", data.replace(b"\n", b"\r")
    yield "UTF-16", text.encode("utf-16")
    yield "UTF-32", text.encode("utf-32")
    yield "Latin-1", data.replace(b"a", b"\xe9").replace(b"1", b"\xb9")
    yield "NUL at the end", data + b"\0" * 100
    yield "blanks that are none", data.replace(b" ", b"\xc2\xa0")
    yield "other ends of lines", data.replace(b"\n", "\u2028".encode())
    yield "without ends of lines", data.replace(b"\n", b" ")
    yield "form feeds", data.replace(b"\n", b"\f\x0b\x1c\n")
    yield "backwards", data[::-1]
    yield "lines backwards", b"\n".join(data.split(b"\n")[::-1])
    yield "twice", data * 2


def words(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Put bad words in the place of good ones."""
    found = list(re.finditer(rb"[^\s,;:=\"'\[\]{}]+", data))
    for match in found[:: max(1, len(found) // MOST_WORDS)]:
        for word in WORDS:
            yield f"{word[:9]!r} at {match.start()}", data[: match.start()] + word + data[match.end() :]


def bombs(data: bytes, size: int = BOMB) -> Iterator[tuple[str, bytes]]:
    """Put one thing in a great many times: alone, after the first line, behind the last."""
    first = data.find(b"\n") + 1
    for piece in BOMBS:
        full = piece * (size // len(piece))
        yield f"{piece!r} alone", full
        yield f"{piece!r} inside", data[:first] + full + data[first:]
        yield f"{piece!r} at the end", data.rstrip(b"\n") + full
    last = data.rstrip(b"\n").rsplit(b"\n", 1)[-1] + b"\n"
    yield "the last line again and again", data + last * (size // len(last))
    yield "a heart of lines", data[:first] + last * (size // len(last)) + b"x"
    if data.lstrip()[:1] == b"{":
        yield "deep JSON", b'{"points":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        yield "deep JSON row", data[:first] + b'{"type":' + b"[" * 900 + b"]" * 900 + b"}\n"


def numbers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Overwrite the words of a binary file, and turn its byte order round."""
    places = range(0, min(len(data), 1200) - 4, 4)
    step = max(1, len(places) // MOST_PLACES)
    for place in sorted({*places[:24], *places[::step]}):
        for number in NUMBERS:
            for order in "<>":
                word = struct.pack(f"{order}I", number & 0xFFFFFFFF)
                yield f"{number} ({order}) at {place}", data[:place] + word + data[place + 4 :]
    for width in (2, 4, 8):
        parts = (data[i : i + width][::-1] for i in range(0, len(data), width))
        yield f"bytes of {width} turned round", b"".join(parts)
    yield "with a tail", data + b"x" * 999
    yield "zeroes", bytes(len(data))
    yield "ones", b"\xff" * len(data)


def everything(data: bytes, *, is_text: bool) -> Iterator[tuple[str, bytes]]:
    """Do all of this."""
    yield from cuts(data)
    if not is_text:
        yield from numbers(data)
        return
    yield from encodings(data)
    yield from words(data)
    yield from bombs(data)
    if _is_json(data):
        yield from metadata(data)


VALUES: tuple[Any, ...] = (
    None, 0, -1, 1, 2**31, 2**62, 10**30, 1.5, float("nan"), float("inf"), True, "", "x", "../../etc/passwd", "/etc/passwd", "a\0b", [], {}, [1], [[1]],
    ["x"], [None], {"id": "blosc"}, [2**62] * 3, [10**6] * 3, [10**9] * 3, [0, 0, 0], [-1, -1, -1], [1.5] * 3, [1] * 40, "<f4", "|O", "|V8", "<U100000000", "<M8[ns]",
)  # fmt: skip
"""Put in the place of a value of JSON."""


def metadata(data: bytes, *, share: int = len(VALUES)) -> Iterator[tuple[str, bytes]]:
    """Put `VALUES`, or a share of them in turn, in the place of each value of a JSON document, and take each away."""
    document = json.loads(data)
    for number, path in enumerate(_paths(document)):
        yield f"without {path}", json.dumps(_with(document, path, None, drop=True)).encode()
        for index in range(share):
            value = VALUES[(number * share + index) % len(VALUES)]
            yield f"{str(value)[:20]} as {path}", json.dumps(_with(document, path, value)).encode()
    yield "deep", b'{"a":' * 30_000 + b"1" + b"}" * 30_000
    yield "wide", json.dumps({**document, "x": ["y" * 100] * 20_000}).encode()


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list) and len(path) < 8:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _paths(inner, (*path, key))


def _with(document: Any, path: tuple[str | int, ...], value: Any, *, drop: bool = False) -> Any:
    made = json.loads(json.dumps(document))
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made
