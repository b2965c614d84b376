"""Neuroglancer's precomputed annotations: points that a viewer opens piece by piece, however many there are.

The format is Neuroglancer's ``neuroglancer_annotations_v1`` with ``neuroglancer_uint64_sharded_v1`` indexes, as its documentation of
precomputed data describes them.
"""

from tomotheca.formats.precomputed.annotations import VERSION, Frame, write

__all__ = ["VERSION", "Frame", "write"]
