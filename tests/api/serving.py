"""A small portal, and a real server in front of it."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import zarr
from PIL import Image
from tests import warm
from tests.catalog.archive import put_dataset, put_deposition
from tests.warm import Child

from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.settings import Settings
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles

T = TypeVar("T")
TOKEN = "a secret of the curator's own"
MARKER = "ada@example.org"
"""E-mail address that must be nowhere."""

PUBLIC, HIDDEN = 10001, 10002
RUN, HIDDEN_RUN = 100011, 100021
BIG = 20 * 1024 * 1024 + 13
RECONSTRUCTIONS = f"{PUBLIC}/TS_1/Reconstructions/VoxelSpacing10.000"
MRC = f"{RECONSTRUCTIONS}/Tomograms/100/TS_1.mrc"
SMALL_MRC = f"{PUBLIC}/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_2.mrc"
SHARDED = f"{PUBLIC}/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/sharded.zarr"
CHUNKED = f"{PUBLIC}/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/chunked.zarr"
CHUNK = f"{RECONSTRUCTIONS}/Tomograms/100/TS_1.zarr/0/0/0/10"
DOCUMENT = f"{PUBLIC}/dataset_metadata.json"
PHOTO = f"{PUBLIC}/Images/snapshot.png"
ODD = f"{PUBLIC}/Images/ä b+c%20d&e=#?~(1);'$@!*[x]{{y}}.csv"
"""A name with everything that addresses, XML and shells take for something else."""

HIDDEN_KEYS = tuple(key.replace(str(PUBLIC), str(HIDDEN)) for key in (MRC, CHUNK, DOCUMENT, PHOTO))


@dataclass(frozen=True)
class World:
    """A portal on the disk."""

    root: Path
    files: LocalFiles

    def bytes_of(self, key: str) -> bytes:
        """Give the stored bytes of a key."""
        return self.files.read_bytes(key)


def build(root: Path) -> World:
    """Write an archive of a public and a hidden dataset, and index it."""
    (root / "archive").mkdir(parents=True)
    (root / "state").mkdir()
    files = LocalFiles(root / "archive")
    private = {"visibility": {"state": "private", "until": None}}
    put_deposition(files, 10300)
    put_deposition(files, 10301, **private)
    put_dataset(files, PUBLIC, 10300, licence="CC0-1.0")
    put_dataset(files, HIDDEN, 10301, runs=1, **private)
    for dataset in (PUBLIC, HIDDEN):
        place = layout.Dataset(dataset)
        replace(files, place.document, place.image("snapshot.png"), "image", png())
    replace(files, layout.Dataset(PUBLIC).document, ODD, "image", b"odd, but allowed\n")
    run = layout.Run(PUBLIC, "TS_1").spacing(10.0).tomogram(100)
    replace(files, run.document, run.mrc(), "tomogram", np.random.default_rng(1).bytes(BIG))
    put_arrays(files)
    settings = Settings(root=root)
    with Desk.open(settings.desk_database) as desk:
        Indexer(files, desk, settings.catalog_database).rebuild()
    return World(root, files)


def volume() -> np.ndarray[Any, np.dtype[np.int16]]:
    """Give the values of the real arrays, (z, y, x)."""
    return np.random.default_rng(2).integers(-999, 999, (32, 48, 64)).astype(np.int16)


def put_arrays(files: LocalFiles) -> None:
    """Put two real arrays in: zarr 2 with a file for each chunk, zarr 3 with chunks that are ranges of a file."""
    run = layout.Run(PUBLIC, "TS_2").spacing(10.0).tomogram(100)
    for key, options in (
        (CHUNKED, {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}}),
        (SHARDED, {"zarr_format": 3, "shards": (32, 48, 64)}),
    ):
        with files.stage(f"{key}/") as folder:
            array = zarr.create_array(str(folder), shape=(32, 48, 64), chunks=(16, 16, 16), dtype="int16", **options)
            array[:] = volume()
        document = documents.read(files, run.document)
        entries = manifest.read(files, layout.manifest_folder(run.document))
        documents.write(files, run.document, document, [*entries, manifest.describe(files, f"{key}/", "tomogram")])


def replace(files: LocalFiles, document: str, key: str, role: str, data: bytes) -> None:
    """Put other bytes in the place of a file."""
    files.write_bytes(key, data)
    kept = [e for e in manifest.read(files, layout.manifest_folder(key)) if e.key != key]
    documents.write(files, document, documents.read(files, document), [*kept, manifest.describe(files, key, role)])


def png(width: int = 800, height: int = 600) -> bytes:
    """Give a picture with a gradient."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    world: World
    process: Child

    @property
    def s3(self) -> str:
        """Give the address for S3 clients."""
        return f"{self.url}/s3"


@contextmanager
def serving(world: World, *options: str, **environment: str) -> Iterator[Running]:
    """Run ``tomotheca serve`` until the block ends."""
    with answering(world.root, *options, **environment) as (url, process):
        yield Running(url, world, process)


@contextmanager
def answering(root: Path, *options: str, **environment: str) -> Iterator[tuple[str, Child]]:
    """Run ``tomotheca serve`` on a folder until the block ends; give its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = ["serve", "--root", root, "--port", str(port), "--workers", "1", *options]
    with Child(words, env={**clean(), "TOMOTHECA_CURATOR_TOKEN": TOKEN, **environment}) as process:
        try:
            wait(f"http://127.0.0.1:{port}/healthz", process)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def clean() -> dict[str, str]:
    """Give the environment without settings of ours or of cloud clients."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("TOMOTHECA_", "AWS_", "BOTO_"))}


def wait(url: str, process: subprocess.Popen[str] | Child, seconds: float = 120) -> None:
    """Wait until an address answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            told = process.said[1] if isinstance(process, Child) else process.stderr and process.stderr.read()
            message = f"the server ended: {told}"
            raise RuntimeError(message)
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    message = f"{url} does not answer"
    raise TimeoutError(message)


def in_its_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work in a loop of its own, whatever other tests have left in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work)).result()


def run_cli(
    *words: str | Path, check: bool = False, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``tomotheca`` as a user does."""
    return warm.run(*words, env={**clean(), **environment}, cwd=cwd, check=check)
