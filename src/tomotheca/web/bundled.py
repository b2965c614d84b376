"""The bundled pages of documentation as documents that can be searched: one for each section that has an address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from tomotheca.search.parts import Part
from tomotheca.web.address import Address
from tomotheca.web.page import Asked, Moved, Page, environment, shell
from tomotheca.web.words import ENGLISH, speaking

if TYPE_CHECKING:
    from tomotheca.web.portal import Portal

TEXTS = ("/docs", "/about", "/contribute", "/privacy", "/terms", "/accessibility", "/licence")
"""Where pages of text are."""

UNREAD = frozenset({"script", "style", "nav", "button", "svg", "form"})
BLOCKS = frozenset({"p", "li", "td", "th", "dd", "dt", "pre", "h1", "h2", "h3", "h4", "tr", "summary", "figcaption"})


@dataclass
class Section:
    """A section of a page."""

    anchor: str = ""
    title: str = ""
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything below the heading."""
        return " ".join("".join(self.words).split())


class Reader(HTMLParser):
    """Reads the sections of a page's main part."""

    def __init__(self) -> None:
        super().__init__()
        self.sections = [Section()]
        self._main = self._unread = 0
        self._heading = False
        self._anchors = [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where sections begin."""
        given = dict(attrs)
        self._main += tag == "main"
        self._unread += tag in UNREAD
        if tag == "section":
            self._anchors.append(given.get("id") or "")
        if tag in {"h1", "h2"} and self._main:
            anchor = given.get("id") or (self._anchors[-1] if tag == "h2" else "")
            if tag == "h1" or anchor:
                self.sections.append(Section(anchor))
            self._heading = True
        if tag in BLOCKS:
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        """Note where they end."""
        self._main -= tag == "main"
        self._unread -= tag in UNREAD
        if tag == "section" and len(self._anchors) > 1:
            self._anchors.pop()
        if tag in {"h1", "h2"}:
            self._heading = False

    def handle_data(self, data: str) -> None:
        """Take the words."""
        if not self._main or self._unread:
            return
        if self._heading and not self.sections[-1].words:
            self.sections[-1].title += data
        else:
            self.sections[-1].words.append(data)


def pages_of(portal: Portal, pages: Sequence[Page]) -> Callable[[], Part]:
    """Give the function that makes the documents of a site's pages, once."""

    @cache
    def made() -> Part:
        part = Part("page", 0, None)
        for page in pages:
            if page.path.startswith(TEXTS) and "{" not in page.path:
                for url, title, text in _sections(portal, page):
                    local = part.number("doc", url, title, text)
                    part.name(local, "title", title)
                    part.add(local, "description", text)
        return part

    return made


def _sections(portal: Portal, page: Page) -> Iterator[tuple[str, str, str]]:
    asked = Asked(portal, Address(page.path), origin=portal.catalog.public_url)
    with speaking(ENGLISH):  # whoever asks first, the index is the same
        context = page.answer(asked)
        if isinstance(context, Moved):
            return
        reader = Reader()
        reader.feed(environment().get_template(page.template).render(page=context, shell=shell(asked, page)))
    for section in reader.sections:
        own = " ".join(section.title.split())
        title = context.title if not section.anchor or own == context.title else f"{context.title}: {own}"
        if section.text or own:
            yield page.path + (f"#{section.anchor}" if section.anchor else ""), title, section.text
