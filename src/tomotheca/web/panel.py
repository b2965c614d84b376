"""The filter panel as a value: sections, controls, options with counts. Drawn by `filters.html`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.schema import SCHEMA, Schema
from tomotheca.schema.vocabulary import QUALITY
from tomotheca.web.facets import Counts, Scope, count_options
from tomotheca.web.filtering import OPEN, Filter
from tomotheca.web.filters import Active, Sentence, read, registry, sentences
from tomotheca.web.filterset import DATA_TYPES
from tomotheca.web.grammar import NONE, Bounds
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.address import Address, Pairs

FEW = 8
SHORT = 12
COMMON = 4


@dataclass(frozen=True, slots=True)
class Option:
    """One value that can be chosen."""

    value: str
    label: str
    count: int | None
    checked: bool = False
    help: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """One filter as the panel shows it."""

    number: str
    parameter: str
    label: str
    widget: str
    help: str = ""
    options: tuple[Option, ...] = ()
    more: tuple[Option, ...] = ()
    """Options that would leave nothing."""

    text: str = ""
    low: str = ""
    high: str = ""
    find: bool = False
    """Long enough for a box that finds in the list."""

    rare: bool = False
    """Stands behind a fold."""


DRAWER = ("metadata", "metadata-id", "tab")
"""Parameters of the drawer, which no form keeps."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the panel."""

    name: str
    controls: tuple[Control, ...]
    open: bool
    active: int


@dataclass(frozen=True, slots=True)
class Panel:
    """The whole panel."""

    action: str
    sections: tuple[Section, ...]
    hidden: Pairs
    sentences: tuple[Sentence, ...]
    clear: str
    search: str = ""
    carried: Pairs = ()
    """What a search in the list keeps: the filters, and whatever else the address says."""


@dataclass(frozen=True)
class Filtered:
    """The filters of a listing as an address sets them."""

    filters: tuple[Filter, ...]
    active: tuple[Active, ...]
    ignored: tuple[str, ...]

    @property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters that filter."""
        return frozenset(f.parameter for f in self.filters)

    @property
    def on_runs(self) -> bool:
        """Tell whether a filter asks about runs or what is in them."""
        return any(a.filter.level not in {"dataset", "deposition"} for a in self.active)


def filtered(listing: str, address: Address, schema: Schema = SCHEMA) -> Filtered:
    """Read the filters of a listing from an address."""
    filters = registry(schema, listing)
    return Filtered(filters, *read(filters, address))


def canonical(address: Address, filters: Sequence[Filter]) -> Address:
    """Give the address in its one form: two boxes become a range, a quoted legacy comparison becomes ours."""
    for f in filters:
        ends = [address.first(f"{f.parameter}.{end}").replace("..", "") for end in ("from", "to")]
        if any(ends):
            written = ends[0] if ends[0] == ends[1] else "..".join(ends)
            address = address.without([f"{f.parameter}.from", f"{f.parameter}.to"]).set({f.parameter: written})
    for name, value in address.pairs:
        if name == "runs" and (found := re.fullmatch(r'"\s*>=?\s*(\d+)\s*"', value)):
            address = address.set({"runs": f">={found[1]}"})
    return address


def make_panel(scope: Scope, found: Filtered, address: Address) -> Panel:
    """Make the panel, with live counts."""
    counts = count_options(scope, found.filters, found.active)
    active = {a.filter.parameter: a for a in found.active}
    shown = [
        (f, _control(f, active.get(f.parameter), counts.get(f.parameter, {}), address))
        for f in found.filters
        if f.section
    ]
    names = dict.fromkeys(f.section for f, _ in shown)
    sections = tuple(
        _section(name, [c for f, c in shown if f.section == name and _worth(scope, c)], active) for name in names
    )
    own = {p for f in found.filters for p in (f.parameter, f"{f.parameter}.from", f"{f.parameter}.to")}
    rest = address.without([*own, "page"])
    return Panel(
        address.path, tuple(s for s in sections if s.controls), tuple(p for p in rest.pairs if p[0] not in DRAWER),
        tuple(sentences(found.active, address)), str(rest), address.first("search"), address.without([*DRAWER, "search", "page"]).pairs,
    )  # fmt: skip


def _worth(scope: Scope, control: Control) -> bool:
    """Tell whether a control can tell rows apart: inside one dataset, a list with one value cannot."""
    return (
        scope.within is None
        or control.widget != "list"
        or len(control.options) > 1
        or any(o.checked for o in control.options)
    )


def _section(name: str, controls: Sequence[Control], active: Mapping[str, Active]) -> Section:
    number = sum(c.parameter in active for c in controls)
    return Section(name, tuple(controls), name in OPEN or number > 0, number)


def _control(f: Filter, active: Active | None, counts: Counts, address: Address) -> Control:
    texts = active.texts if active else ()
    base = Control(f.number, f.parameter, f.label, f.widget, f.help, rare=f.rare and active is None)
    if f.widget == "list":
        options = list(_options(f, active.values if active else (), counts))
        rare = tuple(o for o in options if not o.count and not o.checked) if len(options) > SHORT else ()
        return replace(base, options=tuple(o for o in options if o not in rare), more=rare, find=len(options) > FEW)
    if f.widget == "flag":
        return replace(base, options=(Option("true", f.label, counts.get(True, 0), bool(texts), f.help),))
    if f.widget == "least":
        chosen = active.values[0].limit("_gte") if active else ""
        return replace(
            base, options=tuple(Option(f">={s}", s, None, s == chosen) for s in f.steps), text=texts[0] if texts else ""
        )
    if f.widget == "choice":
        chosen = active.values if active else ()
        return replace(base, options=tuple(Option(o, f.words(o).capitalize(), None, o in chosen) for o in f.options))
    if f.widget == "range":
        return _range(base, active, counts, address)
    return replace(base, text=", ".join(texts))


def _range(base: Control, active: Active | None, counts: Counts, address: Address) -> Control:
    bounds: Bounds | None = active.values[0] if active else None
    common = sorted(((v, n) for v, n in counts.items() if v is not None), key=lambda vn: (-vn[1], vn[0]))[:COMMON]
    options = tuple(
        Option(
            f"{v:g}",
            f"{v:g}",
            n,
            bool(bounds and bounds.words == f"{v:g}"),
            href=str(address.set({base.parameter: f"{v:g}", "page": None})),
        )
        for v, n in sorted(common)
    )
    low = bounds.limit("_gte", "_gt", "_eq") if bounds else ""
    return replace(base, options=options, low=low, high=bounds.limit("_lte", "_lt", "_eq") if bounds else "")


def _options(f: Filter, chosen: Sequence[Any], counts: Counts) -> Iterator[Option]:
    """Give the options of a list: chosen ones first, then by count, then by name; scores and data types as declared."""
    values: dict[Any, int] = {(NONE if v is None else v): n for v, n in counts.items()}
    values |= {v: 0 for v in chosen if v not in values}
    if f.parameter == "quality_score":
        values = {v: values.get(v, 0) for v in [*QUALITY, NONE]}
    ordered = sorted(
        values.items(), key=lambda vn: (vn[0] not in chosen, vn[0] == NONE, -vn[1], f.words(vn[0]).lower())
    )
    if f.parameter in {"quality_score", "files"}:
        declared = list(DATA_TYPES) if f.parameter == "files" else list(values)
        ordered = [(v, values.get(v, 0)) for v in declared]
    for value, number in ordered:
        yield Option(
            str(value),
            f.words(value),
            number,
            value in chosen,
            say(QUALITY[value][1]) if f.parameter == "quality_score" and value in QUALITY else "",
        )
