"""Copy-and-paste commands of the download dialog. Tests run them as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from tomotheca.export.selection import Amount, Selection
from tomotheca.web.patterns import Patterns, patterns_of
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.export.derived import Derived
    from tomotheca.web.page import Asked

TABS: Mapping[str, str] = {
    "cli": "Command line",
    "api": "Python",
    "aws": "AWS CLI",
    "rclone": "rclone",
    "curl": "curl",
    "direct": "Direct",
    "verify": "Verify",
}
ADDED = "with LICENSE.txt, CITATION.bib, CITATION.cff and README.txt"
ALONE = "the archive's files alone"
MADE_HERE = (
    "The bucket has the archive's files alone; this file is made by the server. Use the command line, curl or Direct."
)
ANONYMOUSLY = "The public client library asks anonymously; use the command line or curl."
IN_WHOLE = "The public client library takes everything, or annotation by annotation; use the command line or curl."
ADDED_SUMS = "with LICENSE.txt, CITATION.bib, CITATION.cff and README.txt, and SHA256SUMS"
TOKEN = "TOMOTHECA_TOKEN"
BEARER = f'-H "Authorization: Bearer ${TOKEN}" '


@dataclass(frozen=True)
class Want:
    """What is to be downloaded."""

    asked: Asked
    selection: Selection
    amount: Amount
    """The chosen files alone."""

    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the list of files, and flags of the command line."""

    key: str = ""
    """Archive key of a single file or array directory."""

    folder: str = ""
    """Archive folder of a tree."""

    made: Derived | None = None
    sha256: str = ""
    whole: Amount = field(default_factory=Amount)
    """What a list of files has, texts included."""

    hidden: bool = False
    """Not everybody may have it."""

    shape: str = ""
    """Of an annotation with several files of one format."""

    @property
    def kind(self) -> str:
        """Kind of the record."""
        return self.selection.kind

    @property
    def name(self) -> str:
        """File name."""
        return self.made.name if self.made else self.key.rstrip("/").rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        """Whether it is one file."""
        return self.made is not None or (bool(self.key) and not self.key.endswith("/"))

    @property
    def identifier(self) -> str:
        """Identifier as the command line takes it."""
        return self.asked.name(self.kind, self.selection.id)

    @property
    def s3(self) -> str:
        """Address of the S3 endpoint."""
        return f"{self.asked.origin}/s3"

    @property
    def path(self) -> str:
        """Address of the file below the site's."""
        return self.made.address if self.made else f"/files/{quote(self.key, safe='/')}"

    def listed(self, name: str) -> str:
        """Give the address of a list of the files, or of all of them as one."""
        words = urlencode(self.query, safe=":,")
        query = f"?{words}" if words else ""
        return (
            f"/api/v1/{self.kind if self.kind == 'tiltseries' else self.kind + 's'}/{self.selection.id}/{name}{query}"
        )


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command, or a link, with what one must know."""

    text: str = ""
    note: str = ""
    href: str = ""
    button: str = ""
    delivered: Amount = field(default_factory=Amount)
    """What the command brings, to the byte."""

    brings: str = ""
    """What is in it beside what was chosen."""


def shell(text: str) -> str:
    """Quote a word for a POSIX shell, in double quotes."""
    for char in '\\"$`':
        text = text.replace(char, "\\" + char)
    return f'"{text}"'


def cli(want: Want) -> Snippet:
    """Write the command of our own program: it resumes and verifies."""
    flags = "".join(f" --{name} {value}" for name, value in want.query.items())
    text = f"tomotheca download {want.identifier} --from {want.asked.origin} --to .{flags}"
    note = say(
        "pip install tomotheca. Run it again to continue after a broken connection; every file is checked against its SHA-256."
    )
    if want.hidden:
        note += say(" These data are not public: put your token into the variable {} first.", TOKEN)
    return Snippet(text, note, delivered=want.whole, brings=say(ADDED_SUMS))


METHODS = {"mrc": "download_mrcfile()", "zarr": "download_omezarr()"}
CLASSES = {
    "dataset": "Dataset",
    "run": "Run",
    "tomogram": "Tomogram",
    "tiltseries": "TiltSeries",
    "annotation": "Annotation",
    "deposition": "Deposition",
    "alignment": "Alignment",
    "frame": "Frame",
}
"""Class of the public client library by kind."""


def python(want: Want) -> Snippet:
    """Write a script for the public client library; for what the server makes, one of the standard library."""
    if want.made is not None:
        text = f'from urllib.request import urlretrieve\n\nurlretrieve("{want.asked.origin}{want.path}", {literal(want.name)})'
        return Snippet(text, "", delivered=want.amount)
    calls = _calls(want)
    if not calls or want.hidden:
        return Snippet(note=ANONYMOUSLY if want.hidden else IN_WHOLE)
    name = CLASSES[want.kind]
    lines = [
        f"from cryoet_data_portal import Client, {name}",
        "",
        f'client = Client("{want.asked.origin}/graphql")',
        f"item = {name}.get_by_id(client, {want.selection.id})",
        *calls,
    ]
    note = say("pip install cryoet-data-portal. First, in the shell: export BOTO_ENDPOINT_URL={}", want.s3)
    return Snippet("\n".join(lines), note, delivered=_by_client(want), brings=ALONE)


def literal(text: str) -> str:
    """Write a text as Python reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _calls(want: Want) -> list[str]:
    """Give the lines that bring what is wanted; none where the library cannot."""
    form, only = want.query.get("format", ""), want.query.get("only", "")
    if want.kind == "annotation" and want.key:
        shape = f', shape="{want.shape}"' if want.shape else ""
        return [f'item.download(format="{form}"{shape})']
    if want.kind in {"tomogram", "tiltseries"}:
        return [f"item.{METHODS[form]}"] if want.key and form in METHODS else []
    if form or want.query.get("dataset"):
        return []
    if only == "annotations":
        if want.kind == "dataset":
            return ["for run in item.runs:", "    for annotation in run.annotations:", "        annotation.download()"]
        return ["for annotation in item.annotations:", "    annotation.download()"]
    return [] if only or want.kind == "deposition" else ["item.download_everything()"]


