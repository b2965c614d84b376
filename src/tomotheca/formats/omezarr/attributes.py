"""What the metadata of an image says: its levels and where their voxels lie, how they were made, the colours of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tomotheca.formats.omezarr.form import Version
    from tomotheca.formats.omezarr.levels import Level
    from tomotheca.formats.reduce import Method

AXES = ("z", "y", "x")

METHODS: dict[Method, str] = {
    "mean": "Each voxel is the mean of the voxels of level 0 that it covers; at the borders, of those that exist.",
    "majority": "Each voxel is 1 where at least half of the voxels of level 0 that it covers and that exist are 1.",
    "mode": "Each voxel is the commonest label of the voxels one level finer that it covers; of equally common ones "
    "the largest.",
}


def describe(
    levels: Sequence[Level], name: str, method: Method, *, version: Version, labels: Sequence[int] | None = None
) -> dict[str, object]:
    """Make the metadata of an image.

    Parameters
    ----------
    labels
        Every label but 0 of a label image, none of a mask; left out, the image is neither.
    """
    datasets = [
        {
            "path": level.path,
            "coordinateTransformations": [
                {"type": "scale", "scale": level.scale},
                {"type": "translation", "translation": level.translation},
            ],
        }
        for level in levels
    ]
    multiscale = {
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in AXES],
        "datasets": datasets,
        "type": method,
        "metadata": {"method": method, "description": METHODS[method]},
    }
    said, label = {"version": version}, {} if labels is None else {"image-label": _colours(labels)}
    if version == "0.5":
        return {**said, "multiscales": [multiscale], **label}
    return {"multiscales": [{**said, **multiscale}], **{name: {**said, **block} for name, block in label.items()}}


def colours(labels: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Give the colour of each label, ``(n, 3)`` red, green, blue: always the same for one label, far apart for neighbours.

    The hue is the fraction of the label (modulo 4096) times the golden ratio, at three quarters of full saturation.
    """
    hue = np.mod(np.asarray(labels, np.float64).reshape(-1, 1) % 4096 * 0.61803398875, 1)
    wheel = np.abs(np.mod(hue + np.array([0, 2 / 3, 1 / 3]), 1) * 6 - 3)
    return np.asarray(np.rint(255 * (0.25 + 0.75 * np.clip(wheel - 1, 0, 1))), np.uint8)


def _colours(labels: Sequence[int]) -> dict[str, object]:
    """Make ``image-label``."""
    if not len(labels):
        return {}
    rgb = colours(labels).tolist()
    return {
        "colors": [
            {"label-value": int(label), "rgba": [*colour, 255]} for label, colour in zip(labels, rgb, strict=True)
        ]
    }
