"""Captions of annotations: JSON that is copied as it is, once it is known to be JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from tomotheca.ingest.importers.shapes import ShapeMade
from tomotheca.ingest.language_shapes import AnnotationCaptionShape
from tomotheca.ingest.transfer import Copy, copy
from tomotheca.store import layout

if TYPE_CHECKING:
    from pathlib import Path

    from tomotheca.ingest.importers.shapes import Bench, Setting, ShapeWork
    from tomotheca.ingest.work import Input

SHARE = 8
"""A caption may take this part of the memory."""


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A caption to copy."""

    source: Input


def plan(setting: Setting) -> tuple[CaptionFile, str] | None:
    """Give a caption and the key it is copied to; None, with a finding, if it is no JSON."""
    run, finder = setting.run, setting.item.source.finder
    source = run.scene.input(setting.item.path)
    if source is None:
        return None
    if problem := _problem(source.local, source.size, run.scene.memory // SHARE):
        run.about("error", source.local, problem)
        return None
    if not isinstance(finder, AnnotationCaptionShape):
        return CaptionFile(source), setting.key(".json")
    companion = finder.companion_shape
    if companion not in {s.shape for s in setting.item.entry.sources}:
        others = ", ".join(dict.fromkeys(s.shape for s in setting.item.entry.sources))
        text = f"companion_shape {companion} is no shape of this annotation, which has {others}: it is copied all the same."
        run.add("warning", setting.item, text)
    return CaptionFile(source), setting.place.file(f"{setting.stem}_{layout.shape_name(companion)}_caption.json")


def _problem(path: Path, size: int, most: int) -> str:
    """Say what is wrong with a caption; empty if nothing is."""
    if size > most:
        return f"has {size >> 20} MiB, more than {most >> 20} MiB are not read as JSON."
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        return f"cannot be read: {error.strerror or error}."
    except orjson.JSONDecodeError as error:
        return f"line {error.lineno} is no JSON: {error.msg}."
    return "" if isinstance(found, dict | list) and found else "is JSON without any caption: give an object or a list."


def make(bench: Bench, work: ShapeWork, caption: CaptionFile) -> ShapeMade:
    """Copy a caption byte for byte, unless it is there."""
    brought = copy(bench.context, [Copy(caption.source, work.keys[0], "annotation")], bench.past)
    return ShapeMade(brought.entries, brought.written)
