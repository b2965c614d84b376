"""Kill -9 at random moments of an ingest into an object store: what is there can be read, and doing it again completes it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests import seaweed

from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.store import layout, manifest, tree
from tomotheca.store.objects import ObjectFiles
from tomotheca.store.verify import verify

KILLS = int(os.environ.get("TOMOTHECA_KILLS", "4"))

SCRIPT = """
import sys
from pathlib import Path
from tomotheca.desk.desk import Desk
from tomotheca.ingest.plan import IngestOptions
from tomotheca.ingest.run import ingest
from tomotheca.store.objects import ObjectFiles

folder = Path(sys.argv[1])
files = ObjectFiles(sys.argv[2], endpoint=sys.argv[3], lock_folder=folder / "state")
with Desk.open(folder / "desk.sqlite") as desk:
    print("go", flush=True)
    ingest(IngestOptions(folder / "config.yaml", folder / "source"), files=files, desk=desk)
"""


@pytest.fixture
def bucket(lab: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectFiles]:
    with seaweed.running(lab.folder / "seaweed") as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        store.client.create_bucket(Bucket="archive")
        yield ObjectFiles("s3://archive/below", endpoint=store.endpoint, lock_folder=lab.folder / "state")


def index(lab: Any, files: ObjectFiles) -> list[str]:
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        found = Indexer(files, desk, f"sqlite:///{lab.folder / 'catalog.sqlite'}").rebuild().findings
    return [str(f) for f in found if f.severity == "error"]


def test_killed_at_random_moments(lab: Any, bucket: ObjectFiles) -> None:
    lab.add("TS_2").save()
    moments = random.Random(seed := random.randrange(1 << 32))
    longest = 2.5
    for round_ in range(KILLS):
        words = [sys.executable, "-c", SCRIPT, str(lab.folder), bucket.url, str(bucket.endpoint)]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0, longest))
        if child.poll() is not None:
            longest *= 0.7
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert index(lab, bucket) == [], f"seed {seed}, round {round_}"
        lab.config["annotations"][0]["metadata"]["version"] = f"1.{round_}"
        lab.save()
    subprocess.run(words, check=True, timeout=100, capture_output=True)
    assert index(lab, bucket) == []
    documents = [key for _, key in tree.documents(bucket, 10900)]
    assert len(documents) == 1 + 2 * 8
    for folder in {layout.manifest_folder(key) for key in documents}:
        assert [f for e in manifest.read(bucket, folder) if (f := verify(bucket, e, thorough=True))] == []
    assert not list((lab.folder / "state" / "staging").glob("*"))
