"""Put the configuration together: what was found in a folder, in the order of the language."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tomotheca.ingest.draft.fill import fill, optional
from tomotheca.ingest.draft.found import Found, Survey, by_run
from tomotheca.ingest.draft.guesses import Alias, Guess, Node, agreed, likely, listed, sure, unsure
from tomotheca.ingest.draft.patterns import one_of, runs_source, sources, template
from tomotheca.ingest.draft.picks import Pick, picks
from tomotheca.ingest.draft.series import Path, guesses, rate
from tomotheca.ingest.draft.volumes import DEFAULT, Kind, alignment, tomograms
from tomotheca.ingest.draft.write import HINT
from tomotheca.ingest.language import CONTAINERS, VERSIONS
from tomotheca.ingest.rules import REQUIRED

DECIDED = "decided by the draft: change it as you like"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Identifiers that a draft gives."""

    dataset: int
    deposition: int


@dataclass(slots=True)
class Composer:
    """Makes a configuration of a survey."""

    survey: Survey
    numbers: Numbers
    today: date
    map_name: str
    """Name of the file that says what differs from run to run."""

    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What differs from run to run: column to values by run."""

    notes: list[str] = field(default_factory=list)
    """Sentences for the report."""

    def content(self) -> dict[str, Node]:
        """Make the configuration."""
        runs = self.survey.runs
        kinds = {name: found for name, run in runs.items() if (found := tomograms(run))}
        picked = picks(self.survey, kinds)
        described = {
            "tiltseries": self._series(),
            **self._recorded(),
            "gains": self._gains(),
            "ctfs": self._ctfs(),
            "alignments": self._alignments(),
            "voxel_spacings": self._spacings(kinds),
            "tomograms": self._tomograms(kinds),
            "annotations": self._annotations(picked),
        }
        firsts = [
            by_run(self.survey, part) for part in ("tiltseries", "mdoc", "aln", "xf", "tomostar", "warp", "tomogram")
        ]
        known = list(runs)
        standard = {"deposition_id": self.numbers.deposition, "source_prefix": "."}
        if self.columns:
            standard["run_data_map_file"] = self.map_name
        content = {
            "version": VERSIONS[-1],
            "standardization_config": standard,
            "depositions": self._deposition(bool(picked), bool(kinds)),
            "datasets": self._dataset(),
            "runs": [{"sources": [runs_source(self.survey.listing, known, firsts)]}],
        }
        order = [name for name in CONTAINERS if described.get(name)]
        return {**content, **{name: described[name] for name in order}}

    def map_text(self) -> str:
        """Give the table of what differs from run to run; empty where nothing does."""
        if not self.columns:
            return ""
        text = io.StringIO()
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        table.writerow(["run_name", *self.columns])
        for run in self.survey.runs:
            table.writerow([run, *(column[run] for column in self.columns.values())])
        return text.getvalue()

    # --- people and sample ------------------------------------------------------------------------------------------------

    def _shared(self, model: Any) -> dict[str, Node]:
        """Give what several blocks say alike: authors and dates."""
        people = fill(model, {"authors": None})["authors"]
        for person in people:
            person |= {"corresponding_author_status": True, "primary_author_status": True}
        day = unsure(self.today.isoformat(), "the day of the draft")
        dates = dict.fromkeys(fill(model, {}, required=("dates",))["dates"], day)
        return {"authors": Alias("authors", people), "dates": Alias("dates", dates)}

    def _deposition(self, annotated: bool, reconstructed: bool) -> list[Node]:  # two facts
        model = CONTAINERS["depositions"].metadata
        brings = ["dataset", *(["tomogram"] if reconstructed else []), *(["annotation"] if annotated else [])]
        given = {
            "deposition_identifier": unsure(self.numbers.deposition, DECIDED),
            "deposition_types": likely(brings, "what the folder has"),
            "visibility": {"state": unsure("private", "nobody sees it until `tomotheca publish`")},
            **self._shared(model),
        }
        return [_entry(model, given, [{"literal": {"value": [self.numbers.deposition]}}])]

    def _dataset(self) -> list[Node]:
        model = CONTAINERS["datasets"].metadata
        unknown = {
            name: {"name": unsure("unknown", "no file says it"), "id": "unknown"}
            for name in ("development_stage", "disease")
        }
        given = {
            "dataset_identifier": unsure(self.numbers.dataset, DECIDED),
            "assay": {"name": likely("microscopy assay", "that is what tomography is"), "id": "EFO:0002909"},
            "visibility": {"state": unsure("private", "nobody sees it until `tomotheca publish`")},
            **unknown,
            **self._shared(model),
        }
        return [_entry(model, given, [{"literal": {"value": [str(self.numbers.dataset)]}}])]

    # --- tilt series ------------------------------------------------------------------------------------------------------

    def _series(self) -> list[Node]:
        paths = by_run(self.survey, "tiltseries")
        if not paths:
            return []
        said: dict[Path, dict[str, Guess | None]] = {}
        for name in paths:
            for path, guess in guesses(self.survey.runs[name]):
                said.setdefault(path, {})[name] = guess
        given: dict[str, Any] = {}
        for path, by_name in said.items():
            value = self._common("_".join(path), by_name)
            block = given
            for part in path[:-1]:
                block = block.setdefault(part, {})
            block[path[-1]] = value
        return [_entry(CONTAINERS["tiltseries"].metadata, given, sources(self.survey.listing, paths))]

    def _common(self, column: str, said: Mapping[str, Guess | None]) -> Guess | None:
        """Make one value of those of the runs: theirs, or a column of the map where they differ."""
        try:
            return agreed(said)
        except ValueError:
            pass
        known = {run: guess for run, guess in said.items() if guess is not None}
        first = next(iter(known.values()))
        usual = Counter(repr(g.value) for g in known.values()).most_common(1)[0][0]
        default = next(g.value for g in known.values() if repr(g.value) == usual)
        silent = sorted(set(said) - set(known))
        if silent:
            self.notes.append(
                f"{column}: {listed(silent)} says nothing; {default} stands in {self.map_name}, as in other runs."
            )
        self.columns[column] = {run: known[run].value if run in known else default for run in self.survey.runs}
        kind = (
            f"{type(first.value).__name__} "
            if isinstance(first.value, int | float) and not isinstance(first.value, bool)
            else ""
        )
        confidence = "unsure" if silent else first.confidence
        return Guess(f"{kind}{{{column}}}", confidence, f"differs from run to run: column {column} of {self.map_name}")

    def _recorded(self) -> dict[str, list[Node]]:
        """Give angles, records of the acquisition, and movies."""
        listing, runs = self.survey.listing, self.survey.runs
        found: dict[str, list[Node]] = {}
        if angles := {name: paths for name, run in runs.items() if (paths := _stage(run))}:
            found["rawtilts"] = [{"sources": sources(listing, angles)}]
        if records := by_run(self.survey, "mdoc"):
            records = {name: paths[:1] for name, paths in records.items()}
            found["collection_metadata"] = [{"sources": sources(listing, records)}]
        movies = by_run(self.survey, "movie")
        if movies or records:
            found["frames"] = self._frames(movies)
        return found

    def _frames(self, movies: Mapping[str, Sequence[str]]) -> list[Node]:
        runs = self.survey.runs
        model = CONTAINERS["frames"].metadata
        dose = self._common("dose_rate", {name: rate(run) for name, run in runs.items() if run.mdoc or name in movies})
        gain = next((f for f in self.survey.files.values() if f.part == "gain"), None)
        named = next(
            (n for n, r in runs.items() if r.mdoc and any("GainReference" in s.values for s in r.mdoc.images)), ""
        )
        corrected = unsure(True, "there is no gain reference")
        if gain:
            corrected = likely(False, f"there is a gain reference, {gain.name}")
        elif named:
            corrected = likely(False, f"the mdoc file of {named} names a gain reference")
        model_said = fill(model, {"dose_rate": dose}, required=REQUIRED["frame"])["dose_rate"]
        dose_node = Alias("dose_rate", model_said) if movies and len(movies) < len(runs) else model_said
        given = {"dose_rate": dose_node, "is_gain_corrected": corrected}
        made = []
        if movies:
            made.append(_entry(model, given, sources(self.survey.listing, movies), required=REQUIRED["frame"]))
        if without := [name for name in runs if name not in movies]:
            source: dict[str, Any] = {"literal": {"value": ["default"]}}
            if movies:
                source["parent_filters"] = {"include": {"run": [one_of(without)]}}
            made.append(_entry(model, given, [source], required=REQUIRED["frame"]))
        return made

    def _gains(self) -> list[Node]:
        shared = tuple(f.path for f in self.survey.files.values() if f.part == "gain" and not f.run)
        own = by_run(self.survey, "gain")
        paths = {name: (*own.get(name, ()), *shared) for name in self.survey.runs}
        paths = {name: found for name, found in paths.items() if found}
        return [{"sources": sources(self.survey.listing, paths)}] if paths else []

    def _ctfs(self) -> list[Node]:
        made: list[Node] = []
        for part, form in (("ctf", "CTFFIND"), ("ctf_imod", "IMOD")):
            if paths := by_run(self.survey, part):  # type: ignore[arg-type]  # both are parts
                given = {"format": sure(form, "the file reads as such")}
                made.append(_entry(CONTAINERS["ctfs"].metadata, given, sources(self.survey.listing, paths)))
        if paths := {
            n: p for n, p in by_run(self.survey, "warp").items() if (own := self.survey.runs[n].warp) and own.ctf
        }:
            given = {"format": sure("WARP", "the file has a defocus for each tilt")}
            made.append(_entry(CONTAINERS["ctfs"].metadata, given, sources(self.survey.listing, paths)))
        return made

    def _alignments(self) -> list[Node]:
        groups: dict[str, tuple[dict[str, Guess], dict[str, tuple[str, ...]]]] = {}
        for name, run in self.survey.runs.items():
            paths, said = alignment(run)
            if paths:
                key = repr([g.value for g in said.values()])
                groups.setdefault(key, (said, {}))[1][name] = paths
        model = CONTAINERS["alignments"].metadata
        made = []
        for said, by_name in groups.values():
            found = sources(self.survey.listing, by_name)
            if len(groups) > 1:
                found = [_only(source, list(by_name)) for source in found]
            made.append(_entry(model, said, found, required=REQUIRED["alignment"]))
        return made

    # --- volumes ----------------------------------------------------------------------------------------------------------

    def _spacings(self, kinds: Mapping[str, list[Kind]]) -> list[Node]:
        known = sorted({k.spacing for found in kinds.values() for k in found if k.spacing})
        unknown = [k.values["voxel_spacing"] for found in kinds.values() for k in found if not k.spacing][:1]
        nothing = [] if known or unknown else [unsure(10.0, "there is no tomogram yet: nothing comes of it")]
        return [{"sources": [{"literal": {"value": [*known, *unknown, *nothing]}}]}]

    def _tomograms(self, kinds: Mapping[str, list[Kind]]) -> list[Node]:
        groups: dict[tuple[str, ...], tuple[Kind, dict[str, tuple[str, ...]]]] = {}
        for name, found in kinds.items():
            for kind in found:
                groups.setdefault(kind.key, (kind, {}))[1][name] = (kind.file.path,)
        model = CONTAINERS["tomograms"].metadata
        made = []
        several = len({k.spacing for k, _ in groups.values()}) > 1
        for kind, paths in groups.values():
            zero = {
                axis: unsure(0, "the tomogram is not cut out of a larger one") if axis == "x" else 0 for axis in "xyz"
            }
            given = {**kind.values, "tomogram_version": likely(1, "its first"), "offset": zero, **self._shared(model)}
            filters = {"voxel_spacing": [one_of([f"{kind.spacing:.3f}"])]} if several and kind.spacing else None
            found_by = sources(self.survey.listing, paths, filters=filters)
            if len(groups) > 1:
                found_by = [_only(source, list(paths)) for source in found_by] if set(paths) != set(kinds) else found_by
            made.append(_entry(model, given, found_by, required=REQUIRED["tomogram"]))
        made.sort(key=lambda entry: entry["metadata"][DEFAULT].value is not True)
        return made

    def _annotations(self, picked: Sequence[Pick]) -> list[Node]:
        model = CONTAINERS["annotations"].metadata
        taken: Counter[str] = Counter()
        made = []
        for pick in picked:
            slug = (
                "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in pick.name.lower()).split())
                or "object"
            )
            taken[slug] += 1
            name = unsure(pick.name, "a word of the file's name") if pick.name else None
            given = {
                "annotation_ingest_id": unsure(f"{slug}-{taken[slug]}", DECIDED),
                "annotation_object": {"name": name},
                "version": likely("1.0", "its first"),
                **self._shared(model),
            }
            made.append(_entry(model, given, self._shapes(pick)))
        return made

    def _shapes(self, pick: Pick) -> list[Node]:
        groups: dict[str, list[str]] = {}
        for run, path in pick.paths.items():
            groups.setdefault(template(path, run), []).append(run)
        found: list[Node] = []
        for glob, runs in groups.items():
            include: dict[str, Any] = {"voxel_spacing": [one_of(sorted(pick.spacings))]}
            if len(groups) > 1 or set(runs) != set(self.survey.runs):
                include["run"] = [one_of(runs)]
            shape = {**pick.values, "glob_string": glob}
            found.append({pick.shape: shape, "parent_filters": {"include": include}})
        return found


def _entry(
    model: Any, given: Mapping[str, Any], found: Sequence[Node], *, required: Sequence[str] = ()
) -> dict[str, Node]:
    metadata = fill(model, given, required=required)
    further = optional(model, metadata)
    if further:
        metadata[HINT] = f"may be added: {', '.join(further)}"
    return {"metadata": metadata, "sources": list(found)}


def _only(source: Mapping[str, Any], runs: Sequence[str]) -> dict[str, Any]:
    """Let a source look into these runs alone."""
    include = {**(source.get("parent_filters") or {}).get("include", {})}
    include.setdefault("run", [one_of(runs)])
    return {**source, "parent_filters": {"include": include}}


def _stage(run: Found) -> tuple[str, ...]:
    """Give the list of angles of a run's stage; of a run without one and without a fitting mdoc file that of refined angles."""
    if own := run.of("tomostar") or run.of("rawtilt"):
        return (own[0].path,)
    stack = run.one("tiltseries")
    sections = stack.shape[0] if stack else 0
    recorded = len(run.mdoc.images) if run.mdoc else 0
    if stack and recorded != sections and len(run.refined) == sections and (refined := run.of("tlt")):
        return (refined[0].path,)
    return ()
