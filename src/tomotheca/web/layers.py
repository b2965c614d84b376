"""Which annotations the viewer shows at first, and why the others are off. The same rules give the same answer every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.web import coarse
from tomotheca.web.precomputed import read_points
from tomotheca.web.summaries import key_of
from tomotheca.web.words import say

if TYPE_CHECKING:
    import numpy.typing as npt

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked
    from tomotheca.web.viewer import Shape, Wanted

    Bools = npt.NDArray[np.bool_]

MOST_ON = 12
LARGEST_SHARE, LARGEST_OVERLAP = 0.2, 0.5
POINTS = frozenset({"Point", "OrientedPoint", "InstanceSegmentation"})
SAMPLE = 100
"""Points of a layer that are looked for inside a mask."""

Located = Callable[["Asked", str], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Layer:
    """Whether a shape is on, and the rule that decided it."""

    place: int
    """Of the shape in the list that was chosen from."""

    on: bool
    rule: str


def choose(asked: Asked, shapes: Sequence[Shape], wanted: Wanted, tomogram: Row) -> list[Layer]:
    """Decide for each shape, given in the order of preference, whether its layer is on."""
    return _Choice(asked, shapes, wanted, tomogram).made()


class _Choice:
    """One decision over all shapes of a run."""

    def __init__(self, asked: Asked, shapes: Sequence[Shape], wanted: Wanted, tomogram: Row) -> None:
        self.asked, self.shapes, self.wanted, self.tomogram = asked, shapes, wanted, tomogram
        self.rules: dict[int, str] = {}
        self.on: list[int] = []

    def made(self) -> list[Layer]:
        only = self.wanted.annotation is not None or self.wanted.deposition is not None
        fitting = [i for i in range(len(self.shapes)) if self._fits(i)]
        defaults = [] if only else [i for i in fitting if self.shapes[i].file["is_visualization_default"]]
        for i in range(len(self.shapes)):
            if i not in fitting:
                here = self.asked.name("tomogram", self.tomogram["id"])
                self.rules[i] = say("Made under another alignment than {}: it would lie in the wrong place.", here)
        if defaults:
            for i in fitting:
                if i not in defaults:
                    self.rules[i] = say("The authors chose other layers to begin with.")
        considered = self._one_each(defaults or fitting, by_object=not only and not defaults)
        considered.sort(
            key=lambda i: self.shapes[i].shape not in POINTS
        )  # so that masks are compared with all points that are on
        for i in considered:
            self._consider(i, check=not only and not defaults)
        return [Layer(i, i in self.on, self.rules.get(i, "")) for i in range(len(self.shapes))]

    def _fits(self, i: int) -> bool:
        return self.shapes[i].file["alignment_id"] in {None, self.tomogram["alignment_id"]}

    def _one_each(self, candidates: Sequence[int], *, by_object: bool) -> list[int]:
        """Keep one shape of each annotation and, unless something is asked for by name, one annotation of each object."""
        kept: list[int] = []
        annotations: dict[int, int] = {}
        objects: dict[str, int] = {}
        for i in candidates:
            a = self.shapes[i].annotation
            if a["id"] in annotations:
                self.rules[i] = say("Another shape of the same annotation is shown.")
            elif by_object and a["object_id"] in objects:
                first = self.shapes[objects[a["object_id"]]].annotation
                self.rules[i] = say(
                    "{} shows the same object and comes first.", self.asked.name("annotation", first["id"])
                )
            else:
                kept.append(i)
            annotations.setdefault(a["id"], i)
            objects.setdefault(a["object_id"], i)
        return kept

    def _consider(self, i: int, *, check: bool) -> None:
        if len(self.on) >= MOST_ON:
            self.rules[i] = say("{} layers are shown already.", MOST_ON)
        elif check and (hidden := self._hides(i)):
            self.rules[i] = hidden
        else:
            self.on.append(i)

    def _hides(self, i: int) -> str:
        """Say what a mask would hide; nothing for points, or a mask that cannot be read."""
        if self.shapes[i].shape in POINTS:
            return ""
        there = self._mask(i)
        if there is None:
            return ""
        share = float(there.mean())
        if share > LARGEST_SHARE:
            return say("It covers {:.0%} of the volume: more than {:.0%} would hide too much.", share, LARGEST_SHARE)
        for other in self.on:
            covered = self._covered(other, there)
            if covered > LARGEST_OVERLAP:
                name = self.asked.name("annotation", self.shapes[other].annotation["id"])
                return say("It covers {:.0%} of {}, which is shown.", covered, name)
        return ""

    def _mask(self, i: int) -> Bools | None:
        key = key_of(self.asked, self.shapes[i].file["s3_path"])
        return (
            coarse.mask(self.asked, f"{key.rstrip('/')}/") if key and self.shapes[i].file["format"] == "zarr" else None
        )

    def _covered(self, other: int, there: Bools) -> float:
        """Give the share of a layer that lies inside a mask."""
        s = self.shapes[other]
        if s.shape not in POINTS:
            mask = self._mask(other)
            if mask is None or mask.shape != there.shape or not mask.any():
                return 0.0
            return float((mask & there).sum() / mask.sum())
        points = read_points(self.asked, key_of(self.asked, s.file["s3_path"]))[:SAMPLE]
        size = np.array([self.tomogram[f"size_{a}"] for a in "zyx"]) * self.tomogram["voxel_spacing"]
        spacing = s.spacing or self.tomogram["voxel_spacing"]
        found = [[float(p["location"][a]) * spacing for a in "zyx"] for p in points]
        if not found:
            return 0.0
        index = np.clip((np.array(found) / size * there.shape).astype(int), 0, np.array(there.shape) - 1)
        return float(there[tuple(index.T)].mean())
