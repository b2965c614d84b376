"""Copy-and-paste commands of the download dialog. Tests run them as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from tomotheca.web.page import Asked

TABS: Mapping[str, str] = {
    "cli": "Command line",
    "api": "Python",
    "aws": "AWS CLI",
    "curl": "curl",
    "direct": "Direct",
    "verify": "Verify",
}
KINDS = {
    "dataset": "datasets",
    "run": "runs",
    "tiltseries": "tiltseries",
    "tomogram": "tomograms",
    "annotation": "annotations",
}
FOLDERS = {"tiltseries": "TiltSeries", "frames": "Frames"}
INNER = {"annotations": "Annotations", "tomograms": "Tomograms"}
TREE_NOTE = "The command line and curl add LICENSE.txt, CITATION.bib, CITATION.cff and README.txt; AWS and Python take the archive's files alone."


@dataclass(frozen=True)
class Want:
    """What is to be downloaded."""

    asked: Asked
    kind: str
    id: int
    size: int
    files: int
    key: str = ""
    """Archive key of a single file or array directory."""

    folder: str = ""
    """Archive folder of a tree."""

    part: str = ""
    """Part of a tree."""

    form: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """File name."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        """Whether it is one file."""
        return bool(self.key) and not self.key.endswith("/")

    @property
    def bucket(self) -> str:
        """Address of the bucket."""
        return f"s3://{self.asked.portal.settings.bucket}"

    @property
    def s3(self) -> str:
        """Address of the S3 endpoint."""
        return f"{self.asked.origin}/s3"

    @property
    def url(self) -> str:
        """Web address of the file."""
        return f"{self.asked.origin}/files/{quote(self.key, safe='/')}"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command, or a link, with what one must know."""

    text: str = ""
    note: str = ""
    href: str = ""
    button: str = ""


def shell(text: str) -> str:
    """Quote a word for a POSIX shell, in double quotes."""
    for char in '\\"$`':
        text = text.replace(char, "\\" + char)
    return f'"{text}"'


def cli(want: Want) -> Snippet:
    """Write the command of our own program: it resumes and verifies."""
    flags = (
        f" --only {want.part}"
        if want.part
        else f" --format {want.form}"
        if want.form in {"mrc", "zarr", "ndjson"}
        else ""
    )
    text = f"tomotheca download {SCHEMA.kinds[want.kind].prefix}{want.id} --from {want.asked.origin} --to .{flags}"
    return Snippet(
        text,
        "pip install tomotheca. Run it again to continue after a broken connection; every file is checked against its SHA-256.",
    )


METHODS = {
    "tomogram": {"mrc": "download_mrcfile()", "zarr": "download_omezarr()"},
    "tiltseries": {"mrc": "download_mrcfile()", "zarr": "download_omezarr()"},
}
CLASSES = {
    "dataset": "Dataset",
    "run": "Run",
    "tomogram": "Tomogram",
    "tiltseries": "TiltSeries",
    "annotation": "Annotation",
}


def python(want: Want) -> Snippet:
    """Write a script for the public client library."""
    name = CLASSES[want.kind]
    lines = [
        f"from cryoet_data_portal import Client, {name}",
        "",
        f'client = Client("{want.asked.origin}/graphql")',
        f"item = {name}.get_by_id(client, {want.id})",
    ]
    if want.key:
        method = METHODS.get(want.kind, {}).get(want.form) or f'download(format="{want.form}")'
        lines.append(f"item.{method}")
    elif want.part == "annotations":
        runs = "[item]" if want.kind == "run" else "item.runs"
        lines += [f"for run in {runs}:", "    for annotation in run.annotations:", "        annotation.download()"]
    else:
        lines.append("item.download_everything()")
    note = f"pip install cryoet-data-portal. First, in the shell: export BOTO_ENDPOINT_URL={want.s3}"
    if want.part and want.part != "annotations":
        note += ". The client takes everything; use another tab for a part."
    return Snippet("\n".join(lines), note)


def aws(want: Want) -> Snippet:
    """Write an AWS CLI command, without credentials."""
    flags = f"--no-sign-request --endpoint-url {want.s3}"
    if want.is_file:
        return Snippet(f"aws s3 cp {flags} {shell(f'{want.bucket}/{want.key}')} {shell(want.name)}")
    folder = want.key.rstrip("/") or want.folder
    target = folder.rpartition("/")[2]
    if want.part in FOLDERS and want.kind == "run":
        folder, target = f"{folder}/{FOLDERS[want.part]}", f"{target}/{FOLDERS[want.part]}"
    only = ""
    if want.part and (want.kind == "dataset" or want.part in INNER):
        only = f' --exclude "*" --include "*/{INNER.get(want.part) or FOLDERS[want.part]}/*"'
    return Snippet(
        f"aws s3 sync {flags} {shell(f'{want.bucket}/{folder}/')} {shell(target)}{only}", "Run it again to continue."
    )


def curl(want: Want) -> Snippet:
    """Write a curl command; for a tree, the server writes the list."""
    if want.is_file:
        note = "Continues where it stopped. Some versions of curl answer 22 when the file is already whole: see Verify."
        return Snippet(f"curl -fL -C - -o {shell(want.name)} {shell(want.url)}", note)
    flags = [f"only={want.part}"] if want.part else [f"format={want.form}"] if want.form in {"mrc", "zarr"} else []
    query = "?" + "&".join(flags) if flags else ""
    address = f"{want.asked.origin}/api/v1/{KINDS[want.kind]}/{want.id}/manifest.curl{query}"
    return Snippet(
        f"curl -fsS {shell(address)} | curl --parallel -fL -K -",
        "The server writes the list of files; run it again to continue.",
    )


def direct(want: Want) -> Snippet:
    """Give the link to a single file, or say which command takes a tree."""
    if want.is_file:
        return Snippet(
            href=f"/files/{quote(want.key, safe='/')}",
            button=f"Download {want.name}",
            note="Your browser saves the file under its own name.",
        )
    return Snippet(
        note="This is many files in folders. A browser takes one file at a time: use the command line, AWS CLI or curl, which continue after a break."
    )


def verify(want: Want) -> Snippet:
    """Write the command that checks what was downloaded."""
    if want.is_file and want.sha256:
        return Snippet(f'echo "{want.sha256}  {want.name}" | sha256sum -c')
    if want.is_file:
        return Snippet(note="No checksum is recorded for this file.")
    address = f"{want.asked.origin}/api/v1/{KINDS[want.kind]}/{want.id}/manifest.sha256"
    return Snippet(
        f"curl -fsS {shell(address)} | sha256sum -c --ignore-missing", "In the folder where the download began."
    )


WRITERS: Mapping[str, Callable[[Want], Snippet]] = {
    "cli": cli,
    "api": python,
    "aws": aws,
    "curl": curl,
    "direct": direct,
    "verify": verify,
}
