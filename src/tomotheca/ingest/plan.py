"""Plan an ingest: what will be made of which files, and everything that is wrong, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca import __version__
from tomotheca.errors import ConfigurationError, Finding
from tomotheca.formats.omezarr import DEFAULT, Form
from tomotheca.ingest import expressions, maps, stale
from tomotheca.ingest.archive import RunArchive
from tomotheca.ingest.check import in_order, load
from tomotheca.ingest.discover import Discovery, Item, discover
from tomotheca.ingest.far import listing as listing_of
from tomotheca.ingest.importers import dataset as dataset_importer
from tomotheca.ingest.importers import run as run_importer
from tomotheca.ingest.importers import tiltseries
from tomotheca.ingest.importers.alignment import Alignments
from tomotheca.ingest.importers.annotation import Annotations
from tomotheca.ingest.importers.tomogram import Tomograms
from tomotheca.ingest.listing import Listing, Stored
from tomotheca.ingest.pictures import Elsewhere
from tomotheca.ingest.scene import RunScene, Scene
from tomotheca.ingest.work import Origin, Plan, Step
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.ingest.config import Configuration
    from tomotheca.ingest.inplace import Staying
    from tomotheca.ingest.workers import Team
    from tomotheca.store.files import Files

ONLY = {
    "tiltseries": "tiltseries",
    "alignments": "alignment",
    "tomograms": "tomogram",
    "annotations": "annotation",
    "runs": "run",
    "datasets": "dataset",
    "depositions": "deposition",
}
"""Words of `--only` and the kinds of steps they mean."""

SHOWN = 40
"""Escaped links that are listed."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What an ingest is asked to do."""

    config: Path
    source: Path
    """Folder below which `source_prefix` lies, or what stands in for it where that is a bucket; see `far`."""

    only: tuple[str, ...] = ()
    """Containers to take in, such as ``tomograms``; empty takes all."""

    run: str = ""
    """Regular expression that the names of runs must match somewhere; empty takes all."""

    force: bool = False
    """Do everything again, whatever is there."""

    private: bool = False
    """Hide what is described here until it is published."""

    workers: int = 1
    """Processes, and cores that they use together."""

    memory: int = 1 << 30
    """Bytes that all processes together may use."""

    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    """Where key photos may come from besides the source."""

    verify: bool = False
    """Read sources and what was made of them again, and do what differs again."""

    keep: bool = False
    """Leave in the archive what the configuration does not produce any more."""

    staying: Staying | None = None
    """The wish that volumes stay where they are; None copies them."""

    form: Form = DEFAULT
    """How OME-Zarr images are written; that of a volume that stays where it is remains 0.4, with a note."""

    team: Team | None = None
    """Who does the steps; None takes processes of this machine."""

    @property
    def whole(self) -> bool:
        """Whether all of the configuration is taken in, so that what it does not produce is not wanted any more."""
        return not (self.only or self.run or self.keep)


def plan(options: IngestOptions, files: Files, *, alone: bool = False) -> Plan:
    """Plan an ingest.

    Nothing is written: neither in the archive nor in the desk. With `alone` the archive is a stand-in: what the configuration
    refers to is taken to be there.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be read, or has errors of its own.
    """
    configuration = load(options.config)
    listing = sources(configuration, options.source)
    if configuration.errors or configuration.standard is None:
        raise ConfigurationError(configuration.findings)
    known = maps.read(configuration.standard, _beside(configuration, listing))
    found = discover(configuration, listing, known, None if alone else Stored(files))
    origin = Origin(configuration.text.sha256, "tomotheca", __version__)
    scene = Scene(
        configuration,
        listing,
        known,
        found,
        files,
        origin,
        private=options.private,
        alone=alone,
        elsewhere=options.elsewhere,
    )
    scene.memory, scene.staying, scene.form = options.memory, options.staying, options.form
    scene.findings += [*known.findings, *found.findings, *_asked(options)]
    steps = tuple(_steps(scene, options)) if not any(f.severity == "error" for f in known.findings) else ()
    scene.findings += _escaped(listing)
    left, kept = _stale(scene, options, steps)
    scene.findings += left.findings
    return Plan(
        kept,
        in_order([*configuration.findings, *scene.findings]),
        _matched(configuration, found),
        tuple(_unmatched(configuration, listing, found, steps)),
        found.collapsed,
        tuple(int(i.name) for i in found.all("datasets")),
        tuple(int(i.name) for i in found.all("depositions")),
        origin,
        found.skipped,
        left,
    )


