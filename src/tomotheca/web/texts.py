"""Texts of templates as messages: what stands between two tags, and attributes that are read, when a template is compiled.

A template is compiled once for each language, so that a page costs the same in all of them. A sentence that a value or a tag
interrupts is one message only inside `{% trans %}`; `loose` finds those that are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.ext import InternationalizationExtension
from jinja2.lexer import Token

from tomotheca.web.words import ENGLISH, Words

if TYPE_CHECKING:
    import jinja2
    from jinja2.lexer import TokenStream

PARTS = re.compile(r"<!--.*?-->|<(?=[A-Za-z/!])|>|[^<>]+|[<>]", re.DOTALL)
READ = re.compile(
    r'(?<=\s)((?:aria-label|title|placeholder|alt|data-label|data-close-label)=")([^"]*[A-Za-z]{2}[^"]*)(")'
)
"""Attributes that are read to somebody."""

CODE = frozenset({"script", "style", "code", "pre", "kbd", "title"})
"""Elements whose text is code, or is put together of other texts."""

TAG = re.compile(r"(/?)([A-Za-z]+)")
EDGES = " \t\r\n·←→×–,;()◐/"
WORD = re.compile(r"[A-Za-z]{2}")
PLACES = re.compile(r"%\((\w+)\)s")
FILTER = "tr"
"""Name of the filter that translates."""

Translate = Callable[[str], str]


class Texts(InternationalizationExtension):
    """Translates the text of a template while it is compiled, into the language of its environment."""

    @property
    def words(self) -> Words:
        """The language of the environment."""
        found = self.environment.globals["words"]
        assert isinstance(found, Words)
        return found

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Replace text between tags; what is inside ``{% trans %}`` is left to that."""
        words = self.words
        tokens = calls(stream, english=words is ENGLISH)
        if words is ENGLISH:
            yield from tokens
            return
        page, inside, block = Page(words.translate), False, False
        for token in tokens:
            if block and token.type == "name":
                inside = token.value == "trans" or (inside and token.value != "endtrans")
            block = token.type == "block_begin"
            if token.type == "data" and not inside:
                yield Token(token.lineno, "data", page.read(token.value))
            else:
                yield token

    def _make_node(
        self,
        singular: str,
        plural: str | None,
        context: str | None,
        variables: dict[str, nodes.Expr],
        plural_expr: nodes.Expr | None,
        *rest: Any,
    ) -> Any:
        """Put a sentence together from its texts and values; only plurals of other languages are looked up for each page."""
        if plural is None or plural_expr is None:
            return sentence(self.words.translate(singular), variables)
        if self.words is not ENGLISH:
            return super()._make_node(singular, plural, context, variables, plural_expr, *rest)
        one = nodes.Compare(plural_expr, [nodes.Operand("eq", nodes.Const(1))])
        return nodes.If(one, [sentence(singular, variables)], [], [sentence(plural, variables)])


def calls(stream: TokenStream, *, english: bool) -> Iterator[Token]:
    """Write ``_(text)`` as a filter, which costs less than a call and nothing where the text is constant; in English as the text."""
    depth, begun = 0, list[int]()
    for token in stream:
        if token.type == "name" and token.value == "_" and stream.current.type == "lparen":
            if not english:
                begun.append(depth)
                yield Token(token.lineno, "lparen", "(")
            continue
        yield token
        depth += (token.type == "lparen") - (token.type == "rparen")
        if token.type == "rparen" and begun and begun[-1] == depth:
            begun.pop()
            for kind, text in (("pipe", "|"), ("name", FILTER), ("rparen", ")")):
                yield Token(token.lineno, kind, text)


def sentence(message: str, variables: Mapping[str, nodes.Expr]) -> nodes.Output:
    """Give the texts of a message and the values between them as a template has them."""
    parts = PLACES.split(message)
    texts = [nodes.TemplateData(text.replace("%%", "%")) if text else None for text in parts[::2]]
    values = [variables[name] for name in parts[1::2]]
    return nodes.Output([part for pair in zip_longest(texts, values) for part in pair if part is not None])


class Page:
    """Reads the data of one template in its order, and knows whether it is inside a tag."""

    def __init__(self, translate: Translate) -> None:
        self.translate, self.tag, self.code = translate, "", 0

    def read(self, data: str) -> str:
        """Give a piece with its texts translated."""
        return "".join(self._part(part) for part in PARTS.findall(data))

    def _part(self, part: str) -> str:
        if part == "<" and not self.tag:
            self.tag = "<"
        elif part == ">" and self.tag:
            self.tag = ""
        elif self.tag:
            if self.tag == "<" and (found := TAG.match(part)):
                self.tag = found[2]
                self.code += (found[2].lower() in CODE) * (-1 if found[1] else 1)
            return READ.sub(lambda m: m[1] + self._text(m[2]) + m[3], part)
        elif not self.code:
            return self._text(part)
        return part

    def _text(self, text: str) -> str:
        core = text.strip(EDGES)
        if not WORD.search(core) or re.fullmatch(r"&#?\w+;", core):
            return text
        before, _, after = text.partition(core)
        return before + self.translate(" ".join(core.split())) + after


def messages(environment: jinja2.Environment, source: str) -> Iterator[str]:
    """Give the texts of a template that are messages by themselves."""
    found: list[str] = []

    def collect(message: str) -> str:
        found.append(message)
        return message

    page, inside, block = Page(collect), False, False
    for _line, kind, value in environment.lex(source):
        if block and kind == "name":
            inside, block = value == "trans" or (inside and value != "endtrans"), False
        block = block if kind == "whitespace" else kind == "block_begin"
        if kind == "data" and not inside:
            page.read(value)
    yield from found
