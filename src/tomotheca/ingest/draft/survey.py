"""Look at a folder: which files there are, what each is for, and which run it belongs to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from tomotheca.errors import FormatError
from tomotheca.formats import aretomo, ctf, imod, mdoc, mrc, rawtlt, warp
from tomotheca.ingest import pyramid
from tomotheca.ingest.draft.found import FEWEST, File, Found, Part, Survey
from tomotheca.ingest.draft.names import Said, say
from tomotheca.ingest.listing import Listing
from tomotheca.store.names import run_name_problem

MOVIES = re.compile(r"frames?|movies?|raw|raw_?(data|frames|movies)", re.IGNORECASE)
"""Names of folders in which images are movies."""

ALIGNED: tuple[Part, ...] = ("aln", "xf", "tlt", "xtilt", "com")
"""Files of alignments of IMOD and AreTomo."""

TERMS = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")
T = TypeVar("T")
LONGEST = 24
"""Parts of a name in which names of runs are looked for."""


def survey(root: Path) -> Survey:
    """Look at a folder; nothing is written, links that lead out of it are not followed."""
    listing = Listing(root)
    files = {path: File(path, say(path), reason=say(path).reason) for path in listing.files()}
    return _Surveyor(root, listing, files).survey()


class _Surveyor:
    """Looks at the files of a folder, the ones that say most first."""

    def __init__(self, root: Path, listing: Listing, files: dict[str, File]) -> None:
        self.root, self.listing, self.files = root, listing, files
        self.runs: dict[str, Found] = {}
        self._mdocs: dict[str, mdoc.Mdoc] = {}
        self._movies: dict[str, str] = {}
        """Name of a movie, in small letters, with and without its ending, to the mdoc file that names it."""

    def survey(self) -> Survey:
        """Look at everything."""
        self._read_mdocs()
        self._headers()
        for name in self._names():
            self.runs[name] = Found(name)
        self._assign()
        for run in self.runs.values():
            self._decide(run)
        self._orphans()
        self.runs = {name: run for name, run in sorted(self.runs.items()) if any(f.part != "left" for f in run.files)}
        return Survey(self.root, self.listing, self.files, self.runs, tuple(self._layout()))

    def _role(self, *roles: str) -> Iterator[File]:
        return (f for f in self.files.values() if f.said.role in roles)

    def _opened(self, file: File, read: Callable[[Path], T]) -> T | None:
        """Read a file; one that cannot be read is left, and gives None."""
        try:
            return read(self.listing.local(file.path))
        except FormatError as error:
            file.leave(f"cannot be read: {error.reason}")
            return None

    def _read_mdocs(self) -> None:
        for file in self._role("mdoc"):
            read = self._opened(file, mdoc.read)
            if read is None:
                continue
            if len(read.images) < FEWEST:
                file.leave(f"records {len(read.images)} images: it is that of a movie or a map, not of a tilt series")
                continue
            file.part = "mdoc"
            self._mdocs[file.path] = read
            for section in read.images:
                if name := section.frame_name:
                    self._movies[name.lower()] = self._movies[_bare(name)] = file.path

    def _is_movie(self, file: File) -> bool:
        in_folder = any(MOVIES.fullmatch(part) for part in file.path.split("/")[:-1])
        named = file.name.lower() in self._movies or _bare(file.name) in self._movies
        return named or (in_folder and file.said.role in {"movie", "volume"} and not file.tags)

    def _headers(self) -> None:
        for file in self._role("volume"):
            if self._is_movie(file):
                continue
            local = self.listing.local(file.path)
            try:
                if file.name.lower().endswith(".zarr"):
                    opened = pyramid.open_source(local)
                    file.shape, file.spacing = opened.shape, opened.voxel_size[0]
                    opened.close()
                    continue
                header = mrc.read_header(local)
                file.shape, file.spacing, file.stack = header.shape, header.voxel_size[0], header.is_stack
            except FormatError as error:
                file.leave(f"cannot be read: {error.reason}")
                file.said = Said("other", file.reason)

    # --- runs ---------------------------------------------------------------------------------------------------------------

    def _names(self) -> set[str]:
        """Find the names of runs: those of mdoc files, alignments, lists of angles and stacks, else those of volumes."""
        strong = {f.said.stem for f in self._role("aln", "rawtilt", "tomostar") if f.said.stem}
        strong |= {self.files[path].said.stem for path in self._mdocs}
        strong |= {f.said.stem for f in self._role("volume") if "stack" in f.tags}
        weak = {f.said.stem for f in self._role("xf", "tlt")} - strong
        weak = {name for name in weak if name and not any(part in strong for part in _inside(name))}
        known = strong | weak
        for file in self._role("volume"):
            if self._is_movie(file) or {"mask", "aligned"} & {*file.tags}:
                continue
            names = {file.said.stem, *_inside(file.said.long)} & known
            if not names and ("tomogram" in file.tags or not known):
                known.add(file.said.long)
        return {name for name in known if not run_name_problem(name)}

    def _assign(self) -> None:
        by_folder: dict[str, set[str]] = defaultdict(set)
        later = []
        for file in self.files.values():
            if (run := self._run_of(file)) is not None:
                file.run = run
                by_folder[file.path.rpartition("/")[0]].add(run)
            else:
                later.append(file)
        for file in later:
            around = by_folder.get(file.path.rpartition("/")[0], set())
            if len(around) == 1 and file.said.role not in {"points", "gain", "movie"}:
                (file.run,) = around
        for file in self.files.values():
            if file.run:
                self.runs[file.run].files.append(file)

    def _run_of(self, file: File) -> str | None:
        if self._is_movie(file):
            recorded = self._movies.get(file.name.lower()) or self._movies.get(_bare(file.name))
            if recorded and (stem := self.files[recorded].said.stem) in self.runs:
                return stem
        if file.said.stem in self.runs:
            return file.said.stem
        for part in reversed(file.path.split("/")):
            if (found := next((name for name in _inside(part) if name in self.runs), None)) is not None:
                return found
        return None

    # --- what the files of a run are for -----------------------------------------------------------------------------------

    def _decide(self, run: Found) -> None:
        self._decide_mdoc(run)
        self._decide_angles(run)
        self._decide_warp(run)
        self._decide_alignment(run)
        self._decide_ctf(run)
        for file in run.files:
            match file.said.role:
                case "volume":
                    self._decide_volume(run, file)
                case "movie" if self._is_movie(file):
                    file.part = "movie"
                case "movie":
                    file.leave("no mdoc file names it, and it lies in no folder of movies")
                case "points":
                    file.part = "points"
        self._one_series(run)
        self._decide_tomostar(run)

    def _decide_mdoc(self, run: Found) -> None:
        found = [f for f in run.files if f.path in self._mdocs]
        found.sort(key=lambda f: (f.said.stem != run.name, -len(self._mdocs[f.path].images), len(f.path), f.path))
        for other in found[1:]:
            other.leave(f"a second record of the acquisition: {found[0].path} is taken")
        if found:
            run.mdoc = self._mdocs[found[0].path]

    def _decide_angles(self, run: Found) -> None:
        for file in sorted((f for f in run.files if f.said.role in {"rawtilt", "tlt"}), key=lambda f: f.path):
            stage = file.said.role == "rawtilt"
            if run.stage if stage else run.refined:
                file.leave("a second list of the same angles")
                continue
            angles = self._opened(file, rawtlt.read)
            if angles is None:
                continue
            if stage:
                run.stage, file.part = angles, "rawtilt"
            else:
                run.refined, file.part = angles, "tlt"

    def _decide_warp(self, run: Found) -> None:
        for file in sorted((f for f in run.files if f.said.role in {"warp", "tomostar"}), key=lambda f: f.path):
            is_list = file.said.role == "tomostar"
            if run.tilts if is_list else run.warp:
                file.leave("a second file of Warp of the same kind")
                continue
            read = self._opened(file, warp.read)
            if read is None:
                continue
            if is_list:
                run.tilts, file.part = read, "tomostar"
            elif read.ctf or read.offsets.any():
                run.warp, file.part = read, "warp"
            else:
                file.leave("it has neither an alignment nor a CTF yet")

    def _decide_tomostar(self, run: Found) -> None:
        """Take Warp's list of tilts for the angles if it has as many as the tilt series: it has doses and movies too."""
        stack = run.one("tiltseries")
        for file in run.of("tomostar"):
            if stack is None or len(run.tilts or ()) != stack.shape[0]:
                file.leave("there is no tilt series of as many sections")
                continue
            for other in run.of("rawtilt"):
                other.leave(f"the angles stand in {file.path}, with doses and movies")
            run.stage = ()

    def _prefer_warp(self, run: Found) -> None:
        """Leave the alignments out that Warp's was imported from."""
        if run.warp is None or not run.warp.offsets.any():
            return
        for part in ALIGNED:
            for file in run.of(part):
                file.leave("Warp's XML has the alignment that was imported, and what came after it")
        run.aln = run.transforms = None
        run.refined, run.com = (), ""

    def _decide_alignment(self, run: Found) -> None:
        for file in sorted((f for f in run.files if f.said.role == "aln"), key=lambda f: f.path):
            if run.aln is not None:
                file.leave("a second alignment of AreTomo: name it in an entry of its own, with another method_type")
                continue
            run.aln = self._opened(file, aretomo.read)
            if run.aln is not None:
                file.part = "aln"
        for file in sorted((f for f in run.files if f.said.role in {"xf", "xtilt", "com"}), key=lambda f: f.path):
            self._decide_imod(run, file)
        self._prefer_warp(run)
        if run.aln is not None:
            for file in run.of("tlt"):
                file.leave("the angles stand in AreTomo's .aln file")
        elif run.transforms is None:
            for part in ("xtilt", "com"):
                for file in run.of(part):
                    file.leave("there are no transforms (.xf) that it belongs to")

    def _decide_imod(self, run: Found, file: File) -> None:
        if run.aln is not None:
            file.leave("belongs to IMOD's alignment: that of AreTomo (.aln) is taken")
            return
        try:
            if file.said.role == "xf":
                if run.transforms is not None:
                    file.leave("a second list of transforms")
                    return
                run.transforms = imod.read_xf(self.listing.local(file.path))
            elif file.said.role == "xtilt":
                imod.read_xtilt(self.listing.local(file.path))
            else:
                if file.name.lower().endswith("tilt.com"):
                    imod.read_tilt_com(self.listing.local(file.path))
                run.com += self.listing.local(file.path).read_text(encoding="utf-8", errors="replace")
        except (FormatError, OSError) as error:
            file.leave(f"cannot be read: {error.reason if isinstance(error, FormatError) else error}")
            return
        file.part = file.said.role  # type: ignore[assignment]  # xf, xtilt and com are both

    def _decide_ctf(self, run: Found) -> None:
        taken = next((f.path for f in run.of("warp") if run.warp is not None and run.warp.ctf), "")
        for file in sorted((f for f in run.files if f.said.role in {"ctf", "ctf_imod"}), key=lambda f: f.path):
            if taken:
                file.leave(f"a second list of CTF parameters: {taken} is taken")
                continue
            form = "CTFFIND" if file.said.role == "ctf" else "IMOD"
            if self._opened(file, partial(ctf.read, form=form)) is None:
                continue
            taken, file.part = file.path, "ctf" if file.said.role == "ctf" else "ctf_imod"

    def _decide_volume(self, run: Found, file: File) -> None:
        tags, z = {*file.tags}, file.shape[0]
        if self._is_movie(file):
            file.part, file.reason = "movie", "the mdoc file names it, or its folder is one of movies"
        elif "mask" in tags:
            file.part, file.reason = "mask", "a mask by its name"
        elif "aligned" in tags and "tomogram" not in tags:
            file.leave("the aligned series, an intermediate: the tilt series and its alignment are taken")
        elif "stack" in tags and "tomogram" not in tags:
            file.part, file.reason = "tiltseries", "a stack by its name"
        elif "tomogram" in tags:
            file.part, file.reason = "tomogram", "a tomogram by its name"
        elif z in run.counts and tags & {"even", "odd", "ctf"}:
            file.leave("halves or power spectra of the tilt series, by name and number of sections")
        elif z in run.counts:
            file.part, file.reason = "tiltseries", f"{z} sections, as many as there are angles"
        elif z == 1:
            file.leave("a single image")
        elif file.stack:
            file.part, file.reason, file.certain = "tiltseries", "the header says that it is a stack of images", False
        else:
            file.part, file.reason, file.certain = (
                "tomogram",
                "a volume of which neither name nor header say more",
                False,
            )

    def _one_series(self, run: Found) -> None:
        """Keep one tilt series: the one that is not binned, then the largest."""
        found = run.of("tiltseries")
        found.sort(key=lambda f: ("binned" in f.tags, f.shape[0] not in run.counts, -f.shape[2], len(f.path)))
        for other in found[1:]:
            other.leave(f"another version of the tilt series: {found[0].path} is taken")

    def _orphans(self) -> None:
        for file in self.files.values():
            if file.run or file.said.role in {"other", "helper", "export", "picture"}:
                continue
            if file.said.role == "gain":
                file.part = "gain"
            elif file.said.role == "points":
                file.part = "points"
            elif file.part != "left" or not file.reason.startswith("cannot be read"):
                file.leave("belongs to no run by its name")
        for run in self.runs.values():
            for file in run.files:
                if file.said.role == "gain":
                    file.part = "gain"

    def _layout(self) -> Iterator[str]:
        parts = {f.part for f in self.files.values()}
        if {"warp", "tomostar"} & parts:
            yield "WarpTools"
        if "aln" in parts:
            yield "AreTomo"
        if {"xf", "com"} & parts:
            yield "IMOD"
        if "mdoc" in parts:
            yield "SerialEM"
        if not {"aln", "xf", "mdoc", "warp", "tomostar"} & parts and {"tomogram", "tiltseries"} & parts:
            yield "plain MRC"


def _bare(name: str) -> str:
    """Give a file's name without its ending, in small letters."""
    return name.lower().removesuffix(".bz2").rsplit(".", 1)[0]


def _inside(name: str) -> Iterable[str]:
    """Give the names that stand in a name between signs that are no letters or digits, the longest first."""
    parts = TERMS.findall(name)[:LONGEST]
    spans = ((i, j) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1))
    return [
        "".join(parts[i:j])
        for i, j in sorted(spans, key=lambda s: s[0] - s[1])
        if parts[i][0].isalnum() and parts[j - 1][0].isalnum()
    ]