def _by_client(want: Want) -> Amount:
    """Give what the client library brings: of an annotation always its document too."""
    if want.kind != "annotation":
        return want.amount
    catalog, f = want.asked.portal.catalog, want.asked.portal.catalog.tables.file
    own = (f.c.kind == "annotation", f.c.entity_id == want.selection.id, f.c.role == "document")
    rows = catalog.execute(f.select().where(*own, *catalog.compiler(want.asked.viewer).visible("file", f)))
    return want.amount + Amount(sum(int(r["size"]) for r in rows), len(rows))


def _bucket(want: Want) -> str:
    return f"s3://{want.asked.portal.settings.bucket}"


def _of_the_bucket(want: Want) -> tuple[Patterns | None, str]:
    """Give the patterns for what is wanted, or why the bucket is no way to it."""
    if want.made is not None:
        return None, MADE_HERE
    if want.hidden:
        return None, "These data are not public, and the bucket answers everybody; use the command line or curl."
    found = Patterns() if want.key else patterns_of(want.selection) if want.folder else None
    if found is None:
        return None, "Folders of the bucket hold more than this, or less; use the command line or curl."
    return found, ""


def aws(want: Want) -> Snippet:
    """Write an AWS CLI command, without credentials."""
    patterns, why = _of_the_bucket(want)
    if patterns is None:
        return Snippet(note=why)
    flags = f"--no-sign-request --endpoint-url {want.s3}"
    if want.is_file:
        text = f"aws s3 cp {flags} {shell(f'{_bucket(want)}/{want.key}')} {shell(want.name)}"
        return Snippet(text, "", delivered=want.amount)
    folder, target = (want.key.rstrip("/"), want.name) if want.key else (want.folder, want.folder)
    text = f"aws s3 sync {flags} {shell(f'{_bucket(want)}/{folder}/')} {shell(target)}{patterns.aws()}"
    return Snippet(text, say("Run it again to continue."), delivered=want.amount, brings=ALONE)


