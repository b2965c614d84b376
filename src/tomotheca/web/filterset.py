"""Filters that say more than a column can: what each is called, how its values are written, and the condition they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tomotheca.schema import SCHEMA
from tomotheca.web.filtering import BYTES, COMPLETE, WORDS, Filter, chosen, either
from tomotheca.web.grammar import (
    NONE,
    TRI,
    Bounds,
    accession,
    bounds,
    check_text,
    contains,
    dates,
    identifiers,
    ontology_id,
    orcid,
    sizes,
    tri,
    words,
)
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause

EVERYWHERE = frozenset({"dataset", "run"})
PARTS = frozenset({"dataset", "run", "annotation"})
DEPOSITION = frozenset({"deposition"})

DATA_TYPES: dict[str, tuple[str, str, Any]] = {
    "annotation": ("Annotations", "annotations", {}),
    "tomogram": ("Tomograms", "tomograms", {}),
    "raw-frames": ("Raw frames", "frames", {"s3_frame_path": {"_is_null": False}}),
    "tilt-series": ("Tilt series", "tiltseries", {}),
    "ctf": ("CTF", "per_section_parameters", {"major_defocus": {"_is_null": False}}),
    "tilt-series-alignment": ("Alignment", "alignments", {}),
    "gain": ("Gain reference", "gain_files", {}),
    "mdoc": ("mdoc", "frame_acquisition_files", {}),
}
"""What a run may hold: value -> label, relation, condition. The same for filters, contents and completeness."""


def true(text: str) -> bool:
    """Parse a flag that is set.

    Raises
    ------
    ValueError
        If it is not.
    """
    if text.lower() not in {"true", "yes", "1", "on"}:
        raise ValueError(text)
    return True


def bounds_words(value: Bounds) -> str:
    """Write a range as a person says it."""
    return value.words


def _data_type(text: str) -> str:
    if text not in DATA_TYPES:
        raise ValueError(text)
    return text


def _files(values: Sequence[str]) -> Clause:
    return {"_and": [{DATA_TYPES[v][1]: DATA_TYPES[v][2]} for v in values]}


def _runs(values: Sequence[Bounds]) -> Clause:
    return {"runs_aggregate": {"count": {"predicate": values[0].clause}}}


def _authors(values: Sequence[str]) -> Clause:
    return either([{"authors": {"_and": [{"name": contains(w)} for w in words(v)]}} for v in values])


def _orcids(values: Sequence[str]) -> Clause:
    return {"authors": {"orcid": {"_in": list(values)}}}


def _id_words(value: Sequence[int]) -> str:
    return ", ".join(map(str, value))


def _ids(column: str) -> Callable[[Sequence[Any]], Clause]:
    return lambda values: {column: {"_in": [i for v in values for i in v]}}


def _organism_of_deposition(values: Sequence[Any]) -> Clause:
    dataset = chosen("organism_name", values)
    return either(
        [{"datasets": dataset}, {"annotations": {"run": {"dataset": dataset}}}, {"tomograms": {"run": {"dataset": dataset}}}]
    )  # fmt: skip


def _deposition_of_run(values: Sequence[Any]) -> Clause:
    """Find runs that have anything of a deposition: what carries one says so in its own column."""
    own: Clause = {"deposition_id": {"_in": [i for v in values for i in v]}}
    relations = SCHEMA.relations("run")
    carrying = [
        n for n, r in relations.items() if r.many and "deposition_id" in {c.name for c in SCHEMA.columns(r.target)}
    ]
    return {"_or": [{"dataset": own}, *({name: own} for name in carrying)]}


def _entries(prefix: str) -> Callable[[Sequence[str]], Clause]:
    def clause(values: Sequence[str]) -> Clause:
        return either(
            [{"related_database_entries": {"_iregex": rf"(^|[^a-z0-9]){prefix}{v}($|[^a-z0-9])"}} for v in values]
        )

    return clause


def _doi(values: Sequence[str]) -> Clause:
    return either([{"dataset_publications": contains(v)} for v in values])


def _doi_of_deposition(values: Sequence[str]) -> Clause:
    return either([{"deposition_publications": contains(v)} for v in values])


def _reprocessable(values: Sequence[Any]) -> Clause:
    """Ask whether frames, angles and dose are there, and the gain unless the frames are corrected already."""
    frames: Clause = {"s3_frame_path": {"_is_null": False}}
    there: Clause = {
        "_and": [
            {"frames": frames},
            {"_or": [{"frame_acquisition_files": {}}, {"tiltseries": {"s3_angle_list": {"_is_null": False}}}]},
            {"frames": {"exposure_dose": {"_is_null": False}}},
            {"_or": [{"gain_files": {}}, {"frames": {"is_gain_corrected": {"_eq": True}}}]},
        ]
    }
    return either([there if v == "true" else {"_not": there} for v in values])


def _tri(column: str, yes: Any, no: Any) -> Callable[[Sequence[str]], Clause]:
    wanted: dict[str, Clause] = {
        "true": {column: {"_eq": yes}}, "false": {column: {"_eq": no}}, "unknown": {column: {"_is_null": True}},
    }  # fmt: skip
    return lambda values: either([wanted[v] for v in values])


def _ranges(column: str) -> Callable[[Sequence[Bounds]], Clause]:
    return lambda values: either([{column: v.clause} for v in values])


def _range_of_tilts(operator: str) -> Callable[[Sequence[Any]], Clause]:
    return lambda values: {"tilt_range": {operator: values[0]}}


def _size(*columns: str) -> Callable[[Sequence[Bounds]], Clause]:
    return lambda values: either([{c: v.clause} for c in columns for v in values])


def _size_of_files(values: Sequence[Bounds]) -> Clause:
    """Ask for annotations that have a file of a size, in whatever format."""
    return {"annotation_shapes": {"annotation_files": _size("file_size")(values)}}


def _kinds(values: Sequence[str]) -> Clause:
    return either(
        [{"is_portal_standard" if v == "portal-standard" else "is_author_submitted": {"_eq": True}} for v in values]
    )


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(text)
    return text


KINDS = {"portal-standard": "Portal standard", "author-submitted": "Author submitted"}


def _named(name: str, identifier: str) -> Callable[[Sequence[Any]], Clause]:
    def clause(values: Sequence[Any]) -> Clause:
        known = [v for v in values if v != NONE]
        return either([chosen(name, values), *([{identifier: {"_in": known}}] if known else [])])

    return clause


def _object_ids(values: Sequence[Any]) -> Clause:
    return either([{"object_id": v} for v in values])


def _mode(text: str) -> str:
    if text not in {"all", "any"}:
        raise ValueError(text)
    return text


WRITTEN = (
    Filter("F1", "files", "Data types", "Contents", "run", "list", _data_type, _files, lambda v: DATA_TYPES[v][0], all_required=True, help="must contain all of the chosen types, in one run"),
    Filter("F2", "ground_truth", "Ground truth available", "Contents", "annotation", "flag", true, lambda _: {"ground_truth_status": {"_eq": True}}, lambda _: say("available"),
           on=PARTS, kind="annotation", column="ground_truth_status"),
    Filter("F3", "runs", "Number of runs", "Contents", "dataset", "least", bounds, _runs, bounds_words, on=frozenset({"dataset"}), steps=("1", "2", "5", "10", "20", "50", "100")),
    Filter("F4", "completeness", "Completeness", "Contents", "run", "least", bounds, lambda _: {}, bounds_words, rows=COMPLETE, steps=("50", "75", "90", "100"),
           help="share of what is needed to work with a run, in per cent"),
    Filter("F5", "reprocessable", "Reprocessable from frames", "Contents", "run", "choice", tri, _reprocessable, lambda v: say(TRI[v]), options=("true", "false")),
    Filter("F6", "size", "Size", "Contents", "dataset", "text", sizes, _size("file_size"), bounds_words, on=frozenset({"dataset"}), help=">10GB, 500MB..2GB"),
    Filter("F6", "size", "Size", "Contents", "run", "text", sizes, lambda _: {}, bounds_words, on=frozenset({"run"}), rows=BYTES, help=">10GB, 500MB..2GB"),
    Filter("F6", "size", "Size", "Contents", "tomogram", "text", sizes, _size("file_size_mrc", "file_size_omezarr"), bounds_words, on=frozenset({"tomogram"}), help=">10GB, 500MB..2GB"),
    Filter("F6", "size", "Size", "Contents", "annotation", "text", sizes, _size_of_files, bounds_words, on=frozenset({"annotation"}), help=">10GB, 500MB..2GB"),
    Filter("F7", "dataset_id", "Dataset IDs", "Name/ID", "dataset", "text", identifiers, _ids("id"), _id_words, on=EVERYWHERE, help="one or more, separated by commas"),
    Filter("F8", "deposition-id", "Deposition ID", "Name/ID", "run", "text", identifiers, _deposition_of_run, _id_words, rare=True),
    Filter("F8", "deposition-id", "Deposition ID", "Name/ID", "annotation", "text", identifiers, _ids("deposition_id"), _id_words, on=frozenset({"annotation"}), rare=True),
    Filter("F8", "deposition-id", "Deposition ID", "Name/ID", "tomogram", "text", identifiers, _ids("deposition_id"), _id_words, on=frozenset({"tomogram"}), rare=True),
    Filter("F8", "deposition-id", "Deposition ID", "Name/ID", "deposition", "text", identifiers, _ids("id"), _id_words, on=DEPOSITION, rare=True),
    Filter("F9", "empiar_id", "EMPIAR ID", "Name/ID", "dataset", "text", accession("EMPIAR-"), _entries("EMPIAR-"), help="12345 or EMPIAR-12345", rare=True),
    Filter("F10", "emdb_id", "EMDB ID", "Name/ID", "dataset", "text", accession("EMD-"), _entries("EMD-"), help="1234 or EMD-1234", rare=True),
    Filter("F11", "pdb_id", "PDB ID", "Name/ID", "dataset", "text", accession("PDB-", "[0-9][A-Za-z0-9]{3}"), _entries("PDB-"), rare=True),
    Filter("F11", "doi", "DOI", "Name/ID", "dataset", "text", check_text, _doi, rare=True),
    Filter("F11", "doi", "DOI", "Name/ID", "deposition", "text", check_text, _doi_of_deposition, on=DEPOSITION, rare=True),
    Filter("F12", "run-id", "Run ID", "Name/ID", "run", "text", identifiers, _ids("id"), _id_words, help="one or more, separated by commas", rare=True),
    Filter("F14", "author", "Author", "Name/ID", "dataset", "text", check_text, _authors),
    Filter("F14", "author", "Author", "Name/ID", "annotation", "text", check_text, _authors, on=frozenset({"annotation"})),
    Filter("F14", "author", "Author", "Name/ID", "tomogram", "text", check_text, _authors, on=frozenset({"tomogram"})),
    Filter("F14", "author", "Author", "Name/ID", "deposition", "text", check_text, _authors, on=DEPOSITION),
    Filter("F15", "author_orcid", "Author ORCID", "Name/ID", "dataset", "text", orcid, _orcids, help="0000-0000-0000-0000", rare=True),
    Filter("F15", "author_orcid", "Author ORCID", "Name/ID", "annotation", "text", orcid, _orcids, on=frozenset({"annotation"}), rare=True),
    Filter("F15", "author_orcid", "Author ORCID", "Name/ID", "tomogram", "text", orcid, _orcids, on=frozenset({"tomogram"}), rare=True),
    Filter("F15", "author_orcid", "Author ORCID", "Name/ID", "deposition", "text", orcid, _orcids, on=DEPOSITION, rare=True),
    Filter("F17", "organism", "Organism name", "Sample", "deposition", "text", check_text, _organism_of_deposition, on=DEPOSITION),
    *(
        Filter("F20", parameter, text, "Sample", "dataset", "list", check_text, _named(name, identifier), kind="dataset", column=name, rare=True)
        for parameter, text, name, identifier in (
            ("tissue", "Tissue", "tissue_name", "tissue_id"), ("cell-type", "Cell type", "cell_name", "cell_type_id"),
            ("strain", "Cell line or strain", "cell_strain_name", "cell_strain_id"), ("component", "Cellular component", "cell_component_name", "cell_component_id"),
        )
    ),
    Filter("F21", "object", "Object name", "Object", "annotation", "list", check_text, lambda vs: chosen("object_name", vs), on=PARTS | DEPOSITION, kind="annotation", column="object_name",
           identified=True, separate=True),
    Filter("F21", "object-mode", "Object names", "", "annotation", "mode", _mode, lambda _: {}, on=EVERYWHERE),
    Filter("F22", "object-id", "Object ID", "Object", "annotation", "text", ontology_id, _object_ids, str, on=PARTS, identified=True, help="GO:0005840, or the digits alone"),
    Filter("F24", "annotated_objects", "Annotated objects only", "Object", "annotation", "choice", lambda t: str(true(t)).lower(), lambda _: {}, lambda _: say("yes"), on=EVERYWHERE, options=("true",)),
    *(
        Filter("F30", name, text, "Annotation", "annotation", "range", bounds, _ranges(f"confidence_{name}"), bounds_words, on=PARTS, kind="annotation", column=f"confidence_{name}", unit="%")
        for name, text in (("precision", "Precision (%)"), ("recall", "Recall (%)"))
    ),
    Filter("F36", "tilt_min", "Total tilt range (°), at least", "Tilt series", "tiltseries", "text", lambda t: bounds(t).number, _range_of_tilts("_gte"), lambda v: f"{v:g}°", help="extent from the lowest to the highest angle, not an angle"),
    Filter("F36", "tilt_max", "Total tilt range (°), at most", "Tilt series", "tiltseries", "text", lambda t: bounds(t).number, _range_of_tilts("_lte"), lambda v: f"{v:g}°", help="extent from the lowest to the highest angle, not an angle"),
    Filter("F39", "tilt-step", "Tilt step (°)", "Tilt series", "tiltseries", "range", bounds, _ranges("tilt_step"), bounds_words, kind="tiltseries", column="tilt_step"),
    Filter("F39", "sections", "Sections", "Tilt series", "tiltseries", "range", bounds, _ranges("size_z"), bounds_words, kind="tiltseries", column="size_z"),
    Filter("F43", "ctf-corrected", "CTF corrected", "Tomogram", "tomogram", "choice", tri, _tri("ctf_corrected", yes=True, no=False), lambda v: say(TRI[v]), on=EVERYWHERE | {"tomogram"}, options=tuple(TRI)),
    Filter("F44", "fiducial_alignment", "Fiducial alignment", "Tomogram", "tomogram", "choice", tri, _tri("fiducial_alignment_status", "FIDUCIAL", "NON_FIDUCIAL"), lambda v: say(TRI[v]),
           on=EVERYWHERE | {"tomogram"}, options=tuple(TRI)),
    Filter("F47", "tomogram-kind", "Kind of tomogram", "Tomogram", "tomogram", "choice", _kind, _kinds, lambda v: say(KINDS[v]), on=EVERYWHERE | {"tomogram"}, options=tuple(KINDS)),
    *(
        Filter("F49", parameter, text, "Dates", level, "text", dates, _ranges(column), bounds_words, on=frozenset({level}), help="2024, 2024-05, >=2024-01-01, 2023..2024")
        for level in ("dataset", "annotation", "tomogram", "deposition")
        for parameter, text, column in (
            ("release-date", "Released", "release_date"), ("deposition-date", "Deposited", "deposition_date"), ("modified", "Modified", "last_modified_date"),
        )
    ),
    Filter("F50", "tag", "Tag", "Other", "deposition", "list", check_text, lambda vs: chosen("tag", vs), on=DEPOSITION, kind="deposition", column="tag"),
    Filter("F50", "tag", "Tag", "Other", "dataset", "text", check_text, lambda vs: {"deposition": chosen("tag", vs)}, on=frozenset({"dataset"})),
    Filter("S4", "search", "Search", "", "dataset", "text", check_text, lambda _: {}, rows=WORDS, on=frozenset({"dataset"})),
    Filter("S4", "search", "Search", "", "run", "text", check_text, lambda _: {}, rows=WORDS, on=frozenset({"run"})),
    Filter("S4", "search", "Search", "", "deposition", "text", check_text, lambda _: {}, rows=WORDS, on=DEPOSITION),
)  # fmt: skip

__all__ = ["DATA_TYPES", "KINDS", "WRITTEN", "bounds_words", "true"]
