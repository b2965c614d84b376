"""A language that nobody speaks, made of the messages: whatever is not in it was never given to be translated."""

from __future__ import annotations

import ast
import re
import struct
from pathlib import Path

import tomotheca

TEMPLATE = Path(tomotheca.__file__).parent / "web" / "locale" / "tomotheca.pot"
ENTRY = re.compile(r'(?:msgctxt (?P<context>".*")\n)?msgid (?P<one>".*")\n(?:msgid_plural (?P<many>".*")\n)?msgstr')
KEPT = re.compile(r"(<[^>]*>|\{[^}]*\}|%\(\w+\)s|%%|&#?\w+;)")
ACCENTS = str.maketrans("aeiouyAEIOUYcnsz", "áéíóúýÁÉÍÓÚÝçñšž")
BEGIN, END = "⟦", "⟧"
SIGNS = {"thousands separator": "\u2009", "decimal mark": "·", "direction of writing": "ltr"}


def pseudo(text: str) -> str:
    """Write a message with accents, in brackets and a third longer; its places stay as they are."""
    parts = KEPT.split(text)
    parts[::2] = [part.translate(ACCENTS) for part in parts[::2]]
    return BEGIN + "".join(parts) + "~" * (len(text) // 3) + END


def install(folder: Path) -> Path:
    """Write the compiled catalogue of the language into a folder, and give the folder."""
    messages = {"": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"}
    for found in ENTRY.finditer(TEMPLATE.read_text(encoding="utf-8")):
        context, one, many = (ast.literal_eval(part) if part else "" for part in found.group("context", "one", "many"))
        if context:
            messages[f"{context}\x04{one}"] = SIGNS[context]
        elif one:
            messages[f"{one}\0{many}" if many else one] = f"{pseudo(one)}\0{pseudo(many)}" if many else pseudo(one)
    path = folder / "en-XA" / "LC_MESSAGES" / "tomotheca.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(compiled(messages))
    return folder


def compiled(messages: dict[str, str]) -> bytes:
    """Write a catalogue in the form that gettext reads."""
    pairs = sorted((k.encode(), v.encode()) for k, v in messages.items())
    number, begin = len(pairs), 28 + 16 * len(pairs)
    texts, tables = b"", [list[int](), list[int]()]
    for side in (0, 1):
        for pair in pairs:
            tables[side] += [len(pair[side]), begin + len(texts)]
            texts += pair[side] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, number, 28, 28 + 8 * number, 0, 0)
    return head + struct.pack(f"<{4 * number}I", *tables[0], *tables[1]) + texts
