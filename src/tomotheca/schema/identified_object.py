"""Identified objects: what the authors say is present in a run, labelled or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Computed, Drawer, Listed, Ontology, Private, Public, Ref, Rows, Search


class IdentifiedObject(Entity):
    """An object that the authors say is present in a run."""

    kind: ClassVar = "identified_object"
    root: ClassVar = "identifiedObjects"
    title: ClassVar = "Identified object"
    refs: ClassVar = (Ref("run_id", "run", "identified_objects"),)

    object_id: Annotated[
        str, Public(nullable=False), Drawer("Object", "Object ID"), Search("terms"), Ontology(), Listed
    ]
    """Identifier of the object in an ontology."""

    object_name: Annotated[str, Public(nullable=False), Drawer("Object", "Name"), Search("objects"), Listed]
    """Name of the object."""

    object_description: Annotated[str | None, Drawer("Object", "Description"), Search("description")] = None
    """Description of the object."""

    object_state: Annotated[str | None, Drawer("Object", "State"), Search("objects")] = None
    """State of the object."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a run: the ontology identifier."""
        return str(item["object_id"])


class IdentifiedObjects(Document):
    """List of the objects present in a run."""

    filename: ClassVar = "identified_objects_metadata.json"

    objects: Annotated[list[IdentifiedObject], Rows("identified_object"), Computed] = []
    """Objects; on disk they stand in a file of their own beside this document."""

    object_count: Annotated[int | None, Private, Computed] = None
    """Number of objects."""