def rclone(want: Want) -> Snippet:
    """Write an rclone command, without credentials."""
    patterns, why = _of_the_bucket(want)
    if patterns is None:
        return Snippet(note=why)
    remote = f":s3,provider=Other,endpoint='{want.s3}':{want.asked.portal.settings.bucket}"
    if want.is_file:
        text = f"rclone copyto {shell(f'{remote}/{want.key}')} {shell(want.name)}"
        return Snippet(text, "", delivered=want.amount)
    folder, target = (want.key.rstrip("/"), want.name) if want.key else (want.folder, want.folder)
    text = f"rclone copy {shell(f'{remote}/{folder}')} {shell(target)} --transfers 8{patterns.rclone()}"
    return Snippet(text, say("Run it again to continue."), delivered=want.amount, brings=ALONE)


def curl(want: Want) -> Snippet:
    """Write a curl command; for a tree, the server writes the list."""
    token = BEARER if want.hidden else ""
    secret = say(" Put your token into the variable {} first.", TOKEN) if want.hidden else ""
    if want.is_file:
        note = say(
            "Continues where it stopped. Some versions of curl answer 22 when the file is already whole: see Verify."
        )
        text = f"curl -fL -C - {token}-o {shell(want.name)} {shell(want.asked.origin + want.path)}"
        return Snippet(text, note + secret, delivered=want.amount)
    text = (
        f"curl -fsS {token}{shell(want.asked.origin + want.listed('manifest.curl'))} | curl --parallel -fL {token}-K -"
    )
    note = say(
        "The server writes the list of files; run it again to continue. Some versions of curl answer 22 when files are already whole: see Verify."
    )
    return Snippet(text, note + secret, delivered=want.whole, brings=say(ADDED if want.hidden else ADDED_SUMS))


def direct(want: Want) -> Snippet:
    """Give the link to a single file, or to a tree as a ZIP archive."""
    if want.is_file:
        mark = "?download=1" if want.made is None else ""
        note = say("Your browser saves the file under its own name.")
        return Snippet(href=want.path + mark, button=say("Download {}", want.name), note=note, delivered=want.amount)
    if want.whole.size > want.asked.portal.settings.zip_limit:
        return Snippet(
            note="This is too large for one ZIP file. Use the command line, AWS CLI, rclone or curl, which continue after a break."
        )
    length = zip_length(want)
    note = say(
        "One ZIP file, not compressed, with the folders of the archive; a download manager can continue it after a break."
    )
    return Snippet(
        href=want.listed("download.zip"), button="Download ZIP", note=note, delivered=Amount(length, 1 if length else 0),
        brings=say(ADDED_SUMS),
    )  # fmt: skip


FEW = 2000
"""Files up to which the length of a ZIP archive is worked out for a page."""


def zip_length(want: Want) -> int:
    """Give the length of a tree as ZIP archive; 0 where that would take long."""
    from tomotheca.export.tree import Tree  # noqa: PLC0415 - only this tab needs it

    if want.whole.files > FEW or want.asked.portal.files is None:
        return 0
    portal = want.asked.portal
    question = ("zip", want.asked.version, want.asked.viewer, want.selection)
    return portal.memory.get(question, lambda: Tree(portal, want.selection, want.asked.viewer).zipped())


def verify(want: Want) -> Snippet:
    """Write the command that checks what was downloaded."""
    if want.is_file and want.sha256:
        return Snippet(f'echo "{want.sha256}  {_echoed(want.name)}" | sha256sum -c')
    if want.is_file:
        size = say("A whole file has {} bytes.", want.amount.size) if want.amount.size else ""
        return Snippet(note=say("No checksum is recorded for this file. {}", size).strip())
    token = BEARER if want.hidden else ""
    lists = (
        f"curl -fsS {token}{shell(want.asked.origin + want.listed('manifest.sha256'))} | sha256sum -c --ignore-missing"
    )
    text = f"sha256sum -c SHA256SUMS\n# after the AWS CLI, rclone or Python, which bring no SHA256SUMS:\n{lists}"
    return Snippet(text, say("In the folder where the download began."))


def _echoed(text: str) -> str:
    """Escape a name for an echo in double quotes."""
    return shell(text)[1:-1]


WRITERS: Mapping[str, Callable[[Want], Snippet]] = {
    "cli": cli,
    "api": python,
    "aws": aws,
    "rclone": rclone,
    "curl": curl,
    "direct": direct,
    "verify": verify,
}
