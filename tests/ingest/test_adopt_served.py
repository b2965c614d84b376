"""What was adopted is on pages, in GraphQL and in the official client like anything else, its files read from where they stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryoet_data_portal as portal
import httpx
import pytest
from tests.api.serving import Running, World, run_cli, serving
from tests.ingest.test_adopt import strip

from tomotheca.store.files import LocalFiles


@pytest.fixture
def theirs(lab: Any) -> Path:
    lab.ingest()
    folder = lab.folder / "theirs"
    shutil.copytree(lab.archive, folder)
    strip(folder)
    return Path(folder)


@pytest.fixture
def running(theirs: Path, tmp_path: Path) -> Iterator[Running]:
    root = tmp_path / "root"
    planned = run_cli("adopt", theirs, "--root", root, "--plan")
    assert planned.returncode == 0, planned.stderr
    assert "which stay where they are; nothing was written" in planned.stdout
    assert not root.exists()
    done = run_cli("adopt", theirs, "--root", root, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] > 5
    with serving(World(root, LocalFiles(root / "archive"))) as found:
        yield found


def test_every_door(running: Running, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with httpx.Client(base_url=running.url) as http:
        page = http.get("/datasets/10900")
        assert page.status_code == 200
        assert "Simulated yeast lamellae" in page.text
        query = "{ tomograms { name s3MrcFile run { dataset { id } } alignment { id } } }"
        found = http.post("/graphql", json={"query": query}).json()["data"]["tomograms"]
        assert [t["run"]["dataset"]["id"] for t in found] == [10900]
        assert found[0]["alignment"]
        key = "10900/dataset_metadata.json"
        assert http.get(f"/files/{key}").json()["note"] == json.loads((theirs / key).read_text())["note"]
    for name in ("AWS_ENDPOINT_URL", "BOTO_SIGNATURE_VERSION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOTO_ENDPOINT_URL", running.s3)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = portal.Client(url=f"{running.url}/graphql")
    [dataset] = portal.Dataset.find(client, [portal.Dataset.id == 10900])
    dataset.download_everything(dest_path=str(tmp_path / "got"))
    ours = {"manifest.ndjson"}
    for path in (p for p in theirs.joinpath("10900").rglob("*") if p.is_file() and p.name not in ours):
        got = tmp_path / "got" / path.relative_to(theirs)
        if path.suffix == ".json" and b'"note"' in path.read_bytes():
            assert got.is_file()
        else:
            assert got.read_bytes() == path.read_bytes(), path


def test_a_folder_that_is_not_there_and_one_that_must_not_be(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = run_cli("adopt", tmp_path / "nothing", "--root", root)
    assert done.returncode == 3
    assert "there is no such folder" in done.stderr
    done = run_cli("adopt", tmp_path, "--root", root)
    assert done.returncode == 2
    assert "this portal's own state lies in there" in " ".join(done.stderr.split())
    done = run_cli("adopt", "s3://some/where", "--root", root)
    assert done.returncode == 2
    assert "copy it (rclone copy) or mount it" in " ".join(done.stderr.split())
    (root / "archive").mkdir(parents=True)
    done = run_cli("adopt", root / "archive", "--copy", "--root", root)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
