"""One shape of an annotation: what it is made from, where its files go, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.headers import Triple
    from tomotheca.ingest.importers.alignment import Aligned
    from tomotheca.ingest.importers.captions import CaptionFile
    from tomotheca.ingest.importers.common import Recipes
    from tomotheca.ingest.importers.meshes import MeshFile
    from tomotheca.ingest.importers.points import PointFile
    from tomotheca.ingest.scene import RunScene
    from tomotheca.ingest.transfer import Past, Volume
    from tomotheca.ingest.work import Context, Input
    from tomotheca.store import layout
    from tomotheca.store.manifest import Entry


@dataclass(frozen=True, slots=True)
class ShapeWork:
    """One shape of an annotation."""

    shape: str
    made_from: PointFile | Volume | MeshFile | CaptionFile
    keys: tuple[str, ...]
    """Keys of its files."""

    is_visualization_default: bool
    is_portal_standard: bool
    shown: str = ""
    """Key of the folder that the viewer opens; empty where it opens one of the files, or nothing."""

    shown_at_points: str = ""
    """Key of the folder of meshes that the viewer opens beside points; empty where there are none."""

    @property
    def sources(self) -> tuple[Input, ...]:
        """The files it is made from."""
        mesh = getattr(self.made_from, "mesh", None)
        return (self.made_from.source, mesh.source) if mesh else (self.made_from.source,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Keys of its files and of what the viewer opens."""
        return (*self.keys, *(key for key in (self.shown, self.shown_at_points) if key))


@dataclass(frozen=True, slots=True)
class ShapeMade:
    """A shape that is in its place."""

    entries: tuple[Entry, ...]
    written: int
    count: int | None = None
    """How many objects it has; None for what does not tell them apart."""

    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """What the making of every shape uses."""

    context: Context
    past: Past
    recipes: Recipes

    def known(self, key: str, recipe: str, *sources: Input) -> Entry | None:
        """Give the entry of a file that an earlier ingest made of the same sources in the same way."""
        if not self.past.unchanged(sources) or self.past.provenance.get("recipes", {}).get(key) != recipe:
            return None
        return self.past.entry(key)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the shapes of one annotation are planned."""

    run: RunScene
    item: Item
    place: layout.Annotation
    stem: str
    aligned: Aligned
    volume: Triple | None
    """Size of the tomogram, z, y, x, where one is known."""

    @property
    def spacing(self) -> float:
        """Å."""
        return float(self.place.spacing.spacing)

    def key(self, suffix: str) -> str:
        """Key of a file of the item's shape."""
        return self.place.shape(self.stem, self.item.source.shape, suffix)
