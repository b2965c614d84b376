"""New identifiers for the rows of a dump, where those it came with are taken; where each row is from is kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.catalog.dumpread import GATE, SUFFIX, Findings, Reader
from tomotheca.catalog.loaded import ORIGINS
from tomotheca.desk.desk import CONFIGURED
from tomotheca.errors import FindingsError

if TYPE_CHECKING:
    from tomotheca.desk import Desk
    from tomotheca.schema import Schema

Numbers = dict[str, dict[int, int]]
"""New identifiers by kind and old one."""

LINE = orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True)
class Renumbering:
    """Gives the rows of a dump identifiers from the desk; a row that has been renumbered before keeps the one it got then."""

    schema: Schema
    desk: Desk
    folder: Path
    """Copy of the dump, which is rewritten."""

    origin: str
    """Where the rows are from."""

    def run(self, before: Path | None) -> None:
        """Rewrite the dump, and write where its rows are from.

        Parameters
        ----------
        before : Path, optional
            Folder of the dump that this one replaces.

        Raises
        ------
        FindingsError
            If the dump breaks the schema.
        """
        numbers = self._new(self._old(), known(before) if before else {})
        for kind in self.schema.kinds:
            self._rewrite(kind, numbers)
        with (self.folder / ORIGINS).open("wb") as out:
            for kind, pairs in numbers.items():
                for old, new in pairs.items():
                    origin = {"url": self.origin, "id": old}
                    out.write(orjson.dumps({"kind": kind, "id": new, "origin": origin}, option=LINE))

    def _old(self) -> dict[str, list[int]]:
        """Give every identifier that the dump uses by kind, those that it only points at last."""
        found: dict[str, dict[int, None]] = {kind: {} for kind in self.schema.kinds}
        pointed: dict[str, dict[int, None]] = {kind: {} for kind in self.schema.kinds}
        reader = Reader(self.schema, self.folder, Findings())
        for kind in self.schema.kinds:
            for block in reader.blocks(kind):
                found[kind].update(dict.fromkeys(block.columns["id"]))
                pointed["deposition"].update(dict.fromkeys(g for g in block.gates if g is not None))
                for ref in self.schema.kinds[kind].refs:
                    pointed[ref.kind].update(dict.fromkeys(v for v in block.columns[ref.column] if v is not None))
        if reader.findings.errors:
            raise FindingsError(reader.findings.found)
        return {kind: [*ids, *(n for n in pointed[kind] if n not in ids)] for kind, ids in found.items()}

    def _new(self, old: Mapping[str, list[int]], before: Numbers) -> Numbers:
        numbers: Numbers = {}
        for kind, ids in old.items():
            kept = before.get(kind, {})
            fresh = iter(self._reserve(kind, sum(n not in kept for n in ids)))
            numbers[kind] = {n: kept[n] if n in kept else next(fresh) for n in ids}
        return numbers

    def _reserve(self, kind: str, count: int) -> range:
        if not count:
            return range(0)
        if kind not in CONFIGURED:
            return self.desk.reserve(kind, count)
        first = self.desk.high_water().get(kind, 0) + 1
        self.desk.raise_above(kind, first + count - 1)
        return range(first, first + count)

    def _rewrite(self, kind: str, numbers: Numbers) -> None:
        path = self.folder / f"{kind}{SUFFIX}"
        if not path.is_file():
            return
        columns = [("id", numbers[kind]), (GATE, numbers["deposition"])]
        columns += [(ref.column, numbers[ref.kind]) for ref in self.schema.kinds[kind].refs]
        new = path.with_name(f"{path.name}.new")
        with path.open("rb") as source, new.open("wb") as out:
            for row in _objects(source):
                for name, known_as in columns:
                    if row.get(name) is not None:
                        row[name] = known_as[row[name]]
                out.write(orjson.dumps(row, option=LINE))
        new.replace(path)


def _objects(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    return (orjson.loads(line) for line in lines if line.strip())


def known(folder: Path) -> Numbers:
    """Give the identifiers that the rows of a loaded dump got, by kind and by what they were."""
    path = folder / ORIGINS
    numbers: Numbers = {}
    if path.is_file():
        with path.open("rb") as source:
            for row in _objects(source):
                numbers.setdefault(row["kind"], {})[row["origin"]["id"]] = row["id"]
    return numbers
