"""What all importers write into their documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tomotheca.ingest.work import LOGIC, Origin, digest, plain

if TYPE_CHECKING:
    from tomotheca.ingest.transfer import Volume


@dataclass(slots=True)
class Recipes:
    """How each converted file was made: equal recipes and equal sources give equal files."""

    made: dict[str, str] = field(default_factory=dict)

    def of(self, volume: Volume) -> str:
        """Give, and keep, the recipe of a volume."""
        bare = replace(
            volume, source=replace(volume.source, path="", local=type(volume.source.local)(), size=0, mtime=0)
        )
        self.made[volume.mrc] = digest([LOGIC, plain(bare)])
        return self.made[volume.mrc]

    def note(self, key: str, recipe: Any) -> str:
        """Give, and keep, the recipe of something else."""
        self.made[key] = digest([LOGIC, recipe])
        return self.made[key]


def provenance(origin: Origin, sources: Sequence[dict[str, Any]], recipes: Recipes | None = None) -> dict[str, Any]:
    """Say where a document comes from."""
    said: dict[str, Any] = {
        "tool": origin.tool,
        "version": origin.version,
        "configuration": origin.configuration,
        "sources": list(sources),
    }
    if recipes and recipes.made:
        said["recipes"] = recipes.made
    return said
