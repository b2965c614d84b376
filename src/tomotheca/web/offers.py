"""What each kind of record has to offer for download: the questions of the first step, and the choice they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.export.selection import MOST_DIGITS, Amount, Selection, amount, amounts, amounts_of_deposition
from tomotheca.export.tree import Tree
from tomotheca.web import format as formats
from tomotheca.web.pieces import File, Group, Pick, add_boxes, detail, files_of, made_instead, points_of
from tomotheca.web.snippets import Want
from tomotheca.web.summaries import key_of, preference
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

TREE_NOTE = (
    "The command line, curl and ZIP add LICENSE.txt, CITATION.bib, CITATION.cff, README.txt and SHA256SUMS; "
    "AWS, rclone and Python take the archive's files alone."
)
PARTS: Mapping[str, str] = {
    "tomograms": "All tomograms", "annotations": "All annotations", "tiltseries": "All tilt series", "alignments": "Alignments",
    "frames": "Raw frames", "gains": "Gain references", "mdoc": "Acquisition files (mdoc)", "images": "Pictures", "metadata": "Metadata documents",
}  # fmt: skip
"""Parts of a tree by the names that `tomotheca.export.selection` has for them."""

EVERYTHING = {"dataset": "Everything in this dataset", "run": "Everything in this run"}
SMALLEST = "smallest"
FORMATS = {"": "All formats", "mrc": "MRC only", "zarr": "OME-Zarr only"}
IN_BOTH = ("", "tomograms", "annotations", "tiltseries")
"""Parts in which volumes may be in both formats."""

NAMES = {"mrc": "MRC", "zarr": "OME-Zarr"}
OF_SERIES = {"frames": "Raw frames", "mdoc": "Acquisition files (mdoc) of the run", "alignments": "Alignments, as their programs wrote them"}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What one record has to offer, and what is chosen."""

    title: str
    row: Row
    lines: tuple[str, ...]
    groups: tuple[Group, ...]
    want: Want
    dataset: Row
    note: str = ""
    warning: str = ""
    boxed: str = ""
    problem: str = ""
    known: bool = True


def finished(asked: Asked, made: Made) -> Made:
    """Add what a list of the chosen files has, and whether everybody may have them."""
    want, kind, number = made.want, made.want.kind, made.row["id"]
    hidden = asked.viewer.curator and not asked.portal.catalog.find(kind, ANONYMOUS, where={"id": {"_eq": number}})
    listed = want.amount if want.made or not want.key else amount(asked.portal.catalog, want.selection, asked.viewer)
    texts = Tree(asked.portal, want.selection, asked.viewer).added if listed.files or not made.known else Amount()
    whole = replace(want, whole=listed + texts if made.known else Amount(), hidden=hidden)
    return replace(made, want=whole)


# --- trees ------------------------------------------------------------------------------------------------------------


def tree(asked: Asked, kind: str, row: Row) -> tuple[tuple[Group, ...], Want]:
    """Offer a dataset or run, whole or in part."""
    catalog, viewer, number = asked.portal.catalog, asked.viewer, row["id"]
    sums = amounts(catalog, kind, number, viewer)
    offered = {"": sums[""]} | {name: sums[name] for name in PARTS if sums[name].files}
    what = asked.address.first("dl-what")
    part = what if what in offered or (what == SMALLEST and sums["tomograms"].files) else ""
    picks = [
        Pick(
            name or "everything",
            PARTS.get(name) or EVERYTHING[kind],
            detail(found),
            name == part,
        )
        for name, found in offered.items()
    ]
    if sums["tomograms"].files:
        words = say("Smallest useful set: tomograms and points")
        picks.insert(1, Pick(SMALLEST, words, say("in the smaller format"), part == SMALLEST))
    only = frozenset({"tomograms", "points"}) if part == SMALLEST else frozenset({part} - {""})
    selection = Selection(kind, number, only)
    groups: tuple[Group, ...] = (Group("dl-what", say("What"), tuple(picks)),)
    found = offered.get(part, Amount())
    if part in {*IN_BOTH, SMALLEST}:
        more, (selection, found) = _formats(asked, selection, both=part != SMALLEST)
        groups = (*groups, *more)
    folder = key_of(asked, row["s3_prefix"]).rstrip("/")
    return groups, Want(asked, selection, found, selection.query(), folder=folder)


