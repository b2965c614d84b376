"""What files of points in JSON share: they are read whole, if they are not too large, and give arrays of finite numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import FormatError

GROWTH = 8
"""Times as large as its file the content is in memory."""

Floats = npt.NDArray[np.float64]


def load(path: Path, memory: int) -> Any:
    """Read a file, if what it holds has a place in ``memory`` bytes.

    Raises
    ------
    FormatError
        If it is too large, cannot be read, or is no JSON.
    """
    try:
        size = path.stat().st_size
        if size * GROWTH > memory:
            limit = memory // GROWTH >> 20
            raise FormatError(
                path, f"has {size >> 20} MiB, more than {limit} MiB are not read as JSON: use a star file."
            )
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    except orjson.JSONDecodeError as error:
        raise FormatError(path, f"is no JSON: {error}.") from error


def array(path: Path, values: Sequence[Any], shape: tuple[int, ...], what: str) -> Floats:
    """Turn the values of all points into an array, shape ``(n, *shape)``.

    Raises
    ------
    FormatError
        If a value has another shape, or a number that is not finite; ``what`` names the value.
    """
    if not values:
        return np.empty((0, *shape))
    try:
        found = np.array(values, np.float64)
    except (ValueError, TypeError):
        found = np.empty(0)
    if found.shape == (len(values), *shape) and np.isfinite(found).all():
        return found
    wrong = next((i for i, value in enumerate(values) if not _is_numeric(value, shape)), 0)
    raise FormatError(path, f"point {wrong + 1} has a {what} that is not all finite numbers.")


def _is_numeric(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        found = np.array(value, np.float64)
    except (ValueError, TypeError):
        return False  # words, nothing, or lists of different lengths
    return found.shape == shape and bool(np.isfinite(found).all())
