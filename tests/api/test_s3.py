"""The bucket as boto3 sees it; other clients are in `test_s3_clients`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3  # type: ignore[import-untyped]  # published without types
import httpx
import pytest
from botocore import UNSIGNED  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # published without types
from tests.api.serving import (
    BIG,
    CHUNK,
    DOCUMENT,
    HIDDEN,
    HIDDEN_KEYS,
    MARKER,
    MRC,
    ODD,
    PUBLIC,
    RECONSTRUCTIONS,
    SMALL_MRC,
    TOKEN,
    Running,
    World,
)

ZARR = f"{RECONSTRUCTIONS}/Tomograms/100/TS_1.zarr"


@pytest.fixture(scope="session")
def server(each_server: Running) -> Running:
    return each_server


def client(server: Running, access_key: str = "", secret: str = "") -> Any:
    options: dict[str, Any] = {"endpoint_url": server.s3, "region_name": "us-east-1"}
    if access_key:
        return boto3.client(
            "s3",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 1}, signature_version="s3v4"),
            **options,
        )
    return boto3.client("s3", config=Config(signature_version=UNSIGNED), **options)


def keys(s3: Any, **options: Any) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="tomotheca", **options)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_bucket(server: Running) -> None:
    s3 = client(server)
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["tomotheca"]
    assert s3.get_bucket_location(Bucket="tomotheca")["LocationConstraint"] is None
    assert s3.head_bucket(Bucket="tomotheca")["BucketRegion"] == "us-east-1"
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket="another")
    assert code(error) == "NoSuchBucket"


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_listings_have_every_key_once_in_byte_order(server: Running, world: World, page: int) -> None:
    found = keys(client(server), PaginationConfig={"PageSize": page})
    expected = [
        k for k in world.files.walk() if "manifest." not in k and not k.startswith(f"{HIDDEN}/") and "/10301/" not in k
    ]
    assert found == sorted(expected, key=str.encode)


@pytest.mark.parametrize("prefix", [f"{PUBLIC}/", f"{ZARR}/", ZARR, f"{ZARR}/0/0/0/1", "100", "nothing/"])
def test_prefixes(server: Running, prefix: str) -> None:
    s3 = client(server)
    assert keys(s3, Prefix=prefix) == [k for k in keys(s3) if k.startswith(prefix)]
    assert keys(s3, Prefix=prefix, PaginationConfig={"PageSize": 2}) == keys(s3, Prefix=prefix)


@pytest.mark.parametrize("page", [1, 2, 1000])
@pytest.mark.parametrize(
    "prefix",
    [
        "",
        f"{PUBLIC}/",
        f"{PUBLIC}/TS_1/",
        f"{RECONSTRUCTIONS}/Tomograms/100/",
        f"{ZARR}/",
        f"{ZARR}/0/0/0/",
        f"{PUBLIC}/TS",
    ],
)
def test_folders(server: Running, prefix: str, page: int) -> None:
    s3 = client(server)
    files, folders = [], []
    for one in s3.get_paginator("list_objects_v2").paginate(
        Bucket="tomotheca", Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": page}
    ):
        files += [item["Key"] for item in one.get("Contents", [])]
        folders += [item["Prefix"] for item in one.get("CommonPrefixes", [])]
        assert one["KeyCount"] <= page
    below = [k.removeprefix(prefix) for k in keys(s3, Prefix=prefix)]
    assert files == [prefix + k for k in below if "/" not in k]
    assert folders == sorted({prefix + k.partition("/")[0] + "/" for k in below if "/" in k}, key=str.encode)


def test_listing_from_a_key_on(server: Running) -> None:
    s3 = client(server)
    every = keys(s3)
    assert keys(s3, StartAfter=CHUNK) == [k for k in every if k > CHUNK]
    old = s3.list_objects(Bucket="tomotheca", Marker=CHUNK, MaxKeys=2)
    assert [c["Key"] for c in old["Contents"]] == [k for k in every if k > CHUNK][:2]
    assert s3.list_objects_v2(Bucket="tomotheca", MaxKeys=0)["KeyCount"] == 0
    assert s3.list_objects_v2(Bucket="tomotheca", Prefix="no/", Delimiter="/", MaxKeys=1)["KeyCount"] == 0


def test_names_and_owners_in_listings(server: Running) -> None:
    s3 = client(server)
    options = {"Bucket": "tomotheca", "Prefix": f"{PUBLIC}/Images/"}
    plain = httpx.get(f"{server.s3}/tomotheca?list-type=2&prefix={PUBLIC}/Images/").text
    coded = httpx.get(f"{server.s3}/tomotheca?list-type=2&prefix={PUBLIC}/Images/&encoding-type=url").text
    assert "b+c%20d&amp;e=" in plain
    assert quote(ODD) in coded
    for encoding in ({}, {"EncodingType": "url"}):
        found = [
            unquote(item["Key"]) if encoding else item["Key"]
            for item in s3.list_objects_v2(**options, **encoding)["Contents"]
        ]
        assert ODD in found
    assert s3.list_objects_v2(**options, FetchOwner=True)["Contents"][0]["Owner"]["ID"] == "tomotheca"
    assert "Owner" not in s3.list_objects_v2(**options)["Contents"][0]
    assert (
        s3.get_object(Bucket="tomotheca", Key=ODD)["ContentLength"]
        == s3.head_object(Bucket="tomotheca", Key=ODD)["ContentLength"]
    )


def test_sizes_and_tags_agree_everywhere(server: Running, http: httpx.Client) -> None:
    s3 = client(server)
    for item in s3.list_objects_v2(Bucket="tomotheca", Prefix=f"{PUBLIC}/")["Contents"]:
        head = s3.head_object(Bucket="tomotheca", Key=item["Key"])
        web = http.head(f"/files/{quote(item['Key'])}")
        assert item["Size"] == head["ContentLength"] == int(web.headers["content-length"])
        assert item["ETag"] == head["ETag"] == web.headers["etag"]
        assert abs((item["LastModified"] - head["LastModified"]).total_seconds()) < 1


def test_objects_are_byte_exact(server: Running, world: World, tmp_path: Path) -> None:
    s3 = client(server)
    for key in (MRC, SMALL_MRC, CHUNK):
        s3.download_file("tomotheca", key, str(tmp_path / "file"))
        assert (tmp_path / "file").read_bytes() == world.bytes_of(key)
    assert MARKER.encode() not in s3.get_object(Bucket="tomotheca", Key=DOCUMENT)["Body"].read()


def test_checksums_stand_on_whole_objects_only(server: Running, world: World) -> None:
    s3 = client(server)
    whole = s3.get_object(Bucket="tomotheca", Key=MRC, ChecksumMode="ENABLED")
    assert whole["ChecksumType"] == "FULL_OBJECT"
    assert whole["Body"].read() == world.bytes_of(MRC)
    part = s3.get_object(Bucket="tomotheca", Key=MRC, ChecksumMode="ENABLED", Range="bytes=1-5")
    assert "ChecksumSHA256" not in part
    assert part["ContentRange"] == f"bytes 1-5/{BIG}"
    unsigned = httpx.get(f"{server.s3}/tomotheca/{SMALL_MRC}")
    assert "x-amz-checksum-sha256" not in unsigned.headers


def test_conditions(server: Running) -> None:
    s3 = client(server)
    tag = s3.head_object(Bucket="tomotheca", Key=MRC)["ETag"]
    assert s3.get_object(Bucket="tomotheca", Key=MRC, IfMatch=tag, Range="bytes=0-1")["ContentLength"] == 2
    for options, expected in (
        ({"IfMatch": '"x"'}, "PreconditionFailed"), ({"IfNoneMatch": tag}, "304"), ({"Range": f"bytes={BIG}-"}, "InvalidRange"),
    ):  # fmt: skip
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket="tomotheca", Key=MRC, **options)
        assert code(error) == expected


@pytest.mark.parametrize(
    "key", ["nothing", MRC + "x", f"{PUBLIC}/", "../state/desk.sqlite", f"{PUBLIC}/manifest.ndjson", *HIDDEN_KEYS]
)
def test_missing_and_hidden_keys_are_the_same(server: Running, key: str) -> None:
    with pytest.raises(ClientError) as error:
        client(server).get_object(Bucket="tomotheca", Key=key)
    assert code(error) == "NoSuchKey"


def test_nothing_can_be_written(server: Running) -> None:
    for s3 in (client(server), client(server, "curator", TOKEN)):
        for name, options in (
            ("put_object", {"Key": "x", "Body": b"x"}),
            ("delete_object", {"Key": MRC}),
            ("create_bucket", {}),
            ("create_multipart_upload", {"Key": "x"}),
        ):
            with pytest.raises(ClientError) as error:
                getattr(s3, name)(Bucket="tomotheca", **options)
            assert code(error) == "MethodNotAllowed"


def test_the_curators_key_is_verified(server: Running, world: World) -> None:
    curator = client(server, "curator", TOKEN)
    for key in HIDDEN_KEYS:
        assert curator.get_object(Bucket="tomotheca", Key=key)["ContentLength"] > 0
    assert f"{HIDDEN}/dataset_metadata.json" in keys(curator, Prefix=f"{HIDDEN}/")
    assert keys(curator, Prefix=f"{HIDDEN}/", StartAfter=f"{HIDDEN}/T S+1&é=")
    signed = curator.generate_presigned_url(
        "get_object", Params={"Bucket": "tomotheca", "Key": HIDDEN_KEYS[0]}, ExpiresIn=60
    )
    assert httpx.get(signed).content == world.bytes_of(HIDDEN_KEYS[0])
    assert httpx.get(signed.replace(f"/{HIDDEN}/", f"/{PUBLIC}/")).status_code == 403
    with pytest.raises(ClientError) as error:
        client(server, "curator", "wrong").get_object(Bucket="tomotheca", Key=SMALL_MRC)
    assert code(error) == "SignatureDoesNotMatch"


def test_other_keys_count_as_nobodys(server: Running) -> None:
    somebody = client(server, "AKIDEXAMPLE", TOKEN)
    assert somebody.head_object(Bucket="tomotheca", Key=MRC)["ContentLength"] == BIG
    assert keys(somebody, Prefix=f"{HIDDEN}/") == []
