"""MRC2014 volumes and stacks, read and written in pieces of any size.

Source of the format: https://www.ccpem.ac.uk/mrc-format/mrc2014/ and, for the signed-byte stamp and its flags,
https://bio3d.colorado.edu/imod/doc/mrc_format.txt.
"""

from tomotheca.formats.mrc.header import ByteSign, Header, read_extended, read_header
from tomotheca.formats.mrc.reader import Reader, central_slab
from tomotheca.formats.mrc.twin import Twin
from tomotheca.formats.mrc.writer import Layout, Writer, head, label, storable, write

__all__ = [
    "ByteSign",
    "Header",
    "Layout",
    "Reader",
    "Twin",
    "Writer",
    "central_slab",
    "head",
    "label",
    "read_extended",
    "read_header",
    "storable",
    "write",
]
