"""The page of documentation about REST: its words, and tables made of the schema and of the filters' registry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tomotheca.api.rest.clauses import MAX_WRITTEN
from tomotheca.api.rest.names import Names, kebab
from tomotheca.api.rest.query import MAX_JOINS, MAX_KEYS, MAX_PAGE, PAGE, Reader, describe
from tomotheca.api.rest.values import operators
from tomotheca.catalog.query import MAX_FILTER_DEPTH
from tomotheca.catalog.sizes import MAX_FOLLOWED
from tomotheca.catalog.writers import WRITERS
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import Column

TEXT = """# REST

Written by `make docs` from the schema. Every kind of record is at `/api/v1/`; `/openapi.json` describes all of it for programs.

| address | answer |
|---|---|
| `/api/v1/` | the kinds, their fields and relations |
| `/api/v1/runs` | a list: `{{"items": [...], "next": "...", "total": 12}}` |
| `/api/v1/runs/RN-12`, `/api/v1/runs/12` | one record |
| `/api/v1/runs/12/tomograms` | its related records, a list like any other |
| `/api/v1/runs/12/dataset` | the one related record |
| `/api/v1/runs/facets` | how many records have each value, under the same filters |

## Lists

| parameter | meaning |
|---|---|
| `fields=id,name,dataset.title` | fields of the answer, also of related records over relations to one (at most {joins} of them); without it all own fields |
| `sort=-release_date,id` | order, `-` descends; at most {keys} fields, of related records too. Nothing comes last whichever way it is sorted; `id` settles ties |
| `limit=50` | items of a page, {page} unless said, at most {most} |
| `next` | address of the next page, null on the last; in the header `Link` too |
| `cursor=` | where the page begins; part of `next`. It names a place between rows, so rows that come meanwhile neither repeat nor hide others |
| `total=false` | leaves the counting out |

## Formats

JSON comes in pages. The other formats give the whole list in one answer, read inside one transaction and never in memory as a whole, up to the
setting `max_rows`; a longer list is refused before anything is sent, unless `limit` takes a part of it. Ask with the ending of the address
(`/api/v1/runs.csv`) or the header `Accept`:

{formats}

Dates are text (`YYYY-MM-DDTHH:MM:SS+00:00`) everywhere but in Parquet, where they are timestamps in UTC. In CSV nothing is an empty field, empty
text is `""`, booleans are `true` and `false`, and lists are JSON. Parquet needs the extra: `pip install 'tomotheca[parquet]'`.

## Conditions

A parameter is a field, or a field and an operator: `name=TS_1`, `name._ilike=%ribo%`, `release_date._gte=2024-01-01`. Relations stand before the field:
`dataset.deposition_id=10300`, `tomograms.voxel_spacing._lt=10`, at most {depth} of them. All conditions hold; those on one relation hold for one
and the same related record.

- Repeated, `name=a&name=b` means either; with any other operator each must hold.
- `_in` and `_nin` take values between commas; a value with a comma stands in double quotes: `name._in="a, b",c`.
- `_like` and its kin: `%` is any text, `_` one character; `_regex` and its kin take regular expressions of RE2.
- `_is_null=true` finds where nothing is recorded.

| type | operators |
|---|---|
{operators}

`where=` takes a clause in JSON, the same as in GraphQL with snake_case names, and with `_and`, `_or`, `_not` and numbers of related records:

    {{"_or": [{{"name": {{"_like": "TS%"}}}}, {{"tomograms_aggregate": {{"count": {{"filter": {{"processing": {{"_eq": "raw"}}}}, "predicate": {{"_gte": 2}}}}}}}}]}}

A filter may nest {nesting} levels deep and follow {followed} relations in all.

## Filters of the pages

The part of a Browse address that filters works on the same kind here: `/api/v1/datasets?organism=Homo+sapiens&files=tomogram&voxel-spacing=<10`.
Where a filter has the name of a field, the filter is meant; `field._eq` means the field. Repeated values are alternatives, but all of `files` must be
there; `(none)` means that nothing is recorded. What belongs to the page (`page`, `per-page`) is refused.
Below every table `API` leads to its list here; `Copy as Python` and `Copy as curl` write the call out, and read the table of the page where there
is no such list.

{filters}

## Facets

`/api/v1/datasets/facets` answers `{{"facets": [{{"parameter", "label", "values": [{{"value", "label", "count"}}]}}], "total"}}`. A count is the number of
records that the list has with that value and all other filters; what is wanted of a field itself is left out for its own counts. For datasets, runs
and depositions these are the numbers of the pages; for other kinds the filters, flags and words from a list are counted.

## Errors

An error is one sentence: `{{"error": "there is no parameter 'nmae' for runs; did you mean name?"}}`. 400 for what cannot be answered as asked, 404 for what is
not there for you, 410 for what was removed, 406 for a format that cannot be given. Unknown parameters are errors.

## Kinds

| kind | record | related |
|---|---|---|
{kinds}

Fields are listed in [fields.md](fields.md).
"""


def page() -> str:
    """Give the page in Markdown."""
    names = Names(SCHEMA)
    reader = Reader(names)
    return TEXT.format(
        joins=MAX_JOINS, keys=MAX_KEYS, page=PAGE, most=MAX_PAGE, depth=MAX_FILTER_DEPTH, nesting=MAX_WRITTEN, followed=MAX_FOLLOWED,
        formats="\n".join(f"- `{w.extension}`: `{w.media_type}`" for w in WRITERS.values()), operators="\n".join(_operators()),
        filters="\n\n".join(_filters(reader)), kinds="\n".join(_kinds(names)),
    )  # fmt: skip


def _operators() -> Iterator[str]:
    columns = {
        "number": Column("", int), "text": Column("", str), "code of a list": Column("", str, enum="code"), "date": Column("", datetime), "true or false": Column("", bool)
    }  # fmt: skip
    for words, column in columns.items():
        yield f"| {words} | {' '.join(f'`{o}`' for o in operators(column))} |"


def _filters(reader: Reader) -> Iterator[str]:
    for name, kind in reader.names.kinds.items():
        if found := reader.filters(kind):
            rows = "\n".join(f"| `{f.parameter}` | {f.label} | {describe(reader.names, f)} |" for f in found)
            yield f"### {name}\n\n| parameter | filter | takes |\n|---|---|---|\n{rows}"


def _kinds(names: Names) -> Iterator[str]:
    for name, kind in names.kinds.items():
        related = ", ".join(f"`{kebab(r.name)}`" for r in names.schema.relations(kind).values())
        yield f"| `{name}` | {names.schema.kinds[kind].title} | {related} |"