def _formats(asked: Asked, selection: Selection, *, both: bool) -> tuple[tuple[Group, ...], tuple[Selection, Amount]]:
    """Ask for the format of volumes, where there are several."""
    catalog, viewer = asked.portal.catalog, asked.viewer
    choices = {form: replace(selection, format=form) for form in FORMATS if form or both}
    sums = {form: amount(catalog, choice, viewer) for form, choice in choices.items()}
    given = asked.address.first("dl-format")
    smallest = min(sums, key=lambda form: sums[form].size)
    chosen = given if given in sums else "" if both else smallest
    if both and sums["mrc"] == sums["zarr"] == sums[""]:
        return (), (choices[""], sums[""])
    picks = tuple(Pick(form or "all", FORMATS[form], detail(sums[form]), form == chosen) for form in sums)
    return (Group("dl-format", say("Format of volumes"), picks),), (choices[chosen], sums[chosen])


def dataset(asked: Asked, row: Row) -> Made:
    """Offer a dataset."""
    groups, want = tree(asked, "dataset", row)
    lines = (say("Folder {}/ with one sub-folder per run", row["id"]),)
    return finished(asked, Made(row["title"], row, lines, groups, want, row, TREE_NOTE))


def _of_run(asked: Asked, run: Row) -> tuple[Row, tuple[str, ...]]:
    """Give the dataset of a run, and the lines that name both."""
    found = asked.get("dataset", run["dataset_id"])
    named = say("Dataset {}: {}", asked.name("dataset", found["id"]), found["title"])
    return found, (named, say("Run {} ({})", run["name"], asked.name("run", run["id"])))


def run(asked: Asked, row: Row) -> Made:
    """Offer a run: one of its tomograms, or a part, or everything."""
    found, lines = _of_run(asked, row)
    tomograms = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    groups, want = tree(asked, "run", row)
    if not tomograms:
        return finished(asked, Made(row["name"], row, lines, groups, want, found, TREE_NOTE))
    is_one = asked.address.first("dl-what") == "tomogram"
    one = Pick("tomogram", say("One tomogram"), say("choose from {}", len(tomograms)), is_one)
    rest = tuple(replace(p, checked=p.checked and not is_one) for p in groups[0].picks)
    what = Group("dl-what", say("What"), (one, *rest))
    if not is_one:
        return finished(asked, Made(row["name"], row, lines, (what, *groups[1:]), want, found, TREE_NOTE))
    tomograms.sort(key=preference)
    given = asked.address.first("dl-tomogram")
    best = next((t for t in tomograms if asked.name("tomogram", t["id"]) == given), tomograms[0])
    which = tuple(_pick_tomogram(asked, t, best) for t in tomograms)
    made = tomogram(asked, best)
    asks = (what, Group("dl-tomogram", say("Voxel spacing and processing"), which), *made.groups)
    return replace(made, title=row["name"], row=row, groups=asks, lines=(*lines, *made.lines[-2:]))


def _pick_tomogram(asked: Asked, t: Row, best: Row) -> Pick:
    words = f"{formats.quantity(t['voxel_spacing'], 'Å')} · {label('tomogram_processing_enum', t['processing'])}"
    method = label("tomogram_reconstruction_method_enum", t["reconstruction_method"])
    name = asked.name("tomogram", t["id"])
    return Pick(name, words, f"{name}, {method}, {_extent(t)}", t is best)


