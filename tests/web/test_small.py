"""The small functions: numbers, links, values of filters, addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.web import assets, links
from tomotheca.web import format as formats
from tomotheca.web.address import Address
from tomotheca.web.grammar import bounds, contains, identifiers, words
from tomotheca.web.tables import natural


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12.3 kB"), (999_600, "1 MB"), (317_521_024, "318 MB"), (1.5e15, "1.5 PB"), (None, "Not recorded")],
)  # fmt: skip
def test_sizes_are_decimal(value: float | None, text: str) -> None:
    assert formats.size(value) == text


def test_numbers_have_true_minus_signs_and_no_tails() -> None:
    assert formats.number(-60.0) == "\u221260"
    assert formats.number(1234.5678) == "1,234.568"
    assert formats.number(-0.0001) == "0"
    assert formats.tilt_range(120.0, -60.0, 60.0) == "120° (\u221260° to 60°)"
    assert formats.vector((630, None, 200), "px") == "(630, –, 200)\u00a0px"
    assert formats.voltage(300_000) == "300,000\u00a0V (300\u00a0kV)"


def test_quality_says_number_and_word() -> None:
    assert formats.quality(5).text == "5 – Excellent"
    assert [formats.quality(n).text for n in (None, 0, 9)] == ["Not rated"] * 3
    assert formats.run_quality([5, 5]).text == "5 – Excellent"
    assert formats.run_quality([3, 5, None]).text == "3–5 (2 tilt series)"


def test_precision_is_a_percentage_or_na() -> None:
    assert formats.confidence(0.0, ground_truth=False).text == "0\u00a0%"
    assert formats.confidence(None, ground_truth=True).help == "This is ground truth."


@pytest.mark.parametrize(
    ("value", "truth", "text", "reason"),
    [(97.5, False, "97.5\u00a0%", ""), (97.5, True, "NA", "This is ground truth."), (None, False, "NA", "Needs a ground truth to compare with."),
     (None, None, "NA", "Needs a ground truth to compare with."), (0.0, None, "0\u00a0%", "")],
)  # fmt: skip
def test_6_1_a_ground_truth_is_compared_with_nothing(
    value: float | None, truth: bool | None, text: str, reason: str
) -> None:
    found = formats.confidence(value, ground_truth=truth)
    assert (found.text, found.help, found.stored) == (text, reason, value)


@pytest.mark.parametrize(
    ("identifier", "start"),
    [("GO:0016020", "https://amigo."), ("UniProtKB:P00722", "https://www.uniprot.org/uniprotkb/P00722"), ("CL:0000000", "https://purl.obolibrary.org/obo/CL_0000000"),
     ("CVCL_0030", "https://www.cellosaurus.org/CVCL_0030"), ("PDB-1ABC", "https://www.rcsb.org/structure/1ABC"), ("CDPO:12", ""), ("javascript:alert", ""), ("", "")],
)  # fmt: skip
def test_ontology_links(identifier: str, start: str) -> None:
    found = links.ontology(identifier)
    assert found.startswith(start)
    assert bool(found) == bool(start)


def test_texts_are_cut_into_links() -> None:
    found = links.pieces("See 10.1038/s41586-020-2665-2, EMPIAR-10988 and EMD-1.")
    assert [(p.text, bool(p.href)) for p in found] == [
        ("See ", False),
        ("10.1038/s41586-020-2665-2", True),
        (", ", False),
        ("EMPIAR-10988", True),
        (" and ", False),
        ("EMD-1", True),
        (".", False),
    ]
    assert links.named("EMD-1, EMPIAR-10988", "EMPIAR")[0].href == "https://www.ebi.ac.uk/empiar/EMPIAR-10988/"
    assert all(not p.href for p in links.pieces("javascript:alert(1)"))


@given(st.text())
def test_cutting_loses_nothing(text: str) -> None:
    pieces = links.pieces(text)
    assert len("".join(p.text for p in pieces)) <= len(text)
    assert all(p.href.startswith("http") for p in pieces if p.href)


def test_orcid_checksums() -> None:
    assert links.is_orcid("0000-0002-1825-0097")
    assert links.is_orcid("0000-0002-1694-233X")
    assert not links.is_orcid("0000-0002-1825-0098")


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [("5", (("_eq", 5),)), (">=5", (("_gte", 5),)), ("< 2.5", (("_lt", 2.5),)), ("5..10", (("_gte", 5), ("_lte", 10))), ("..10", (("_lte", 10),)), ("5..", (("_gte", 5),)), ("−3..", (("_gte", -3),))],
)  # fmt: skip
def test_number_grammar(text: str, comparisons: tuple[tuple[str, float], ...]) -> None:
    assert bounds(text).comparisons == comparisons


@pytest.mark.parametrize("text", ["", "..", "a", "1..b", "1e9", ">=", "1..2..3", "nan", "9" * 400])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a number"):
        bounds(text)


def test_identifiers_and_words() -> None:
    assert identifiers("DS-10301, 5 ds7") == (10301, 5, 7)
    assert words('ribosome "S. pombe" x') == ("ribosome", "S. pombe", "x")
    assert contains("a.b")["_iregex"].endswith(r"\.[bḃḅḇ]") or r"\." in contains("a.b")["_iregex"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(min_size=1)), max_size=5))
def test_an_address_survives_its_text(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import parse_qsl

    address = Address("/x", tuple(pairs))
    assert parse_qsl(str(address).partition("?")[2], keep_blank_values=True, errors="surrogatepass") == pairs or any(
        "\ud800" <= c <= "\udfff" for _, v in pairs for c in v
    )


def test_names_sort_as_people_count() -> None:
    assert sorted(["run_10", "Run_2", "run_1", "a"], key=natural) == ["a", "run_1", "Run_2", "run_10"]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [":root {", ':root[data-theme="dark"] {\n  --paper'])
def test_N1_text_stands_out_from_its_ground(theme: str) -> None:
    css = (assets.STATIC / "site.css").read_text()
    block = css[css.index(theme) :].partition("}")[0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    grounds = {
        "ink": ("paper", "sheet", "sunk", "accent-soft"),
        "ink-2": ("paper", "sheet", "sunk"),
        "ink-3": ("paper", "sheet"),
    }
    grounds |= {"accent": ("paper", "sheet", "accent-soft"), "accent-ink": ("accent",)}
    grounds |= {tone: (f"{tone}-soft",) for tone in ("good", "fair", "poor", "truth")}
    for ink, papers in grounds.items():
        for paper in papers:
            assert _contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
