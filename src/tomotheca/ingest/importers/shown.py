"""What the viewer opens of an annotation: its points as precomputed annotations, beside the file that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.formats import precomputed
from tomotheca.store import manifest
from tomotheca.store.members import Member

if TYPE_CHECKING:
    from tomotheca.formats.ndjson import RowType
    from tomotheca.formats.points import Points
    from tomotheca.ingest.importers.common import Recipes
    from tomotheca.ingest.importers.points import PointFile
    from tomotheca.ingest.transfer import Past
    from tomotheca.ingest.work import Context
    from tomotheca.store.manifest import Entry

ROLE = "viewer"


@dataclass(frozen=True, slots=True)
class Shown:
    """Where points are to be shown from, and how."""

    key: str
    """Key of the folder, with its final slash."""

    file: PointFile
    row_type: RowType


def show(context: Context, past: Past, recipes: Recipes, shown: Shown, points: Points) -> tuple[Entry, int]:
    """Write the folder, unless it is there from the same points; its entry, and how many bytes were written."""
    file = shown.file
    recipe = recipes.note(shown.key, [file.recipe, precomputed.VERSION])
    entry = past.entry(shown.key)
    if entry and past.unchanged([file.source]) and past.provenance.get("recipes", {}).get(shown.key) == recipe:
        return entry, 0
    frame = precomputed.Frame(file.frame.spacing, file.frame.shape)
    with context.files.stage(shown.key) as folder:
        made = precomputed.write(folder, points, frame, kind=shown.row_type)
    members = [Member(m.path, m.size, m.sha256) for m in made]
    entry = manifest.describe_members(context.files, shown.key, ROLE, members)
    return entry, entry.size
