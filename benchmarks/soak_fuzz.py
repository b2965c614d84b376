"""Damage files of every format at random, a minute each: a reader gives finite numbers or one sentence, soon and in bounded memory.

Hypothesis draws what is done to a sound file, and makes what fails as small as it can.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import hypothesis
from hypothesis import strategies as st
from tests.formats import damage
from tests.formats.corpus import Case, cases, outcome

AT_A_TIME = 400
"""Files of one round; the next begins with another seed."""

REAL = {
    "mdoc": "**/*.mdoc",
    "aln": "**/*.aln",
    "star": "**/*.star",
    "xf": "**/*.xf",
    "tilt.com": "**/tilt.com",
    "mrc": "**/*.mrc",
    "warp xml": "**/warp/*.xml",
}
"""Where real files lie below the test data of other packages, by reader."""

LARGEST = 1 << 17
"""Bytes of a real file that is taken."""

EDITS = st.lists(
    st.tuples(
        st.sampled_from(("put", "over", "cut", "copy", "end", "number")),
        st.integers(0, 1 << 20),
        st.integers(0, 1 << 10),
        st.sampled_from(
            (*damage.WORDS, b"\n", b"\r", b" ", b",", b"\t", b"#", b"data_", b"loop_", b"_x", b"-", b"]", b"}")
        )
        | st.binary(max_size=9),
        st.sampled_from(damage.NUMBERS) | st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=7,
)
"""What is done, where, how far, with which bytes or number."""


def edited(content: bytes, edits: list[tuple[str, int, int, bytes, int]]) -> bytes:
    """Do everything that was drawn to a file."""
    data = bytearray(content)
    for kind, place, length, word, number in edits:
        at = place % (len(data) + 1)
        match kind:
            case "put":
                data[at:at] = word
            case "over":
                data[at : at + max(1, len(word))] = word
            case "cut":
                del data[at : at + length % 64]
            case "copy":
                data[at:at] = data[at : at + length]
            case "end":
                del data[at:]
            case _:
                at -= at % 4
                data[at : at + 4] = (number & 0xFFFFFFFF).to_bytes(4, "little" if length % 2 else "big")
    return bytes(data)


def with_real_files(case: Case, folder: Path) -> Case:
    """Add real files to what is damaged."""
    found = sorted(folder.glob(REAL[case.name])) if case.name in REAL else []
    contents = [p.read_bytes() for p in found if p.is_file() and p.stat().st_size <= LARGEST]
    return replace(case, extra=(*case.extra, *contents[:12]))


def soak(case: Case, folder: Path, *, seconds: float, seed: int) -> int:
    """Read damaged files of one format until the time is over; give how many."""
    names = list(case.files)
    contents = [(name, case.files[name]) for name in names] + [(names[0], other) for other in case.extra]
    count, end = 0, time.monotonic() + seconds

    @hypothesis.settings(
        max_examples=AT_A_TIME, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(st.sampled_from(contents), EDITS)
    def try_one(chosen: tuple[str, bytes], edits: list[tuple[str, int, int, bytes, int]]) -> None:
        nonlocal count
        name, content = chosen
        damaged = edited(content, edits)
        found = outcome(case, case.write(folder, {**case.files, name: damaged}))
        assert not found, f"{name}: {found}, for {damaged[:2000]!r}"
        count += 1

    while time.monotonic() < end:
        hypothesis.seed(seed + count)(try_one)()
    return count


def main() -> None:
    """Soak every format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each format (default: 60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--only", default="", help="readers whose names have this in them")
    options = parser.parse_args()
    real, failed = Path(__file__).parent.parent / ".cache/real-files", []
    print(f"seed {options.seed}")
    for name, case in cases().items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                count = soak(with_real_files(case, real), Path(folder), seconds=options.seconds, seed=options.seed)
                print(f"{name:40} {count:8} files", flush=True)
            except AssertionError as error:
                failed.append(name)
                print(f"{name:40} FAILED: {error}", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
