"""Settings from `<root>/tomotheca.toml` and the environment (which wins). The only module that reads the environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from tomotheca.errors import SettingsError
from tomotheca.settings.tables import Weights, table, templates

PREFIX = "TOMOTHECA_"


class Settings(BaseModel):
    """Everything an operator can set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    root: Path = Path("tomotheca-data")
    """Folder that holds archive, state and the file `tomotheca.toml`."""

    state: Path | None = None
    """Folder for catalogue and desk; must be a local disk. Default: `<root>/state`."""

    archive: str | None = None
    """Folder of the archive, or `s3://bucket/prefix`. Default: `<root>/archive`."""

    archive_endpoint: str | None = None
    """Address of the object store that holds the archive. Default: `AWS_ENDPOINT_URL`, else AWS."""

    accel_prefix: str | None = Field(None, pattern=r"^/[A-Za-z0-9._~/-]*$")
    """Internal location of a proxy (nginx) that sends the archive's files in our place, by `X-Accel-Redirect`."""

    catalog_url: str | None = None
    """Database of the catalogue. Default: SQLite in the state folder."""

    desk_url: str | None = None
    """Database of the desk. Default: SQLite in the state folder."""

    public_url: str | None = None
    """Address under which visitors reach this server. Default: what `serve` listens on."""

    bucket: str = Field("tomotheca", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """Name of the S3 bucket that the archive appears as."""

    site_name: str = "Tomotheca"
    """Name of the site in titles and the header."""

    tagline: str = "Cryo-electron tomograms: find them, look at them, take them with you."
    """Sentence on the home page."""

    languages: Path | None = None
    """Folder of gettext catalogues, `<language>/LC_MESSAGES/tomotheca.mo`: pages are in English and in these languages, as browsers ask."""

    response_cache: bool = True
    """Keep answers to identical queries until the catalogue changes."""

    response_cache_bytes: int = Field(64 << 20, ge=0)
    """Bytes of memory that each process keeps answers in."""

    rate_limit: int = Field(0, ge=0)
    """Requests per minute and client; 0 is no limit."""

    curator_token: SecretStr | None = None
    """Secret that makes its bearer a curator; unset, nobody is."""

    trusted_header: str | None = None
    """Header in which a proxy names a signed-in curator."""

    trusted_proxies: str = ""
    """Addresses of proxies whose header is believed, separated by commas."""

    privacy_publish_emails: bool = False
    """Show authors' e-mail addresses in the API and in served documents."""

    max_depth: int = Field(16, ge=4)
    """Deepest nesting of a GraphQL query."""

    query_seconds: float = Field(30, ge=0)
    """Seconds that the database may work on one answer; 0 is no limit."""

    max_rows: int = Field(1_000_000, ge=1000)
    """Most rows in one answer of the API."""

    workers: int = Field(
        default_factory=lambda: (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        ),
        ge=1,
    )
    """Processes of `serve` and `ingest`. Default: the cores."""

    memory: int = Field(1 << 30, ge=64 << 20)
    """Bytes that one conversion may use."""

    completeness: Annotated[Weights, BeforeValidator(table)] = Weights()
    """What each thing counts for in the completeness of a run; the sum need not be 100."""

    links: Annotated[dict[str, str], BeforeValidator(table), AfterValidator(templates)] = {}
    """Pages of terms by the prefix of their identifiers: `https://…` with `{id}`, `{accession}` or `{prefix}` in it."""

    zip_limit: int = Field(20_000_000_000, ge=0)
    """Bytes of the largest tree that is sent as one ZIP file; 0 sends none."""

    in_place: bool = False
    """Leave volumes where they are when they are ingested, as far as they can be served from there (`ingest --in-place`)."""

    zarr: str = Field("0.4", pattern=r"^0\.[45]$", coerce_numbers_to_str=True)
    """Version of OME-Zarr that ingest writes: `0.4`, which every client reads, or `0.5`, with several chunks in a file (`ingest --zarr`)."""

    zarr_chunk: str | None = Field(None, pattern="^(16|32|64|128|256)$", coerce_numbers_to_str=True)
    """Edge of the chunks of volumes in voxels: 16, 32, 64, 128 or 256. Default: 128 in 0.4, 64 in 0.5."""

    zarr_codec: str | None = Field(None, pattern="^(lz4|zstd)$")
    """Compressor of OME-Zarr: `lz4` (Blosc, shuffled bit by bit) or `zstd`. Default: lz4, for single bytes zstd in Blosc."""

    zarr_level: int | None = Field(None, ge=1, le=9)
    """How hard that compressor tries, 1 to 9. Default: 5 for lz4, 3 for zstd."""

    annotation_per_tomogram: str = Field("warning", pattern="^(off|note|warning|error)$")
    """What the doctor says of a tomogram without annotation: `error`, `warning`, `note`, or nothing (`off`)."""

    filter_side: str = Field("right", pattern="^(left|right)$")
    """Side of the filter panel."""

    deposition_prefix: str = "DEP-"
    """Prefix of deposition identifiers."""

    contribute_mode: str = Field("internal", pattern=r"^(internal|off|https?://\S+)$")
    """Form for offers: `internal`, `off`, or the address of a form elsewhere."""

    contribute_rate_limit: int = Field(6, ge=0)
    """Forms that one address may save or send in a minute; 0 is no limit."""

    contribute_licence: str = "CC0-1.0"
    """Licence that contributors agree to, an SPDX identifier."""

    contribute_reply_days: int = Field(10, ge=1)
    """Working days within which contributors are told that a curator answers."""

    embargo_max_months: int = Field(24, ge=0)
    """Months for which contributors may ask that their data stay hidden."""

    smtp_host: str | None = None
    """Mail server that sends contributors what is new; unset, no e-mail is sent."""

    smtp_port: int = Field(25, ge=1, le=65535)
    """Port of the mail server."""

    smtp_security: str = Field("none", pattern="^(none|starttls|tls)$")
    """How the connection to the mail server is protected: `none`, `starttls` or `tls`."""

    smtp_user: str | None = None
    """Name at the mail server."""

    smtp_password: SecretStr | None = None
    """Password at the mail server."""

    mail_from: str | None = None
    """Address that e-mails come from; it is needed to send any."""

    @property
    def contribute_link(self) -> str:
        """Address of the form for offers; nothing where there is none."""
        return {"internal": "/contribute", "off": ""}.get(self.contribute_mode, self.contribute_mode)

    @property
    def state_folder(self) -> Path:
        """Folder of catalogue and desk."""
        return self.state or self.root / "state"

    @property
    def archive_is_remote(self) -> bool:
        """Whether the archive is in an object store."""
        return "://" in self.archive_name

    @property
    def archive_name(self) -> str:
        """Folder or address of the archive."""
        return self.archive or str(self.root / "archive")

    @property
    def archive_folder(self) -> Path:
        """Folder of the archive.

        Raises
        ------
        SettingsError
            If it is in an object store.
        """
        if self.archive_is_remote:
            message = f"archive {self.archive}: this needs an archive in a folder of this machine"
            raise SettingsError(message)
        return Path(self.archive_name)

    @property
    def loaded_folder(self) -> Path:
        """Folder of loaded dumps."""
        return self.root / "loaded"

    @property
    def catalog_database(self) -> str:
        """Address of the catalogue."""
        return self.catalog_url or f"sqlite:///{self.state_folder / 'catalog.sqlite'}"

    @property
    def desk_database(self) -> str:
        """Address of the desk."""
        return self.desk_url or f"sqlite:///{self.state_folder / 'desk.sqlite'}"


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `tomotheca settings` lists it."""

    variable: str
    value: str
    origin: str
    meaning: str


def load(**given: Any) -> Settings:
    """Read the settings: given values, then the environment, then the file, then defaults.

    Raises
    ------
    SettingsError
        If a value cannot be used, or the file has an unknown key.
    """
    return _load(given)[0]


def describe(**given: Any) -> list[Described]:
    """List every setting with its value and where it came from; secrets are not shown."""
    settings, origins = _load(given)
    return [
        Described(
            PREFIX + name.upper(), _shown(getattr(settings, name)), origins.get(name, "default"), info.description or ""
        )
        for name, info in Settings.model_fields.items()
    ]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        value = json.dumps(value) if value else None
    return "set, not shown" if isinstance(value, SecretStr) else "" if value is None else without_password(str(value))


def without_password(address: str) -> str:
    """Give an address as it may be shown, whether or not it can be read."""
    return re.sub(r"(://[^/?#\s]*?:).*@", r"\1***@", address)


def _load(given: dict[str, Any]) -> tuple[Settings, dict[str, str]]:
    given = {k: v for k, v in given.items() if v is not None}
    environment = {
        name: os.environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if os.environ.get(PREFIX + name.upper(), "") != ""
    }
    root = Path(given.get("root") or environment.get("root") or Settings.model_fields["root"].default)
    path = root / "tomotheca.toml"
    values = _file(path)
    origins = (
        dict.fromkeys(values, str(path))
        | dict.fromkeys(environment, "environment")
        | dict.fromkeys(given, "command line")
    )
    try:
        return Settings(**{"root": root, **values, **environment, **given}), origins
    except ValidationError as error:
        first = error.errors()[0]
        name, said = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        origin = origins.get(str(first["loc"][0]), path)
        message = f"setting {name} ({origin}): {said}; `tomotheca settings` lists what there is"
        raise SettingsError(message) from error


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: not a TOML file: {error}"
        raise SettingsError(message) from error
