"""OME-Zarr multiscale images: version 0.4 (Zarr v2) written, 0.4 and 0.5 read.

Source of the format: https://ngff.openmicroscopy.org/0.4/ and
https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html.
"""

from tomotheca.formats.omezarr.levels import Level, plan_levels
from tomotheca.formats.omezarr.reader import Reader, central_slab, read_level
from tomotheca.formats.omezarr.writer import Writer, write
from tomotheca.formats.reduce import Method

__all__ = ["Level", "Method", "Reader", "Writer", "central_slab", "plan_levels", "read_level", "write"]