def deposition(asked: Asked, row: Row) -> Made:
    """Offer everything of a deposition, by kind and by dataset."""
    number, given = row["id"], "".join(c for c in asked.address.first("dl-dataset") if c.isascii() and c.isdigit())
    place = int(given[:MOST_DIGITS] or 0)
    catalog, viewer = asked.portal.catalog, asked.viewer
    named, sums = amounts_of_deposition(catalog, number, place, viewer)
    if place and place not in sums:
        place, (named, sums) = 0, amounts_of_deposition(catalog, number, 0, viewer)
    parts = {name: named[name] for name in ("", *PARTS) if named[name].files or not name}
    what = asked.address.first("dl-what")
    part = what if what in parts else ""
    picks = tuple(
        Pick(n or "everything", PARTS.get(n) or say("Everything of this deposition"), detail(a), n == part)
        for n, a in parts.items()
    )
    groups = [Group("dl-what", say("What"), picks)]
    if len(sums) > 1:
        every = Pick("all", say("All datasets"), detail(sum(sums.values(), Amount())), not place)
        places = [asked.name("dataset", i) for i in sums]
        each = (Pick(p, p, detail(a), i == place) for p, (i, a) in zip(places, sums.items(), strict=True))
        groups.append(Group("dl-dataset", say("Where"), (every, *each)))
    selection = Selection("deposition", number, frozenset({part} - {""}), dataset=place)
    want = Want(asked, selection, parts[part], selection.query())
    lines = (say("{}, in the folders of the archive: dataset, then run", formats.plural(len(sums), "dataset")),)
    return finished(asked, Made(row["title"], row, lines, tuple(groups), want, row, TREE_NOTE))


# --- single records ---------------------------------------------------------------------------------------------------


def _extent(t: Row) -> str:
    return formats.vector((t["size_x"], t["size_y"], t["size_z"]), "px")


def volume(asked: Asked, kind: str, row: Row, role: str) -> tuple[Group, Want]:
    """Offer MRC and OME-Zarr of a tomogram or tilt series."""
    f = asked.portal.catalog.tables.file
    held = files_of(asked, f.c.kind == kind, f.c.entity_id == row["id"], f.c.role == role)
    found = {("zarr" if x.members is not None else "mrc"): x for x in held}
    given = asked.address.first("dl-format")
    form = given if given in found else next(iter(sorted(found)), "")
    picks = tuple(Pick(n, NAMES[n], detail(x.amount), n == form) for n, x in sorted(found.items()))
    selection = Selection(kind, row["id"], format=form)
    return Group("dl-format", say("Format"), picks), single(asked, selection, found.get(form), {"format": form})


def single(asked: Asked, selection: Selection, file: File | None, query: Mapping[str, str]) -> Want:
    """Want one file or array directory."""
    if file is None:
        return Want(asked, selection, Amount(), {})
    sha256 = file.sha256 if file.members is None else ""
    return Want(asked, selection, file.amount, query, file.key, sha256=sha256)


def tomogram(asked: Asked, row: Row) -> Made:
    """Offer a tomogram: whole, one level of it, or a box."""
    run_row = asked.get("run", row["run_id"])
    found, lines = _of_run(asked, run_row)
    group, want = volume(asked, "tomogram", row, "tomogram")
    method = label("tomogram_reconstruction_method_enum", row["reconstruction_method"])
    processing = label("tomogram_processing_enum", row["processing"]).lower()
    aligned = say(", alignment {}", asked.name("alignment", row["alignment_id"])) if row["alignment_id"] else ""
    lines = (
        *lines, say("Voxel spacing {}, size {}", formats.quantity(row['voxel_spacing'], 'Å'), _extent(row)), f"{method}, {processing}{aligned}",
    )  # fmt: skip
    title = f"{asked.name('tomogram', row['id'])} of {run_row['name']}"
    made = Made(title, row, lines, (group,), want, found)
    return finished(asked, add_boxes(asked, made, {}))


