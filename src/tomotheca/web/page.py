"""One wrapper for every page: function -> frozen Context -> HTML or JSON, with policy. Entity tags are put on around the routes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import jinja2
import orjson
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tomotheca.catalog.vectors import ChangedError
from tomotheca.catalog.viewer import ANONYMOUS, Viewer
from tomotheca.errors import GoneError, NotFoundError
from tomotheca.schema import SCHEMA
from tomotheca.web import assets, legacy
from tomotheca.web import format as formats
from tomotheca.web import words as language
from tomotheca.web.address import Address
from tomotheca.web.links import leading
from tomotheca.web.notices import notices
from tomotheca.web.texts import FILTER, Texts

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.catalog import Row
    from tomotheca.settings import Settings
    from tomotheca.web.ascode import Code
    from tomotheca.web.meta import Meta
    from tomotheca.web.portal import Portal

TEMPLATES = Path(__file__).parent / "templates"
MAX_VALUES = 200
ANEW = frozenset({"1.0", "1.1"})
"""Versions of HTTP in which an answer can end its connection."""

SILENT = frozenset({"from", "enable-feature", "disable-feature", "showTour"})
"""Parameters of older links that mean nothing here; they are neither reported nor copied."""


@dataclass(frozen=True)
class Asked:
    """What a visitor asks a page for."""

    portal: Portal
    address: Address
    viewer: Viewer = ANONYMOUS
    path: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """Public address of the site, without a slash at the end."""

    version: str = ""
    """Version of the catalogue as the viewer sees it: the end of an embargo changes it too."""

    beyond: set[str] = field(default_factory=set, compare=False)
    """What the answer turns out to depend on besides the catalogue; an entity tag made of the catalogue's version does not tell it."""

    def get(self, kind: str, identifier: int) -> Row:
        """Give one row that the viewer sees.

        Raises
        ------
        GoneError
            If it was there once.
        NotFoundError
            If there is none.
        """
        try:
            return self.portal.catalog.get(kind, identifier, self.viewer)
        except NotFoundError as error:
            name = self.name(kind, identifier)
            if self.portal.desk is None or (grave := self.portal.desk.tombstone(kind, identifier)) is None:
                noun = language.say(self.portal.catalog.schema.kinds[kind].title).lower()
                raise NotFoundError(language.say("There is no {} {}.", noun, name)) from error
            message = language.say("{} was withdrawn: {}. {}", name, grave.title, grave.reason).strip()
            raise GoneError(message) from error

    def name(self, kind: str, identifier: int) -> str:
        """Give the prefixed identifier of something."""
        return identify(self.portal.settings, kind, identifier)


def identify(settings: Settings, kind: str, identifier: int) -> str:
    """Write an identifier as people write it: ``RN-4512``."""
    prefix = settings.deposition_prefix if kind == "deposition" else SCHEMA.kinds[kind].prefix
    return f"{prefix}{identifier}"


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the breadcrumb."""

    text: str
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything a template may use. Pages add their own fields."""

    shows_files: ClassVar[bool] = False
    """Whether there are files, pictures or downloads on the page."""

    title: str
    description: str = ""
    crumbs: tuple[Crumb, ...] = ()
    ignored: tuple[str, ...] = ()
    """Parameters that the page did not understand."""

    notice: str = ""
    notices: tuple[str, ...] = ()
    """What is not as it should be on this server at the moment."""

    noindex: bool = False
    canonical: str = ""
    overlay: Any = None
    """Open drawer or download dialog."""

    code: Code | None = None
    """The query that gives the rows of the page's table."""

    about: Meta | None = None
    """What machines that read pages are told of the page's record."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The page is elsewhere."""

    location: str
    status: int = 302


