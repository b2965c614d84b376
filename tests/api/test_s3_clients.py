"""The bucket and the files as other people's programs read them, from a folder and from an object store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3  # type: ignore[import-untyped]  # published without types
import numpy as np
import obstore
import pytest
import zarr
from botocore import UNSIGNED  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from obstore.store import HTTPStore, S3Store
from tests.api.serving import (
    BIG,
    CHUNKED,
    DOCUMENT,
    HIDDEN,
    HIDDEN_KEYS,
    MRC,
    ODD,
    PUBLIC,
    SHARDED,
    SMALL_MRC,
    TOKEN,
    Running,
    World,
    clean,
    in_its_own_loop,
    volume,
)  # fmt: skip
from tests.conftest import REPOSITORY
from zarr.storage import FsspecStore, ObjectStore

CLIENTS = REPOSITORY / ".cache/clients-venv/bin"
"""Where scripts/clients.sh puts the AWS CLI and s3fs, which do not fit together with the other libraries."""


@pytest.fixture(scope="session")
def server(each_server: Running) -> Running:
    return each_server


def program(name: str, where: Path | None = None) -> str:
    """Give the path of a program."""
    found = str(where / name) if where else shutil.which(name)
    if found is None or not os.access(found, os.X_OK):
        pytest.skip(f"there is no {name} (scripts/programs.sh, scripts/clients.sh)")
    return found


def run(*words: str | Path, **environment: str) -> str:
    """Run a program and give what it prints."""
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, env={**clean(), **environment}, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def keys(server: Running) -> dict[str, int]:
    """Give every public key below the dataset, and its size."""
    s3 = boto3.client("s3", endpoint_url=server.s3, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="tomotheca", Prefix=f"{PUBLIC}/")
    return {item["Key"]: item["Size"] for page in pages for item in page["Contents"]}


def brought(folder: Path) -> dict[str, int]:
    """Give what lies in a folder, as keys."""
    return {f"{PUBLIC}/{p.relative_to(folder).as_posix()}": p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_aws_cli(server: Running, world: World, tmp_path: Path) -> None:
    aws = program("aws", CLIENTS)
    common = ("--no-sign-request", "--region", "us-east-1", "--endpoint-url", server.s3)
    words = (aws, "s3", "sync", *common, f"s3://tomotheca/{PUBLIC}", tmp_path)
    run(*words)
    assert brought(tmp_path) == keys(server)
    assert sha256((tmp_path / MRC.removeprefix(f"{PUBLIC}/")).read_bytes()) == sha256(world.bytes_of(MRC))
    assert (tmp_path / ODD.removeprefix(f"{PUBLIC}/")).read_bytes() == world.bytes_of(ODD)
    assert "download:" not in run(*words)
    listed = run(aws, "s3", "ls", "--recursive", *common, f"s3://tomotheca/{PUBLIC}/")
    assert len(listed.splitlines()) == len(keys(server))
    folders = run(aws, "s3", "ls", *common, f"s3://tomotheca/{PUBLIC}/")
    assert [line.split("PRE ")[1] for line in folders.splitlines() if "PRE" in line] == ["Images/", "TS_1/", "TS_2/"]
    whole = json.loads(
        run(aws, "s3api", "head-object", *common, "--bucket", "tomotheca", "--key", ODD, "--checksum-mode", "ENABLED")
    )
    assert whole["ContentLength"] == len(world.bytes_of(ODD))


def test_rclone(server: Running, world: World, tmp_path: Path) -> None:
    rclone = program("rclone")
    remote = f":s3,provider=Other,endpoint='{server.s3}',region=us-east-1:tomotheca/{PUBLIC}"
    words = ("--config", "/dev/null", "--retries", "1", "--low-level-retries", "1")
    run(rclone, "copy", *words, "--multi-thread-cutoff", "10M", remote, tmp_path)
    assert brought(tmp_path) == keys(server)
    assert sha256((tmp_path / MRC.removeprefix(f"{PUBLIC}/")).read_bytes()) == sha256(world.bytes_of(MRC))
    run(rclone, "check", *words, "--size-only", remote, tmp_path)
    run(rclone, "check", *words, "--download", remote, tmp_path)
    listed = json.loads(run(rclone, "lsjson", *words, f"{remote}/Images"))
    assert {item["Name"]: item["Size"] for item in listed}[ODD.rpartition("/")[2]] == len(world.bytes_of(ODD))
    part = run(
        rclone, "cat", *words, "--offset", "5", "--count", "4", f"{remote}/{SMALL_MRC.removeprefix(f'{PUBLIC}/')}"
    )
    assert part.encode() == world.bytes_of(SMALL_MRC)[5:9]
    everything = run(rclone, "lsf", *words, remote.removesuffix(str(PUBLIC)))
    assert f"{HIDDEN}/" not in everything


def test_rclone_over_http_knows_size_and_range(server: Running, world: World, tmp_path: Path) -> None:
    rclone = program("rclone")
    run(rclone, "copyurl", "--config", "/dev/null", f"{server.url}/files/{quote(ODD)}", tmp_path / "odd")
    assert (tmp_path / "odd").read_bytes() == world.bytes_of(ODD)


def test_curl_continues_what_broke_off(server: Running, world: World, tmp_path: Path) -> None:
    curl, stored = program("curl"), world.bytes_of(MRC)
    target = tmp_path / "volume"
    target.write_bytes(stored[:1_000_001])
    run(curl, "-sfo", target, "-C", "-", f"{server.url}/files/{MRC}")
    assert sha256(target.read_bytes()) == sha256(stored)
    run(curl, "-sf", "--etag-save", tmp_path / "tag", "-o", target, f"{server.url}/files/{SMALL_MRC}")
    status = run(
        curl,
        "-s",
        "--etag-compare",
        tmp_path / "tag",
        "-o",
        tmp_path / "again",
        "-w",
        "%{http_code}",
        f"{server.url}/files/{SMALL_MRC}",
    )
    assert status == "304"
    parts = run(curl, "-sf", "-r", "0-1,4-5", f"{server.url}/s3/tomotheca/{SMALL_MRC}")
    assert parts.count("Content-Range") == 2


S3FS = """
import json, sys, s3fs
endpoint, prefix, big, odd, hidden = sys.argv[1:]
fs = s3fs.S3FileSystem(anon=True, endpoint_url=endpoint)
found = fs.find(prefix, detail=True)
with fs.open(big, "rb", block_size=1 << 16) as file:
    file.seek(1_000_000)
    middle = file.read(100_000)
