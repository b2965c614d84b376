"""Kill -9 at random moments: every document stays readable, and doing it again completes the archive."""

import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

import yaml
from tests.ingest.conftest import configuration
from tests.ingest.test_objects_and_additions import addition, second

from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.store import documents, layout, manifest, tree
from tomotheca.store.verify import verify

KILLS = int(os.environ.get("TOMOTHECA_KILLS", "10"))
"""How often; the figure that is asked for is 20."""

ANNOTATIONS = configuration()["annotations"]

SCRIPT = """
import sys
from pathlib import Path
from tomotheca.desk.desk import Desk
from tomotheca.ingest.plan import IngestOptions
from tomotheca.ingest import workers
from tomotheca.ingest.run import ingest
from tomotheca.store.files import LocalFiles

folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
workers.WORTH_A_PROCESS = 0
with Desk.open(folder / "desk.sqlite") as desk:
    print("go", flush=True)
    if count > 1:
        workers.get_ready()
    options = IngestOptions(folder / name, folder / "source", workers=count)
    ingest(options, files=LocalFiles(folder / "archive"), desk=desk)
print("done", flush=True)
"""


WAYS = (("config.yaml", 1), ("config.yaml", 2), ("more.yaml", 1), ("config.yaml", 1), ("more.yaml", 2))
"""Configuration and processes of each round in turn; the second configuration adds to what the first has brought."""


def start(lab: Any, name: str = "config.yaml", count: int = 1) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(lab.folder), name, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "go\n"
    return child


def index(lab: Any) -> tuple[Any, ...]:
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        return Indexer(lab.files, desk, f"sqlite:///{lab.folder / 'catalog.sqlite'}").rebuild().findings


def edit(lab: Any, round_: int) -> None:
    """Change something of every kind, so that every round has something to do."""
    lab.config["annotations"][0]["metadata"]["version"] = f"1.{round_}"
    lab.config["tomograms"][0]["metadata"]["tomogram_version"] = round_
    (lab.root / "picks" / "TS_2.csv").write_text(f"1,2,{round_ % 7}\n")
    path = lab.root / "tomograms" / "TS_3.rec"
    os.utime(path, ns=(round_, round_ * 1_000_000_000))
    if len(lab.config["annotations"]) == len(ANNOTATIONS):
        lab.config["annotations"].pop(1)  # what was brought goes, in the next round but one it comes back
    else:
        lab.config["annotations"].insert(1, configuration()["annotations"][1])
    lab.save()


def test_killed_at_random_moments(lab: Any) -> None:
    lab.add("TS_2", "TS_3")
    lab.save()
    more = addition(lab)
    (lab.folder / "more.yaml").write_text(yaml.safe_dump(more))
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    longest = 3.0
    for round_ in range(KILLS):
        child = start(lab, *WAYS[round_ % len(WAYS)])
        time.sleep(moments.uniform(0, longest))
        if child.poll() is not None:
            longest = max(0.5, 0.7 * longest)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        for dataset in tree.datasets(lab.files):
            for model, key in tree.documents(lab.files, dataset):
                model.model_validate(documents.read(lab.files, key))
        assert [str(f) for f in index(lab) if f.severity == "error"] == [], f"seed {seed}, round {round_}"
        if round_ % 2:
            edit(lab, round_)
    lab.config["annotations"] = configuration()["annotations"]
    complete(lab, more)


def complete(lab: Any, more: dict[str, Any]) -> None:
    assert not lab.ingest().failed
    assert not second(lab, more).failed
    assert not [p for p in lab.archive.rglob("*") if p.name.startswith(".tmp-")]
    found = list(tree.documents(lab.files, 10900))
    assert len(found) == 1 + 3 * (8 + 1)
    for folder in {layout.manifest_folder(k) for _, k in found}:
        assert [f for e in manifest.read(lab.files, folder) if (f := verify(lab.files, e, thorough=True))] == []
    assert index(lab) == ()
    before = lab.snapshot()
    assert lab.ingest().written == second(lab, more).written == 0
    assert lab.snapshot() == before
    identifiers = [d["id"] for k, d in lab.documents().items() if "Annotations" in k]
    assert len(set(identifiers)) == len(identifiers) == 12


def test_killed_while_nothing_is_there_yet(lab: Any) -> None:
    lab.save()
    for delay in (0.0, 0.1):
        child = start(lab)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        index(lab)
    assert not lab.ingest().failed