def _stale(scene: Scene, options: IngestOptions, steps: tuple[Step, ...]) -> tuple[stale.Stale, tuple[Step, ...]]:
    """Find what an edit has left over, and the steps that are to be done; nothing goes while something is wrong."""
    broken = any(f.severity == "error" for f in (*scene.configuration.findings, *scene.findings))
    if scene.alone or broken:
        return stale.Stale(), steps
    datasets, depositions = (
        tuple(int(i.name) for i in scene.discovery.all(kind)) for kind in ("datasets", "depositions")
    )
    scope = stale.Scope(
        options.config, scene.origin.configuration, datasets, depositions, scene.archives, scene.listing
    )
    kept = steps
    if not options.force:
        kept, findings = stale.mounted(scene.files, scope, steps)
        scene.findings += findings
    return stale.find(scene.files, scope, steps) if options.whole else stale.Stale(), kept


def sources(configuration: Configuration, source: Path) -> Listing:
    """Open the folder of a configuration's files.

    Raises
    ------
    ConfigurationError
        If it is not there.
    """
    prefix = configuration.standard.source_prefix if configuration.standard else ""
    parts = [p for p in prefix.split("/") if p not in {"", "."}]
    root = source.joinpath(*parts)
    if ".." in parts or not root.is_dir():
        problem = "leads out of the source" if ".." in parts else "is no folder: correct the source or source_prefix"
        where = configuration.text.where(("standardization_config", "source_prefix"))
        finding = Finding("error", where, f"{root} {problem}.", "standardization_config.source_prefix")
        raise ConfigurationError([*configuration.findings, finding])
    return listing_of(root, prefix)


def _beside(configuration: Configuration, listing: Listing) -> Listing:
    """Choose where map files are looked for: below the source, or beside the configuration if all of them are there alone."""
    named = _maps(configuration)
    folder = configuration.path.parent
    if any(listing.exists(name) for name in named) or not all((folder / name).is_file() for name in named):
        return listing
    return Listing(folder) if named else listing


def _asked(options: IngestOptions) -> Iterator[Finding]:
    for word in options.only:
        if word not in ONLY:
            yield Finding("error", "--only", f"{word} is none of {', '.join(ONLY)}.")
    try:
        expressions.check(options.run)
    except ValueError as error:
        yield Finding("error", "--run", f"{options.run} {error}.")


def _escaped(listing: Listing) -> Iterator[Finding]:
    for path in sorted(listing.escaped)[:SHOWN]:
        yield Finding(
            "warning",
            str(listing.local(path)),
            "is a link that leads out of the source: it is not followed; copy the file or name its folder as the source.",
        )


def _steps(scene: Scene, options: IngestOptions) -> Iterator[Step]:
    kinds = {ONLY.get(word, "") for word in options.only}
    wanted = re.compile(options.run) if not any(f.where == "--run" for f in scene.findings) else re.compile("")
    for step in _all_steps(scene, wanted):
        if not kinds or step.kind in kinds or step.kind in {"run", "dataset", "deposition"}:
            yield step


def _all_steps(scene: Scene, wanted: re.Pattern[str]) -> Iterator[Step]:
    every = tuple(int(i.name) for i in scene.discovery.all("datasets"))
    for deposition in scene.discovery.of(None, "depositions"):
        _referred(scene, deposition)
        for dataset in scene.discovery.of(deposition, "datasets"):
            if not _referred(scene, dataset):
                continue
            runs = scene.discovery.of(dataset, "runs")
            chosen = [r for r in runs if _wanted(wanted, r.name)]
            if runs and not chosen:
                scene.findings.append(Finding("error", "--run", f"no run matches {wanted.pattern}."))
            for run in chosen:
                yield from _run_steps(scene, deposition, dataset, run)
            if step := dataset_importer.plan(scene, dataset, (int(dataset.name),)):
                yield step
        if step := dataset_importer.plan(scene, deposition, every):
            yield step


