"""Open what others have written: sizes are checked before anything is allocated, and whatever zarr says becomes a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError

LARGEST_CHUNK = 512 << 20
"""Bytes of a chunk: all of it is in memory to read one voxel."""

LONGEST_EDGE = 1 << 24
"""Voxels; the same as for MRC files."""

LARGEST_IMAGE = 1 << 44
"""Bytes of a level, what is not stored included: metadata of a few hundred bytes may claim exabytes of zeroes."""

LARGEST_WHOLE = 1 << 30
"""Bytes of a level that is read as a whole."""

LONGEST_METADATA = 16 << 20
"""Bytes of one file of metadata."""

METADATA = (".zattrs", ".zgroup", ".zmetadata", "zarr.json")


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn everything that zarr and its codecs raise into one sentence: for damaged files that is any kind of error.

    Raises
    ------
    FormatError
        ``what`` ("is no OME-Zarr image that can be read") and the reason.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except FormatError:
        raise
    except MemoryError as error:
        raise FormatError(path, f"{what}: it claims more memory than there is; copy it again.") from error
    except Exception as error:  # see above
        said = str(error) or type(error).__name__
        raise FormatError(path, f"{what}: {said.rstrip('.')}; copy it again.") from error


def open_group(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """Open a group for reading; give it with its first multiscale image.

    Raises
    ------
    FormatError
        If there is none that can be read.
    """
    import zarr  # noqa: PLC0415  # takes half a second, and only those who read an image need it

    with reading(path, "is no OME-Zarr image that can be read"):
        _check_metadata(path)
        group = zarr.open_group(path.zarr_store() if hasattr(path, "zarr_store") else path, mode="r")
        return group, _multiscale(path, group.attrs.asdict())


def datasets(path: Path, multiscale: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the levels of an image, fine to coarse.

    Raises
    ------
    FormatError
        If there is none, or one has no path inside the image.
    """
    found = multiscale.get("datasets")
    if not isinstance(found, list) or not found:
        raise FormatError(path, "is no OME-Zarr image that can be read: it names no levels; write it again.")
    for dataset in found:
        name = dataset.get("path") if isinstance(dataset, dict) else None
        if not isinstance(name, str) or not name or ".." in name.split("/") or name.startswith("/"):
            raise FormatError(path, f"names a level {str(name)[:40]!r}: levels are arrays inside the image.")
    return found


def open_level(path: Path, group: Any, name: str) -> Any:
    """Open the array of one level.

    Raises
    ------
    FormatError
        If there is none, or its sizes are those of no image that could be read.
    """
    with reading(path, f"has a level {name!r} that cannot be read"):
        array = group[name]
        if not hasattr(array, "chunks"):
            raise FormatError(path, f"has no array at {name!r}: write the image again.")
        shape, chunks, dtype = tuple(array.shape), tuple(array.chunks), np.dtype(array.dtype)
    if dtype.kind not in "biuf":
        raise FormatError(path, f"holds values of the type {dtype} at {name!r}: give whole or floating point numbers.")
    if len(shape) != len(chunks) or not all(0 < n < LONGEST_EDGE for n in shape) or min(chunks, default=0) < 1:
        raise FormatError(
            path, f"says that {name!r} has {_times(shape)} voxels in chunks of {_times(chunks)}: write it again."
        )
    if (nbytes := math.prod(shape) * dtype.itemsize) > LARGEST_IMAGE:
        raise FormatError(path, f"says that {name!r} has {nbytes >> 40} TiB, more than any volume has: write it again.")
    if (nbytes := math.prod(chunks) * dtype.itemsize) > LARGEST_CHUNK:
        limit = LARGEST_CHUNK >> 20
        raise FormatError(
            path,
            f"has chunks of {nbytes >> 20} MiB at {name!r}, more than {limit} MiB are not read: write it with smaller ones.",
        )
    from tomotheca.formats.omezarr.bounded import bounded  # noqa: PLC0415  # as zarr

    with reading(path, f"has a level {name!r} that cannot be read"):
        return bounded(array)


def whole(path: Path, array: Any) -> npt.NDArray[Any]:
    """Read a whole level.

    Raises
    ------
    FormatError
        If it is too large for that, or cannot be decoded.
    """
    if (nbytes := math.prod(array.shape) * array.dtype.itemsize) > LARGEST_WHOLE:
        raise FormatError(path, f"has a level of {nbytes >> 20} MiB where a small one is needed: add coarser levels.")
    with reading(path, "has a level that cannot be read"):
        return np.asarray(array[...])


def _check_metadata(path: Path) -> None:
    for name in METADATA:
        if (path / name).is_file() and (path / name).stat().st_size > LONGEST_METADATA:
            raise FormatError(path, f"has more than {LONGEST_METADATA >> 20} MiB of metadata in {name}: copy it again.")


def _multiscale(path: Path, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the first multiscale image in the attributes of either version."""
    inner = attributes.get("ome", attributes)
    multiscales = inner.get("multiscales") if isinstance(inner, dict) else None
    if not multiscales:
        raise FormatError(path, "is a Zarr group without a multiscale image: name the image's own directory.")
    if not isinstance(multiscales, list) or not isinstance(multiscales[0], dict):
        raise FormatError(path, "has multiscales that are no list of images: write the image again.")
    first: Mapping[str, Any] = multiscales[0]
    return first


def _times(numbers: tuple[int, ...]) -> str:
    return " x ".join(str(number)[:20] for number in numbers[:8])
