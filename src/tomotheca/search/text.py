"""Text -> terms. What is written in several ways becomes one: case, accents, Greek letters, hyphens, plurals, zeros before a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

TOKEN = re.compile(r"[^\W\d_]+|\d+")
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau", "υ": "upsilon",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i"})
LONE_GREEK = re.compile(r"(?<![\u0370-\u03ff])([α-ω])(?![\u0370-\u03ff])")
"""A Greek letter that stands for itself, not in a Greek word."""

IRREGULAR = {
    "mitochondria": "mitochondrion", "nuclei": "nucleus", "nucleoli": "nucleolus", "bacteria": "bacterium", "cilia": "cilium", "flagella": "flagellum",
    "lamellae": "lamella", "cristae": "crista", "fungi": "fungus", "algae": "alga", "septa": "septum", "matrices": "matrix", "vertices": "vertex",
    "spectra": "spectrum", "archaea": "archaeon", "axonemata": "axoneme", "mice": "mouse", "rhoptries": "rhoptry", "synapses": "synapse",
}  # fmt: skip
HISSING = ("sses", "xes", "ches", "shes", "uses")
SINGULAR = ("ss", "us", "is", "os")
SHORTEST_PLURAL = 4


def fold(text: str) -> str:
    """Give a text in small letters of the Latin alphabet, as far as they stand for what it has; its length may change."""
    if text.isascii():
        return text.lower()
    lowered = LONE_GREEK.sub(lambda m: f" {GREEK.get(m[1], m[1])} ", unicodedata.normalize("NFKC", text).casefold())
    apart = unicodedata.normalize("NFKD", lowered.translate(LETTERS))
    return "".join(c for c in apart if not unicodedata.combining(c))


def tokens(text: str) -> list[str]:
    """Cut a text into folded words and numbers: ``TS_001`` is ``ts`` and ``001``."""
    return TOKEN.findall(fold(text))


@lru_cache(65536)
def terms(token: str) -> tuple[str, ...]:
    """Give the terms under which a token is kept: a word in the singular; a number as written, and without zeros before it."""
    if token.isdigit():
        plain = token.lstrip("0") or "0"
        return (token,) if plain == token else (token, plain)
    return (singular(token),)


def singular(word: str) -> str:
    """Give the singular of a folded English word, as far as its ending tells."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < SHORTEST_PLURAL or not word.endswith("s") or word.endswith(SINGULAR):
        return word
    if word.endswith("ies") and len(word) > SHORTEST_PLURAL:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(HISSING) else word[:-1]


@dataclass(frozen=True, slots=True)
class Span:
    """A token and where it stands in a text."""

    token: str
    start: int
    end: int


def spans(text: str) -> Iterator[Span]:
    """Give the tokens of a text with their places in it."""
    if text.isascii():
        for found in TOKEN.finditer(text.lower()):
            yield Span(found[0], *found.span())
        return
    folded, places = [], []
    for word in re.finditer(r"[\w\u0300-\u036f]+", text):  # a word is folded alone, so that its place is known
        folded.append(fold(word[0]))
        places.append(word.span())
    for words, (start, end) in zip(folded, places, strict=True):
        same = len(words) == end - start
        for token in TOKEN.finditer(words):
            yield Span(token[0], *((start + token.start(), start + token.end()) if same else (start, end)))
