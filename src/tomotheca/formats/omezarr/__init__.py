"""OME-Zarr multiscale images, version 0.4 (Zarr v2) and 0.5 (Zarr v3, sharded).

Source of the format: https://ngff.openmicroscopy.org/0.4/, https://ngff.openmicroscopy.org/0.5/ and https://zarr-specs.readthedocs.io.
"""

from tomotheca.formats.omezarr.form import DEFAULT, Form
from tomotheca.formats.omezarr.levels import Level, plan_levels
from tomotheca.formats.omezarr.reader import Reader, central_slab, read_level
from tomotheca.formats.omezarr.writer import Writer, write
from tomotheca.formats.reduce import Method

__all__ = [
    "DEFAULT",
    "Form",
    "Level",
    "Method",
    "Reader",
    "Writer",
    "central_slab",
    "plan_levels",
    "read_level",
    "write",
]
