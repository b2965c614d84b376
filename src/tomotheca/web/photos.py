"""What a key photo shows, and who made it: it is told by its digest, which a picture of a tomogram shares when it was taken from there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.web.summaries import MIDDLE, Picture, key_of, pictures
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

FEW = 200
"""Tomograms whose pictures a key photo is compared with, the first ones; ingest takes it from one of the first."""


def key_photo(asked: Asked, kind: str, row: Row) -> Picture:
    """Give the key photo of a dataset or deposition, with its caption."""
    found = pictures(asked, kind, [row], width=MIDDLE)[row["id"]]
    return replace(found, caption=_caption(asked, kind, row, found.alt)) if found.src else found


def _caption(asked: Asked, kind: str, row: Row, alt: str) -> str:
    key = key_of(asked, row["key_photo_url"] or row["key_photo_thumbnail_url"])
    if not key:
        return say("{}, generated", alt)
    catalog = asked.portal.catalog
    c, f = catalog.compiler(asked.viewer), catalog.tables.file
    t, pair = c.table("tomogram"), catalog.tables.deposition_dataset
    datasets = sa.select(pair.c.dataset_id).where(pair.c.deposition_id == row["id"])
    mine = t.c._owner == row["id"] if kind == "dataset" else t.c._owner.in_(datasets)
    first = sa.select(t.c.id).where(mine, *c.visible("tomogram", t)).order_by(t.c.id).limit(FEW)
    digest = sa.select(f.c.sha256).where(f.c.key == key).scalar_subquery()
    same = sa.select(
        sa.func.min(f.c.entity_id).label("tomogram"),
        sa.select(sa.func.count()).select_from(first.subquery()).scalar_subquery().label("n"),
    )
    answer = catalog.execute(
        same.where(f.c.kind == "tomogram", f.c.entity_id.in_(first), f.c.role == "image", f.c.sha256 == digest)
    )[0]
    if answer["tomogram"] is not None:
        return say("Central slice of {}, generated", asked.name("tomogram", answer["tomogram"]))
    return say("Given by the authors") if answer["n"] < FEW else alt