def _wanted(wanted: re.Pattern[str], name: str) -> bool:
    try:
        return expressions.search(wanted, name) is not None
    except expressions.ExpressionError as slow:
        raise ConfigurationError([Finding("error", "--run", f"{slow}.")]) from slow


def _referred(scene: Scene, item: Item) -> bool:
    """Whether a dataset or deposition can be used: described here, or in the archive already."""
    if item.entry.metadata is not None:
        return True
    number = int(item.name)
    place = layout.Dataset(number) if item.kind == "dataset" else layout.Deposition(number)
    if scene.alone or scene.files.exists(place.document):
        return True
    if item.kind == "deposition":
        scene.add(
            "warning",
            item,
            f"deposition {number} has no metadata here and is not in the archive: pages will not name it.",
        )
        return True
    scene.add(
        "error",
        item,
        f"dataset {number} has no metadata here and is not in the archive: take it in first, or describe it.",
    )
    return False


def _run_steps(scene: Scene, deposition: Item, dataset: Item, item: Item) -> Iterator[Step]:
    place = layout.Run(int(dataset.name), item.name)
    owned = dataset.entry.metadata is not None and not item.referred
    if not owned and not scene.alone and not scene.files.exists(place.document):
        scene.add(
            "error",
            item,
            f"dataset {dataset.name} has no run {item.name} in the archive: correct the name, or take the run in first.",
        )
        return
    known = scene.archives[place.folder] = RunArchive(scene.files, place)
    run = RunScene(scene, item, place, int(deposition.name), known, owned)
    series = tiltseries.plan(run)
    alignments = Alignments(run, series)
    yield from tiltseries.steps(run, series, alignments.excluded())
    made: list[Step] = []
    for spacing in run.of("voxel_spacings"):
        _not_taken(run, spacing)
        tomograms = Tomograms(run, spacing, alignments)
        planned = tomograms.plan()
        items = run.of("annotations", spacing)
        shapes = [(i, a.key) for i in items if (a := alignments.choose(i, tomograms.spacing)) is not None]
        made += [s for one in planned if (s := tomograms.step(one, shapes)) is not None]
        made += Annotations(run, tomograms.spacing, alignments, planned).plan(items)
    yield from alignments.steps()
    yield from made
    spacings = list(
        dict.fromkeys(
            key.split(f"/{layout.SPACING}")[1].split("/")[0] for s in made if f"/{layout.SPACING}" in (key := s.key)
        )
    )
    yield run_importer.plan(run, series, spacings)


def _not_taken(run: RunScene, spacing: Item) -> None:
    """Say what is named for a tomogram that is only referred to."""
    for tomogram in run.referred("tomograms", spacing):
        for photo in run.of("key_images", tomogram):
            if photo.path:
                message = f"{photo.path} is a key photo of a tomogram that is only referred to: it is not taken."
                run.add("warning", photo, message)


def _matched(configuration: Configuration, found: Discovery) -> dict[str, tuple[str, ...]]:
    matched: dict[str, dict[str, None]] = {}
    for items in found.children.values():
        for item in items:
            if item.paths and not item.referred:
                matched.setdefault(configuration.text.where(item.source.location), {}).update(dict.fromkeys(item.paths))
    return {where: tuple(paths) for where, paths in matched.items()}


def _maps(configuration: Configuration) -> set[str]:
    standard = configuration.standard
    named = (
        (
            standard.run_data_map_file,
            standard.run_to_frame_map_csv,
            standard.run_to_tomo_map_csv,
            standard.run_to_ts_map_csv,
        )
        if standard
        else ()
    )
    return {n.lstrip("/") for n in named if n}


def _unmatched(
    configuration: Configuration, listing: Listing, found: Discovery, steps: Iterable[Step]
) -> Iterator[str]:
    """List files, and array directories, that nothing names. A folder that was named for its name does not count."""
    used = found.matched | _maps(configuration) | {i.path for step in steps for i in step.inputs}
    return (path for path in listing.files() if path not in used)
