"""Rows -> JSON, NDJSON, CSV and Parquet, piece by piece. REST, the catalogue files and `dump` write with these.

A writer takes the fields and an iterator of rows, each row a sequence of values in the order of the fields, as the catalogue gives
them: text for dates, JSON text (or a list) for lists, 0 and 1 or booleans for booleans. None of them holds all rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

import orjson

from tomotheca.errors import MissingExtraError

Values = Sequence[Any]

PIECE = 1 << 16
"""Bytes of a piece, about."""

BATCH = 2048
"""Rows that are turned into columns at once."""

ROW_GROUP = 16 << 20
"""Bytes of a row group of Parquet in memory, at most about."""

ROWS_OF_GROUP = 1 << 16
"""Rows of a row group of Parquet, at most about."""


class Field(Protocol):
    """What a writer has to know of a column; columns of the schema are such fields."""

    @property
    def name(self) -> str:
        """Name in the output."""

    @property
    def type(self) -> type:
        """One of int, float, bool, str, datetime, and list for a value that is a list in JSON."""


@dataclass(frozen=True, slots=True)
class Named:
    """A field with a name of its own, such as ``dataset.title``."""

    name: str
    type: type


@dataclass(frozen=True, slots=True)
class Writer:
    """One format."""

    media_type: str
    extension: str
    write: Callable[[Sequence[Field], Iterable[Values]], Iterator[bytes]]
    """Gives the output in pieces. What cannot be written at all is raised by the call, before the first piece."""


def _listed(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


def _text_of_list(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def objects(fields: Sequence[Field], rows: Iterable[Values]) -> Iterator[dict[str, Any]]:
    """Give each row as a JSON object: booleans as such, lists as lists."""
    names = [f.name for f in fields]
    changes = [(f.name, bool if f.type is bool else _listed) for f in fields if f.type in {bool, list}]
    for row in rows:
        found = dict(zip(names, row, strict=True))
        for name, change in changes:
            if (value := found[name]) is not None:
                found[name] = change(value)
        yield found


def _json(fields: Sequence[Field], rows: Iterable[Values]) -> Iterator[bytes]:
    """Write an array of objects, one on a line."""

    def pieces() -> Iterator[bytes]:
        before = b"[\n"
        for found in objects(fields, rows):
            yield before + orjson.dumps(found)
            before = b",\n"
        yield b"\n]\n" if before == b",\n" else b"[]\n"

    return gathered(pieces())


def _ndjson(fields: Sequence[Field], rows: Iterable[Values]) -> Iterator[bytes]:
    """Write one object on each line."""
    line = orjson.OPT_APPEND_NEWLINE
    return gathered(orjson.dumps(found, option=line) for found in objects(fields, rows))


def gathered(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Gather small pieces into larger ones."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _csv(fields: Sequence[Field], rows: Iterable[Values]) -> Iterator[bytes]:
    """Write RFC 4180 in UTF-8 with a header: nothing is an empty field, empty text is ``""``, booleans are ``true`` and ``false``."""
    cells = [_CELLS.get(f.type, str) for f in fields]
    buffer = io.StringIO(newline="")
    buffer.write(",".join(_quoted(f.name) for f in fields) + "\r\n")
    for row in rows:
        line = ["" if v is None else cell(v) for cell, v in zip(cells, row, strict=True)]
        buffer.write((",".join(line) or '""') + "\r\n")
        if buffer.tell() >= PIECE:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _quoted(value: Any) -> str:
    text = str(value)
    if not text or '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


_CELLS: Mapping[type, Callable[[Any], str]] = {
    int: str,
    float: lambda v: repr(float(v)),
    bool: lambda v: "true" if v else "false",
    datetime: _quoted,
    str: _quoted,
    list: lambda v: _quoted(_text_of_list(v)),
}


def _parquet(fields: Sequence[Field], rows: Iterable[Values]) -> Iterator[bytes]:
    """Write typed columns, compressed with zstd: dates are timestamps in UTC, lists are JSON text."""
    pyarrow, parquet = _pyarrow()
    types = {
        int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_(), str: pyarrow.string(), list: pyarrow.string(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }  # fmt: skip
    schema = pyarrow.schema([(f.name, types[f.type]) for f in fields])

    def batches() -> Iterator[Any]:
        source = iter(rows)
        while taken := list(islice(source, BATCH)):
            columns = zip(fields, schema.types, zip(*taken, strict=True), strict=True)
            yield pyarrow.record_batch([pyarrow.array(_typed(f, c), type=t) for f, t, c in columns], schema=schema)

    return _row_groups(parquet, pyarrow, schema, batches())


def _row_groups(parquet: Any, pyarrow: Any, schema: Any, batches: Iterator[Any]) -> Iterator[bytes]:
    sink = _Sink()
    with parquet.ParquetWriter(pyarrow.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        group: list[Any] = []
        for batch in batches:
            group.append(batch)
            if sum(b.num_rows for b in group) >= ROWS_OF_GROUP or sum(b.nbytes for b in group) >= ROW_GROUP:
                writer.write_table(pyarrow.Table.from_batches(group))
                group = []
                yield sink.taken()
        if group:
            writer.write_table(pyarrow.Table.from_batches(group))
    yield sink.taken()


def _typed(field: Field, values: Sequence[Any]) -> Sequence[Any]:
    change = _ARROW.get(field.type)
    return values if change is None else [None if v is None else change(v) for v in values]


_ARROW: Mapping[type, Callable[[Any], Any]] = {
    bool: bool, list: _text_of_list, datetime: lambda v: datetime.fromisoformat(v) if isinstance(v, str) else v
}  # fmt: skip


class _Sink(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._place += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _pyarrow() -> tuple[Any, Any]:
    """Import pyarrow.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = (
            "Parquet cannot be written here: pyarrow is not installed; pip install 'tomotheca[parquet]' or ask for CSV."
        )
        raise MissingExtraError(message) from error
    return pyarrow, parquet


WRITERS: Mapping[str, Writer] = {
    "json": Writer("application/json", ".json", _json),
    "ndjson": Writer("application/x-ndjson", ".ndjson", _ndjson),
    "csv": Writer("text/csv", ".csv", _csv),
    "parquet": Writer("application/vnd.apache.parquet", ".parquet", _parquet),
}
"""Every format by name."""