print(json.dumps({
    "keys": {key: item["size"] for key, item in found.items()},
    "middle": __import__("hashlib").sha256(middle).hexdigest(),
    "odd": fs.cat_file(odd).decode(),
    "end": fs.cat_file(odd, start=-4).decode(),
    "folders": sorted(item["name"] for item in fs.ls(prefix, detail=True) if item["type"] == "directory"),
    "hidden": fs.exists(hidden),
    "nothing": fs.exists(prefix + "/nothing/at/all"),
    "tag": fs.info(big)["ETag"],
}))
"""


def test_s3fs(server: Running, world: World) -> None:
    python = program("python", CLIENTS)
    names = [f"tomotheca/{key}" for key in (PUBLIC, MRC, ODD, HIDDEN_KEYS[0])]
    found = json.loads(run(python, "-c", S3FS, server.s3, *names))
    assert {key.removeprefix("tomotheca/"): size for key, size in found["keys"].items()} == keys(server)
    assert found["middle"] == sha256(world.bytes_of(MRC)[1_000_000:1_100_000])
    assert found["odd"].encode() == world.bytes_of(ODD)
    assert found["end"].encode() == world.bytes_of(ODD)[-4:]
    assert found["folders"] == [f"tomotheca/{PUBLIC}/{name}" for name in ("Images", "TS_1", "TS_2")]
    assert (found["hidden"], found["nothing"]) == (False, False)
    assert found["tag"].strip('"') == sha256(world.bytes_of(MRC))


def bucket(server: Running, **options: Any) -> S3Store:
    return S3Store(
        "tomotheca", endpoint=server.s3, region="us-east-1", client_options={"allow_http": True}, **(options or {"skip_signature": True})
    )  # fmt: skip


def test_obstore(server: Running, world: World) -> None:
    store, stored = bucket(server), world.bytes_of(MRC)
    listed = {str(item["path"]): item["size"] for chunk in obstore.list(store, str(PUBLIC)) for item in chunk}
    assert listed == keys(server)
    level = obstore.list_with_delimiter(store, str(PUBLIC))
    assert sorted(level["common_prefixes"]) == [f"{PUBLIC}/{name}" for name in ("Images", "TS_1", "TS_2")]
    assert obstore.head(store, MRC)["e_tag"] == f'"{sha256(stored)}"'
    assert bytes(obstore.get_range(store, MRC, start=5, end=70_000)) == stored[5:70_000]
    several = obstore.get_ranges(store, MRC, starts=[0, 9_000_000, BIG - 3], lengths=[10, 10, 3])
    assert [bytes(part) for part in several] == [stored[:10], stored[9_000_000:9_000_010], stored[-3:]]
    assert bytes(obstore.get(store, ODD).bytes()) == world.bytes_of(ODD)
    with pytest.raises(FileNotFoundError):
        obstore.head(store, HIDDEN_KEYS[0])
    curator = bucket(server, access_key_id="curator", secret_access_key=TOKEN)
    assert bytes(obstore.get(curator, HIDDEN_KEYS[0]).bytes()) == world.bytes_of(HIDDEN_KEYS[0])
    assert bytes(obstore.get(curator, ODD).bytes()) == world.bytes_of(ODD)


@pytest.mark.parametrize("key", [CHUNKED, SHARDED])
def test_zarr(server: Running, key: str) -> None:
    stores = {
        "/files by fsspec": FsspecStore.from_url(f"{server.url}/files/{key}"),
        "/files by obstore": ObjectStore(HTTPStore(f"{server.url}/files/{key}", client_options={"allow_http": True}), read_only=True),
        "/s3 by obstore": ObjectStore(S3Store("tomotheca", prefix=key, endpoint=server.s3, region="us-east-1", skip_signature=True, client_options={"allow_http": True}), read_only=True),
    }  # fmt: skip
    for name, store in stores.items():
        array = zarr.open_array(store, mode="r")
        assert np.array_equal(array[:], volume()), name
        assert np.array_equal(array[3:20, 17, 40:], volume()[3:20, 17, 40:]), name


def test_many_at_once(server: Running, world: World) -> None:
    store, stored = bucket(server), world.bytes_of(MRC)
    starts = [n * 150_001 for n in range(120)]

    async def go() -> list[Any]:
        return await asyncio.gather(*(obstore.get_range_async(store, MRC, start=s, length=70_000) for s in starts))

    assert [bytes(part) for part in in_its_own_loop(go())] == [stored[s : s + 70_000] for s in starts]


def test_a_document_has_the_same_bytes_by_every_way(server: Running) -> None:
    ways = [
        bytes(obstore.get(bucket(server), DOCUMENT).bytes()),
        run(program("curl"), "-sf", f"{server.url}/files/{DOCUMENT}").encode(),
    ]
    assert ways[0] == ways[1]
    assert obstore.head(bucket(server), DOCUMENT)["size"] == len(ways[0])
