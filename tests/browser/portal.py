"""A small demo portal, built and served by the program itself, for browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tests.api.serving import answering, run_cli
from tests.ingest.conftest import Lab

from tomotheca.formats import mrc

TOKEN = "a-curator-of-the-tests"
PATIENCE = 60


FINE = 10900
"""The dataset that is fine enough for the five tasks: ground-truth ribosomes at 7.84 Å."""


def build(root: Path) -> None:
    """Make a portal of everything that visitors look for."""
    simulate(root)
    take_in_a_lab(root)


def take_in_a_lab(root: Path) -> None:
    """Take in tiny files of a lab: ground truth at a fine spacing, and tilts that the alignment leaves out."""
    lab = Lab(root.with_name(f"{root.name}-lab"))
    lab.root.mkdir(parents=True)
    lab.add("TS_7")
    volume = np.random.default_rng(7).normal(0, 1, (48, 96, 96)).astype(np.float32)
    mrc.write(lab.root / "tomograms/TS_7.rec", volume, voxel_size=7.84)
    (lab.root / "TS_7/tilt.com").write_text("EXCLUDELIST2 1,5\n")
    config = lab.config
    config["voxel_spacings"][0]["sources"][0]["literal"]["value"] = [7.84]
    config["tomograms"][0]["metadata"]["voxel_spacing"] = 7.84
    config["alignments"][0]["sources"][0]["source_multi_glob"]["list_globs"].append("{run_name}/tilt.com")
    ribosomes = config["annotations"][0]
    ribosomes["metadata"]["annotation_object"]["name"] = "cytosolic ribosome"
    ribosomes["metadata"]["ground_truth_status"] = True
    config["annotations"] = [ribosomes]
    command = ["ingest", str(lab.save()), "--source", str(lab.folder / "source"), "--root", str(root), "--workers", "1"]
    done = run_cli(*command)
    assert done.returncode == 0, done.stderr


def simulate(root: Path) -> None:
    """Simulate three small runs, one in each dataset, the last one hidden; as many offers may be sent as tests like."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "tomotheca.toml").write_text("contribute_rate_limit = 0\n")
    done = run_cli("demo", "--root", root, "--runs", "3", "--size", "48,112,112", "--offline")
    assert done.returncode == 0, done.stderr


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a portal on a port of its own while the block runs, and give its address."""
    with answering(root, TOMOTHECA_CURATOR_TOKEN=TOKEN) as (address, _):
        yield address
