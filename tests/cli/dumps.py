"""Dumps for tests, and commands run in this process."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.homes import Homes
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import is_matrix

if TYPE_CHECKING:
    from tomotheca.schema.core import Column

Rows = dict[str, list[dict[str, Any]]]

ODD = (
    "plain", "", " ", "a\nb\tc", 'say "hi" \\ back', "Ångström α β γ", "é e\u0301", "\u2028line", "🧊", "null", "100%", "<script>alert(1)</script>",
    "'; DROP TABLE run; --", "x" * 3000, "\x7f\x01", '{"a": [1]}', "s3://not/an/address/column",
)  # fmt: skip


def value(draw: random.Random, kind: str, column: Column) -> Any:
    """Give a value for a column, null where it may be."""
    if (column.nullable or column.missing is not None) and draw.random() < 0.3:
        return None
    if column.enum:
        return draw.choice(column.choices)
    if column.location:
        return draw.choice(
            ["https://elsewhere.example/a b?c=%20#d", "s3://bucket/10/x.mrc", f"https://h.example/{draw.random()}"]
        )
    if is_matrix(kind, column):
        return [[1.5, draw.random()], [0.0, -1e-7]]
    choices: Mapping[type, Callable[[], Any]] = {
        int: lambda: draw.choice([0, -5, 2**31 - 1, draw.randrange(1000)]),
        float: lambda: draw.choice([0.1 + 0.2, 1e11, -3.5, 1e-300, 7.0, draw.random()]),
        bool: lambda: draw.random() < 0.5,
        str: lambda: draw.choice(ODD),
        list: lambda: "[[1, 0], [0, 1]]",
        datetime: lambda: f"20{draw.randrange(10, 14)}-0{draw.randrange(1, 9)}-01T00:00:00+00:00",
    }
    return choices[column.type]()


def odd_rows(seed: int = 1, count: int = 12, first: int = 1) -> Rows:
    """Give rows of every kind with every sort of value; foreign keys lead to rows of the same dump."""
    draw, homes, made = random.Random(seed), Homes(SCHEMA), Rows()
    for entity in SCHEMA:
        made[entity.kind] = []
        owners = [ref.column for ref in homes.owners(entity.kind)]
        for number in range(first, first + count):
            row: dict[str, Any] = {"id": number}
            for column in SCHEMA.columns(entity.kind)[1:]:
                if column.ref is None and column.public and not column.personal:
                    row[column.name] = value(draw, entity.kind, column)
                elif column.ref and (column.name in owners[:1] or not column.nullable or draw.random() < 0.8):
                    row[column.name] = draw.choice(made[column.ref.kind])["id"]
            made[entity.kind].append(row)
    return made


def write(folder: Path, rows: Mapping[str, list[dict[str, Any]]]) -> Path:
    """Write a dump."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, found in rows.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        (folder / f"{kind}.ndjson").write_text(text, encoding="utf-8")
    return folder


def small(
    dataset: int = 10001, deposition: int = 10300, *, run: int = 1, runs: int = 2, bucket: str = "s3://old"
) -> Rows:
    """Give a dump of one dataset with a tomogram for each run."""
    dates = dict.fromkeys(("deposition_date", "release_date", "last_modified_date"), "2025-01-01T00:00:00+00:00")
    about = {"title": f"Dataset {dataset}", "description": "Words", **dates}
    prefix = f"{bucket}/{dataset}/"
    volume = {
        "size_x": 4, "size_y": 4, "size_z": 4, "voxel_spacing": 10.0, "fiducial_alignment_status": "FIDUCIAL", "reconstruction_method": "WBP",
        "processing": "raw", "reconstruction_software": "S", "offset_x": 0, "offset_y": 0, "offset_z": 0,
    }  # fmt: skip
    numbers = range(run, run + runs)
    return {
        "deposition": [{"id": deposition, "title": f"Deposition {deposition}", "description": "Words", **dates}],
        "dataset": [{"id": dataset, "deposition_id": deposition, **about, "s3_prefix": prefix, "https_prefix": f"https://old.example/files/{dataset}/"}],
        "run": [
            {"id": n, "dataset_id": dataset, "name": f"TS_{n}", "s3_prefix": f"{prefix}TS_{n}/", "https_prefix": f"https://old.example/files/{dataset}/TS_{n}/"}
            for n in numbers
        ],
        "tomogram": [
            {"id": n, "run_id": n, "deposition_id": deposition, **volume, "s3_mrc_file": f"{prefix}TS_{n}/t.mrc", "s3_omezarr_dir": f"{prefix}TS_{n}/t.zarr"}
            for n in numbers
        ],
        "tomogram_author": [{"id": n, "tomogram_id": n, "name": "Ada Fictional", "author_list_order": 1} for n in numbers],
    }  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Give the bytes of every file directly in a folder."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def read(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Give the rows of a kind in a dump."""
    with (folder / f"{kind}.ndjson").open(encoding="utf-8", newline="\n") as lines:
        yield from map(json.loads, lines)
