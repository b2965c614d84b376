"""Files that number their tomograms instead of naming them: STOPGAP and Dynamo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError


def rows_of(path: Path, numbers: npt.NDArray[np.float64], filter_value: str) -> npt.NDArray[np.bool_]:
    """Say which rows are of the tomogram that ``filter_value`` numbers; ``numbers`` has shape ``(n,)``.

    Raises
    ------
    FormatError
        If the value is no number, or is left out although there are rows of several tomograms.
    """
    if not filter_value:
        if len(found := np.unique(numbers)) > 1:
            shown = ", ".join(f"{number:g}" for number in found[:3])
            raise FormatError(
                path, f"has rows of {len(found)} tomograms ({shown} ...): say which one's with filter_value."
            )
        return np.ones(len(numbers), np.bool_)
    try:
        wanted = float(filter_value)
    except ValueError:
        raise FormatError(
            path, f"numbers its tomograms, and filter_value is {filter_value!r}: give a number."
        ) from None
    chosen: npt.NDArray[np.bool_] = numbers == wanted
    return chosen