Answer = Callable[[Asked], Context | Moved]


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its path, the function that answers and the template that draws."""

    path: str
    answer: Answer
    template: str
    twin: str = ""
    """Path of the JSON twin where it is not the page's own with `.json`."""

    def routes(self, portal: Portal) -> list[Route]:
        """Give the route of the JSON twin, then that of the page."""
        twin = self.twin or self.path + ".json"
        return [Route(twin, _endpoint(portal, self, json=True)), Route(self.path, _endpoint(portal, self, json=False))]


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame around every page shows."""

    site: str
    tagline: str
    software: str
    version: str
    curator: bool
    path: str
    search: str = ""
    json: str = ""
    """Address of the JSON twin."""

    url: Callable[[str], str] = assets.url
    contribute: str = "/contribute"
    """Address of the form for offers; nothing where there is none."""


def _endpoint(portal: Portal, page: Page, *, json: bool) -> Callable[[Request], Awaitable[Response]]:
    def endpoint(request: Request) -> Response:
        as_json = json or _prefers_json(request)
        with attending(portal, request, as_json=as_json):
            return respond(request, as_json=as_json)

    def respond(request: Request, *, as_json: bool) -> Response:
        asked = ask(portal, request, json=json)
        try:
            found = _answer(page, asked)
        except ChangedError:  # the catalogue has changed since the request came
            asked = replace(asked, version=portal.catalog.stamp(asked.viewer))
            found = _answer(page, asked)
        if isinstance(found, Moved):
            return RedirectResponse(_twin(found.location) if json else found.location, found.status)
        if found.shows_files and getattr(request.state, "away", False) and (said := notices(asked)):
            found = replace(found, notices=said)
            asked.beyond.add("storage")
        response = guard(to_json(found) if as_json else to_html(page.template, found, shell(asked, page)))
        return by_content(response, request, asked) if asked.beyond else response

    taken = portal.lanes.taking(endpoint)

    async def handle(request: Request) -> Response:
        response = await taken(request)
        if portal.lanes.crowded and request.scope["http_version"] in ANEW:
            response.headers["connection"] = "close"
        return response

    return handle


def by_content(response: Response, request: Request, asked: Asked) -> Response:
    """Tag an answer by what it says; a client that has it is told so."""
    tag = f'"{hashlib.blake2b(bytes(response.body), digest_size=16).hexdigest()}"'
    kept = "private, no-store" if asked.viewer.curator else "no-cache"
    settings = asked.portal.settings
    varied = ["Accept", "Authorization", "Cookie", settings.trusted_header, language.varied(settings)]
    headers = {"etag": tag, "cache-control": kept, "vary": ", ".join(filter(None, varied))}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _answer(page: Page, asked: Asked) -> Context | Moved:
    with asked.portal.catalog.together():
        elsewhere = legacy.moved(asked)
        return Moved(elsewhere) if elsewhere else page.answer(asked)


def _twin(location: str) -> str:
    path, mark, query = location.partition("?")
    return (path if path.endswith(".json") else path + ".json") + mark + query


def ask(portal: Portal, request: Request, *, json: bool = False) -> Asked:
    """Make an `Asked` of a request."""
    path = request.url.path.removesuffix(".json") if json else request.url.path
    pairs: list[tuple[str, str]] = []
    for name, value in request.query_params.multi_items():
        if value.strip() and name not in SILENT and sum(k == name for k, _ in pairs) < MAX_VALUES:
            pairs.append((name, value.strip()))
    viewer = getattr(request.state, "viewer", ANONYMOUS)
    origin = portal.catalog.public_url or str(request.base_url).rstrip("/")
    version = portal.catalog.watch.stamp(viewer)
    return Asked(portal, Address(path, tuple(pairs)), viewer, request.path_params, origin, version)


@contextmanager
def attending(portal: Portal, request: Request, *, as_json: bool = False) -> Iterator[None]:
    """Speak the language of whoever asks, and let identifiers lead where the settings say; data are in English for all."""
    accept = request.headers.get("accept-language", "")
    words = language.ENGLISH if as_json else language.choose(portal.settings, accept)
    with language.speaking(words), leading(portal.settings.links):
        yield


def _prefers_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


@cache
def drawn() -> str:
    """Give a digest of all templates and of this folder's style sheet and script."""
    digest = hashlib.sha256()
    for path in [*sorted(TEMPLATES.rglob("*")), *sorted(assets.STATIC.glob("*.*"))]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def guard(response: Response) -> Response:
    """Set the headers that protect a page."""
    response.headers["content-security-policy"] = assets.PAGE_CSP
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["referrer-policy"] = "strict-origin-when-cross-origin"
    return response


def shell(asked: Asked, page: Page | None = None) -> Shell:
    """Make the frame around a page."""
    settings = asked.portal.settings
    path = asked.address.path
    twin = asked.address.at(page.twin if page and page.twin else path + ".json")
    return Shell(
        settings.site_name,
        settings.tagline,
        asked.portal.software,
        asked.version.partition(".")[0],
        asked.viewer.curator,
        path,
        asked.address.first("search"),
        str(twin),
        contribute=settings.contribute_link,
    )


def to_html(template: str, context: Context, frame: Shell, status: int = 200) -> Response:
    """Draw a context with its template."""
    body = environment(language.current()).get_template(template).render(page=context, shell=frame)
    return Response(body, status, media_type="text/html")


def to_json(context: Context, status: int = 200) -> Response:
    """Write every field of a context as JSON."""
    body = {f.name: getattr(context, f.name) for f in fields(context)}
    return Response(
        orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS), status, media_type="application/json"
    )


@cache
def environment(words: language.Words = language.ENGLISH) -> jinja2.Environment:
    """Give the templates in a language; whatever is not in a Context is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["words"] = words
    env.add_extension(Texts)
    env.install_gettext_translations(words.catalogue, newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    env.filters[FILTER] = words.translate
    env.filters["urlencode"] = lru_cache(1024)(jinja2.filters.do_urlencode)  # each value of a panel is on many pages
    env.filters.update(count=formats.count, size=formats.size, date=formats.date, number=formats.number)
    return env
