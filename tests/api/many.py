"""A catalogue with more rows than a small limit lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomotheca.catalog.build import fingerprint, note
from tomotheca.catalog.catalog import Catalog
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

PARENTS, CHILDREN, HIDDEN_RUNS = 60, 20, 500
FRAMES = 30_000
LIMIT = 3000


def fill(root: Path, url: str) -> None:
    """Write a catalogue of a public dataset with runs and tomograms, and a private one with many runs."""
    (root / "archive").mkdir(parents=True)
    (root / "state").mkdir()
    catalog = Catalog(url)
    tables = catalog.tables

    def row(kind: str, number: int, owner: int, **values: Any) -> dict[str, Any]:
        empty = {
            c.name: None
            if c.nullable
            else {int: 0, float: 0.0, bool: False}.get(
                c.type, "2024-01-01T00:00:00+00:00" if c.type is not str else "x"
            )
            for c in SCHEMA.columns(kind)
        }
        choices = {c.name: c.choices[0] for c in SCHEMA.columns(kind) if c.choices and not c.nullable}
        return {**empty, **choices, **values, "id": number, "_owner": owner, "_gate": None}

    with catalog.engine.begin() as connection:
        tables.metadata.create_all(connection)
        datasets = [row("dataset", number, number, deposition_id=1, title=f"Dataset {number}") for number in (1, 2)]
        runs = [row("run", n, 1, dataset_id=1, name=f"r{n}") for n in range(1, PARENTS + 1)]
        runs += [row("run", 10_000 + n, 2, dataset_id=2, name="hidden") for n in range(HIDDEN_RUNS)]
        tomograms = [
            row("tomogram", n, 1, run_id=1 + n % PARENTS, deposition_id=1) for n in range(1, PARENTS * CHILDREN + 1)
        ]
        frames = [
            row("frame", n, 1, run_id=1 + n % PARENTS, deposition_id=1, s3_frame_path=f"1/frames/{n}.tiff")
            for n in range(1, FRAMES + 1)
        ]
        for kind, rows in (("dataset", datasets), ("run", runs), ("tomogram", tomograms), ("frame", frames)):
            connection.execute(tables.kinds[kind].insert(), rows)
        connection.execute(
            tables.visibility.insert(), [{"kind": "dataset", "id": 2, "state": "private", "until": None}]
        )
        note(connection, tables, version="1", schema=fingerprint(tables))
    catalog.engine.dispose()
