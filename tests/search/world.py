"""The catalogue that the queries of ``tests/data/search`` are asked of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.world import DAY, World

from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog

FOLDER = Path(__file__).parent.parent / "data/search"
ORCID = "0000-0002-1825-0097"
"""ORCID's own example."""

ITS = "Irma Talvinen"


@dataclass(frozen=True)
class Line:
    """A line of the list of datasets."""

    id: int
    deposition: int
    title: str
    organism: str
    taxid: int
    sample: str
    strain: str
    component: str
    objects: str
    authors: str
    entries: str
    software: str
    runs: str
    description: str


def lines(name: str) -> Iterator[list[str]]:
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def datasets() -> list[Line]:
    return [Line(int(a), int(b), c, d, int(e), *rest) for a, b, c, d, e, *rest in lines("datasets.tsv")]


def build(folder: Path, url: str) -> tuple[Settings, Catalog, World]:
    settings = Settings(root=folder, catalog_url=url, public_url="http://portal.test")
    settings.archive_folder.mkdir(parents=True)
    world = World(folder)
    depositions: set[int] = set()
    for line in datasets():
        if line.deposition not in depositions:
            depositions.add(line.deposition)
            world.add("deposition", id=line.deposition, owner=line.deposition, title=f"Data of {line.authors.split(';')[0]}, batch {line.deposition}",
                      description="Submitted together.", visibility_state="public")  # fmt: skip
        dataset(world, line)
    return settings, world.save(settings), world


def dataset(world: World, line: Line, state: str = "public", until: str | None = None) -> None:
    world.owner = line.id
    world.add(
        "dataset", id=line.id, deposition_id=line.deposition, title=line.title, description=line.description, organism_name=line.organism, organism_taxid=line.taxid,
        sample_type=line.sample, cell_strain_name=line.strain, cell_component_name=line.component, related_database_entries=line.entries, visibility_state=state,
        visibility_until=until, release_date=DAY, s3_prefix=f"{line.id}/", https_prefix=f"{line.id}/",
    )  # fmt: skip
    for place, name in enumerate(line.authors.split(";")):
        world.add(
            "dataset_author",
            dataset_id=line.id,
            name=name,
            author_list_order=place + 1,
            orcid=ORCID if name == ITS else None,
        )
    for name in line.runs.split(","):
        run = world.add(
            "run", dataset_id=line.id, name=name, s3_prefix=f"{line.id}/{name}/", https_prefix=f"{line.id}/{name}/"
        )
        world.add("tomogram", run_id=run, deposition_id=line.deposition, name=name, reconstruction_software=line.software.split(";")[0],
                  processing_software=line.software.split(";")[-1])  # fmt: skip
        for thing in line.objects.split(";"):
            word, _, identifier = thing.partition("=")
            world.add("annotation", run_id=run, deposition_id=line.deposition, object_name=word, object_id=identifier, annotation_method="by hand",
                      ground_truth_status=False, s3_metadata_path="a.json", https_metadata_path="a.json")  # fmt: skip
