"""Volumes that stay where they are: read through every door like any other, and never after they have changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # published without types
import cryoet_data_portal as client
import httpx
import mrcfile
import numpy as np
import pytest
import zarr
from botocore import UNSIGNED  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # published without types
from obstore.store import S3Store
from ome_zarr_models.v04.image import Image
from tests.api.serving import Running, World, run_cli, serving
from tests.ingest.staying import KINDS, Portal, Small, expected, noise, rec, sources, tomogram
from zarr.storage import FsspecStore, ObjectStore

from tomotheca.formats import mrc, omezarr
from tomotheca.ingest.inplace import Staying
from tomotheca.store import manifest, members
from tomotheca.store.verify import verify


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Portal:
    made = Portal(tmp_path_factory.mktemp("in-place"), *KINDS)
    made.lab.config["annotations"] = made.lab.config["annotations"][:1]
    for name, (write, _) in KINDS.items():
        write(rec(made.lab, name))
    done = run_cli(*made.words("--in-place", "--json"))
    assert done.returncode == 0, done.stderr + done.stdout
    return made


@pytest.fixture(scope="module")
def server(portal: Portal) -> Iterator[Running]:
    with serving(World(portal.root, portal.files)) as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Small:
    return Small(tmp_path, capsys)


@pytest.mark.parametrize("name", KINDS)
def test_level_0_is_the_source_and_the_others_are_means_of_it(portal: Portal, server: Running, name: str) -> None:
    key, true = tomogram(name), expected(portal.lab, name)
    assert not (portal.archive / f"{key}.mrc").exists()
    assert [p.name for p in (portal.archive / f"{key}.zarr/0").rglob("*")] == [".zarray"]
    group = zarr.open_group(FsspecStore.from_url(f"{server.url}/files/{key}.zarr"), mode="r")
    Image.from_zarr(group)
    assert group["0"].dtype == np.dtype(KINDS[name][1])
    assert group["0"].chunks == (1, *true.shape[1:])
    np.testing.assert_array_equal(group["0"][:], true)
    for level, size in (("1", 2), ("2", 4)):
        assert group[level].dtype == group["0"].dtype
        corner = true[:size, :size, :size].astype("f8").mean()
        corner = np.rint(corner) if true.dtype.kind in "iu" else corner
        assert float(group[level][0, 0, 0]) == pytest.approx(corner, rel=2e-3)
    other = ObjectStore(S3Store("tomotheca", prefix=f"{key}.zarr", endpoint=server.s3, region="us-east-1", skip_signature=True, client_options={"allow_http": True}), read_only=True)  # fmt: skip
    np.testing.assert_array_equal(zarr.open_group(other, mode="r")["0"][3], true[3])


@pytest.mark.parametrize("name", KINDS)
def test_files_have_exact_sizes_and_tags_everywhere(
    portal: Portal, server: Running, http: httpx.Client, name: str
) -> None:
    key, source = tomogram(name), rec(portal.lab, name)
    stored, stamp = source.read_bytes(), source.stat()
    answer = http.get(f"/files/{key}.mrc")
    assert answer.content == stored
    tag = answer.headers["etag"].strip('"')
    assert tag.startswith(f"{len(stored)}-")
    assert int(tag.partition("-")[2]) == pytest.approx(stamp.st_mtime_ns, abs=1000)
    assert http.get(f"/files/{key}.mrc", headers={"range": "bytes=1000-1099"}).content == stored[1000:1100]
    parts = http.get(f"/files/{key}.mrc", headers={"range": "bytes=0-9,2000-2999"})
    assert parts.status_code == 206
    assert stored[2000:3000] in parts.content
    header = mrc.read_header(source)
    section = header.data_bytes // header.file_shape[0]
    chunk, at = f"{key}.zarr/0/4/0/0", header.data_offset + 4 * section
    answer = http.get(f"/files/{chunk}")
    assert answer.content == stored[at : at + section]
    assert answer.headers["etag"].startswith(f'"{section}-')
    assert http.get(f"/files/{chunk}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert http.get(f"/files/{chunk}", headers={"range": "bytes=7-1006"}).content == stored[at + 7 : at + 1007]
    assert http.head(f"/files/{chunk}").headers["content-length"] == str(section)
    assert http.get(f"/files/{key}.zarr/0/{header.file_shape[0]}/0/0").status_code == 404
    s3 = boto3.client("s3", endpoint_url=server.s3, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="tomotheca", Prefix=key)
    listed = {item["Key"]: item["Size"] for page in pages for item in page["Contents"]}
    assert listed[f"{key}.mrc"] == len(stored)
    assert [listed[f"{key}.zarr/0/{z}/0/0"] for z in range(header.file_shape[0])] == [section] * header.file_shape[0]
    assert s3.head_object(Bucket="tomotheca", Key=chunk)["ContentLength"] == section
    got = s3.get_object(Bucket="tomotheca", Key=chunk, Range="bytes=1-8")["Body"].read()
    assert got == stored[at + 1 : at + 9]
    for path in (".zattrs", "0/.zarray", "1/0/0/0"):
        assert len(http.get(f"/files/{key}.zarr/{path}").content) == listed[f"{key}.zarr/{path}"]


def test_the_official_client_and_our_download_bring_the_same(
    portal: Portal, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTO_ENDPOINT_URL", server.s3)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = "TS_extended"
    found = client.Tomogram.find(client.Client(url=f"{server.url}/graphql"), [client.Tomogram.run.name == name])[0]
    found.download_mrcfile(dest_path=str(tmp_path / "mrc"))
    assert (tmp_path / f"mrc/{name}.mrc").read_bytes() == rec(portal.lab, name).read_bytes()
    found.download_omezarr(dest_path=str(tmp_path / "zarr"))
    with omezarr.Reader(tmp_path / f"zarr/{name}.zarr") as volume:
        np.testing.assert_array_equal(
            volume.read((slice(0, 9), slice(0, 70), slice(0, 150))), expected(portal.lab, name)
        )
    done = run_cli("download", f"TM-{found.id}", "--from", server.url, "--to", str(tmp_path / "ours"))
    assert done.returncode == 0, done.stderr
    brought = {
        p.relative_to(tmp_path / "ours").as_posix(): p.stat().st_size
        for p in (tmp_path / "ours").rglob("*")
        if p.is_file()
    }
    items = httpx.get(f"{server.url}/api/v1/tomograms/{found.id}/manifest.json").json()["files"]
    assert {i["path"]: i["size"] for i in items if "/Tomograms/" in i["path"]}.items() <= brought.items()


def test_curl_brings_everything_by_the_manifest(portal: Portal, server: Running, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    words = httpx.get(f"{server.url}/api/v1/datasets/10900/manifest.curl").text
    subprocess.run([curl, "--parallel", "-fsSL", "-K", "-"], input=words, text=True, check=True, cwd=tmp_path)
    for name in KINDS:
        assert (tmp_path / f"{tomogram(name)}.mrc").read_bytes() == rec(portal.lab, name).read_bytes()
        with omezarr.Reader(tmp_path / f"{tomogram(name)}.zarr") as volume:
            box = tuple(slice(0, n) for n in volume.shape)
            np.testing.assert_array_equal(volume.read((box[0], box[1], box[2])), expected(portal.lab, name))


def test_the_tilt_series_stay_too_and_the_archive_is_clean(portal: Portal, server: Running) -> None:
    key = "10900/TS_big/TiltSeries/100/TS_big"
    assert not (portal.archive / f"{key}.mrc").exists()
    group = zarr.open_group(FsspecStore.from_url(f"{server.url}/files/{key}.zarr"), mode="r")
    np.testing.assert_array_equal(group["0"][:], mrcfile.read(portal.lab.root / "TS_big/TS_big.st"))
    for entry in (e for folder in ("TiltSeries/100/",) for e in manifest.read(portal.files, f"10900/TS_big/{folder}")):
        assert verify(portal.files, entry, thorough=True) is None
    done = run_cli("doctor", "--root", portal.root, "--json")
    found = {(f["rule"], f["severity"]) for f in json.loads(done.stdout)["findings"]}
    assert {rule for rule, severity in found if severity == "error"} == set(), found
    assert "manifest.hashed" in {rule for rule, _ in found}


def test_a_second_ingest_writes_nothing_and_a_change_of_mind_is_followed(small: Small) -> None:
    before = sources(small.lab)
    first = small.ingest("--in-place")
    state = small.snapshot()
    key, volume = tomogram("TS_1"), rec(small.lab, "TS_1")
    numbers = json.loads((small.archive / key).with_name("tomogram_metadata.json").read_text())["id"]
    assert first["written"] > 0
    assert small.ingest("--in-place")["written"] == 0
    assert small.snapshot() == state
    assert not (small.archive / f"{key}.mrc").exists()

    assert small.ingest("--copy")["written"] > 0
    assert (small.archive / f"{key}.mrc").is_file()
    assert (small.archive / f"{key}.zarr/0/0/0/0").is_file()
    assert all(e.source is None for e in manifest.read(small.files, f"{key.rpartition('/')[0]}/"))
    assert small.doctor() == set()

    small.ingest("--in-place")
    assert not (small.archive / f"{key}.mrc").exists()
    assert not (small.archive / f"{key}.zarr/0/0/0/0").exists()
    document = json.loads((small.archive / key).with_name("tomogram_metadata.json").read_text())
    assert document["id"] == numbers
    assert document["levels"][0]["bytes"] == mrc.read_header(volume).data_bytes
    content = {path: digest for path, (_, digest) in small.snapshot().items() if "metadata.json" not in path}
    assert content == {path: digest for path, (_, digest) in state.items() if "metadata.json" not in path}
    assert sources(small.lab) == before


def test_sources_that_were_moved_are_served_from_where_they_are(small: Small) -> None:
    small.ingest("--in-place", "--only", "tomograms")
    old, new = small.lab.folder / "source", small.lab.folder / "moved"
    shutil.copytree(old, new)
    number = json.loads((small.archive / tomogram("TS_1")).with_name("tomogram_metadata.json").read_text())["id"]
    words = small.words("--in-place", "--only", "tomograms", "--json")
    small.say(*[str(new) if word == str(old) else word for word in words])
    entries = manifest.read(small.files, tomogram("TS_1").rpartition("/")[0] + "/")
    assert {e.source for e in entries if e.source} == {str(new / "lab/tomograms/TS_1.rec")}
    document = json.loads((small.archive / tomogram("TS_1")).with_name("tomogram_metadata.json").read_text())
    assert document["id"] == number


def test_the_setting_is_the_default_of_the_option(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMOTHECA_IN_PLACE", "1")
    small.ingest("--only", "tomograms")
    assert not (small.archive / f"{tomogram('TS_1')}.mrc").exists()
    small.ingest("--only", "tomograms", "--copy")
    assert (small.archive / f"{tomogram('TS_1')}.mrc").exists()


def change_content(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100:] = bytes(100)
    path.write_bytes(data)


def longer(path: Path) -> None:
    stamp = path.stat()
    with path.open("ab") as file:
        file.write(b"more")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def replaced(path: Path) -> None:
    stamp = path.stat()
    path.rename(path.with_name("old"))
    path.write_bytes(path.with_name("old").read_bytes())
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000))


def test_a_source_that_has_changed_is_reported_and_not_served(small: Small, tmp_path: Path) -> None:
    small.ingest("--in-place")
    key, volume = tomogram("TS_1"), rec(small.lab, "TS_1")
    with serving(World(small.root, small.files)) as server, httpx.Client(base_url=server.url) as http:
        for change in (change_content, longer, replaced):
            tag = http.get(f"/files/{key}.mrc").headers["etag"]
            change(volume)
            for path in (f"{key}.mrc", f"{key}.zarr/0/2/0/0"):
                answer = http.get(f"/files/{path}")
                assert answer.status_code == 409
                assert "has changed since it was taken in" in answer.json()["error"]
                assert str(small.lab.root) not in answer.text
                assert http.head(f"/files/{path}").status_code == 409
                assert http.get(f"/files/{path}", headers={"range": "bytes=0-9"}).status_code == 409
                assert http.get(f"/files/{path}", headers={"if-none-match": tag}).status_code == 409
            assert http.get(f"/files/{key}.zarr/1/0/0/0").status_code == 200, "it lies in the archive"
            assert ("source.unchanged", "error") in small.doctor()
            if change is change_content:
                other_programs_hear_of_it(server, f"{key}.zarr")
            small.ingest("--in-place")
            assert small.doctor("--severity", "warning") == set()
            assert http.get(f"/files/{key}.mrc").content == volume.read_bytes()
        elsewhere = tmp_path / "elsewhere.mrc"
        volume.rename(elsewhere)
        gone = http.get(f"/files/{key}.mrc")
        assert gone.status_code == 503
        assert "cannot be read" in gone.json()["error"]
        volume.symlink_to(elsewhere)
        assert http.get(f"/files/{key}.mrc").status_code == 503, "a link that takes its place is not followed"
        assert http.get(f"/files/{key}.zarr/0/0/0/0").status_code == 503


def other_programs_hear_of_it(server: Running, image: str) -> None:
    """No reader may take a section that is not given for one of zeros."""
    s3 = boto3.client("s3", endpoint_url=server.s3, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="tomotheca", Key=f"{image}/0/2/0/0")
    assert caught.value.response["Error"]["Code"] == "OperationAborted"
    with pytest.raises(Exception, match="409"):
        zarr.open_group(FsspecStore.from_url(f"{server.url}/files/{image}"), mode="r")["0"][2]


def test_digests_are_noted_on_demand_and_are_tags_from_then_on(small: Small) -> None:
    small.ingest("--in-place")
    key, volume = tomogram("TS_1"), rec(small.lab, "TS_1")
    small.say("doctor", "--root", str(small.root), "--hash", "--json")
    stored = volume.read_bytes()
    header = mrc.read_header(volume)
    section = header.data_bytes // header.file_shape[0]
    at = header.data_offset + 2 * section
    with serving(World(small.root, small.files)) as server, httpx.Client(base_url=server.url) as http:
        assert http.head(f"/files/{key}.mrc").headers["etag"] == f'"{hashlib.sha256(stored).hexdigest()}"'
        digest = hashlib.sha256(stored[at : at + section]).hexdigest()
        assert http.head(f"/files/{key}.zarr/0/2/0/0").headers["etag"] == f'"{digest}"'
        listed = http.get("/api/v1/tomograms/1/manifest.json").json()["files"]
        assert all(item["sha256"] for item in listed)
    assert small.doctor("--hash") == set()
    state = small.snapshot()
    assert small.ingest("--in-place")["written"] == 0
    assert small.snapshot() == state


def test_removing_leaves_the_sources_alone(small: Small) -> None:
    small.ingest("--in-place")
    before = sources(small.lab)
    small.say(
        "remove", "DS-10900", "--with-dependents", "--yes", "--root", str(small.root), "--reason", "a test", "--json"
    )
    assert sources(small.lab) == before
    assert not (small.archive / "10900").exists()


def test_what_cannot_be_served_from_its_place_is_copied_with_a_note(small: Small) -> None:
    folder = rec(small.lab, "TS_1")
    folder.unlink()
    omezarr.write(small.lab.root / "tomograms/TS_1.zarr", noise("f8"), spacing=(10.0, 10.0, 10.0))
    small.lab.config["tomograms"][0]["sources"] = [{"source_glob": {"list_glob": "tomograms/{run_name}.zarr"}}]
    told = small.ingest("--in-place", "--only", "tomograms")["findings"]
    words = [f["message"] for f in told if f["severity"] == "note" and "does not stay in its place" in f["message"]]
    assert words == [
        "run TS_1: tomograms/TS_1.zarr is copied and does not stay in its place: only MRC files can be served from where they lie."
    ]
    assert any("float64 becomes float32" in f["message"] for f in told)
    assert (small.archive / f"{tomogram('TS_1')}.mrc").is_file()


def test_other_axes_are_copied_with_a_note(small: Small) -> None:
    volume = rec(small.lab, "TS_1")
    with volume.open("r+b") as file:
        file.seek(64)
        file.write(struct.pack("<iii", 3, 2, 1))
    told = small.ingest("--in-place", "--only", "tomograms")["findings"]
    assert any("do not run along x, y, z" in f["message"] for f in told)
    assert (small.archive / f"{tomogram('TS_1')}.mrc").is_file()


def test_what_a_header_goes_on_saying_is_a_warning(small: Small) -> None:
    with mrcfile.open(rec(small.lab, "TS_1"), "r+") as file:
        file.voxel_size = 13.0
        file.header.origin.x = 5
    told = {
        f["severity"]: f["message"]
        for f in small.ingest("--in-place", "--only", "tomograms")["findings"]
        if "stays" in f["message"]
    }
    assert "goes on saying 13 Å" in told["warning"]
    assert "origin stays in the MRC file" in told["note"]
    document = json.loads((small.archive / tomogram("TS_1")).with_name("tomogram_metadata.json").read_text())
    assert document["levels"][0]["spacing"]["x"] == 10.0


def test_links_and_what_belongs_to_the_portal_are_refused(small: Small, tmp_path: Path) -> None:
    volume = rec(small.lab, "TS_1")
    real = volume.with_name("real.rec")
    volume.rename(real)
    volume.symlink_to(real)
    refused = " ".join(f["message"] for f in small.ingest("--in-place", code=1)["findings"])
    assert "is a link, or lies below one" in refused
    assert not (small.archive / "10900").exists()
    volume.unlink()
    real.rename(volume)
    real_folder = volume.parent.with_name("real")
    volume.parent.rename(real_folder)
    volume.parent.symlink_to(real_folder)
    assert "is a link, or lies below one" in str(small.ingest("--in-place", code=1)["findings"])
    volume.parent.unlink()
    real_folder.rename(volume.parent)
    refused = small.lab.refused(staying=Staying((small.lab.root / "tomograms",)))
    assert "belongs to this portal" in refused


def test_the_plan_says_it_too_and_nothing_is_written(small: Small) -> None:
    planned = small.ingest("--in-place", "--plan")
    step = next(s for s in planned["steps"] if s["kind"] == "tomogram")
    assert f"{tomogram('TS_1')}.mrc" not in step["files"]
    assert f"{tomogram('TS_1')}.zarr/" in step["files"]
    assert not (small.archive / "10900").exists()


def test_lists_say_of_each_member_where_it_is(small: Small) -> None:
    small.ingest("--in-place", "--only", "tomograms")
    folder = tomogram("TS_1").rpartition("/")[0] + "/"
    entries = {e.key: e for e in manifest.read(small.files, folder)}
    volume, image = entries[f"{tomogram('TS_1')}.mrc"], entries[f"{tomogram('TS_1')}.zarr/"]
    source = rec(small.lab, "TS_1")
    stamp = source.stat()
    assert (volume.source, volume.size, volume.mtime, volume.sha256) == (
        str(source),
        stamp.st_size,
        stamp.st_mtime_ns,
        None,
    )
    assert (image.source, image.mtime) == (str(source), stamp.st_mtime_ns)
    listed = list(members.list_members(small.files, image))
    assert image.size == sum(m.size for m in listed)
    header = mrc.read_header(source)
    assert [m.sha256 for m in listed if m.path == "0/0/0/0"] == [
        f"at:{header.data_offset},{stamp.st_size},{stamp.st_mtime_ns}"
    ]
    assert all(m.sha256.startswith(("at:", "here:")) for m in listed)