def tiltseries(asked: Asked, row: Row) -> Made:
    """Offer a tilt series: its stack, and what goes with it."""
    run_row, number = asked.get("run", row["run_id"]), row["id"]
    found, lines = _of_run(asked, run_row)
    lines = (*lines, formats.tilt_range(row["tilt_range"], row["tilt_min"], row["tilt_max"]))
    f, catalog = asked.portal.catalog.tables.file, asked.portal.catalog
    group, stack = volume(asked, "tiltseries", row, "tilt_series")
    angles = files_of(asked, f.c.kind == "tiltseries", f.c.entity_id == number, f.c.role == "angles")
    picks = [("stack", say("Stack of images"), detail(stack.amount))] * bool(group.picks)
    picks += [("angles", say("Tilt angles (rawtlt)"), detail(a.amount)) for a in angles[:1] if len(angles) == 1]
    picks.append(("table", say("Table of sections: angle, dose and CTF (CSV)"), ""))
    sums = {
        name: amount(catalog, Selection("tiltseries", number, frozenset({name})), asked.viewer) for name in OF_SERIES
    }
    picks += [(name, OF_SERIES[name], detail(a)) for name, a in sums.items() if a.files]
    given = asked.address.first("dl-what")
    what = given if given in {p[0] for p in picks} else picks[0][0]
    asks: tuple[Group, ...] = (Group("dl-what", say("What"), tuple(Pick(*p, p[0] == what) for p in picks)),)
    title = f"{asked.name('tiltseries', number)} of {run_row['name']}"
    made = Made(title, row, lines, asks, stack, found)
    match what:
        case "stack":
            return finished(asked, replace(made, groups=(*asks, group)))
        case "angles":
            selection = Selection("tiltseries", number, frozenset({"angles"}))
            return finished(asked, replace(made, want=single(asked, selection, angles[0], selection.query())))
        case "table":
            return finished(asked, made_instead(asked, made, {"format": "csv"}))
    selection = Selection("tiltseries", number, frozenset({what}))
    return finished(asked, replace(made, want=Want(asked, selection, sums[what], selection.query()), note=TREE_NOTE))


def annotation(asked: Asked, row: Row) -> Made:
    """Offer each shape and format of an annotation; points as tables, masks by level and box."""
    run_row = asked.get("run", row["run_id"])
    found, lines = _of_run(asked, run_row)
    offered = points_of(asked, row)
    given = asked.address.first("dl-what")
    chosen = next((o for o in offered if o.value == given), offered[0] if offered else None)
    picks = tuple(Pick(o.value, o.label, detail(o.file.amount) if not o.table else "", o is chosen) for o in offered)
    lines = (*lines, f"{row['object_name']} ({row['object_id']})")
    title = f"{asked.name('annotation', row['id'])} · {row['object_name']}"
    empty = Want(asked, Selection("annotation", row["id"]), Amount(), {})
    made = Made(title, row, lines, (Group("dl-what", say("Shape and format"), picks),), empty, found)
    if chosen is None:
        return finished(asked, made)
    if chosen.spacing:
        centred = say(
            "Coordinates in voxels of {}; a voxel is centred on its index", formats.quantity(chosen.spacing, "Å")
        )
        made = replace(made, lines=(*made.lines, centred))
    made = replace(made, warning=_fits(asked, row, chosen.alignment))
    if chosen.table:
        return finished(asked, chosen.as_table(made))
    query = {"format": chosen.format} | ({"file": str(chosen.id)} if chosen.is_one_of_many else {})
    selection = Selection("annotation", row["id"], format=chosen.format, file=chosen.id if chosen.is_one_of_many else 0)
    want = replace(single(asked, selection, chosen.file, query), shape=chosen.shape if chosen.is_one_of_many else "")
    made = replace(made, want=want)
    return finished(asked, add_boxes(asked, made, {"file": str(chosen.id)}) if chosen.is_mask else made)


def _fits(asked: Asked, row: Row, alignment: int | None) -> str:
    """Warn of alignments: points made on one are misplaced under another."""
    if alignment is None:
        return ""
    where = {"run_id": {"_eq": row["run_id"]}}
    rows = asked.portal.catalog.find("tomogram", asked.viewer, where=where, order=[("id", "asc")])
    fit = [asked.name("tomogram", t["id"]) for t in rows if t["alignment_id"] == alignment]
    rest = [
        asked.name("tomogram", t["id"])
        + (f" ({asked.name('alignment', t['alignment_id'])})" if t["alignment_id"] else "")
        for t in rows
        if t["alignment_id"] != alignment
    ]
    words = say("Made on {}.", asked.name("alignment", alignment))
    words += say(" Fits {}.", ", ".join(fit)) if fit else ""
    return words + (say(" Needs a transform for {}.", ", ".join(rest)) if rest else "")


Offer = Callable[["Asked", Any], Made]
OFFERS: Mapping[str, Offer] = {
    "dataset": dataset, "run": run, "tomogram": tomogram, "tiltseries": tiltseries, "annotation": annotation, "deposition": deposition,
}  # fmt: skip
