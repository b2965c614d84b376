"""What a document cannot know of itself: where it lies, what it belongs to, the sizes and identifiers of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """Everything `rows()` needs besides the document."""

    key: str
    """Archive key of the document, such as ``10001/TS_1/run_metadata.json``."""

    parents: Mapping[str, int] = field(default_factory=dict)
    """Foreign keys that follow from the place in the archive: ``dataset_id``, ``run_id``, ``tomogram_voxel_spacing_id``."""

    ids: Mapping[str, int] = field(default_factory=dict)
    """Identifier by archive key, of documents and of files that other documents name (a tilt series by its MRC file)."""

    frames: Mapping[int, int] = field(default_factory=dict)
    """Identifier of each frame of the run by acquisition order."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes by archive key, from the manifests."""

    dataset_deposition: int | None = None
    """Deposition of the dataset that the document lies in."""

    standard_alignments: frozenset[str] = frozenset()
    """Keys of the alignment documents that are portal standard."""

    document: Mapping[str, Any] = field(default_factory=dict)
    """The whole document, while rows of its lists are made."""

    position: int = 0
    """Index in the list, from 0."""

    owner: int = 0
    """Identifier of the dataset or deposition that is replaced as a whole when it is indexed again."""

    gate: int | None = None
    """Deposition that must be visible for the row to be."""

    @property
    def folder(self) -> str:
        """Folder of the document, without a slash at the end."""
        return self.key.rpartition("/")[0]

    def of(self, parents: Mapping[str, int], **changes: Any) -> Context:
        """Give the context of something below this document."""
        return replace(self, parents={**self.parents, **parents}, **changes)

    def child_id(self, kind: str, natural: str) -> int:
        """Give the identifier that the document keeps for one of its rows.

        Raises
        ------
        KeyError
            If the document has none: it was not completed by ingest or adopt.
        """
        return int(self.document["ids"][kind][natural])


def own_key(_: Mapping[str, Any], context: Context) -> str:
    """Give the key of the document itself."""
    return context.key


def folder_prefix(_: Mapping[str, Any], context: Context) -> str:
    """Give the folder of the document, with a slash at the end."""
    return context.folder + "/"
