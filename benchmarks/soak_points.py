"""Damage files of points at random, for a minute each format: a reader gives points or one sentence, soon and in little memory."""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.formats import picks

from tomotheca.errors import FormatError
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points

WORDS = (
    b"\xff", b"\0", b"'", b'"', b"#", b"\n;", b"\n", b"\r", b" ", b",", b"\t", b"nan", b"1e400", b"1e308", b"data_", b"loop_", b"_x", b"-",
    b"[", b"]", b"{", b"null", b"true", b"9" * 99, b"\xc3\xa9", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"IEOF", b"CONT",
)  # fmt: skip
SLOWEST = 5.0
"""Seconds that one small file may take on a busy machine."""

LARGEST = 1 << 30
"""Bytes that all of it may take."""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Change a file in a few places."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[place : place + chance.randint(0, 5)] = chance.choice(WORDS)
            case 1:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 2:
                del data[place : place + chance.randint(1, 40)]
            case _:
                other = chance.randrange(len(data) + 1)
                data[place:place] = data[min(place, other) : max(place, other)]
    return bytes(data)


def soak(case: tuple[str, str], folder: Path, *, seconds: float, seed: int) -> int:
    """Read damaged files of one format until the time is over; give how many."""
    shape, file_format = case
    made = picks.content(shape, file_format)
    content = made.encode() if isinstance(made, str) else made
    chance, path, count = random.Random(seed), folder / "damaged", 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        path.write_bytes(damaged(content, chance))
        wanted = chance.choice(["", "1", "TS_1"])
        start = time.monotonic()
        try:
            read_points(path, file_format, Options(spacing=10, size=picks.SIZE, filter_value=wanted), shape=shape)
        except FormatError as error:
            if not error.reason.endswith((".", "?")):
                raise SystemExit(f"{case}: no sentence: {error.reason}") from error
        except Exception as error:
            raise SystemExit(f"{case}, seed {seed}: {error!r} for {path.read_bytes()!r}") from error
        if time.monotonic() - start > SLOWEST:
            raise SystemExit(f"{case}, seed {seed}: more than {SLOWEST} s for {path.read_bytes()!r}")
        count += 1
    return count


def main() -> None:
    """Soak every format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each format (default: 60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first format")
    options = parser.parse_args()
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(picks.CASES):
            seed = options.seed + number
            count = soak(case, Path(folder), seconds=options.seconds, seed=seed)
            print(f"{' '.join(case):40} {count:8} files, seed {seed}")
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"largest resident set {largest >> 20} MiB")
    if largest > LARGEST:
        raise SystemExit("too much memory")


if __name__ == "__main__":
    main()
