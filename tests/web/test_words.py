"""N9: every word of a page comes from the catalogues, numbers are written as the language has them, and addresses stay as they are."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from tests.web.conftest import AsAnyone, on_error
from tests.web.pseudo import BEGIN, END, install
from tests.web.test_budget import PAGES as BUDGETED

from tomotheca.api.fresh import fresh
from tomotheca.errors import TomothecaError
from tomotheca.schema.vocabulary import LABELS
from tomotheca.web.portal import Portal
from tomotheca.web.routes import routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Site

ROOT = Path(__file__).parent.parent.parent
PAGES = (
    *BUDGETED, "/statistics", "/contribute", "/login", "/browse-data/datasets?organism=nothing", "/browse-data/datasets?search=zzz", "/datasets/10000?table-tab=objects",
    "/datasets/10000?table-tab=files", "/datasets/10000?table-tab=depositions", "/datasets/10000?metadata=dataset", "/datasets/10000?metadata=dataset&tab=howToCite",
    "/datasets/10000?quality_score=5&voxel-spacing=5..20&files=tomogram", "/runs/1?table-tab=tilt-series", "/runs/1?table-tab=alignments", "/runs/1?table-tab=frames", "/runs/1?table-tab=files",
    "/runs/1?metadata=run&tab=objectOverview", "/runs/1?metadata=tomogram&metadata-id=TM-1", "/runs/1?metadata=annotation&metadata-id=AN-1", "/runs/1?metadata=alignment&metadata-id=AL-1",
    "/datasets/10000?dl=DS-10000", "/annotations/1?dl=AN-1", "/tilt-series/1?dl=TS-1&dl-what=table", "/depositions/300?dl=DEP-300", "/depositions/300?metadata=deposition&tab=methodSummary",
    "/depositions/300?group-by=organism", "/depositions/300?deposition-tab=tomograms", "/browse-data/depositions?deposition-date=2023..2024", "/search?q=zzzz", "/search?q=ribosme", "/search?q=ribosome&table-tab=runs",
    "/runs/1?dl=RN-1&dl-tab=aws", "/runs/1?dl=RN-1&dl-tab=api", "/runs/1?dl=RN-1&dl-tab=direct", "/runs/1?dl=RN-1&dl-tab=verify", "/runs/77777", "/datasets/abc",
    "/depositions/300?deposition-tab=annotations&group-by=deposited_location", "/runs/1?table-tab=annotations&object=septin", "/runs/1?table-tab=tomograms&voxel-spacing=>500",
    "/tomograms/1", "/alignments/1", "/runs/1?metadata=tiltseries&metadata-id=TS-1", "/browse-data/runs?size=1MB..2TB&completeness=50..", "/datasets/10000?search=zzz",
)  # fmt: skip

READ = {"title", "alt", "placeholder", "aria-label", "data-label"}
CODE = {"script", "style", "code", "pre", "kbd"}
EMPTY = {"meta", "link", "input", "img", "br", "hr", "rect", "use"}
SYMBOLS = re.compile(
    r"\b(?:px|mm|kV|V|B|[kMGTP]B|nm|min|h|s|[A-Z]{2,6}-[A-Z0-9-]*\d+|[A-Za-z]+:[A-Z]*\d+|[xyz]|XY|XZ|YZ|\d{4}-\d\d-\d\d|iD|https?://\S+|sha256|[0-9a-f]{12,})\b|Å(?:/px)?|e⁻/Å²|µm"
)
NAMES = {
    "Tomotheca", "CSV", "TSV", "JSON", "MRC", "OME-Zarr", "AWS CLI", "rclone", "curl", "Python", "BibTeX", "RIS", "CSL-JSON", "RELION 5 STAR", "GT", "CTF", "mdoc", "ID", "ORCID", "REST", "NA", "ndjson", "mrc", "zarr", "raw",
}  # fmt: skip
"""Names of programs and forms of files, and codes, which every language has alike."""


class Reader(HTMLParser):
    """Collects what somebody reads of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.texts = list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [
            f"\x1f{value}\x1f" for name, value in attrs if name in READ and value and tag not in {"link", "code"}
        ]
        if tag not in EMPTY:
            self.open.append("code" if ("translate", "no") in attrs else tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not CODE & set(self.open):
            self.texts.append(f"\x1e{data}\x1e")

    def untranslated(self) -> list[str]:
        """Give what is outside of all brackets."""
        attributes = [t for t in self.texts if t[0] == "\x1f"]
        text, before = "".join([*attributes, *(t for t in self.texts if t[0] == "\x1e")]), ""
        while text != before:
            before, text = text, re.sub(rf"{BEGIN}[^{BEGIN}{END}]*{END}", "\x1e", text)
        return [part for piece in re.split("[\x1e\x1f]", text) if (part := " ".join(piece.split()))]


@pytest.fixture(scope="module")
def spoken(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The site with one more language."""
    settings = site.settings.model_copy(update={"languages": install(tmp_path_factory.mktemp("languages"))})
    portal = Portal(site.catalog, settings, site.portal.files)
    app = Starlette(routes=[*routes(portal)], exception_handlers={TomothecaError: on_error, HTTPException: on_error})
    app.state.portal = portal
    with TestClient(
        AsAnyone(fresh(app, site.catalog.watch, settings)),
        base_url="http://portal.test",
        headers={"accept-language": "en-XA"},
    ) as client:
        yield client


@pytest.fixture(scope="module")
def data(site: Site) -> set[str]:
    """Everything that is written in the catalogue, and the words of the settings."""
    found = {str(getattr(site.settings, name)) for name in ("site_name", "tagline")}
    for table in site.catalog.tables.metadata.tables.values():
        texts = [c for c in table.c if isinstance(c.type, sa.String)]
        for row in site.catalog.execute(sa.select(*texts).distinct()) if texts else ():
            found |= {str(v) for v in row.values() if v}
    found |= {code for codes in LABELS.values() for code in codes}
    return found | {
        part
        for text in found
        if len(text) < 2000
        for part in re.split(r"[\s/]+", text)
        if not part.isalpha() or text.count("/")
    }


def is_data(text: str, data: set[str], whole: str) -> bool:
    """Tell whether a text that nobody translated is of the catalogue, or no word at all."""
    rest = " ".join(SYMBOLS.sub(" ", unicodedata.normalize("NFC", text)).split()).strip(" .,:;·()[]–-←→×★✉/+%°…“”=>")
    if (
        not re.search(r"[^\W\d_]{2}", rest)
        or not {rest, text}.isdisjoint(data | NAMES)
        or (len(rest) > 20 and rest in whole)
    ):
        return True
    if rest in whole and "/" in rest:
        return True
    for between in (" · ", " – ", "; ", ", ", " (", ": ", " / ", " "):
        if len(parts := rest.split(between)) > 1 and (between != " " or rest.count(" ") < 3):
            return all(is_data(part, data, whole) for part in parts)
    return False


@pytest.mark.parametrize("path", PAGES)
def test_N9_every_word_of_a_page_is_translated_or_data(path: str, spoken: TestClient, data: set[str]) -> None:
    answer = spoken.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert '<html lang="en-XA" dir="ltr">' in answer.text
    whole = "\n".join(data)
    asked = " ".join(path.replace("+", " ").split("="))
    known = data | set(re.split("[ &?]", asked))
    left = [
        text for text in Reader(answer.text).untranslated() if text not in asked and not is_data(text, known, whole)
    ]
    assert left == []


def links(html: str) -> list[str]:
    """Give every address in a page."""
    return re.findall(
        r'(?:href|src|action|value|name)="([^"]*)"', re.sub(r"<button.*?</button>", "", html, flags=re.DOTALL)
    )


@pytest.mark.parametrize(
    "path",
    [
        "/browse-data/datasets?organism=Homo+sapiens",
        "/runs/1",
        "/datasets/10000?metadata=dataset",
        "/search?q=ribosome",
        "/runs/1?dl=RN-1",
    ],
)
def test_N9_addresses_and_values_are_never_translated(path: str, spoken: TestClient, http: TestClient) -> None:
    there, here = links(spoken.get(path).text), links(http.get(path).text)
    assert there
    assert [one for one in there if BEGIN in one] == []
    assert sorted(there) == sorted(here)  # lists of options follow the alphabet of the language


def test_N9_numbers_and_plurals_are_those_of_the_language(spoken: TestClient) -> None:
    listing, one = spoken.get("/browse-data/runs").text, spoken.get("/search?q=ribosome").text
    assert re.search(r"\d\u2009\d{3}|\d·\d", listing)
    assert not re.search(r"\d,\d{3}|\d\.\d+\u00a0Å", re.sub(r"<[^>]+>", "", listing))
    assert re.search(rf"{BEGIN}\d+ réšúltš~+{END}", one)


@pytest.mark.parametrize("path", ["/browse-data/datasets", "/runs/1?table-tab=files"])
def test_N9_the_language_is_that_of_the_browser_and_part_of_the_tag(
    path: str, spoken: TestClient, http: TestClient
) -> None:
    tags = set()
    for accept, language in (
        ("en-XA", "en-XA"),
        ("de, en-xa;q=0.5", "en-XA"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("de", "en"),
        ("en-XA;q=0", "en"),
        ("*", "en"),
        ("q=;;,\xff", "en"),
    ):
        answer = spoken.get(path, headers={"accept-language": accept.encode("latin-1")})
        assert f'<html lang="{language}"' in answer.text, accept
        assert "Accept-Language" in answer.headers["vary"]
        tags.add((language, answer.headers["etag"]))
    assert len(tags) == len({tag for _, tag in tags}) == 2
    alone = http.get(path, headers={"accept-language": "en-XA"})
    assert "Accept-Language" not in alone.headers["vary"]
    assert alone.text == spoken.get(path, headers={"accept-language": "en"}).text


@pytest.mark.parametrize(
    "path",
    [
        "/browse-data/datasets.json",
        "/runs/1.json",
        "/statistics.csv",
        "/browse-data/runs.tsv",
    ],
)
def test_N9_data_are_in_english_for_everybody(path: str, spoken: TestClient, http: TestClient) -> None:
    there, here = spoken.get(path), http.get(path)
    assert BEGIN not in there.text
    assert there.text == here.text


@pytest.mark.parametrize("path", ["/", "/browse-data/datasets", "/runs/1", "/docs/data-schema", "/statistics"])
def test_N9_a_page_stays_light_in_a_longer_language(path: str, spoken: TestClient, http: TestClient) -> None:
    assert len(gzip.compress(spoken.get(path).content)) <= 1.6 * len(gzip.compress(http.get(path).content)) + 2000


def test_N9_the_catalogue_of_messages_is_up_to_date() -> None:
    said = subprocess.run(
        [sys.executable, ROOT / "scripts" / "messages.py", "--check"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
