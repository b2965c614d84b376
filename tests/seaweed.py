"""A real object store for tests: SeaweedFS on ports of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # published without types

ACCESS, SECRET = "AKIDTESTS", "a secret of the tests' own"
SERVICES = ("s3", "master", "filer", "volume", "admin")


@dataclass(frozen=True)
class Seaweed:
    """An object store that answers."""

    endpoint: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """Give the variables by which clients find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1",
        }  # fmt: skip

    @property
    def client(self) -> Any:
        """Give a client that may write."""
        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET, region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, connect_timeout=5),
        )  # fmt: skip

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        """Copy a folder into a new bucket."""
        client = self.client
        client.create_bucket(Bucket=bucket)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            client.upload_file(str(path), bucket, prefix + path.relative_to(folder).as_posix())


def ports(number: int) -> list[int]:
    """Give ports nobody listens on, each another one."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [listener.getsockname()[1] for listener in listeners]


@contextmanager
def running(folder: Path) -> Iterator[Seaweed]:
    """Run the store until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    credentials = [{"accessKey": ACCESS, "secretKey": SECRET}]
    who = {"identities": [{"name": "tests", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}]}
    (folder / "s3.json").write_text(json.dumps(who), encoding="utf-8")
    free = iter(ports(2 * len(SERVICES)))
    chosen = {name: (next(free), next(free)) for name in SERVICES}
    words = [
        str(Path(sys.executable).with_name("weed")), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-s3.config={folder / 's3.json'}", "-admin.ui=false", "-webdav=false", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        *(f"-{name}.port={http}" for name, (http, _) in chosen.items()), *(f"-{name}.port.grpc={grpc}" for name, (_, grpc) in chosen.items()),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as process:
        try:
            store = Seaweed(f"http://127.0.0.1:{chosen['s3'][0]}", process)
            _wait(store, folder / "log")
            yield store
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(store: Seaweed, log: Path, seconds: float = 120) -> None:
    client, end = store.client, time.monotonic() + seconds
    while True:
        try:
            client.create_bucket(Bucket="ready")
        except (BotoCoreError, ClientError) as error:
            if "BucketAlreadyOwnedByYou" in str(error):  # an answer was too slow
                return
            if time.monotonic() > end or store.process.poll() is not None:
                message = f"SeaweedFS does not answer: {error}\n{log.read_text(errors='replace')[-2000:]}"
                raise RuntimeError(message) from error
            time.sleep(0.2)
        else:
            return
