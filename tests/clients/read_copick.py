"""Read everything that copick finds in some datasets: run in copick's environment, arguments are address, folder, datasets."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cryoet_data_portal._client
import numpy as np

cryoet_data_portal._client.DEFAULT_URL = f"{sys.argv[1]}/graphql"
os.environ["AWS_ENDPOINT_URL_S3"] = f"{sys.argv[1]}/s3"

import copick  # noqa: E402 - the address first


def describe(run: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Give what is known of a run; arrays are put aside under the addresses they come from."""
    found: dict[str, Any] = {
        "id": run.portal_run_id,
        "name": run.portal_run_name,
        "spacings": {},
        "picks": {},
        "masks": {},
    }
    for spacing in run.voxel_spacings:
        found["spacings"][spacing.voxel_size] = [tomogram.static_path for tomogram in spacing.tomograms]
        for tomogram in spacing.tomograms:
            arrays[tomogram.static_path] = tomogram.numpy()
            arrays[f"{tomogram.static_path}/1"] = tomogram.numpy(zarr_group="1")
    for picks in run.picks:
        positions, rotations = picks.numpy()
        arrays[picks.path], arrays[f"{picks.path} rotations"] = positions, rotations[:, :3, :3]
        found["picks"][picks.path] = picks.pickable_object_name
    for mask in run.segmentations:
        arrays[mask.path] = mask.numpy()
        found["masks"][mask.path] = [mask.name, mask.voxel_size]
    return found


def ask(run: Any) -> dict[str, Any]:
    """Ask a run in the ways that take the portal's metadata and its authors."""
    return {
        "true": [p.path for p in run.get_picks(portal_meta_query={"ground_truth_status": True})],
        "other": [p.path for p in run.get_picks(portal_meta_query={"ground_truth_status": False})],
        "authors": [p.path for p in run.get_picks(portal_author_query=["Aurelia Lindqvist-Moreau"])],
        "masks": [s.path for s in run.get_segmentations(name="membrane", voxel_size=9.96)],
    }


root = copick.from_czcdp_datasets([int(number) for number in sys.argv[3:]], overlay_root="overlay")
arrays: dict[str, np.ndarray] = {}
runs = [describe(run, arrays) for run in root.runs]
objects = {found.name: [found.identifier, found.is_particle] for found in root.pickable_objects}
answer = {"runs": runs, "objects": objects, "asked": ask(root.runs[0])}
Path(sys.argv[2], "found.json").write_text(json.dumps(answer))
np.savez(Path(sys.argv[2], "arrays.npz"), **{f"{number}": array for number, array in enumerate(arrays.values())})
Path(sys.argv[2], "names.json").write_text(json.dumps(list(arrays)))
