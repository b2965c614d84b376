"""Datasets and depositions as rows of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.web import format as formats
from tomotheca.web import links, summaries
from tomotheca.web.address import Address
from tomotheca.web.facets import Scope, matching_of
from tomotheca.web.people import People, find_people
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.web.page import Asked
    from tomotheca.web.panel import Filtered


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset in a list."""

    id: int
    identifier: str
    href: str
    title: str
    picture: summaries.Picture
    authors: People
    empiar: tuple[links.Piece, ...]
    organism: str
    organism_href: str
    sample: str
    runs: int
    matching: int | None
    """Runs that the filters leave, where filters ask about runs."""

    objects: summaries.Objects
    annotations: int
    tomograms: int
    voxels: str
    quality: tuple[formats.Bar, ...]
    unrated: int
    size: float | None
    released: str
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class DepositionRow:
    """A deposition in a list."""

    id: int
    identifier: str
    href: str
    title: str
    picture: summaries.Picture
    authors: People
    deposited: str
    released: str
    types: tuple[str, ...]
    annotations: int
    tomograms: int
    datasets: int
    objects: summaries.Objects


def dataset_rows(asked: Asked, ids: Sequence[int], found: Filtered | None = None) -> list[DatasetRow]:
    """Give datasets as lists show them: one statement per column that needs one."""
    runs, annotations = (
        summaries.counts(asked, "run", "dataset_id", ids),
        summaries.counts(asked, "annotation", "_owner", ids),
    )
    volumes = {
        r["owner"]: r
        for r in summaries.group(
            asked, "tomogram", "_owner", ids, ("count", ""), ("min", "voxel_spacing"), ("max", "voxel_spacing")
        )
    }
    objects, scores = summaries.objects(asked, "_owner", ids), summaries.scores(asked, "_owner", ids)
    authors, matching = find_people(asked, "dataset", ids), _matching(asked, ids, found)
    out, rows = [], summaries.find_in_order(asked, "dataset", ids)
    photos = summaries.pictures(asked, "dataset", rows)
    for d in rows:
        i, name, v = d["id"], asked.name("dataset", d["id"]), volumes.get(d["id"])
        out.append(
            DatasetRow(
                i, name, _with_filters(asked, links.page("dataset", i), found), d["title"],
                photos[i], authors[i],
                links.named(d["related_database_entries"], "EMPIAR"), d["organism_name"] or "",
                str(Address("/browse-data/datasets", (("organism", d["organism_name"] or ""),))), label("sample_type_enum", d["sample_type"]) if d["sample_type"] else "",
                runs[i], matching.get(i, 0) if matching is not None else None, objects.get(i, summaries.Objects()), annotations[i], v["n"] if v else 0,
                formats.span([v["min_voxel_spacing"], v["max_voxel_spacing"]], "Å") if v else "", formats.distribution(scores.get(i, {})),
                scores.get(i, {}).get(None, 0), d["file_size"], formats.date(d["release_date"]), hidden_note(d),
            )
        )  # fmt: skip
    return out


def hidden_note(row: Mapping[str, object]) -> str:
    """Say of what visitors do not see why they do not."""
    state = row.get("visibility_state") or "public"
    if state == "embargoed":
        until = str(row.get("visibility_until") or "")
        return say("Embargoed until {}", until[:10]) if until > formats.now() else ""
    return say("Private") if state == "private" else ""


def _matching(asked: Asked, ids: Sequence[int], found: Filtered | None) -> dict[int, int] | None:
    """Count the runs of each dataset that meet the filters on runs."""
    if found is None or not found.on_runs:
        return None
    scope = Scope(asked.portal, "run", asked.viewer, asked.version)
    return matching_of(scope, [a for a in found.active if a.filter.level != "dataset"], "dataset", ids)


def _with_filters(asked: Asked, path: str, found: Filtered | None) -> str:
    """Carry filters that a dataset's page can apply into its link."""
    if found is None or not found.on_runs:
        return path
    carried = {a.filter.parameter for a in found.active if a.filter.level not in {"dataset", "deposition"}}
    return str(asked.address.at(path).only(carried))


def deposition_rows(asked: Asked, ids: Sequence[int], _: Filtered | None = None) -> list[DepositionRow]:
    """Give depositions as lists show them."""
    counts = {
        kind: summaries.counts(asked, kind, "deposition_id", ids) for kind in ("annotation", "tomogram", "dataset")
    }
    objects, authors = summaries.objects_of_deposition(asked, ids), find_people(asked, "deposition", ids)
    types: dict[int, list[str]] = {}
    for r in summaries.group(asked, "deposition_type", "deposition_id", ids, "type"):
        types.setdefault(r["owner"], []).append(label("deposition_types_enum", r["type"]))
    rows = summaries.find_in_order(asked, "deposition", ids)
    photos = summaries.pictures(asked, "deposition", rows)
    return [
        DepositionRow(
            d["id"], asked.name("deposition", d["id"]), links.page("deposition", d["id"]), d["title"],
            photos[d["id"]],
            authors[d["id"]], formats.date(d["deposition_date"]), formats.date(d["release_date"]), tuple(sorted(types.get(d["id"], ()))),
            counts["annotation"][d["id"]], counts["tomogram"][d["id"]], counts["dataset"][d["id"]], objects.get(d["id"], summaries.Objects()),
        )
        for d in rows
    ]  # fmt: skip
