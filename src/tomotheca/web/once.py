"""A catalogue that answers each question once: what is put together of many parts asks for the same rows again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.catalog.catalog import Catalog

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.page import Asked


class Once:
    """Everything that a catalogue is, with the rows of this request remembered."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[str, Viewer, bytes], list[Row]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def find(self, kind: str, viewer: Viewer, **asks: Any) -> list[Row]:
        """Give rows; see `Catalog.find`."""
        question = (kind, viewer, orjson.dumps({n: v for n, v in asks.items() if v}, option=orjson.OPT_SORT_KEYS))
        if question not in self._known:
            self._known[question] = self._catalog.find(kind, viewer, **asks)
        return list(self._known[question])

    def get(self, kind: str, identifier: int, viewer: Viewer) -> Row:
        """Give one row; see `Catalog.get`."""
        return Catalog.get(self, kind, identifier, viewer)  # type: ignore[arg-type]  # it has what `get` needs


def once(asked: Asked) -> Asked:
    """Let a request remember its rows."""
    catalog: Any = Once(asked.portal.catalog)
    return replace(asked, portal=replace(asked.portal, catalog=catalog))
