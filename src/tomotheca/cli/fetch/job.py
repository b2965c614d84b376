"""Many files at once, and the list of digests at the end."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.cli.fetch.transfer import Outcome, transfer
from tomotheca.cli.output import size
from tomotheca.errors import ConflictError, StorageError, TomothecaError

if TYPE_CHECKING:
    from tomotheca.cli.fetch.listing import Item
    from tomotheca.cli.fetch.server import Server

SUMS = "SHA256SUMS"


@dataclass
class Result:
    """What came of a download."""

    files: int
    bytes: int
    downloaded: int = 0
    verified: int = 0
    """Files that were there already."""

    failed: dict[str, str] = field(default_factory=dict)
    """Why, by path."""


def unique(items: Iterable[Item]) -> list[Item]:
    """Give each file once.

    Raises
    ------
    ConflictError
        If two different files claim one place.
    """
    found: dict[str, Item] = {}
    for item in items:
        other = found.setdefault(item.path, item)
        if other.sha256 != item.sha256:
            message = f"two different files claim the place {item.path}; the server's data changed meanwhile, run the command again"
            raise ConflictError(message)
    return list(found.values())


def require_space(items: Iterable[Item], folder: Path) -> None:
    """See that the disk can hold what is still missing.

    Raises
    ------
    StorageError
        If it cannot.
    """
    missing = sum(i.size for i in items if not i.below(folder).exists())
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if missing > free:
        message = f"{folder} has {size(free)} free and {size(missing)} are needed; choose another folder with --to, or less with --only"
        raise StorageError(message)


def run(server: Server, items: list[Item], folder: Path, *, jobs: int, advance: Callable[[int], None]) -> Result:
    """Bring all files; one that fails does not stop the others.

    An interruption stops all of them; what has arrived stays and is continued next time.
    """
    result, stop, lock = Result(len(items), sum(i.size for i in items)), threading.Event(), threading.Lock()
    verified: dict[str, str] = {}

    def counted(amount: int) -> None:
        with lock:
            advance(amount)

    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[Outcome], Item] = {}
        try:
            for item in items:
                futures[pool.submit(transfer, server, item, folder, advance=counted, stop=stop)] = item
            for future in as_completed(futures):
                _record(result, futures[future], future, verified)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            write_sums(folder, verified)
    return result


def _record(result: Result, item: Item, future: Future[Outcome], verified: dict[str, str]) -> None:
    try:
        outcome = future.result()
    except TomothecaError as error:
        result.failed[item.path] = str(error)
        return
    except OSError as error:
        result.failed[item.path] = f"{item.path}: {error.strerror or error}"
        return
    if outcome == "verified":
        result.verified += 1
    else:
        result.downloaded += 1
    if item.sha256:
        verified[item.path] = item.sha256


def write_sums(folder: Path, verified: Mapping[str, str]) -> None:
    """Add digests to ``SHA256SUMS``, which keeps those of earlier downloads."""
    if not verified:
        return
    path, known = folder / SUMS, read_sums(folder)
    lines = [f"{sha256}  {name}\n" for name, sha256 in sorted({**known, **verified}.items())]
    temporary = path.with_name(f".{SUMS}.part")
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(path)


def read_sums(folder: Path) -> dict[str, str]:
    """Give the digests in ``SHA256SUMS`` by path; nothing where there is none."""
    path = folder / SUMS
    return dict(_parsed(path.read_text(encoding="utf-8").split("\n"))) if path.is_file() else {}


def _parsed(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        sha256, _, name = line.partition("  ")
        if name:
            yield name, sha256
