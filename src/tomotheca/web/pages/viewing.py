"""The page around the viewer, and the states it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import orjson
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.web import assets, downloads, drawers, layers, links, previews, summaries, viewer
from tomotheca.web import format as formats
from tomotheca.web.address import Address
from tomotheca.web.page import Asked, Context, Crumb, Moved, ask, guard
from tomotheca.web.pages.common import identifier, over, prefixed, unknown
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.portal import Portal

PARAMETERS = ("tomogram", "annotation", "deposition", "layout", "pos", "tour")
KINDS = ("tomogram", "annotation", "deposition")
FARTHEST = 1e9
"""Å that a place may be away."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A tomogram that the viewer can switch to."""

    identifier: str
    text: str
    note: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An annotation of the run in the viewer: on, or off and why."""

    identifier: str
    text: str
    on: bool
    rule: str
    href: str
    """Of a view with this annotation alone."""


@dataclass(frozen=True, kw_only=True)
class View(Context):
    """Everything on the viewer's page."""

    shows_files: ClassVar[bool] = True
    identifier: str
    run: Crumb
    dataset: Crumb
    frame: str
    """Address of the viewer's frame; empty where there is nothing to show."""

    state: str
    built: bool
    choices: tuple[Choice, ...]
    picture: summaries.Picture
    preview: previews.Preview | None
    """What is shown where the viewer cannot be."""

    layers: tuple[Shown, ...]
    only: str
    """What the view is limited to."""

    reset: str
    download: str
    info: str


def wanted(asked: Asked, run: int, tomogram: int | None = None) -> tuple[viewer.Wanted, tuple[str, ...]]:
    """Read which tomogram, annotation and deposition are asked for."""
    found: dict[str, int | None] = {}
    ignored = []
    for kind in KINDS:
        given = asked.address.first(kind)
        found[kind] = prefixed(asked, kind, given) if given else None
        if given and found[kind] is None:
            ignored.append(f"{kind}={given[:80]}")
    at = _place(asked.address.first("pos"))
    if asked.address.first("pos") and at is None:
        ignored.append(f"pos={asked.address.first('pos')[:80]}")
    return viewer.Wanted(
        run, tomogram if tomogram is not None else found["tomogram"], found["annotation"], found["deposition"], at
    ), tuple(ignored)


def _place(text: str) -> tuple[float, float, float] | None:
    """Read three numbers; None if they are none."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (x, y, z) if all(abs(n) < FARTHEST for n in (x, y, z)) else None


def view_run(asked: Asked) -> View | Moved:
    """Make the viewer's page for a run."""
    number = identifier(asked, "run")
    return number if isinstance(number, Moved) else _view(asked, number, None)


def view_tomogram(asked: Asked) -> View | Moved:
    """Make the viewer's page for one tomogram."""
    number = identifier(asked, "tomogram")
    return number if isinstance(number, Moved) else _view(asked, asked.get("tomogram", number)["run_id"], number)


