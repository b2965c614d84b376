"""Which values of a volume become black and white."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PRESETS = {"normal": (1.0, 99.0), "soft": (0.1, 99.9), "strong": (5.0, 95.0), "full": (0.0, 100.0)}
"""Percentiles that become black and white. The first is what volumes are measured by at ingest."""

MOST = 1 << 21
"""Values that percentiles are taken of; of more, every n-th along each axis."""

Range = tuple[float, float]


def percentiles(values: npt.NDArray[Any], preset: str = "normal") -> Range:
    """Give the two percentiles of a preset of the finite values; ``(0, 0)`` without any.

    Parameters
    ----------
    values
        Part or all of a volume, of any shape; a coarse level stands for a fine one.
    """
    step = 1
    while values.size // step**values.ndim > MOST:
        step += 1
    sample = values[(slice(None, None, step),) * values.ndim]
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite, PRESETS[preset])
    return float(low), float(high)


def stretched(values: npt.NDArray[Any], ends: Range) -> npt.NDArray[np.uint8]:
    """Give grey levels: the two ends become black and white; what is no number is black."""
    low, high = ends
    span = high - low if high > low else 1.0
    scaled = (np.asarray(values, np.float32) - np.float32(low)) * np.float32(255.0 / span)
    grey: npt.NDArray[np.uint8] = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255).astype(
        np.uint8
    )
    return grey
