"""What is said of slices wherever they are shown or made: axes, contrasts, which level, and the addresses of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tomotheca.web.address import Address

AXES = ("z", "y", "x")
"""In the order of a volume's axes."""

PLANES = {"z": "XY", "y": "XZ", "x": "YZ"}
"""What one sees across each axis."""

CONTRASTS = {
    "normal": "Normal, 1 to 99 %", "soft": "Soft, 0.1 to 99.9 %", "strong": "Strong, 5 to 95 %", "full": "Full range", "volume": "As in the viewer",
}  # fmt: skip
"""Offered contrasts: percentiles of the slices that become black and white; the viewer's are those of all voxels of the finest level."""

DEFAULT_CONTRAST = "normal"
LONGEST = 768
"""Pixels along the longer edge up to which the finest level is taken."""

SMALLEST = 512
"""Pixels along the longer edge to which smaller pictures are enlarged, so that what is drawn on them is smooth."""

STEPS = (-10, -1, 1, 10)
Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """One plane of a volume, in the words of its address."""

    axis: str = "z"
    index: int | None = None
    """Slice counted in voxels of level 0; none is the middle."""

    level: int | None = None
    contrast: str = DEFAULT_CONTRAST
    overlay: str = ""
    """Prefixed identifier of the annotation drawn on it."""

    def query(self) -> Mapping[str, object]:
        """Give the parameters of its address; those at their default are left out."""
        return {
            "axis": self.axis if self.axis != "z" else None, "index": self.index, "level": self.level,
            "contrast": self.contrast if self.contrast != DEFAULT_CONTRAST else None, "overlay": self.overlay or None,
        }  # fmt: skip


def shown_edges(shape: Sequence[int], axis: str) -> tuple[int, int]:
    """Give height and width of a plane of a ``(z, y, x)`` volume."""
    z, y, x = shape
    return {"z": (y, x), "y": (z, x), "x": (y, z)}[axis]


def level_for(shapes: Sequence[Sequence[int]], axis: str) -> int:
    """Choose the finest level whose plane is not longer than it need be; the coarsest if all are."""
    fits = (n for n, shape in enumerate(shapes) if max(shown_edges(shape, axis)) <= LONGEST)
    return next(fits, len(shapes) - 1)


def halved(shape: Triple, levels: int) -> list[Triple]:
    """Give the shapes that a pyramid of so many levels has, each half the one before."""
    z, y, x = shape
    return [(-(-z // 2**n), -(-y // 2**n), -(-x // 2**n)) for n in range(max(1, levels))]


def picture(tomogram: int, cut: Cut) -> str:
    """Give the address of the picture of a plane of a tomogram."""
    return str(Address(f"/tomograms/{tomogram}/slice.webp").set(dict(cut.query())))


def section(tiltseries: int, index: int | None = None) -> str:
    """Give the address of the picture of a section of a tilt series."""
    return str(Address(f"/tilt-series/{tiltseries}/section.webp").set({"index": index}))
