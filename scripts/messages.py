"""Write `src/tomotheca/web/locale/tomotheca.pot`, every message of the pages; with ``--check``, only say whether it is as it would be written."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

from tomotheca.catalog.placing import ROLES as PLACES
from tomotheca.export.points import FRAMES
from tomotheca.export.selection import ROLES
from tomotheca.schema import SCHEMA
from tomotheca.schema.vocabulary import LABELS, QUALITY
from tomotheca.search.fields import LABELS as FIELDS
from tomotheca.web import page, texts, words
from tomotheca.web.filters import registry
from tomotheca.web.grammar import TRI
from tomotheca.web.values import title

WEB = Path(words.__file__).parent
SOURCES = [
    *sorted(WEB.rglob("*.py")),
    *(WEB.parent / "api" / name for name in ("contributing.py", "errors.py", "login.py")),
]
TEMPLATE = WEB / "locale" / f"{words.DOMAIN}.pot"
HUMAN = re.compile(r"\W*[A-Z][a-z]|.*[a-z]{2} [a-z{]|\d+ [a-z]", re.DOTALL)
MACHINE = re.compile(r"[\\$<=|*]|^ {4}|https?:|^/|default-src|[a-z]+/[a-z]+;")
Message = tuple[str, str]  # singular, plural


def is_read(text: str) -> bool:
    """Tell whether a text looks like one for people."""
    return bool(HUMAN.match(text)) and not MACHINE.search(text)


def of_sources() -> Iterator[Message]:
    """Give what `say`, `some` and `plural` are called with, and texts of declarations: those of modules, classes and plain calls."""
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in ast.walk(n)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func).rpartition(".")[2]
                given = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if name in {"say", "some"}:
                    yield from ((text, "") for text in given)
                if name == "Badge":
                    yield from ((text, "") for text in given[:1])
                if name == "plural" and given:
                    yield f"{{}} {given[0]}", f"{{}} {given[1] if len(given) > 1 else given[0] + 's'}"
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documented | inner
                and is_read(node.value)
            ):
                yield node.value, ""


def of_schema() -> Iterator[Message]:
    """Give labels, units and meanings of fields and filters, and the words of the vocabulary."""
    for kind, entity in SCHEMA.kinds.items():
        name = entity.title if entity.title.endswith("s") else f"{entity.title}s"
        yield from ((text, "") for text in (entity.title, name, name.lower(), " ".join((entity.__doc__ or "").split())))
        for column in SCHEMA.columns(kind):
            section = column.drawer.section if column.drawer else ""
            stem = title(column).rpartition(" ")[0] if title(column)[-2:] in {" x", " y", " z"} else ""
            yield from ((text, "") for text in (title(column), column.label.strip(), column.description, section, stem))
    for listing in ("dataset", "run", "deposition", "annotation", "tomogram"):
        for found in registry(SCHEMA, listing):
            yield from ((text, "") for text in (found.label, found.help, found.section))
    yield from ((text, "") for label, meaning, _tone in QUALITY.values() for text in (label, meaning))
    yield from ((text, "") for names in (*LABELS.values(), FIELDS, FRAMES, TRI) for text in names.values())


def of_files() -> Iterator[Message]:
    """Give what files are for."""
    for role in {*PLACES.values(), *(role for roles in ROLES.values() for role in roles), "document", "image", "other"}:
        text = role.replace("_", " ")
        yield text[:1].upper() + text[1:], ""


def of_templates() -> Iterator[Message]:
    """Give the texts of templates, by themselves and inside ``{% trans %}``."""
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, autoescape=True)
    for path in sorted(page.TEMPLATES.glob("*.html")):
        source = path.read_text(encoding="utf-8")
        yield from ((text, "") for text in texts.messages(environment, source))
        for _line, _name, found in extract_from_ast(environment.parse(source)):
            one, many = (found, None) if found is None or isinstance(found, str) else found[:2]
            if one is not None:
                yield one, many or ""


def written() -> str:
    """Give the whole file."""
    found: dict[str, str] = {}
    for one, many in (*of_templates(), *of_sources(), *of_schema(), *of_files()):
        if re.search("[A-Za-z]{2}", one):
            found[one] = many or found.get(one, "")
    signs = "".join(f'\nmsgctxt "{name}"\nmsgid {quoted(sign)}\nmsgstr ""\n' for name, sign in words.SIGNS.items())
    return HEAD + signs + "".join(entry(one, many) for one, many in sorted(found.items()))


def entry(one: str, many: str) -> str:
    """Write a message."""
    rest = f'msgid_plural {quoted(many)}\nmsgstr[0] ""\nmsgstr[1] ""\n' if many else 'msgstr ""\n'
    return f"\nmsgid {quoted(one)}\n{rest}"


def quoted(text: str) -> str:
    """Write a text as gettext does."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nContent-Transfer-Encoding: 8bit\\n"\n'

if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(TEMPLATE.read_text(encoding="utf-8") != written() and "The messages are out of date: run make docs.")
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_text(written(), encoding="utf-8")