def _view(asked: Asked, number: int, tomogram: int | None) -> View:
    run = asked.get("run", number)
    dataset = asked.get("dataset", run["dataset_id"])
    want, ignored = wanted(asked, number, tomogram)
    found = viewer.find_tomograms(asked, number)
    known = want if any(t["id"] == want.tomogram for t in found) else replace(want, tomogram=None)
    best = viewer.choose_tomogram(asked, known)["id"] if found else 0
    current = next((t for t in found if t["id"] == best), None)
    shown, view = _layers(asked, want, current), f"/tomograms/{current['id']}" if current else ""
    overlay_by = asked.name("annotation", want.annotation) if want.annotation is not None else ""
    drawn = previews.drawable(asked, number, current["alignment_id"]) if current else {}
    preview = previews.of_tomogram(asked, current, drawn, href=view, overlay=overlay_by)
    query = {
        k: v
        for k, v in (
            ("tomogram", current["id"] if current else None),
            ("annotation", want.annotation),
            ("deposition", want.deposition),
            ("pos", asked.address.first("pos") if want.at else None),
        )
        if v is not None
    }
    state = str(Address(f"/api/v1/viewer/runs/{number}/state.json").set(query))
    overlay, misread = over(asked, ("run", number))
    name, alt = (
        asked.name("run", number),
        say("Central slice of {}, {}", asked.name("tomogram", current["id"]), run["name"]) if current else run["name"],
    )
    return View(
        title=say("Viewer: {}", run['name']), crumbs=(), ignored=(*ignored, *misread, *unknown(asked.address, (*PARAMETERS, *previews.PARAMETERS)), *(preview.ignored if preview else ())), overlay=overlay, noindex=True, identifier=name,
        run=Crumb(run["name"], links.page("run", number)), dataset=Crumb(dataset["title"], links.page("dataset", dataset["id"])),
        frame=assets.viewer_url(state) if current and assets.is_built() else "", state=state, built=assets.is_built(), choices=tuple(_choice(asked, number, t, current) for t in found),
        picture=summaries.picture(asked, _photo(current), alt, width=summaries.MIDDLE), preview=preview, layers=shown, only=_only(asked, want), reset=f"/view/runs/{number}",
        download=downloads.link(asked, "run", number), info=drawers.link(asked, "run", number),
    )  # fmt: skip


def _layers(asked: Asked, want: viewer.Wanted, tomogram: Row | None) -> tuple[Shown, ...]:
    """List the annotations in the order of preference, those that are on first."""
    if tomogram is None:
        return ()
    shapes = viewer.find_shapes(asked, want)
    found = []
    for decided in sorted(layers.choose(asked, shapes, want, tomogram), key=lambda d: not d.on):
        s = shapes[decided.place]
        name = asked.name("annotation", s.annotation["id"])
        text = f"{s.annotation['object_name']}, {label('annotation_file_shape_type_enum', s.shape).lower()}"
        found.append(Shown(name, text, decided.on, decided.rule, f"/view/runs/{want.run}?annotation={name}"))
    return tuple(found)


def _photo(t: Row | None) -> str | None:
    return (t["key_photo_url"] or t["key_photo_thumbnail_url"]) if t else None


def _choice(asked: Asked, run: int, t: Row, current: Row | None) -> Choice:
    name = asked.name("tomogram", t["id"])
    note = f"{label('tomogram_reconstruction_method_enum', t['reconstruction_method'])}, {formats.vector((t['size_x'], t['size_y'], t['size_z']), 'px')}"
    if current and t["alignment_id"] != current["alignment_id"]:
        note += say(", another alignment")
    href = str(asked.address.at(f"/view/runs/{run}").only(PARAMETERS).set({"tomogram": name}))
    return Choice(
        name,
        f"{formats.quantity(t['voxel_spacing'], 'Å')} · {label('tomogram_processing_enum', t['processing'])}",
        note,
        href,
        t is current,
    )


def _only(asked: Asked, want: viewer.Wanted) -> str:
    if want.annotation is not None:
        return say("annotation {}", asked.name("annotation", want.annotation))
    return say("deposition {}", asked.name("deposition", want.deposition)) if want.deposition is not None else ""


def state_routes(portal: Portal) -> list[Route]:
    """Give the route of generated states."""

    def state(request: Request) -> Response:
        asked = ask(portal, request)
        want, _ = wanted(asked, request.path_params["id"])
        body = orjson.dumps(viewer.state(asked, want))
        response = guard(Response(body, media_type="application/json"))
        response.headers["cache-control"] = "no-cache" if not asked.viewer.curator else "no-store"
        return response

    return [Route("/api/v1/viewer/runs/{id:int}/state.json", state)]


PAGES: dict[str, Callable[[Asked], View | Moved]] = {"/view/runs/{id}": view_run, "/view/tomograms/{id}": view_tomogram}
