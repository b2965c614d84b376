"""`tomotheca demo`: a portal to look at, made by the real ingest."""

import json as json_text
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from tomotheca.cli.options import Json, Root, load
from tomotheca.cli.output import emit, note, progress, show_findings
from tomotheca.cli.output import size as bytes_of

INPUT, MARK, CACHE = "demo-input", "built.json", "demo-cache"
EDGES = 3

Runs = Annotated[
    int | None, typer.Option(min=1, help="Simulated runs. Default: the eight that show everything.", show_default=False)
]
Size = Annotated[str, typer.Option(help="Size of the tomograms in voxels, Z,Y,X.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Leave out the dataset of real files, which is fetched with pip.")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the demo was asked to be."""

    runs: int | None
    size: tuple[int, int, int] | None
    seed: int
    offline: bool

    @property
    def text(self) -> str:
        """One line, to compare with what was built."""
        return repr(self)


@dataclass(frozen=True, slots=True)
class Built:
    """A configuration that is ready; paths are below the folder of the lab's files."""

    config: str
    source: str
    private: bool


def demo(
    *,
    runs: Runs = None,
    size: Size = "",
    seed: Seed = 7,
    offline: Offline = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Simulate a lab's files, take them in with `tomotheca ingest`, index them. The second time there is nothing to do."""
    from tomotheca.cli.opened import opened  # noqa: PLC0415 - heavy
    from tomotheca.cli.taking_in import index_touched, take_in  # noqa: PLC0415
    from tomotheca.ingest.plan import IngestOptions  # noqa: PLC0415

    settings = load(root)
    folder = settings.root / INPUT
    built = _built(settings.root, Asked(runs, _size(size), seed, offline), quiet=json)
    with opened(settings, create=True) as portal:
        results = []
        for one in built:
            config, source = folder / one.config, folder / one.source
            options = IngestOptions(
                config, source, private=one.private, workers=settings.workers, memory=settings.memory
            )
            results.append(take_in(portal, options, quiet=json))
        index_touched(portal, results, quiet=json)
    findings = [f for r in results for f in r.findings if f.severity != "note"]
    if not json:
        show_findings(findings)
    written = sum(r.written for r in results)
    words = (
        f"{written} documents and {bytes_of(sum(r.bytes for r in results))} of files written."
        if written
        else "The demo is there already."
    )
    answer = {
        "root": settings.root,
        "written": written,
        "unchanged": sum(r.unchanged for r in results),
        "findings": findings,
    }
    emit(answer, as_json=json, text=f"{words} Next: tomotheca serve --root {settings.root}")
    if any(r.failed for r in results):
        raise typer.Exit(1)


def _size(text: str) -> tuple[int, int, int] | None:
    if not text:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != EDGES or not all(p.strip().isdecimal() and int(p) > 0 for p in parts):
        message = f"--size {text!r}: write three numbers of voxels, such as 64,256,256"
        raise typer.BadParameter(message)
    z, y, x = map(int, parts)
    return z, y, x


def _built(root: Path, asked: Asked, *, quiet: bool) -> list[Built]:
    """Give the configurations of the demo, built unless they are there as asked for."""
    mark = root / INPUT / MARK
    if mark.is_file():
        known = json_text.loads(mark.read_text(encoding="utf-8"))
        if known["asked"] == asked.text:
            return [Built(**d) for d in known["depositions"]]
        mark.unlink()
    made = _build(root, asked, quiet=quiet)
    text = json_text.dumps({"asked": asked.text, "depositions": [asdict(one) for one in made]}, indent=1)
    mark.write_text(text, encoding="utf-8")
    return made


def _build(root: Path, asked: Asked, *, quiet: bool) -> list[Built]:
    from tomotheca.demo import build  # noqa: PLC0415 - heavy

    folder = root / INPUT
    with progress("Simulating", quiet=quiet) as bar:
        bar.total(1)

        def told(words: str, part: float) -> None:
            bar.say(words)
            bar.at(part)

        cache = None if asked.offline else root / CACHE
        plan = build(folder, seed=asked.seed, runs=asked.runs, size=asked.size, cache=cache, progress=told)
        for sentence in plan.notes:
            bar.note(sentence)
    shutil.rmtree(root / CACHE, ignore_errors=True)  # 50 MB for two small maps that are unpacked now
    if not quiet:
        note(f"The lab's files are in {folder}.")
    return [
        Built(d.config.relative_to(folder).as_posix(), d.source.relative_to(folder).as_posix(), d.private)
        for d in plan.depositions
    ]
